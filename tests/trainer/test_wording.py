"""Words of messages."""

import math

import pytest

from trainer.wording import counted, duration, markdown_cell


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
