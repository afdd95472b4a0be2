"""The built-in turntable: drawn objects seen from all sides, known by its ``turntable.json``."""

from pathlib import Path

from trainer.data.collection import ClassInfo, Collection, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import list_images, match, readable

MARKER = "turntable.json"


def _matches(root: Path) -> bool:
    return (root / MARKER).is_file()


def _read(root: Path, options: Options) -> Collection:
    del options
    found = match(list_images(root / "images"), list_images(root / "masks"))
    pairs = [
        Pair(
            name=readable(image.stem),
            image=image,
            mask=mask,
            group=readable(image.stem).rsplit("_", 1)[0],
        )
        for image, mask in found.pairs
    ]
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=(
            ClassInfo(name="background", colour=(0, 0, 0)),
            ClassInfo(name="car", colour=(230, 159, 0)),
        ),
        coding=MaskCoding(values={0: 0, 1: 1}),
        faults=found.faults,
        notes=("masks: palette index 0 is background, 1 is car; grouped by object",),
    )


LAYOUT = Layout(
    name="turntable",
    looks_for=f"{MARKER} beside images/ and masks/",
    matches=_matches,
    read=_read,
)
