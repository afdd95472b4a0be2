"""The Carvana Image Masking Challenge and the copies of it that go round.

``train/<car id>_<view>.jpg`` with ``train_masks/<car id>_<view>_mask.gif``; the views of one car
are near duplicates, so the car is the group. Copies rename the two folders and save the masks as
PNG, and some bring ``val`` and ``test`` folders of their own, which are then the official split.
"""

import re
from pathlib import Path

from trainer.data.collection import ClassInfo, Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import drop_suffix, first_image, list_images, match, readable

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
CAR_AND_VIEW = re.compile(r"([0-9a-f]{12})_\d{2}")
MASK_STEM = re.compile(CAR_AND_VIEW.pattern + r"(_mask)?")

# The masks are GIF palette indices 0 and 1; copies store 255 for the car, or smooth the edges.
CODING = MaskCoding(values={0: 0, 1: 1, 255: 1})


def _folders(root: Path) -> list[tuple[str | None, Path, Path]]:
    candidates: list[tuple[str | None, str, str]] = [
        (split, name, f"{part}_masks")
        for part, split in SPLITS.items()
        for name in (part, f"{part}_images")
    ]
    candidates += [(None, "imgs", "masks"), (None, "images", "masks")]
    return [
        (split, root / images, root / masks)
        for split, images, masks in candidates
        if _looks_like_it(root / masks) and (root / images).is_dir()
    ]


def _looks_like_it(masks: Path) -> bool:
    first = first_image(masks)
    return first is not None and MASK_STEM.fullmatch(first.stem) is not None


def _read(root: Path, options: Options) -> Collection:
    del options
    folders = _folders(root)
    if not folders:
        raise ValueError(f"{root}: not laid out as carvana, which looks for {LAYOUT.looks_for}")
    has_splits = len(folders) > 1
    pairs: list[Pair] = []
    faults: list[Fault] = []
    for split, images, masks in folders:
        found = match(list_images(images), list_images(masks), mask_key=drop_suffix("_mask"))
        faults += found.faults
        pairs += [_pair(image, mask, split if has_splits else None) for image, mask in found.pairs]
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=(
            ClassInfo(name="background", colour=(0, 0, 0)),
            ClassInfo(name="car", colour=(230, 159, 0)),
        ),
        coding=CODING,
        faults=tuple(faults),
        notes=("masks: stored value 0 is background, 1 or 255 is car; grouped by car id",),
    )


def _pair(image: Path, mask: Path, split: str | None) -> Pair:
    name = readable(image.stem)
    car = CAR_AND_VIEW.fullmatch(name)
    return Pair(name=name, image=image, mask=mask, group=car.group(1) if car else name, split=split)


LAYOUT = Layout(
    name="carvana",
    looks_for="train/<car id>_<view>.jpg and train_masks/<car id>_<view>_mask.gif",
    matches=lambda root: bool(_folders(root)),
    read=_read,
)
