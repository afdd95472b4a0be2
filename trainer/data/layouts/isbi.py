"""ISBI 2012 membranes, as the most copied UNet repositories lay them out.

``train/image/0.png`` and ``train/label/0.png``; ``test/0.png`` without labels. The label is white
inside cells and black on the membrane, which is what the task is to find: it is class 1.
"""

from pathlib import Path

from trainer.data.classes import two_classes
from trainer.data.collection import Collection, MaskCoding, Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.maskfile import look_at_mask
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import first_image, list_images, match, readable
from trainer.wording import counted


def _matches(root: Path) -> bool:
    """Say whether this is ISBI: the same folders hold other data too, so look at one label.

    Membranes are thin, so most of the label is white; objects on a black ground are not ISBI.
    """
    first = first_image(root / "train" / "label")
    if first is None or not first.stem.isdecimal() or not (root / "train" / "image").is_dir():
        return False
    try:
        values = look_at_mask(first).values
    except UnreadableFile:
        return False
    return set(values) == {0, 255} and values[255] > values[0]


def _read(root: Path, options: Options) -> Collection:
    del options
    found = match(list_images(root / "train" / "image"), list_images(root / "train" / "label"))
    pairs = [
        Pair(name=readable(image.stem), image=image, mask=mask, group=readable(image.stem))
        for image, mask in sorted(found.pairs, key=_in_depth)
    ]
    unlabelled = len(list_images(root / "test"))
    notes = ["masks: 255 is the inside of cells (class 0), 0 the membrane (class 1)"]
    if unlabelled:
        notes.append(f"{counted(unlabelled, 'image')} without mask in test/: not used")
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=two_classes("membrane", "interior"),
        coding=MaskCoding(values={255: 0, 0: 1}),
        faults=found.faults,
        notes=tuple(notes),
    )


def _in_depth(pair: tuple[Path, Path]) -> tuple[int, str]:
    stem = pair[0].stem
    return (int(stem) if stem.isdecimal() else 0, stem)


LAYOUT = Layout(
    name="isbi",
    looks_for="train/image/0.png and train/label/0.png, mostly white",
    matches=_matches,
    read=_read,
)
