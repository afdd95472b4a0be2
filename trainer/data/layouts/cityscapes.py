"""Cityscapes as it is downloaded: ``leftImg8bit/`` and ``gtFine/``, a folder for each city.

``leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png`` belongs to
``gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png`` (or ``…_labelTrainIds.png``). The
frames of one sequence (``aachen_000000``) show the same street: the sequence is the group.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from trainer.data.collection import VOID, ClassInfo, Collection, Fault, MaskCoding, Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_mask
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import drop_suffix, list_images, match, readable
from trainer.data.layouts.looking import sample
from trainer.wording import counted

SPLITS = ("train", "val", "test")
FRAME = re.compile(r"([A-Za-z-]+_\d{6})_\d{6}")
IMAGE, IDS, TRAIN_IDS = "_leftImg8bit", "_gtFine_labelIds", "_gtFine_labelTrainIds"
LOOKED_AT = 5

# The official table: each class that is evaluated, in the order of its train id, by its label id.
CLASSES_BY_ID = {
    7: ClassInfo(name="road", colour=(128, 64, 128)),
    8: ClassInfo(name="sidewalk", colour=(244, 35, 232)),
    11: ClassInfo(name="building", colour=(70, 70, 70)),
    12: ClassInfo(name="wall", colour=(102, 102, 156)),
    13: ClassInfo(name="fence", colour=(190, 153, 153)),
    17: ClassInfo(name="pole", colour=(153, 153, 153)),
    19: ClassInfo(name="traffic light", colour=(250, 170, 30)),
    20: ClassInfo(name="traffic sign", colour=(220, 220, 0)),
    21: ClassInfo(name="vegetation", colour=(107, 142, 35)),
    22: ClassInfo(name="terrain", colour=(152, 251, 152)),
    23: ClassInfo(name="sky", colour=(70, 130, 180)),
    24: ClassInfo(name="person", colour=(220, 20, 60)),
    25: ClassInfo(name="rider", colour=(255, 0, 0)),
    26: ClassInfo(name="car", colour=(0, 0, 142)),
    27: ClassInfo(name="truck", colour=(0, 0, 70)),
    28: ClassInfo(name="bus", colour=(0, 60, 100)),
    31: ClassInfo(name="train", colour=(0, 80, 100)),
    32: ClassInfo(name="motorcycle", colour=(0, 0, 230)),
    33: ClassInfo(name="bicycle", colour=(119, 11, 32)),
}
CODINGS = {
    IDS: MaskCoding(
        values=dict.fromkeys((*range(34), VOID), VOID)
        | {label: index for index, label in enumerate(CLASSES_BY_ID)}
    ),
    TRAIN_IDS: MaskCoding(values={index: index for index in range(19)} | {VOID: VOID}),
}


def _images(folder: Path, suffix: str) -> list[Path]:
    """Return the files of all cities in a split's folder whose stems end so."""
    try:
        cities = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []
    return [path for city in cities for path in list_images(city) if path.stem.endswith(suffix)]


def _masks(root: Path, split: str, suffix: str) -> list[Path]:
    return _images(root / "gtFine" / split, suffix)


def _matches(root: Path) -> bool:
    if not (root / "leftImg8bit").is_dir() or not (root / "gtFine").is_dir():
        return False
    masks = [path for suffix in CODINGS for split in SPLITS for path in _masks(root, split, suffix)]
    return any(FRAME.match(path.stem) for path in masks)


def _read(root: Path, options: Options) -> Collection:
    del options
    suffix = max(CODINGS, key=lambda each: sum(len(_masks(root, s, each)) for s in SPLITS))
    coding = CODINGS[suffix]
    pairs: list[Pair] = []
    faults: list[Fault] = []
    kind = "train ids 0 to 18" if suffix == TRAIN_IDS else "19 of the label ids"
    notes = [f"masks: {kind} are classes, what is not evaluated is void; grouped by sequence"]
    for split in SPLITS:
        listed = _masks(root, split, suffix)
        images = _images(root / "leftImg8bit" / split, IMAGE)
        if not listed or _nothing_to_find(listed, coding):
            if images:
                why = "with masks that are void all over" if listed else "without masks"
                notes.append(f"{counted(len(images), f'{split} image')} {why}: not used")
            continue
        found = match(images, listed, mask_key=drop_suffix(suffix), image_key=drop_suffix(IMAGE))
        faults += found.faults
        pairs += [_pair(image, mask, split) for image, mask in found.pairs]
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=tuple(CLASSES_BY_ID.values()),
        coding=coding,
        faults=tuple(faults),
        notes=tuple(notes),
    )


def _nothing_to_find(masks: Sequence[Path], coding: MaskCoding) -> bool:
    """Say whether masks are placeholders, as those of the test split are, whose truth is secret."""
    try:
        return all((read_mask(path, coding) == VOID).all() for path in sample(masks, LOOKED_AT))
    except UnreadableFile:
        return False  # the check of the files tells what is wrong


def _pair(image: Path, mask: Path, split: str) -> Pair:
    name = readable(image.stem.removesuffix(IMAGE))
    frame = FRAME.fullmatch(name)
    return Pair(
        name=name, image=image, mask=mask, group=frame.group(1) if frame else name, split=split
    )


LAYOUT = Layout(
    name="cityscapes",
    looks_for="leftImg8bit/train/<city>/ and gtFine/train/<city>/ with …_gtFine_labelIds.png",
    matches=_matches,
    read=_read,
)
