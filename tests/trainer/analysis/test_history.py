import numpy as np
import pytest

from trainer.analysis.history import clean


def test_sorts_by_epoch_and_keeps_the_newest_row_of_a_repeated_one() -> None:
    curve = clean([1, 2, 3, 4, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.33, 0.44, 0.5])
    assert curve.steps.tolist() == [1, 2, 3, 4, 5]
    assert curve.values.tolist() == [0.1, 0.2, 0.33, 0.44, 0.5]
    assert curve.missing.size == 0


def test_counts_non_finite_epochs_and_leaves_them_out() -> None:
    stored_infinity = np.finfo(float).max
    curve = clean([3, 1, 2, 4, 5], [np.inf, 0.1, np.nan, 0.4, stored_infinity])
    assert curve.steps.tolist() == [1, 4]
    assert curve.missing.size == 3


def test_an_epoch_repaired_after_a_resume_is_finite() -> None:
    curve = clean([1, 2, 2], [0.1, np.nan, 0.2])
    assert (curve.values.tolist(), curve.missing.size) == ([0.1, 0.2], 0)
    curve = clean([1, 2, 2], [0.1, 0.2, np.nan])
    assert (curve.values.tolist(), curve.missing.size) == ([0.1], 1)


def test_an_empty_history_is_an_empty_curve() -> None:
    assert clean([], []).values.size == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="values: 2 given for 1 steps"):
        clean([1], [0.1, 0.2])
