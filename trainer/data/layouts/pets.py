"""Oxford-IIIT Pet: photographs in ``images/``, trimaps in ``annotations/trimaps/``, and lists.

A trimap is 1 where the pet is, 2 in the background and 3 along the border. Breeds may be folders
of their own below the two. ``trainval.txt`` trains and ``test.txt`` tests.
"""

from pathlib import Path

from trainer.data.classes import two_classes
from trainer.data.collection import Collection
from trainer.data.layouts.decoding import Decoding
from trainer.data.layouts.folders import name_pairs, survey
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.official import with_split
from trainer.data.layouts.value_rules import trimap

PET = two_classes("pet")


def _read(root: Path, options: Options) -> Collection:
    found = survey(root, within=("images", "annotations/trimaps"))
    pairs, notes = with_split(root, name_pairs(root, found.sources))
    decoding = _named(trimap([1, 2, 3], options.reading.trimap_border))
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=decoding.classes,
        coding=decoding.coding,
        faults=found.faults,
        notes=(*decoding.notes, *notes, *found.notes),
    )


def _named(decoding: Decoding) -> Decoding:
    classes = (*PET, *decoding.classes[len(PET) :])
    return Decoding(coding=decoding.coding, classes=classes, notes=decoding.notes)


LAYOUT = Layout(
    name="pets",
    looks_for="images/ and annotations/trimaps/ (1 pet, 2 background, 3 border)",
    matches=lambda root: (root / "annotations" / "trimaps").is_dir() and (root / "images").is_dir(),
    read=_read,
)
