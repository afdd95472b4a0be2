"""Words of messages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.wording import counted, duration, markdown_cell, measured


def test_one_is_one_and_all_else_are_many() -> None:
    assert [counted(n, "mask") for n in (0, 1, 2)] == ["0 masks", "1 mask", "2 masks"]
    assert counted(12_345, "image") == "12,345 images"


def test_a_plural_may_be_given() -> None:
    told = [counted(n, "class is", "classes are") for n in (1, 2)]
    assert told == ["1 class is", "2 classes are"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3900, "1 h 05 min"),
        (90_000, "1 d 01 h"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_cell_of_a_markdown_table_is_one_line_that_is_shown_as_it_is() -> None:
    assert markdown_cell("a\n| b |\r\n\tc") == r"a \| b \| c"
    shown = r"\<img src=x> \[d](http://e.example) \`f\` \\"
    assert markdown_cell("<img src=x> [d](http://e.example) `f` \\") == shown


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.98765, math.nan, "0.9877"),
        (0.98765, 0.0123, "0.988 ± 0.012"),
        (0.98765, 0.00996, "0.988 ± 0.010"),
        (0.98765, 0.0, "0.9877 ± 0"),
        (0.00003, math.nan, "3e-05"),
        (-0.00042, math.nan, "-0.00042"),
        (0.0, math.nan, "0.0000"),
        (0.3, 0.0000012, "0.3000000 ± 0.0000012"),
        (834.2, 121.0, "834 ± 121"),
        (math.nan, 0.1, "–"),
        (math.inf, math.nan, "–"),
    ],
)
def test_a_number_has_the_digits_that_its_spread_allows(
    value: float, spread: float, text: str
) -> None:
    assert measured(value, spread) == text


@given(
    value=st.floats(-1e6, 1e6, allow_subnormal=False),
    spread=st.floats(1e-12, 1e6) | st.just(math.nan),
    decimals=st.integers(1, 6),
)
def test_nothing_but_nought_is_printed_as_nought(
    value: float, spread: float, decimals: int
) -> None:
    shown = measured(value, spread, decimals=decimals).split(" ± ")
    known = not math.isnan(spread)
    assert len(shown) == 1 + known
    assert float(shown[-1]) != 0 or (not known and value == 0)
    if known:
        assert float(shown[1]) == pytest.approx(spread, rel=0.06, abs=0.5 * (spread >= 10))
        assert abs(float(shown[0]) - value) <= max(spread, 1e-9 * abs(value))
