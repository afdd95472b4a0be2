"""Kvasir-SEG: ``images/`` and ``masks/`` with equal names, both JPEG.

The masks went through lossy compression, so everything above the middle is polyp.
"""

import re
from pathlib import Path

from trainer.data.classes import two_classes
from trainer.data.collection import Collection, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import first_image, list_images, match, readable

NAME = re.compile(r"c[jk][0-9a-z]{23}")
JPEG = {".jpg", ".jpeg"}


def _matches(root: Path) -> bool:
    first = first_image(root / "masks")
    return (
        first is not None
        and first.suffix.lower() in JPEG
        and NAME.fullmatch(first.stem) is not None
        and (root / "images").is_dir()
    )


def _read(root: Path, options: Options) -> Collection:
    del options
    found = match(list_images(root / "images"), list_images(root / "masks"))
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(
            Pair(name=readable(image.stem), image=image, mask=mask, group=readable(image.stem))
            for image, mask in found.pairs
        ),
        classes=two_classes("polyp"),
        coding=MaskCoding(threshold=127),
        faults=found.faults,
        notes=("masks: lossy JPEG; above 127 is polyp",),
    )


LAYOUT = Layout(
    name="kvasir",
    looks_for="images/ and masks/ with Kvasir's 25-letter names, both JPEG",
    matches=_matches,
    read=_read,
)
