"""A sweep's state and result as the shell tells it: the table of trials as config fields, JSON."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from sweeps import reading
from sweeps.space import read_by, setting
from sweeps.study import Sweep
from sweeps.trials import COMPLETE, ENDED, FAILED, PRUNED, RUNNING, SweepRead


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial. ``value`` is its score, None unless complete; ``params`` are config fields."""

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    run_id: str | None
    epochs: int
    reason: str | None
    scores: list[float]
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``--json``."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A sweep as it stands; ``counts`` and ``counted`` are those of a `SweepRead`."""

    study: str
    metric: str
    total: int
    counts: dict[str, int]
    counted: str
    finished: int
    best: TrialRow | None
    epochs_trained: int
    epochs_saved: int
    selection: str

    @property
    def complete(self) -> int:
        """Trials with a score."""
        return self.counts.get(COMPLETE, 0)

    @property
    def pruned(self) -> int:
        """Trials that the pruner ended."""
        return self.counts.get(PRUNED, 0)

    @property
    def failed(self) -> int:
        """Trials that ended without a score."""
        return self.counts.get(FAILED, 0)

    @property
    def running(self) -> int:
        """Trials that a living worker is at."""
        return self.counts.get(RUNNING, 0)

    def to_json(self) -> dict[str, Any]:
        """Return what ``sweeps run --json`` prints."""
        best = self.best
        return {
            "study": self.study,
            "trials": {state: self.counts.get(state, 0) for state in ENDED},
            "best": best and {"run_id": best.run_id, "value": best.value, "params": best.params},
            "epochs_trained": self.epochs_trained,
            "epochs_saved": self.epochs_saved,
            "selection": self.selection,
        }

    def to_metrics(self) -> dict[str, float]:
        """Return the figures that the sweep's own run in the store keeps."""
        figures: dict[str, float] = {f"trials/{s}": self.counts.get(s, 0) for s in ENDED}
        figures |= {"epochs_trained": self.epochs_trained, "epochs_saved": self.epochs_saved}
        if self.best is not None and self.best.value is not None:
            figures["best/" + self.metric.replace("/", "_")] = self.best.value
        return figures


def read(sweep: Sweep) -> SweepRead:
    """Return how an open sweep stands now."""
    return reading.read(sweep.study._storage, sweep.study.study_name)


def summarise(sweep: Sweep) -> Summary:
    """Return how the sweep stands now, in figures."""
    standing = read(sweep)
    return Summary(
        study=standing.name,
        metric=standing.metric,
        total=sweep.spec.total,
        counts=standing.counts,
        counted=standing.counted,
        finished=standing.ended,
        best=None if standing.best is None else row(sweep, standing, standing.best),
        epochs_trained=standing.epochs_trained,
        epochs_saved=standing.epochs_saved,
        selection=standing.selection,
    )


def rows(sweep: Sweep) -> list[TrialRow]:
    """Return every trial, in the order of their numbers."""
    standing = read(sweep)
    return [row(sweep, standing, number) for number in standing.trials.index]


def row(sweep: Sweep, standing: SweepRead, number: int) -> TrialRow:
    """Return a trial of the table as plain values."""
    trial: Any = standing.trials.loc[number]
    drawn = {
        p.name: trial[p.column]
        for p in standing.parameters
        # None is a value where it is a choice.
        if trial[p.column] is not None or None in (p.choices or ())
    }
    whole = drawn.keys() >= set(read_by(sweep.spec.space, drawn))
    seconds = (trial["ended"] - trial["started"]).total_seconds()
    return TrialRow(
        number=int(number),
        state=trial["state"],
        value=None if pd.isna(trial["value"]) else float(trial["value"]),
        params=setting(sweep.spec.space, drawn) if whole else drawn,
        run_id=trial["run_id"],
        epochs=int(trial["epochs"]),
        reason=trial["reason"],
        scores=list(trial["scores"]),
        seconds=None if pd.isna(seconds) else seconds,
    )
