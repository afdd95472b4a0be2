"""The general case: two folders, or one, with images and masks of matching names.

What a folder holds is told from its name (see `words`), splits from folders or lists, and which
mask belongs to which image from the file names (see `joining`). Where no name says which of two
folders holds the masks, the files are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.data.collection import Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.discovery import discover, odd_ones
from trainer.data.layouts.joining import Join, join, without_siblings
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import readable
from trainer.data.layouts.matching import Source, Two, below, between_two, by_content, claimed
from trainer.data.layouts.official import refuse_copies, with_split
from trainer.data.layouts.told import as_told
from trainer.data.layouts.walking import Folder, walk
from trainer.data.layouts.words import (
    IMAGE_WORDS,
    LESSER_WORDS,
    MASK_WORDS,
    is_bare,
    mask_name,
)
from trainer.wording import counted

LISTED = 8  # folders that are not used are named
LOSSY_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The pairs that a folder holds, what is wrong with the names, and what is not used."""

    sources: tuple[Source, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def survey(
    root: Path,
    within: Sequence[str] = (),
    *,
    images_in: str | None = None,
    masks_in: str | Sequence[Path] | None = None,
    aside: Sequence[Path] = (),
) -> Survey:
    """Find all pairs under ``root``, or in some folders of it, by names of folders and files.

    ``images_in`` and ``masks_in`` are folders below ``root`` that hold the images, and the masks,
    or files that are these, whatever the names say; ``*`` stands for any name. Those ``aside`` are
    left out. Raises ``ValueError`` where several folders fit equally well.
    """
    found = [f for f in walk(root) if not any(f.path.is_relative_to(top) for top in aside)]
    folders = as_told(root, found, images_in, masks_in)
    if within:
        folders = [f for f in folders if any(f.path.is_relative_to(root / top) for top in within)]
    # Where images may lie in another folder, a_gt.png and a_pred.png in one of masks are no pair.
    pictured = any(folder.place.role != "mask" for folder in folders)
    alone = {
        f.path: s
        for f in folders
        if (f.place.role != "mask" or not pictured)
        and (s := _one_case(f) or _by_affix(f))
        and 2 * _files(s) >= len(f.files)
    }
    rest = [folder for folder in folders if folder.path not in alone]
    masks = [folder for folder in rest if folder.place.role == "mask"]
    images = [folder for folder in rest if folder.place.role != "mask"]
    matched = between_two(root, images, masks)
    in_use = {folder.path for two in matched for folder in (two.images, two.masks)}
    unused = [folder for folder in rest if folder.path not in in_use]
    alone |= {f.path: s for f in unused if (s := _one_case(f) or _by_affix(f) or _by_suffix(f))}
    notes = []
    if not alone and not matched:
        matched = by_content(root, images)
        notes = [f"{below(root, two.masks)} holds the masks, by its content" for two in matched]
        in_use = {folder.path for two in matched for folder in (two.images, two.masks)}
    sources = [
        replace(source, joined=without_siblings(source.joined))
        for source in (*alone.values(), *(two.source for two in matched))
    ]
    faults = [fault for source in sources for fault in _faults(source.joined)]
    notes += _notes([source.joined for source in sources])
    faults += _unclaimed(matched)
    used = in_use | alone.keys()
    notes += _unused(root, [folder for folder in rest if folder.path not in used])
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
    return len(source.joined.pairs) + len(claimed(source.joined))


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


def _unclaimed(matched: Sequence[Two]) -> list[Fault]:
    """Return as orphans the masks of folders in use that no folder of images has claimed."""
    folders = {two.masks.path: two.masks for two in matched}
    in_use = {path for two in matched for path in claimed(two.joined)}
    return [_orphan(p) for folder in folders.values() for p in folder.files if p not in in_use]


def _faults(joined: Join) -> list[Fault]:
    missing = "missing mask: no mask belongs to this image"
    return [
        *joined.doubles,
        *(Fault(path=path, problem=missing) for path in joined.without_mask),
        *(_orphan(path) for path in joined.orphans),
    ]


def _notes(joined: Sequence[Join]) -> list[str]:
    notes = []
    beside = [path for each in joined for path in each.spare]
    if beside:
        first = readable(beside[0].name)
        notes.append(f"not used: {counted(len(beside), 'file')} beside, such as {first}")
    several = sum(len(masks) > 1 for each in joined for _, masks in each.pairs)
    if several:
        notes.append(f"several masks, laid over each other: {counted(several, 'image')}")
    return notes


def _unused(root: Path, folders: Sequence[Folder]) -> list[str]:
    """Return a note for each folder that is not used, the last for all further ones."""
    notes = []
    for folder in folders[:LISTED]:
        kind = ("mask", "masks")
        if folder.place.role != "mask":
            kind = ("image without a mask", "images without masks")
        where = below(root, folder)
        notes.append(f"not used: {counted(len(folder.files), *kind)} in {where}")
    if more := folders[LISTED:]:
        files = counted(sum(len(folder.files) for folder in more), "file")
        notes.append(f"not used: {files} in {counted(len(more), 'more folder')}")
    return notes


def _orphan(path: Path) -> Fault:
    return Fault(path=path, problem="orphan mask: no image belongs to this mask")


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
    result = survey(root, images_in=options.reading.images, masks_in=options.reading.masks)
    pairs = name_pairs(root, result.sources)
    if not pairs:
        nothing = MaskCoding(values={})
        return Collection(root=root, layout=LAYOUT.name, pairs=(), classes=(), coding=nothing)
    refuse_copies(root, pairs)
    pairs, notes = with_split(root, pairs)
    decoding = discover(
        [pair.mask for pair in pairs],
        table=options.table,
        trimap_border=options.reading.trimap_border,
    )
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=(*result.faults, *odd_ones(pairs, decoding)),
        notes=(*decoding.notes, *notes, *result.notes),
    )


LAYOUT = Layout(
    name="folders",
    looks_for="folders of images and masks (images/ and masks/, train/images and train/masks …) "
    "or one folder with a.jpg and a_mask.png",
    matches=lambda _root: True,
    read=_read,
)
