"""Words of messages that people read."""

import math
from datetime import UTC, datetime

MISSING = "–"
# What makes a link, a picture, HTML, code or another cell in Markdown.
_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\|[<`"})


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 mask", "1,200 masks"; ``plural`` where it takes no s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


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


def moment(ms: int | None) -> str:
    """Return a time in ms since 1970 such as ``2026-11-30 22:41 UTC``; `MISSING` for what is none.

    A store may hold any number.
    """
    try:
        return f"{datetime.fromtimestamp((ms or math.nan) / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return MISSING


def measured(value: float, spread: float = math.nan, *, decimals: int = 4) -> str:
    """Return a number with as many digits as mean something: ``0.9876`` or ``0.912 ± 0.034``.

    The ``spread``, a standard deviation in the same unit, has two digits, and the number as many
    behind the point. Where none is known the number has ``decimals`` of them, and more where fewer
    than two digits of it would be left. `MISSING` for what is not finite.
    """
    if not math.isfinite(value):
        return MISSING
    if not (math.isfinite(spread) and spread > 0):
        small = 0 < abs(value) < 10 ** (1 - decimals)
        alone = f"{value:.2g}" if small else f"{value:.{decimals}f}"
        return f"{alone} ± 0" if spread == 0 else alone
    behind = max(0, 1 - math.floor(math.log10(float(f"{spread:.1e}"))))
    return f"{value:.{behind}f} ± {spread:.{behind}f}"


def markdown_cell(text: str) -> str:
    """Return a text as a cell of a Markdown table: one line, shown as it is."""
    return " ".join(text.split()).translate(_MARKDOWN)
