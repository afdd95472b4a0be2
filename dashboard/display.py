"""How values read on every page: Dice with four digits, times, plain labels."""

import math
from datetime import datetime

import pandas as pd

from trainer.wording import MISSING

SCORE_DIGITS = 4


def score(value: float | None) -> str:
    """Return a score with four digits, such as ``0.9876``."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{SCORE_DIGITS}f}"


def number(value: float | None) -> str:
    """Return a number with at most four significant digits, without a needless exponent."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e12 else f"{value:.4g}"


def spread(mean: float, deviation: float) -> str:
    """Return ``mean ± deviation``; the mean alone where there is no deviation."""
    return score(mean) if not math.isfinite(deviation) else f"{score(mean)} ± {score(deviation)}"


def local_time(moment: datetime | pd.Timestamp | None, zone: str | None) -> str:
    """Return a UTC time in the reader's time zone, as ``2026-11-21 14:05``."""
    if moment is None or pd.isna(moment):
        return MISSING
    return pd.Timestamp(moment).tz_convert(zone or "UTC").strftime("%Y-%m-%d %H:%M")


def plain(text: object) -> str:
    """Return text that Markdown shows as it is: for the labels that Streamlit always renders."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$:~&^=" else c for c in str(text))


def shortened(text: str, length: int = 40) -> str:
    """Return ``text`` cut in the middle to at most ``length`` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[-(length - 1 - head) :]}"


def label(name: str, run_id: str) -> str:
    """Return what tells a run from others of its name: the name and the start of its id."""
    return f"{shortened(name or 'unnamed')} · {run_id[:6]}"


def short_name(name: str, *, abbreviated: bool = True) -> str:
    """Return the short form of a statistic's name: ``MDD`` of ``Maximum drawdown (MDD)``.

    Not abbreviated, or where it has no abbreviation, the words before it.
    """
    words, _, rest = name.partition(" (")
    return rest.partition(")")[0] if abbreviated and rest else words.partition(",")[0]
