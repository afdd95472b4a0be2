"""Tables as text that goes into a paper or a spreadsheet."""

import pandas as pd

from dashboard.display import SCORE_DIGITS

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
    }
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(table: pd.DataFrame) -> str:
    """Return the table with its index as CSV; numbers in full.

    A text that a spreadsheet would run as a formula starts with an apostrophe.
    """
    safe = table.rename(columns=_inert).map(_inert)
    return str(safe.to_csv())


def markdown(table: pd.DataFrame) -> str:
    """Return the table with its index as a Markdown table, scores with four digits."""
    header = [str(table.index.name or ""), *map(str, table.columns)]
    rows = [[str(i), *map(_cell, row)] for i, row in zip(table.index, table.values, strict=True)]
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def latex(table: pd.DataFrame) -> str:
    """Return the table with its index as a LaTeX ``tabular`` with booktabs rules."""
    header = [str(table.index.name or ""), *map(str, table.columns)]
    rows = [[str(i), *map(_cell, row)] for i, row in zip(table.index, table.values, strict=True)]
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
    return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.{SCORE_DIGITS}f}"
    return "" if value is None else str(value)


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
