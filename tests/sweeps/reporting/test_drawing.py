"""Curves as SVG: every point where it belongs, dips ringed, axes that can be read."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.reporting import drawing
from sweeps.reporting.drawing import Line, curves


def scores(*seeds: list[float]) -> pd.DataFrame:
    return pd.DataFrame(dict(enumerate(seeds)), index=np.arange(1, len(seeds[0]) + 1))


def points(text: str | None) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in (text or "").split())]


def test_a_dip_is_ringed_where_the_lowest_seed_has_it() -> None:
    first, second = [0.2, 0.8, 0.1, 0.9], [0.2, 0.7, 0.8, 0.9]
    figure = curves([Line(label="a", scores=scores(first, second), dips=[3])], y="Dice")
    (line,) = figure.iter("polyline")
    (band,) = figure.iter("polygon")
    (ring,) = figure.iter("circle")
    mean = points(line.get("points"))
    assert np.argsort([-y for _, y in mean]).tolist() == [0, 2, 1, 3], "higher is better"
    assert mean[0][0] == drawing.LEFT and mean[-1][0] == drawing.WIDTH - drawing.RIGHT
    place = (float(ring.get("cx", "")), float(ring.get("cy", "")))
    assert place in points(band.get("points")) and place[0] == mean[2][0]
    assert place[1] == max(y for _, y in points(band.get("points")))


def test_a_seed_that_stopped_earlier_ends_its_part_alone() -> None:
    figure = curves([Line(label="a", scores=scores([0.1, 0.2, np.nan], [0.1, 0.3, 0.4]))], y="Dice")
    (line,) = figure.iter("polyline")
    assert len(points(line.get("points"))) == 3


def test_one_epoch_is_a_point() -> None:
    assert len(list(curves([Line(label="a", scores=scores([0.5]))], y="Dice").iter("circle"))) == 1


@pytest.mark.parametrize("nothing", [pd.DataFrame(), scores([np.nan, np.nan])])
def test_no_score_is_said(nothing: pd.DataFrame) -> None:
    assert curves([Line(label="a", scores=nothing)], y="Dice").text == "No epoch has a score."


@given(low=st.floats(-1e3, 1e3), span=st.floats(1e-4, 1e4), most=st.integers(3, 12))
def test_ticks_are_round_few_and_told_apart(low: float, span: float, most: int) -> None:
    high = low + span
    ticks, digits = drawing._ticks(low, high, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(low - 1e-6 * span <= tick <= high + 1e-6 * span for tick in ticks)
    assert len({f"{tick:.{digits}f}" for tick in ticks}) == len(ticks)
