"""The general case: two folders, or one, with images and masks of matching names.

What a folder holds is told from its name (see `words`), splits from folders or lists, and which
mask belongs to which image from the file names (see `joining`). Where no name says which of two
folders holds the masks, the files are looked at.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.data.collection import Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.discovery import discover
from trainer.data.layouts.joining import Join, join
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import readable
from trainer.data.layouts.lists import find_lists, read_lists
from trainer.data.layouts.looking import looks_like_masks
from trainer.data.layouts.walking import Folder, walk
from trainer.data.layouts.words import (
    IMAGE_WORDS,
    LESSER_WORDS,
    MASK_WORDS,
    Place,
    is_bare,
    mask_name,
)

LOSSY_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Pairs found together: in one folder, or in a folder of images and one of masks."""

    place: Place
    joined: Join


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The pairs that a folder holds, what is wrong with the names, and what is not used."""

    sources: tuple[Source, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def survey(root: Path, within: Sequence[str] = ()) -> Survey:
    """Find all pairs under ``root``, or in some folders of it, by names of folders and files."""
    folders = walk(root)
    if within:
        folders = [f for f in folders if any(f.path.is_relative_to(root / top) for top in within)]
    alone = {
        f.path: s
        for f in folders
        if (s := _one_case(f) or _by_affix(f)) and 2 * _files(s) >= len(f.files)
    }
    rest = [folder for folder in folders if folder.path not in alone]
    masks = [folder for folder in rest if folder.place.role == "mask"]
    images = [folder for folder in rest if folder.place.role != "mask"]
    matched = _between_two(images, masks)
    in_use = {folder.path for two in matched for folder in (two.images, two.masks)}
    unused = [folder for folder in rest if folder.path not in in_use]
    alone |= {f.path: s for f in unused if (s := _by_affix(f) or _by_suffix(f))}
    notes = []
    if not alone and not matched:
        matched = _by_content(images)
        notes = [f"{_shown(two.masks)} holds the masks, by its content" for two in matched]
        in_use = {folder.path for two in matched for folder in (two.images, two.masks)}
    sources = [*alone.values(), *(two.source for two in matched)]
    faults = [fault for source in sources for fault in _faults(source.joined)]
    notes += [note for source in sources for note in _notes(source.joined)]
    faults += [fault for folder in rest for fault in _unclaimed(folder, matched)]
    for folder in rest:
        if folder.path not in in_use and folder.path not in alone:
            kind = "masks" if folder.place.role == "mask" else "images without masks"
            notes.append(f"{len(folder.files)} {kind} in {_shown(folder)} are not used")
    return Survey(sources=tuple(sources), faults=tuple(faults), notes=tuple(notes))


def _one_case(folder: Folder) -> Source | None:
    """Pair the one image and the one mask of a folder whose files say no more: img.png, label.png.

    A second choice beside the mask, such as label_viz.png, is not used.
    """
    images = [path for path in folder.files if is_bare(path.stem, IMAGE_WORDS)]
    masks = [path for path in folder.files if is_bare(path.stem, MASK_WORDS)]
    if len(images) != 1 or len(masks) != 1:
        return None
    spare = tuple(p for p in folder.files if is_bare(p.stem, MASK_WORDS | LESSER_WORDS))
    joined = Join(
        pairs=((images[0], (masks[0],)),),
        without_mask=(),
        orphans=(),
        spare=tuple(path for path in spare if path != masks[0]),
        doubles=(),
    )
    return Source(place=folder.place, joined=joined)


def _by_affix(folder: Folder) -> Source | None:
    """Pair the files of one folder by the names of the masks: a.jpg with a_mask.png."""
    named = {path: mask_name(path.stem) for path in folder.files}
    masks = [path for path, name in named.items() if name is not None]
    images = [path for path, name in named.items() if name is None]
    joined = join(images, masks)
    enough = joined.pairs and 2 * len(joined.pairs) >= min(len(images), len(masks))
    if enough and all(_proven(image, found[0]) for image, found in joined.pairs):
        return Source(place=folder.place, joined=joined)
    return None


def _files(source: Source) -> int:
    return len(source.joined.pairs) + len(_claimed(source.joined))


def _proven(image: Path, mask: Path) -> bool:
    """Say whether names prove that two files are a pair, and not a number that happens to agree."""
    name = mask_name(mask.stem)
    return name is not None and name.key.casefold() in image.stem.casefold()


def _by_suffix(folder: Folder) -> Source | None:
    """Pair the files of one folder by suffix alone: a.jpg is the image, a.png its mask."""
    lossy = [path for path in folder.files if path.suffix.lower() in LOSSY_SUFFIXES]
    exact = [path for path in folder.files if path.suffix.lower() not in LOSSY_SUFFIXES]
    stems = {path.stem for path in lossy}
    twins = sum(path.stem in stems for path in exact)
    if twins and 2 * twins >= max(len(lossy), len(exact)):
        return Source(place=folder.place, joined=join(lossy, exact))
    return None


@dataclass(frozen=True, kw_only=True)
class Two:
    """A folder of images, the folder with their masks, and what belongs together."""

    images: Folder
    masks: Folder
    joined: Join

    @property
    def source(self) -> Source:
        """Return the pairs; orphans are not yet known, as folders may share their masks."""
        split = self.images.place.split or self.masks.place.split
        return Source(
            place=replace(self.images.place, split=split), joined=replace(self.joined, orphans=())
        )


def _between_two(images: Sequence[Folder], masks: Sequence[Folder]) -> list[Two]:
    used: dict[Path, set[Path]] = {}
    matched = []
    for folder in sorted(images, key=lambda f: (f.place.role != "image", f.path)):
        two = _best_masks(folder, masks, used)
        if two is not None:
            matched.append(two)
            used.setdefault(two.masks.path, set()).update(_claimed(two.joined))
    return matched


def _claimed(joined: Join) -> set[Path]:
    return {path for _, found in joined.pairs for path in found} | set(joined.spare)


def _unclaimed(folder: Folder, matched: Sequence[Two]) -> list[Fault]:
    """Return as orphans the masks of a folder in use that no folder of images has claimed."""
    claims = [_claimed(two.joined) for two in matched if two.masks.path == folder.path]
    claimed = set().union(*claims)
    return [_orphan(path) for path in folder.files if path not in claimed] if claims else []


def _best_masks(folder: Folder, masks: Sequence[Folder], used: dict[Path, set[Path]]) -> Two | None:
    best: tuple[tuple[int, ...], Two] | None = None
    for candidate in masks:
        same_split = candidate.place.split == folder.place.split
        if not same_split and None not in (candidate.place.split, folder.place.split):
            continue
        free = [path for path in candidate.files if path not in used.get(candidate.path, ())]
        joined = join(folder.files, free)
        matched = len(joined.pairs)
        same_rest = candidate.place.rest == folder.place.rest
        enough = 2 * matched >= min(len(folder.files), len(free))
        if matched == 0 or not (enough or (same_rest and same_split)):
            continue
        shared = len(os.path.commonpath([folder.path, candidate.path]))
        score = (same_rest, same_split, -candidate.place.lesser, matched, shared)
        if best is None or score > best[0]:
            best = (score, Two(images=folder, masks=candidate, joined=joined))
    return None if best is None else best[1]


def _by_content(folders: Sequence[Folder]) -> list[Two]:
    """Pair folders whose names do not say which holds the masks, by looking at some files."""
    likely = [f for f in folders if looks_like_masks(f.files)] if len(folders) <= 20 else []
    found = []
    for masks in likely:
        for images in folders:
            if images in likely or images.place.split != masks.place.split:
                continue
            joined = join(images.files, masks.files)
            if 2 * len(joined.pairs) >= min(len(images.files), len(masks.files)):
                found.append(Two(images=images, masks=masks, joined=joined))
    return found


def _faults(joined: Join) -> list[Fault]:
    missing = "missing mask: no mask belongs to this image"
    return [
        *joined.doubles,
        *(Fault(path=path, problem=missing) for path in joined.without_mask),
        *(_orphan(path) for path in joined.orphans),
    ]


def _notes(joined: Join) -> list[str]:
    notes = []
    if joined.spare:
        first = readable(joined.spare[0].name)
        notes.append(f"{len(joined.spare)} second-choice masks are not used, such as {first}")
    several = sum(len(masks) > 1 for _, masks in joined.pairs)
    if several:
        notes.append(f"{several} images have several masks, which are laid over each other")
    return notes


def _orphan(path: Path) -> Fault:
    return Fault(path=path, problem="orphan mask: no image belongs to this mask")


def _shown(folder: Folder) -> str:
    return f"{readable(folder.path.name)}/"


def name_pairs(root: Path, sources: Sequence[Source]) -> list[Pair]:
    """Name every pair by its stem where stems are unique, else with its split and folder."""
    found = [
        (source.place, image, masks) for source in sources for image, masks in source.joined.pairs
    ]
    by_stem = [readable(image.stem) for _, image, _ in found]
    by_place = [
        "/".join([*([where.split] if where.split else []), *map(readable, where.rest), stem])
        for (where, _, _), stem in zip(found, by_stem, strict=True)
    ]
    by_path = [readable(image.relative_to(root).as_posix()) for _, image, _ in found]
    names = next(n for n in (by_stem, by_place, by_path) if len(set(n)) == len(n))
    return [
        Pair(
            name=name,
            image=image,
            mask=masks[0],
            group=name,
            split=where.split,
            more_masks=masks[1:],
        )
        for name, (where, image, masks) in zip(names, found, strict=True)
    ]


def _read(root: Path, options: Options) -> Collection:
    result = survey(root)
    pairs = name_pairs(root, result.sources)
    if not pairs:
        nothing = MaskCoding(values={})
        return Collection(root=root, layout=LAYOUT.name, pairs=(), classes=(), coding=nothing)
    pairs, notes = with_split(root, pairs)
    decoding = discover(
        [p.mask for p in pairs], table=options.table, trimap_border=options.trimap_border
    )
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=(*result.faults, *_odd_ones(pairs, decoding.strays)),
        notes=(*decoding.notes, *notes, *result.notes),
    )


def _odd_ones(pairs: Sequence[Pair], strays: Sequence[Path]) -> list[Fault]:
    problem = "is no mask: it holds a photograph or noise, where all others hold areas"
    names = {pair.mask: pair.name for pair in pairs}
    return [Fault(path=path, problem=problem, pair=names[path]) for path in strays]


def with_split(root: Path, pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Return the pairs with the official split: by folders, else by lists, else none."""
    splits = {pair.split for pair in pairs}
    if "train" in splits and len(splits - {None}) > 1:
        return list(pairs), ["official split by folders"]
    plain = [replace(pair, split=None) for pair in pairs]
    listed = read_lists(find_lists(root), {pair.name for pair in pairs})
    if len(set(listed.split.values())) < 2:
        return plain, []
    notes = ["official split by lists", *listed.notes]
    return [replace(pair, split=listed.split.get(pair.name)) for pair in plain], notes


LAYOUT = Layout(
    name="folders",
    looks_for="folders of images and masks (images/ and masks/, train/images and train/masks …) "
    "or one folder with a.jpg and a_mask.png",
    matches=lambda _root: True,
    read=_read,
)
