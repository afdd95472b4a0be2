"""Tables of results, written once for every form: a terminal, documents, papers, programs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table as Grid

from trainer import exports
from trainer.printing import Terminal, inert, say
from trainer.wording import MISSING, markdown_cell, measured

Cell = float | int | str | None

SHORTEST, GAP = 8, 2
"""What is left at least of words that are cut to fit, and what lies between columns, in letters."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; its name has the unit. ``spreads`` are standard deviations over seeds.

    ``shown`` is what people read where a value alone would not say it, as 3 of 10 epochs.
    """

    name: str
    values: Sequence[Cell]
    spreads: Sequence[float] | None = None
    decimals: int = 4
    shown: Sequence[str] | None = None

    @property
    def is_text(self) -> bool:
        """Whether it holds words."""
        return any(isinstance(value, str) for value in self.values)

    def cells(self) -> list[str]:
        """Return the values as people read them."""
        if self.shown is not None:
            return list(self.shown)
        spreads = self.spreads if self.spreads is not None else [math.nan] * len(self.values)
        return [self._cell(v, s) for v, s in zip(self.values, spreads, strict=True)]

    def _cell(self, value: Cell, spread: float) -> str:
        if value is None or isinstance(value, str):
            return MISSING if value is None else value
        if isinstance(value, int):
            return f"{value:,}"
        return measured(value, spread, decimals=self.decimals)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose rows are called by ``labels``, which the column ``index`` holds.

    People read it ``turned``, its rows as columns, where it has more columns than fit.
    """

    index: str
    labels: Sequence[str | int]
    columns: Sequence[Column]
    turned: bool = False

    def as_text(self) -> pd.DataFrame:
        """Return it as text for people: a spread stands behind its value."""
        frame = self._frame({column.name: column.cells() for column in self.columns})
        return frame.T.rename_axis(index=self.index, columns=None) if self.turned else frame

    def numbers(self) -> pd.DataFrame:
        """Return it for programs: numbers in full, a spread in a column of its own."""
        columns: dict[str, Sequence[Cell]] = {}
        for column in self.columns:
            columns[column.name] = column.values
            if column.spreads is not None:
                columns[f"{column.name}, SD"] = column.spreads
        return self._frame(columns)

    def _frame(self, columns: dict[str, Sequence[Cell]]) -> pd.DataFrame:
        frame = pd.DataFrame({name: np.array(v, dtype=object) for name, v in columns.items()})
        return frame.set_axis(pd.Index(self.labels, name=self.index, dtype=object))


def written(table: Table, form: str, said: Sequence[str] = ()) -> str:
    """Return a table as ``csv``, ``markdown`` or ``latex``, with sentences on it beneath.

    They are comments in CSV (#; what else holds one is quoted) and LaTeX, a list in Markdown.
    """
    sentences = [" ".join(sentence.split()) for sentence in said]
    if form == "csv":
        text = exports.csv(_inert(table.numbers()), comments=bool(said))
        return text + "".join(f"# {sentence}\n" for sentence in sentences)
    if form == "latex":
        return "\n".join([exports.latex(table.as_text()), *(f"% {line}" for line in sentences)])
    listed = "\n".join(f"- {markdown_cell(sentence)}" for sentence in sentences)
    return "\n\n".join(filter(None, [exports.markdown(table.as_text()), listed]))


def tell(table: Table, form: str, said: Sequence[str] = ()) -> None:
    """Print a table in a form, ``table`` for a terminal, with sentences on it beneath."""
    if form == "table":
        print_table(table)
        say(*said)
    else:
        say(*written(table, form, said).removesuffix("\n").split("\n"))


def print_table(table: Table) -> None:
    """Print a table to a terminal, where words are cut to fit; elsewhere no cell is."""
    frame = _inert(table.as_text()).reset_index(allow_duplicates=True)
    words = {inert(c.name) for c in table.columns if c.is_text and not table.turned}
    are_words = [place > 0 and name in words for place, name in enumerate(frame.columns)]
    texts = [
        [str(text) for text in (heading, *frame.iloc[:, place])]
        for place, heading in enumerate(frame.columns)
    ]
    widths = [max(map(cell_len, of_column)) for of_column in texts]
    console = Terminal()
    if console.is_terminal and any(are_words):
        kept = sum(w for w, cut in zip(widths, are_words, strict=True) if not cut)
        room = console.width - kept - GAP * len(widths)
        share = max(SHORTEST, room // sum(are_words))
        if sum(widths) - kept > room:
            widths = [min(w, share) if c else w for w, c in zip(widths, are_words, strict=True)]
    grid = Grid(box=None, pad_edge=False)
    for place, (of_column, width) in enumerate(zip(texts, widths, strict=True)):
        justify: JustifyMethod = "left" if place == 0 or are_words[place] else "right"
        grid.add_column(of_column[0], justify=justify, no_wrap=True, width=width)
    for row in zip(*(of_column[1:] for of_column in texts), strict=True):
        grid.add_row(*row)
    Terminal(width=sum(widths) + GAP * len(widths)).print(grid)


def _inert(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which no name has a line break, or anything else that is obeyed."""

    def of_cell(cell: object) -> object:
        return inert(cell) if isinstance(cell, str) else cell

    return frame.rename(columns=of_cell, index=of_cell).map(of_cell)
