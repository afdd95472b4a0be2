"""CamVid as the SegNet release lays it out: ``train/`` with ``trainannot/``, and val and test."""

from pathlib import Path

from trainer.data.collection import VOID, ClassInfo, Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import list_images, match, readable

SPLITS = ("train", "val", "test")

CLASSES = (
    ClassInfo(name="sky", colour=(128, 128, 128)),
    ClassInfo(name="building", colour=(128, 0, 0)),
    ClassInfo(name="pole", colour=(192, 192, 128)),
    ClassInfo(name="road", colour=(128, 64, 128)),
    ClassInfo(name="pavement", colour=(60, 40, 222)),
    ClassInfo(name="tree", colour=(128, 128, 0)),
    ClassInfo(name="sign", colour=(192, 128, 128)),
    ClassInfo(name="fence", colour=(64, 64, 128)),
    ClassInfo(name="car", colour=(64, 0, 128)),
    ClassInfo(name="pedestrian", colour=(64, 64, 0)),
    ClassInfo(name="bicyclist", colour=(0, 128, 192)),
)
UNLABELLED = 11


def _read(root: Path, options: Options) -> Collection:
    del options
    pairs: list[Pair] = []
    faults: list[Fault] = []
    for split in SPLITS:
        masks = list_images(root / f"{split}annot")
        if not masks:
            continue
        found = match(list_images(root / split), masks)
        faults += found.faults
        pairs += [
            Pair(
                name=readable(image.stem),
                image=image,
                mask=mask,
                group=readable(image.stem),
                split=split,
            )
            for image, mask in found.pairs
        ]
    values = {i: i for i in range(len(CLASSES))} | {UNLABELLED: VOID, VOID: VOID}
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=CLASSES,
        coding=MaskCoding(values=values),
        faults=tuple(faults),
        notes=("masks: class indices 0 to 10; 11 (unlabelled) and 255 are void",),
    )


LAYOUT = Layout(
    name="camvid",
    looks_for="train/ and trainannot/ (and val, test likewise) with equal file names",
    matches=lambda root: (root / "trainannot").is_dir() and (root / "train").is_dir(),
    read=_read,
)
