"""Pixels, shares and objects of each class: by hand, and against what must hold of any mask."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.prediction.counting import Counted, count, together


def test_by_hand() -> None:
    mask = np.array(
        [
            [1, 0, 0, 2],
            [0, 1, 0, 2],
            [0, 0, 0, 0],
            [1, 0, 2, 1],
        ],
        np.uint8,
    )
    background, first, second, absent = count(mask, 4)
    assert background == Counted(pixels=9, share=9 / 16, objects=None)
    assert first == Counted(pixels=4, share=4 / 16, objects=3)  # A corner joins the first two.
    assert second == Counted(pixels=3, share=3 / 16, objects=2)
    assert absent == Counted(pixels=0, share=0.0, objects=0)


MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))
)


@given(MASKS)
def test_whatever_the_mask(mask: np.ndarray) -> None:
    counted = count(mask, 3)
    assert sum(one.pixels for one in counted) == mask.size
    assert abs(sum(one.share for one in counted) - 1) < 1e-12
    assert count(mask[::-1].T, 3) == counted
    for one in counted[1:]:
        assert one.objects is not None
        assert (one.objects > 0) == (one.pixels > 0)
        assert one.objects <= one.pixels
    # Beside each other, with a gap between them, nothing joins.
    gap = np.zeros((mask.shape[0], 1), np.uint8)
    doubled = count(np.hstack([mask, gap, mask]), 3)
    assert [one.objects for one in doubled[1:]] == [
        2 * one.objects for one in counted[1:] if one.objects is not None
    ]
    in_all = together([counted, count(gap, 3)])
    assert in_all[0].pixels == counted[0].pixels + gap.size
    assert [one.objects for one in in_all] == [one.objects for one in counted]
    assert abs(sum(one.share for one in in_all) - 1) < 1e-12
