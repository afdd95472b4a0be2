"""What the commands print: the one edge at which names of a store or a folder become inert.

A name may hold what a terminal obeys, a line break that forges a line, or half a character. Rich's
tables and bars go through `Terminal`, lines through `say`, log lines through `LineFormatter`.
"""

import logging
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from trainer.store import without_passwords

# Control and format characters, half a surrogate pair, breaks of lines and of paragraphs.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def inert(text: str) -> str:
    """Return a text without what a terminal would obey: each such character becomes one �."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _OBEYED else c for c in text
    )


def say(*lines: object, file: TextIO | None = None) -> None:
    """Print lines, each on its own, to stdout unless another file is given; no password in them."""
    for line in lines:
        print(inert(without_passwords(str(line))), file=file or sys.stdout)


class Terminal(Console):
    """Rich's console: what it prints is inert but for Rich's own colours, and no markup by itself.

    Square brackets in a name would else be Rich's markup: colours, and links.
    """

    def __init__(self, *, markup: bool = False, **how: Any) -> None:
        super().__init__(markup=markup, **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed; line breaks stay, with which Rich wraps."""
        for segment in super().render(renderable, options):
            if not segment.control:
                text = "\n".join(map(inert, segment.text.split("\n")))
                segment = Segment(text, segment.style)
            yield segment

    def on_broken_pipe(self) -> None:
        """Leave it to the command, which ends well, what it means that the reader has left."""
        raise BrokenPipeError


class LineFormatter(logging.Formatter):
    """Log lines as they are read on a terminal or in ``log.txt``: inert, one line each."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """Return the line of a record, which has no password."""
        return inert(without_passwords(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's own name
        """Return the traceback that follows it, which has none either."""
        return without_passwords(super().formatException(ei))
