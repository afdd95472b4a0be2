"""The verdicts on several pairs, as a table."""

from collections.abc import Sequence

from trainer.analysis.verdict import Comparison
from trainer.tables import Cell, Column, Table


def of_pairs(pairs: Sequence[Comparison]) -> Table:
    """Return each pair, A and B, with the difference, its interval, p and the verdict."""
    level = f"{pairs[0].level:.0%}" if pairs else ""
    told: dict[str, list[Cell]] = {
        "B": [pair.b for pair in pairs],
        "Score of A": [pair.differences[pair.score].a for pair in pairs],
        "Score of B": [pair.differences[pair.score].b for pair in pairs],
        "A less B": [pair.interval.value for pair in pairs],
        f"{level} interval from": [pair.interval.low for pair in pairs],
        "to": [pair.interval.high for pair in pairs],
        f"p (Holm over {len(pairs)})": [
            pair.adjusted_p_value if pair.answers and pair.tells else None for pair in pairs
        ],
        # What one seed leaves unknown is said once, of all.
        "Verdict": [pair.verdict.partition("; ")[0] for pair in pairs],
    }
    columns = [Column(name=name, values=values) for name, values in told.items()]
    return Table(index="A", labels=[pair.a for pair in pairs], columns=columns)
