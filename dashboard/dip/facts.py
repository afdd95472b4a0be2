"""One epoch of a run taken apart: what it is compared with, and what fell in it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dashboard.pictures.scores import class_names, image_scores
from dashboard.store.cache import Curve
from trainer.analysis.dips import Dip, deepest_fall, dips
from trainer.analysis.fallen import Fall, fallen
from trainer.analysis.history import clean
from trainer.analysis.per_image_rows import per_image_dice
from trainer.analysis.scores import dice

Against = Literal["the epoch before", "the best before"]
AGAINST: tuple[Against, ...] = ("the epoch before", "the best before")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """An epoch of a curve with the one it is compared with and the one that shows its end."""

    epoch: int
    before: int
    after: int | None
    """Where the curve has recovered; the next epoch where it is no dip; None at the end."""
    level: float
    level_before: float
    level_after: float
    dip: Dip | None
    """The dip at the epoch, None where the filter flags none."""

    @property
    def epochs(self) -> list[int]:
        """The epochs to show, in order."""
        return [self.before, self.epoch, *([] if self.after is None else [self.after])]

    @property
    def names(self) -> list[str]:
        """What each of `epochs` is."""
        return ["before", "at", "after"][: len(self.epochs)]


def default_epoch(curve: Curve) -> int | None:
    """Return the epoch of the deepest dip, else of the largest drawdown, else the last one.

    None when the curve has fewer than two finite values.
    """
    cleaned = clean(curve.steps, curve.values)
    if cleaned.values.size < 2:
        return None
    found = dips(cleaned.values, epochs=cleaned.steps)
    if found:
        return max(found, key=lambda dip: dip.drawdown).epoch
    fall = deepest_fall(cleaned.values, epochs=cleaned.steps)
    return int(cleaned.steps[-1]) if fall is None else fall.epoch


def moment(curve: Curve, epoch: int, against: Against = "the epoch before") -> Moment | None:
    """Return an epoch with its neighbours; None for the first, or one without a finite value."""
    cleaned = clean(curve.steps, curve.values)
    steps, values = cleaned.steps, cleaned.values
    found = np.flatnonzero(steps == epoch)
    if found.size == 0 or found[0] == 0:
        return None
    at = int(found[0])
    before = at - 1 if against == "the epoch before" else int(values[:at].argmax())
    dip = next((d for d in dips(values, epochs=steps) if d.epoch == epoch), None)
    after = at + 1 if at + 1 < steps.size else None
    if dip is not None and dip.recovered_at is not None:
        after = int(np.flatnonzero(steps == dip.recovered_at)[0])
    return Moment(
        epoch=epoch,
        before=int(steps[before]),
        after=None if after is None else int(steps[after]),
        level=float(values[at]),
        level_before=float(values[before]),
        level_after=float("nan") if after is None else float(values[after]),
        dip=dip,
    )


def image_changes(rows: pd.DataFrame, shown: Moment, class_name: str | None = None) -> pd.DataFrame:
    """Return each image's Dice ``before``, ``at`` and ``after``, and its ``fall``, largest first.

    ``rows`` are per-image rows that hold these epochs. An epoch that was not kept is NaN; images
    without a score before or at the epoch are left out.
    """
    scores = image_scores(rows, "dice", class_name).reindex(columns=shown.epochs)
    table = pd.DataFrame(scores.to_numpy(), index=scores.index, columns=shown.names)
    table = table.reindex(columns=["before", "at", "after"])
    table["fall"] = table["before"] - table["at"]
    table.index.name = "image"
    return table.dropna(subset=["fall"]).sort_values("fall", ascending=False, kind="stable")


def class_changes(rows: pd.DataFrame, shown: Moment) -> pd.DataFrame:
    """Return each class's Dice over the whole split, and in how many images it fell or was lost.

    Columns ``before, at, after, change, fell, lost``; indexed by ``class``, in the classes' order.
    An image counts as fallen when its Dice of the class is lower by any amount.
    """
    classes = class_names(rows)
    sums = rows.groupby(["epoch", "class"], observed=False)[["tp", "fp", "fn"]].sum()
    table = pd.DataFrame(index=pd.Index(classes, name="class"))
    for name, epoch in zip(shown.names, shown.epochs, strict=True):
        kept = sums.reindex(pd.MultiIndex.from_product([[epoch], classes])).to_numpy(dtype=float)
        table[name] = dice(*np.nan_to_num(kept).T)
    table = table.reindex(columns=["before", "at", "after"])
    table["change"] = table["at"] - table["before"]
    falls = what_fell(rows, shown)
    table["fell"] = [sum(f.class_name == name for f in falls) for name in classes]
    table["lost"] = [sum(f.class_name == name and f.lost for f in falls) for name in classes]
    return table.iloc[1:] if len(classes) == 2 else table


def what_fell(rows: pd.DataFrame, shown: Moment) -> tuple[Fall, ...]:
    """Return every class of every image that scores lower at the epoch than before it."""
    if rows.empty:
        return ()
    return fallen(per_image_dice(rows), shown.before, shown.epoch)
