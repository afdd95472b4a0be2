"""DRIVE: retinal photographs, vessels drawn by hand, and the camera's field of view.

``training/images/21_training.tif``, ``training/1st_manual/21_manual1.gif`` and
``training/mask/21_training_mask.gif``; ``test/`` likewise. Files belong together by their number.
Pixels outside the field of view do not count.
"""

import re
from pathlib import Path

from trainer.data.classes import two_classes
from trainer.data.collection import Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import list_images, match, readable
from trainer.wording import counted

SPLITS = {"training": "train", "train": "train", "test": "test"}


def _number(stem: str) -> str:
    found = re.match(r"\d+", stem)
    return found.group() if found else stem


def _read(root: Path, options: Options) -> Collection:
    del options
    pairs: list[Pair] = []
    faults: list[Fault] = []
    notes = ["masks: 0 is background, 255 vessel; outside the field of view is void"]
    for folder, split in SPLITS.items():
        images = list_images(root / folder / "images")
        masks = list_images(root / folder / "1st_manual")
        if images and not masks:
            notes.append(f"{counted(len(images), 'image')} without mask in {folder}/: not used")
            continue
        found = match(images, masks, mask_key=_number, image_key=_number)
        views = {_number(path.stem): path for path in list_images(root / folder / "mask")}
        faults += found.faults
        for image, mask in found.pairs:
            name, view = readable(image.stem), views.get(_number(image.stem))
            if view is None:
                notes.append(f"{name} has no field of view in {folder}/mask/: all of it counts")
            pairs.append(
                Pair(name=name, image=image, mask=mask, group=name, split=split, valid=view)
            )
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=two_classes("vessel"),
        coding=MaskCoding(values={0: 0, 1: 1, 255: 1}),
        faults=tuple(faults),
        notes=tuple(notes),
    )


LAYOUT = Layout(
    name="drive",
    looks_for="training/images, training/1st_manual and training/mask (and test likewise)",
    matches=lambda root: any((root / folder / "1st_manual").is_dir() for folder in SPLITS),
    read=_read,
)
