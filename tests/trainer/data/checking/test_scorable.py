"""What is found out about a split before an epoch is trained."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.analysis.score_table import monitors
from trainer.data.checking.scorable import always_defined, check_scorable, one_sided
from trainer.evaluation.evaluation import Evaluation

CURE = "another --split-seed"


def scored(images: list[list[tuple[int, int]]], num_classes: int) -> dict[str, float]:
    """Return the validation scores of images whose pixels are (target, prediction); -1 is void."""
    confusion = np.zeros((len(images), num_classes, num_classes), np.int64)
    for row, pixels in enumerate(images):
        for target, predicted in pixels:
            if target >= 0:
                confusion[row, target, predicted] += 1
    names = tuple(map(str, range(len(images))))
    classes = tuple(map(str, range(num_classes)))
    evaluation = Evaluation(split="val", images=names, classes=classes, confusion=confusion)
    return {m: evaluation.all_scores[m.rpartition("/")[2]] for m in monitors()}


@st.composite
def splits(draw: st.DrawFn) -> tuple[int, list[list[tuple[int, int]]]]:
    """Draw a number of classes and images of a few pixels, (target, prediction), often of one."""
    num_classes = draw(st.integers(2, 4))
    kinds = draw(st.sets(st.integers(-1, num_classes - 1), min_size=1))
    pixel = st.tuples(st.sampled_from(sorted(kinds)), st.integers(0, num_classes - 1))
    images = st.lists(st.lists(pixel, min_size=1, max_size=4), min_size=1, max_size=3)
    return num_classes, draw(images)


def counted(images: list[list[tuple[int, int]]], num_classes: int) -> np.ndarray:
    return np.array([[sum(t == c for t, _ in p) for c in range(num_classes)] for p in images])


@given(splits())
def test_a_score_is_defined_exactly_where_no_prediction_can_undo_it(
    drawn: tuple[int, list[list[tuple[int, int]]]],
) -> None:
    num_classes, images = drawn
    defined = always_defined(counted(images, num_classes))
    whatever = scored(images, num_classes)
    flawless = scored([[(t, max(t, 0)) for t, _ in p] for p in images], num_classes)
    for monitor in monitors():
        if monitor in defined:
            assert math.isfinite(whatever[monitor])
        else:
            assert math.isnan(flawless[monitor])


def check(train: list[list[int]], val: list[list[int]], monitor: str = "val/dice") -> None:
    classes = ("sky", "car", "bike")[: len(train[0])]
    pixels = {"train": np.array(train), "val": np.array(val)}
    check_scorable(pixels, classes, monitor=monitor, cure=CURE)


@pytest.mark.parametrize(
    ("train", "val", "monitor", "said"),
    [
        (
            [[5, 3]],
            [[8, 0], [8, 0]],
            "val/dice",
            "split: no validation image shows car, so val/dice is not defined; "
            "another --split-seed, or --monitor val/miou",
        ),
        (
            [[5, 3, 1]],
            [[8, 0, 0]],
            "val/dice_no_background",
            "split: no validation image shows any of car, bike, so val/dice_no_background is not "
            "defined; another --split-seed, or --monitor val/dice",
        ),
        (
            [[5, 3]],
            [[0, 0]],
            "val/miou",
            "split: no validation image shows anything but void, so val/miou is not defined; "
            "another --split-seed",
        ),
        (
            [[8, 0], [8, 0]],
            [[5, 3]],
            "val/dice",
            "split: the training images show only 'sky', so nothing is learnt; "
            "another --split-seed",
        ),
        (
            [[0, 0]],
            [[5, 3]],
            "val/dice",
            "split: the training images show nothing but void, so nothing is learnt; "
            "another --split-seed",
        ),
        (
            [[8, 0], [8, 0]],
            [[8, 0]],
            "val/miou",
            "data: every pixel of 3 masks is 'sky', so that there is nothing to find; "
            "give masks that show something",
        ),
        (
            [[0, 0]],
            [[0, 0]],
            "val/miou",
            "data: every pixel of 2 masks is void, so that there is nothing to find; "
            "give masks that show something",
        ),
    ],
)
def test_what_cannot_be_learnt_or_scored_is_said_with_its_cure(
    train: list[list[int]], val: list[list[int]], monitor: str, said: str
) -> None:
    with pytest.raises(ValueError, match=r"^(data|split): ") as refused:
        check(train, val, monitor)
    assert str(refused.value) == said


def test_a_validation_split_without_images_has_no_score() -> None:
    pixels = {"train": np.array([[5, 3]]), "val": np.zeros((0, 2), int)}
    with pytest.raises(ValueError, match="no validation image shows car"):
        check_scorable(pixels, ("sky", "car"), monitor="val/dice", cure=CURE)


def test_a_class_that_validation_lacks_is_no_reason_to_refuse_but_told() -> None:
    pixels = {"train": np.array([[5, 3, 0], [5, 1, 0]]), "val": np.array([[5, 0, 2]])}
    classes = ("sky", "car", "bike")
    check_scorable(pixels, classes, monitor="val/dice", cure=CURE)
    assert one_sided(pixels, classes) == [
        "'bike' is in no training image, but in 1 validation image: it cannot be learnt",
        "'car' is in no validation image, but in 2 training images: how well it is found is not "
        "known",
    ]
    assert one_sided({"train": np.array([[5, 3]]), "val": np.array([[2, 1]])}, classes) == []
