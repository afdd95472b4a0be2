"""How values read."""

import math

import pandas as pd

from dashboard import display
from dashboard.theme import streamlit_options
from trainer.palette import curve_style


def test_scores_have_four_digits() -> None:
    assert display.score(0.98765) == "0.9877"
    assert display.score(math.nan) == "–"
    assert display.spread(0.9, 0.01) == "0.9000 ± 0.0100"
    assert display.spread(0.9, math.nan) == "0.9000"
    assert (display.number(12.0), display.number(1e-4)) == ("12", "0.0001")


def test_times_are_local() -> None:
    moment = pd.Timestamp("2026-07-01 12:00", tz="UTC")
    assert display.local_time(moment, "Europe/Berlin") == "2026-07-01 14:00"
    assert display.local_time(None, None) == "–"


def test_names_are_never_markdown() -> None:
    assert display.plain("**a** [b](c) <i>") == r"\*\*a\*\* \[b\]\(c\) \<i\>"
    assert display.plain(":material/home: $x$") == r"\:material/home\: \$x\$"


def test_long_names_keep_both_ends() -> None:
    short = display.shortened("a" * 50 + "z" * 50, 21)
    assert len(short) == 21
    assert short.startswith("aaa") and short.endswith("zzz")


def test_curves_beyond_the_palette_differ_by_dash() -> None:
    assert len({curve_style(i) for i in range(21)}) == 21


def test_the_theme_fetches_no_font() -> None:
    options = streamlit_options()
    assert not [v for v in options.values() if isinstance(v, str) and "http" in v]
    assert {k.split(".")[1] for k in options} >= {"light", "dark", "font"}
