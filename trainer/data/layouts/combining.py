"""Several folders of masks of the same images, as one foreground or as a class each.

``--masks left,right --combine union`` takes all that any mask of an image shows for the
foreground; with ``classes`` each folder is a class named after it, and a later one lies over an
earlier one. Where an image has no mask in a folder, nothing of it is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trainer.data.classes import class_colour
from trainer.data.collection import VOID, ClassInfo, Collection, Fault, Pair
from trainer.data.files.reading import read_mask
from trainer.data.layouts.decoding import Decoding
from trainer.data.layouts.discovery import discover, odd_ones
from trainer.data.layouts.folders import name_pairs, survey
from trainer.data.layouts.layout import Options
from trainer.data.layouts.listing import readable
from trainer.data.layouts.looking import sample
from trainer.data.layouts.matching import source_of
from trainer.data.layouts.official import refuse_copies, with_split
from trainer.data.layouts.told import told_folders
from trainer.data.layouts.words import Place
from trainer.wording import counted

LOOKED_AT = 50
Layer = tuple[int, Path]


def read_combined(root: Path, options: Options) -> Collection:
    """Return the pairs of images with their masks from all folders that ``masks`` names.

    Raises ``ValueError`` where there is but one such folder, and where a mask shows more than one
    class.
    """
    if not options.reading.masks:
        raise ValueError("combine: say which folders of masks with --masks left,right")
    folders = _folders(root, options.reading.masks)
    layers, places, faults, notes = _layers(root, folders, options.reading.images)
    sources = [
        source_of(places[image], [(image, tuple(mask for _, mask in found))])
        for image, found in layers.items()
    ]
    pairs = name_pairs(root, sources)
    refuse_copies(root, pairs)
    pairs, of_split = with_split(root, pairs)
    masks = [mask for found in layers.values() for _, mask in found]
    classes = options.reading.combine == "classes"
    if not pairs:
        raise ValueError(f"masks: no image below {root} has a mask in {', '.join(folders)}")
    trimap_border = options.reading.trimap_border
    decoding = discover(masks, table=options.table, trimap_border=trimap_border)
    if len(decoding.classes) != 2:
        shown = ", ".join(info.name for info in decoding.classes)
        raise ValueError(f"combine: each mask must show one class, but these show {shown}")
    if classes:
        pairs = [replace(pair, layers=_own(layers[pair.image], len(folders))) for pair in pairs]
        decoding = _as_classes(decoding, list(folders))
        notes.append(_overlap(pairs, decoding))
    listed = ", ".join(folders)
    kind = f"a class each, later over earlier: {listed}" if classes else f"one foreground: {listed}"
    return Collection(
        root=root,
        layout="folders",
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=(*faults, *odd_ones(pairs, decoding)),
        notes=(
            *decoding.notes,
            f"the masks of {len(folders)} folders are {kind}",
            *of_split,
            *notes,
        ),
    )


def _folders(root: Path, given: str) -> dict[str, list[Path]]:
    """Return the folders of masks by the names of their classes, in the order that is given.

    Folders that one pattern finds under one name (``*/left``) are of one class.
    """
    found: dict[tuple[str, str], list[Path]] = {}
    for pattern in (part.strip() for part in given.split(",")):
        for path in sorted(told_folders(root, "mask", pattern)):
            found.setdefault((pattern, readable(path.name)), []).append(path)
    names = [name for _, name in found]
    named = {
        name if names.count(name) == 1 else pattern: paths
        for (pattern, name), paths in found.items()
    }
    every = [path for paths in named.values() for path in paths]
    if len(named) < 2 or len(set(every)) < len(every) or len(named) < len(found):
        raise ValueError(f"combine: give two different folders of masks or more, not {given!r}")
    if "background" in named:
        raise ValueError("combine: what no mask shows is the background; name its folder otherwise")
    return named


def _layers(
    root: Path, folders: Mapping[str, Sequence[Path]], images: str | None
) -> tuple[dict[Path, list[Layer]], dict[Path, Place], list[Fault], list[str]]:
    """Return each image's masks with the numbers of their folders, from 1, and its place.

    What is missing in one folder is a fault only where it is missing in all.
    """
    layers: dict[Path, list[Layer]] = {}
    places: dict[Path, Place] = {}
    faults: list[Fault] = []
    notes: list[str] = []
    has: dict[str, set[Path]] = {}
    for number, (name, tops) in enumerate(folders.items(), start=1):
        others = [path for paths in folders.values() for path in paths if path not in tops]
        found = survey(root, images_in=images, masks_in=tops, aside=others)
        faults += found.faults
        notes += found.notes
        for source in found.sources:
            for image, masks in source.joined.pairs:
                layers.setdefault(image, []).extend((number, mask) for mask in masks)
                places.setdefault(image, source.place)
                has.setdefault(name, set()).add(image)
    for name in folders:
        if absent := layers.keys() - has.get(name, set()):
            first = readable(min(absent).name)
            notes.append(
                f"without a mask in {name} are {len(absent)} of {counted(len(layers), 'image')}, "
                f"such as {first}: nothing of it is there"
            )
    real = [fault for fault in dict.fromkeys(faults) if fault.path not in layers]
    return layers, places, real, list(dict.fromkeys(notes))


def _own(found: Sequence[Layer], folders: int) -> tuple[int, ...]:
    """Return the classes of an image's masks; empty where they are 1, 2, 3 … to the last."""
    numbers = tuple(number for number, _ in found)
    return () if numbers == tuple(range(1, folders + 1)) else numbers


def _as_classes(decoding: Decoding, names: Sequence[str]) -> Decoding:
    background = decoding.classes[0]
    named = [ClassInfo(name=name, colour=class_colour(n)) for n, name in enumerate(names, start=1)]
    coding = replace(decoding.coding, layered=True)
    return replace(decoding, coding=coding, classes=(background, *named))


def _overlap(pairs: Sequence[Pair], decoding: Decoding) -> str:
    """Return a note of how many pixels lie in masks of two folders, in some of the images."""
    several = [pair for pair in pairs if pair.more_masks]
    chosen = sample(several, LOOKED_AT)
    pixels = 0
    for pair in chosen:
        try:
            masks = [read_mask(path, decoding.coding) for path in (pair.mask, *pair.more_masks)]
            pixels += int((sum((mask > 0) & (mask != VOID) for mask in masks) > 1).sum())
        except ValueError:
            continue  # The check of the files tells what is wrong.
    where = f"{len(chosen)} of {counted(len(several), 'image')} with several masks"
    many = counted(pixels, "pixel")
    return f"in two masks at once: {many}, looked for in {where}; the later folder counts"
