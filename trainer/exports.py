"""Tables as text that goes into a paper or a spreadsheet."""

from collections.abc import Collection
from csv import QUOTE_NONNUMERIC

import pandas as pd

from trainer.wording import markdown_cell, measured

_LATEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "×": r"$\times$",
        "−": r"$-$",
        "–": "--",
        "…": r"\ldots{}",
    }
)
# The last four are the first as East Asian keyboards write them.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def csv(table: pd.DataFrame, whole: Collection[str] = (), *, comments: bool = False) -> str:
    """Return the table with its index as CSV; numbers in full, those that are ``whole`` too.

    A text that a spreadsheet would run as a formula starts with an apostrophe. Where lines that
    begin with # are ``comments``, texts are quoted if any holds one.
    """
    safe = table.rename(columns=_inert, index=_inert).rename_axis(index=_inert).map(_inert)
    text = str(_whole(safe, whole).to_csv())
    if comments and "#" in text:
        return str(_whole(safe, whole).to_csv(quoting=QUOTE_NONNUMERIC))
    return text


def _whole(table: pd.DataFrame, whole: Collection[str]) -> pd.DataFrame:
    cells = {name: [_cell(value, True) for value in table[name]] for name in whole}
    return table.assign(**cells)


def markdown(table: pd.DataFrame, whole: Collection[str] = ()) -> str:
    """Return the table with its index as a Markdown table; numbers as `measured` has them.

    Columns that are ``whole`` hold counts, which have no digits behind the point.
    """
    header = [str(table.index.name or ""), *map(str, table.columns)]
    rows = _rows(table, whole)
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(markdown_cell, line)) + " |" for line in lines)


def latex(table: pd.DataFrame, whole: Collection[str] = ()) -> str:
    """Return the table with its index as a LaTeX ``tabular``; digits as in `markdown`.

    Its rules are those of the package booktabs.
    """
    header = [str(table.index.name or ""), *map(str, table.columns)]
    rows = _rows(table, whole)
    lines = [
        rf"\begin{{tabular}}{{{'r' * len(header)}}}",
        r"\toprule",
        _latex_row(header),
        r"\midrule",
        *(_latex_row(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(" ".join(cell.split()).translate(_LATEX) for cell in cells) + r" \\"


def _rows(table: pd.DataFrame, whole: Collection[str]) -> list[list[str]]:
    are_whole = [name in whole for name in table.columns]
    return [
        [str(index), *map(_cell, row, are_whole)]
        for index, row in zip(table.index, table.values, strict=True)
    ]


def _cell(value: object, whole: bool) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.0f}" if whole else measured(value)
    return "" if value is None else str(value)


def _inert(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A carriage return alone is not quoted, and begins a row of its own to some readers.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA) else text
