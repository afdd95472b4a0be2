"""How values read on every page: Dice with four digits, durations, states, plain labels."""

import math
from datetime import datetime

import pandas as pd

MISSING = "–"
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


def duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units, such as ``1 h 05 min``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


def local_time(moment: datetime | pd.Timestamp | None, zone: str | None) -> str:
    """Return a UTC time in the reader's time zone, as ``2026-11-21 14:05``."""
    if moment is None or pd.isna(moment):
        return MISSING
    return pd.Timestamp(moment).tz_convert(zone or "UTC").strftime("%Y-%m-%d %H:%M")


def state(outcome: object, status: object) -> str:
    """Return how a run stands in one word: its outcome, else what MLflow's status says."""
    if isinstance(outcome, str) and outcome:
        return outcome
    words = {"FINISHED": "finished", "KILLED": "killed", "FAILED": "failed", "RUNNING": "running"}
    return words.get(str(status), str(status).lower())


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
