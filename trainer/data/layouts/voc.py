"""Pascal VOC, and what other tools write in its layout.

``JPEGImages/`` and ``SegmentationClass/``, the official split in ``ImageSets/Segmentation/``.
The 21 classes hold where the masks have VOC's colours or its range of indices and the folder is
VOC's: its lists' folder, or its images' names (2007_000032). Other tools take its colours over
for classes of their own.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trainer.data.collection import VOID, ClassInfo, Collection, Colour, Fault, MaskCoding, Pair
from trainer.data.layouts.decoding import Decoding
from trainer.data.layouts.discovery import discover
from trainer.data.layouts.joining import join
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import has_images, list_images, readable
from trainer.data.layouts.lists import find_lists, read_lists
from trainer.data.layouts.looking import Seen, look
from trainer.data.layouts.value_rules import by_values
from trainer.wording import counted

MASK_FOLDERS = ("SegmentationClass", "SegmentationClassPNG", "SegmentationClassAug")
OFFICIAL_NAME = re.compile(r"\d{4}_\d{6}")
LIST_FOLDERS = ("ImageSets/Segmentation", "ImageSets", "")

NAMES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def voc_colour(index: int) -> Colour:
    """Return the colour of a class in VOC's map: its index's bits spread over the channels."""
    red = green = blue = 0
    for shift in range(8):
        bits = index >> 3 * shift
        red |= (bits & 1) << 7 - shift
        green |= (bits >> 1 & 1) << 7 - shift
        blue |= (bits >> 2 & 1) << 7 - shift
    return (red, green, blue)


CLASSES = tuple(ClassInfo(name=name, colour=voc_colour(i)) for i, name in enumerate(NAMES))


def _masks_in(root: Path) -> Path:
    return next((root / n for n in MASK_FOLDERS if has_images(root / n)), root / MASK_FOLDERS[0])


def _read(root: Path, options: Options) -> Collection:
    masks = _masks_in(root)
    joined = join(list_images(root / "JPEGImages"), list_images(masks))
    plain = [
        Pair(
            name=readable(image.stem),
            image=image,
            mask=found[0],
            group=readable(image.stem),
            more_masks=found[1:],
        )
        for image, found in joined.pairs
    ]
    faults = [
        *joined.doubles,
        *(
            Fault(path=path, problem="orphan mask: no image belongs to this mask")
            for path in joined.orphans
        ),
    ]
    if not plain:
        return _collection(root, plain, faults, _twenty_one(""), [])
    files = find_lists(root, LIST_FOLDERS)
    listed = read_lists(files, {pair.name for pair in plain})
    pairs = [replace(pair, split=listed.split.get(pair.name)) for pair in plain]
    missing, notes = _missing(joined.without_mask, set(files), listed.absent)
    decoding = _decoding(pairs, options, official=_is_official(root, pairs))
    return _collection(root, pairs, faults + missing, decoding, [*listed.notes, *notes])


def _missing(
    images: Sequence[Path], lists: set[str], absent: Sequence[tuple[str, str]]
) -> tuple[list[Fault], list[str]]:
    """Return faults and notes for images without masks.

    Most of VOC's images were never segmented, so where there are lists only a listed one lacks
    its mask.
    """
    wanted = {line.split()[0] for _, line in absent}
    lacking = [path for path in images if not lists or path.stem in wanted]
    faults = [
        Fault(path=path, problem="missing mask: no mask belongs to this image") for path in lacking
    ]
    rest = len(images) - len(lacking)
    many = counted(rest, "image without mask is", "images without mask are")
    return faults, [f"{many} in no list: not used"] if rest else []


def _is_official(root: Path, pairs: Sequence[Pair]) -> bool:
    named = sum(OFFICIAL_NAME.fullmatch(pair.name) is not None for pair in pairs)
    return (root / LIST_FOLDERS[0]).is_dir() or 2 * named > len(pairs)


def _decoding(pairs: Sequence[Pair], options: Options, *, official: bool) -> Decoding:
    masks = [pair.mask for pair in pairs]
    if options.table is not None:
        return discover(masks, table=options.table, trimap_border=options.reading.trimap_border)
    seen = look(masks)
    if official and not seen.coloured and _is_voc(seen):
        return _twenty_one(seen.how_many)
    if not seen.coloured:
        return by_values(seen, masks, trimap_border=options.reading.trimap_border)
    colours = {voc_colour(i): i for i in range(len(CLASSES))} | {voc_colour(VOID): VOID}
    if official and len(seen.colours) > 2 and set(seen.colours) <= set(colours):
        coding = MaskCoding(colours=colours)
        note = f"masks: VOC's colours; the border colour is void ({seen.how_many})"
        return Decoding(coding=coding, classes=CLASSES, notes=(note,))
    return discover(masks, table=None, trimap_border=options.reading.trimap_border)


def _is_voc(seen: Seen) -> bool:
    """Say whether indices are VOC's: by the palette, or without one by their range."""
    labels = {value for value in seen.values if value != VOID}
    if not labels or max(labels) >= len(CLASSES):
        return False
    if seen.palette is None:
        return max(labels) > 1
    return all(seen.palette[value] == voc_colour(value) for value in labels)


def _twenty_one(how_many: str) -> Decoding:
    return Decoding(
        coding=MaskCoding(values={i: i for i in range(len(CLASSES))} | {VOID: VOID}),
        classes=CLASSES,
        notes=(f"masks: VOC's class indices 0 to 20, 255 is void ({how_many})",),
    )


def _collection(
    root: Path, pairs: list[Pair], faults: list[Fault], decoding: Decoding, notes: list[str]
) -> Collection:
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=tuple(faults),
        notes=(*decoding.notes, *notes),
    )


LAYOUT = Layout(
    name="voc",
    looks_for="JPEGImages/, SegmentationClass/ and lists in ImageSets/Segmentation/",
    matches=lambda root: has_images(root / "JPEGImages") and has_images(_masks_in(root)),
    read=_read,
)
