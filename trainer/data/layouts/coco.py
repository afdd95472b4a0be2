"""COCO: one JSON file that lists images, categories and annotations, and the images.

``annotations/instances_train2017.json`` beside ``train2017/``, or ``_annotations.coco.json`` in
each split's folder with its images, as Roboflow writes it. No path from the file is opened: what
it lists is looked up among the images that lie below the root. An image without annotations is
background all over.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from trainer.data.collection import Collection, Fault, MaskCoding
from trainer.data.files.jsonfile import Part, read_head
from trainer.data.layouts.coco_listing import Listing, read_listing
from trainer.data.layouts.folders import name_pairs
from trainer.data.layouts.labels import (
    holds_masks,
    json_files,
    name_classes,
    notes_of_void,
)
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import composed, readable
from trainer.data.layouts.matching import Source, source_of
from trainer.data.layouts.official import with_split
from trainer.data.layouts.walking import Folder, walk
from trainer.data.layouts.words import place
from trainer.wording import counted

# Where so many JSON files lie in a folder, they are one for each image.
MOST_FILES = 20
LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def _files(root: Path) -> list[Path]:
    """Return the files that look like COCO's by their first lines."""
    few = (found for found in json_files(root) if len(found) <= MOST_FILES)
    return [path for found in few for path in found if LISTS.search(read_head(path))]


def _listings(root: Path, told: str | None) -> tuple[list[Listing], list[str]]:
    """Return what the files list that hold areas, and notes of those that are not used."""
    paths = sorted(root.glob(told)) if told else _files(root)
    if told and not paths:
        raise ValueError(f"masks: there is no file {told!r} below {root}")
    # Of COCO's own files, those of captions, key points and stuff are about the same images.
    objects = [path for path in paths if path.stem.startswith("instances")]
    found = [read_listing(path) for path in objects or paths]
    used = [listing for listing in found if listing.areas]
    if found and not used:
        raise ValueError(
            f"{found[0].path}: no annotation has a segmentation; boxes and captions are no masks"
        )
    unused = set(paths) - {listing.path for listing in used}
    notes = [f"{_below(root, path)} is not used: it lists no areas of its own" for path in unused]
    return used, sorted(notes)


def _below(root: Path, path: Path) -> str:
    return readable(path.relative_to(root).as_posix())


