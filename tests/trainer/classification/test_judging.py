"""What a classifier scored, by hand."""

import math

import numpy as np
import pytest

from trainer.classification.judging import Judgement, precision, recall, told_with_intervals

CONFUSION = np.array([[6, 2], [1, 3]])


def judgement(confusion: np.ndarray = CONFUSION) -> Judgement:
    """Return images of which so many of a class (row) were said to be of another (column)."""
    cells = [(row, column) for row in range(2) for column in range(2)]
    said = [cell for cell in cells for _ in range(confusion[cell])]
    each = np.zeros((len(said), 2, 2), np.int64)
    for image, cell in enumerate(said):
        each[image][cell] = 1
    names = tuple(f"{number}.png" for number in range(len(said)))
    return Judgement(
        split="val", images=names, classes=("cat", "dog"), confusion=each, groups=names, loss=0.5
    )


def test_its_metrics_are_accuracy_the_mean_of_the_recalls_and_each() -> None:
    assert judgement().metrics() == pytest.approx(
        {
            "val/accuracy": 9 / 12,
            "val/balanced_accuracy": (6 / 8 + 3 / 4) / 2,
            "val/recall/cat": 6 / 8,
            "val/recall/dog": 3 / 4,
            "val/loss": 0.5,
        }
    )


def test_a_class_without_an_image_has_no_recall_and_does_not_count() -> None:
    found = judgement(np.array([[6, 2], [0, 0]])).metrics()
    assert "val/recall/dog" not in found
    assert found["val/balanced_accuracy"] == pytest.approx(6 / 8)


def test_recall_and_precision_of_a_confusion() -> None:
    assert recall(CONFUSION) == pytest.approx([6 / 8, 3 / 4])
    assert precision(CONFUSION) == pytest.approx([6 / 7, 3 / 5])
    assert math.isnan(precision(np.array([[3, 0], [1, 0]]))[1])


def test_each_score_is_told_with_its_interval() -> None:
    told = judgement().with_intervals()
    assert told.startswith("balanced accuracy 0.7500 [")
    assert "accuracy 0.7500 [" in told and told.endswith("(12 images)")
    assert (
        "1.0000 (no interval: every draw is alike)" in judgement(np.diag([6, 4])).with_intervals()
    )
    few = judgement(np.array([[2, 0], [1, 1]]))._counted[0]
    assert "too few for an interval" in told_with_intervals(few)
