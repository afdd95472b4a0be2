"""What a running sweep shows on stderr: a line for each trial that ends, a bar for each that runs.

It is drawn from the study alone, so it is the same whichever process trains.
"""

import sys
from types import TracebackType
from typing import Any

from optuna.trial import TrialState
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from sweeps.objective import PLANNED
from sweeps.study import FINISHED, Sweep
from sweeps.summary import TrialRow, best_trial, epochs_of, row, rows


class View:
    """Prints a sweep's progress; use it as a context and `refresh` it when something changed."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[int, TaskID] = {}
        self._ended = {r.number for r in rows(sweep) if r.state != "running"}

    def __enter__(self) -> "View":
        spec = self._sweep.spec
        done = len(self._sweep.trials(*FINISHED))
        begun = f"going on after {done} of" if done else "of up to"
        self._say(
            f"sweep {spec.name}: {begun} {spec.total} trials, "
            f"{spec.config.epochs} epochs each, {spec.sampler.name}, pruner {spec.pruner.name}"
        )
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def refresh(self) -> None:
        """Show what has changed in the study since the last time."""
        for found in rows(self._sweep):
            if found.state != "running" and found.number not in self._ended:
                self._ended.add(found.number)
                self._say(self._line(found))
                if (task := self._tasks.pop(found.number, None)) is not None:
                    self._bars.remove_task(task)
        for trial in self._sweep.trials(TrialState.RUNNING):
            planned = trial.user_attrs.get(PLANNED, self._sweep.spec.config.epochs)
            if trial.number not in self._tasks:
                what = f"trial {trial.number}  {describe(row(self._sweep, trial).params)}"
                self._tasks[trial.number] = self._bars.add_task(what, total=planned)
            reached = max(epochs_of(trial), max(trial.intermediate_values, default=0))
            self._bars.update(self._tasks[trial.number], completed=reached, total=planned)

    def _line(self, found: TrialRow) -> str:
        score = "      " if found.value is None else f"{found.value:.4f}"
        epochs = f"{found.epochs} epoch{'' if found.epochs == 1 else 's'}"
        parts = [
            f"trial {found.number:<3} {found.state:<9} {score}",
            describe(found.params),
            epochs,
        ]
        best = best_trial(self._sweep)
        if found.reason:
            parts.append(" ".join(found.reason.split()))
        elif best is not None and best.number == found.number:
            parts.append("the best so far")
        return "  ".join(parts)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def describe(params: dict[str, Any]) -> str:
    """Return a setting in one line, such as ``lr 3.1e-04, batch_size 8``."""
    return ", ".join(f"{name} {shown(value)}" for name, value in params.items())


def shown(value: Any) -> str:
    """Return a value as people read it: a size as 160x240, a float with three digits."""
    if isinstance(value, tuple | list):
        return "x".join(str(side) for side in value)
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