class Shelf:
    """The images below a root by their names, to find those that files list."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.owners: dict[Path, Path] = {}
        self.by_name: dict[str, list[tuple[Path, Folder]]] = {}
        for folder in walk(root):
            for path in folder.files:
                self.by_name.setdefault(composed(path.name), []).append((path, folder))

    def notes(self) -> list[str]:
        """Return a note of the images that no file has taken."""
        rest = [p for places in self.by_name.values() for p, _ in places if p not in self.owners]
        if not rest:
            return []
        return [
            f"{counted(len(rest), 'image')} that no file lists, such as "
            f"{_below(self.root, rest[0])}: not used"
        ]

    def take(self, name: str, file: Path, split: str | None) -> tuple[Path, Folder] | None:
        """Return the image that a file means by a name, None where it is not here.

        Raises ``ValueError`` where two fit equally well, and for an image that is taken.
        """
        found = self._find(name, file, split)
        if found is None:
            return None
        if (owner := self.owners.get(found[0])) is not None:
            one, other, image = (_below(self.root, path) for path in (owner, file, found[0]))
            cure = f"and {other} too; say which with --layout coco --masks FILE"
            raise ValueError(f"data: {one} lists {image}, {'twice' if owner == file else cure}")
        self.owners[found[0]] = file
        return found

    def _find(self, name: str, file: Path, split: str | None) -> tuple[Path, Folder] | None:
        wanted = PurePosixPath(composed(name).replace("\\", "/"))
        found = self.by_name.get(wanted.name, [])
        if len(found) < 2:
            return found[0] if found else None

        def nearness(place: tuple[Path, Folder]) -> tuple[bool, ...]:
            path, folder = place
            ends = path.parts[-len(wanted.parts) :] == wanted.parts
            own = folder.place.split == split
            return ends, path.parent == file.parent, own, folder.place.role == "image"

        *_, second, first = sorted(found, key=nearness)
        if nearness(first) == nearness(second):
            one, other = sorted(_below(self.root, path) for path, _ in (first, second))
            raise ValueError(
                f"{file}: lists {name!r}, which {one} and {other} fit equally well; move one away"
            )
        return first


def _read(root: Path, options: Options) -> Collection:
    listings, notes = _listings(root, options.reading.masks)
    shelf = Shelf(root)
    sources: list[Source] = []
    parts: list[tuple[Part, ...]] = []
    faults: list[Fault] = []
    for listing in listings:
        faults += listing.faults()
        for source, of_each in _located(listing, shelf, faults):
            sources.append(source)
            parts += of_each
    named = [replace(p, parts=of) for p, of in zip(name_pairs(root, sources), parts, strict=True)]
    pairs, of_splits = with_split(root, named)
    categories, headings = _categories(listings)
    names = list(categories.values())
    classes, index = name_classes(names, options.table, str(root)) if pairs else ((), {})
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=classes,
        coding=MaskCoding(labels={key: index[name] for key, name in categories.items() if pairs}),
        faults=tuple(faults),
        notes=(
            *_notes(root, listings, headings),
            *notes_of_void(index),
            *notes,
            *shelf.notes(),
            *of_splits,
        ),
    )


def _located(
    listing: Listing, shelf: Shelf, faults: list[Fault]
) -> list[tuple[Source, list[tuple[Part, ...]]]]:
    """Return the listed images that are there, folder by folder, with the parts of each."""
    split = place(listing.path.relative_to(shelf.root).with_suffix("").parts).split
    by_folder: dict[Path, tuple[Folder, list[Path], list[tuple[Part, ...]]]] = {}
    absent = []
    for key, (name, entry) in listing.images.items():
        found = shelf.take(name, listing.path, split)
        if found is None:
            absent.append(name)
            continue
        image, folder = found
        _, images, parts = by_folder.setdefault(folder.path, (folder, [], []))
        images.append(image)
        parts.append((entry, *listing.parts.get(key, ())))
    if absent:
        problem = f"missing image: {len(absent)} of those listed, such as {absent[0]!r}"
        faults.append(Fault(path=listing.path, problem=problem))
    return [
        (
            source_of(
                replace(folder.place, split=split or folder.place.split),
                [(image, (listing.path,)) for image in images],
            ),
            parts,
        )
        for folder, images, parts in by_folder.values()
    ]


def _categories(listings: Sequence[Listing]) -> tuple[dict[str, str], list[str]]:
    """Return the categories of all files by id, in its order, and those that are none.

    A category that no annotation has and that others have above them is a heading, as Roboflow
    writes one first.
    """
    found: dict[str, str] = {}
    for listing in listings:
        for key, name in listing.categories.items():
            if found.setdefault(key, name) != name:
                raise ValueError(
                    f"{listing.path}: category {key} is {name!r}, in another file {found[key]!r}"
                )
    if len(set(found.values())) < len(found):
        raise ValueError(f"{listings[-1].path}: another file has its categories by other ids")
    above = {
        listing.above[key]
        for listing in listings
        for key, name in listing.categories.items()
        if listing.above[key] != name and isinstance(listing.above[key], str)
    }
    used = {key for listing in listings for key in listing.used}
    headings = [key for key, name in found.items() if key not in used and name in above]
    ids = sorted(
        (key for key in found if key not in headings),
        key=lambda key: int(key) if key.isdecimal() else 0,
    )
    return {key: found[key] for key in ids}, [found[key] for key in headings]


def _notes(root: Path, listings: Sequence[Listing], headings: Sequence[str]) -> list[str]:
    notes = []
    for listing in listings:
        bare = sum(key not in listing.parts for key in listing.images)
        number = sum(listing.used.values())
        said = f"{counted(number, 'annotation')} in {_below(root, listing.path)}"
        void = f"; void: {counted(listing.crowds, 'crowd')}" if listing.crowds else ""
        empty = f"; background: {counted(bare, 'image')} without annotations" if bare else ""
        notes.append(f"masks: drawn from {said}, what is larger first{void}{empty}")
    if headings:
        notes.append(f"no class, as no annotation has it: the heading {', '.join(headings)}")
    return notes


LAYOUT = Layout(
    name="coco",
    looks_for="a JSON file with the lists images, categories and annotations, and those images",
    matches=lambda root: bool(_files(root)) and not holds_masks(root),
    read=_read,
)
