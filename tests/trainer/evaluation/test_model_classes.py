"""A model is evaluated on data of its own classes alone: by name and order, not by number."""

from pathlib import Path

import pytest

from tests.trainer.model_folders import model_folder
from trainer.data.classes import class_colour
from trainer.data.collection import ClassInfo, Collection, MaskCoding
from trainer.evaluation.assess import masks_of_model

OURS = ["background", "colour 000080", "colour 008000"]


def collection(names: list[str]) -> Collection:
    classes = [ClassInfo(name=name, colour=class_colour(at)) for at, name in enumerate(names)]
    coding = MaskCoding(values={at: at for at in range(len(names))})
    return Collection(
        root=Path(), layout="folders", pairs=(), classes=tuple(classes), coding=coding
    )


def of_model(folder: Path, theirs: list[str]) -> object:
    classes = [{"name": name, "colour": [0, 0, 0]} for name in OURS]
    return masks_of_model(
        model_folder(folder, out_channels=3, classes=classes), collection(theirs), "cpu"
    )


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (["background", "colour 008000", "colour 000080"], "class 1 is 'colour 000080' and 'colou"),
        (["background", "colour 000080", "colour 800000"], "class 2 is 'colour 008000' and 'colou"),
        (["background", "colour 000080"], "class 2 is 'colour 008000' and 'none'"),
    ],
)
def test_other_classes_are_refused_with_the_first_that_differs(
    tmp_path: Path, theirs: list[str], said: str
) -> None:
    with pytest.raises(ValueError, match=f"model: it knows .*{said}.*classes.yaml"):
        of_model(tmp_path, theirs)


def test_the_same_classes_are_taken(tmp_path: Path) -> None:
    assert callable(of_model(tmp_path, OURS))
