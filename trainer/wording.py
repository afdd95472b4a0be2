"""Words of messages that people read."""

import math

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


def markdown_cell(text: str) -> str:
    """Return a text as a cell of a Markdown table: one line, shown as it is."""
    return " ".join(text.split()).translate(_MARKDOWN)
