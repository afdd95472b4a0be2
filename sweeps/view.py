"""What a running sweep shows on stderr: a line for each trial that ends, a bar for each that runs.

It is drawn from the study alone, so it is the same whichever process trains.
"""

import sys
from types import TracebackType
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from sweeps.study import Sweep
from sweeps.summary import TrialRow, read, row
from sweeps.trials import CUT_SHORT, ENDED, RUNNING, SweepRead, shown
from trainer.printing import Terminal, inert
from trainer.wording import counted, duration

# What was cut short has a line too: it is over, and begins anew under another number.
OVER = (*ENDED, CUT_SHORT)


class View:
    """Prints a sweep's progress; use it as a context and `refresh` it when something changed."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._console = Terminal(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[int, TaskID] = {}
        self._whole = self._bars.add_task("", total=sweep.spec.total, unit="trials")
        self._beside = 1
        self._ended = set(_numbers(read(sweep), OVER))

    def __enter__(self) -> "View":
        spec = self._sweep.spec
        done = read(self._sweep).ended
        begun = f"going on after {done} of" if done else "of up to"
        self._say(
            f"sweep {spec.name}: {begun} {counted(spec.total, 'trial')}, "
            f"{counted(spec.config.epochs, 'epoch')} each, {spec.sampler.name}, "
            f"pruner {spec.pruner.name}"
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
        standing = read(self._sweep)
        # Those that ran beside each other at most: where one has ended another is about to begin.
        self._beside = max(self._beside, standing.counts.get(RUNNING, 0))
        left = self._left(standing)
        self._bars.update(
            self._whole, completed=standing.ended, description=f"{self._sweep.spec.name}  {left}"
        )
        for number in _numbers(standing, OVER):
            if number not in self._ended:
                self._ended.add(number)
                line = self._line(row(self._sweep, standing, number), standing.best)
                self._say(f"{line}  {left}")
                if (task := self._tasks.pop(number, None)) is not None:
                    self._bars.remove_task(task)
        for number in _numbers(standing, (RUNNING,)):
            trial, planned = row(self._sweep, standing, number), standing.planned(number)
            if number not in self._tasks:
                what = f"trial {number}  {describe(trial.params)}"
                self._tasks[number] = self._bars.add_task(what, total=planned, unit="epochs")
            self._bars.update(self._tasks[number], completed=trial.epochs, total=planned)

    def _left(self, standing: SweepRead) -> str:
        total = self._sweep.spec.total
        done = f"({standing.ended} of {counted(total, 'trial')}"
        seconds = standing.seconds_left(self._beside)
        if seconds is None or standing.ended >= total:
            return f"{done})"
        return f"{done}, about {duration(seconds)} left)"

    def _line(self, trial: TrialRow, best: int | None) -> str:
        score = "      " if trial.value is None else f"{trial.value:.4f}"
        parts = [
            f"trial {trial.number:<3} {trial.state:<9} {score}",
            describe(trial.params),
            counted(trial.epochs, "epoch"),
        ]
        if trial.reason:
            parts.append(" ".join(trial.reason.split()))
        elif best == trial.number:
            parts.append("the best so far")
        return "  ".join(parts)

    def _say(self, line: str) -> None:
        self._console.print(inert(line), soft_wrap=True)


def describe(params: dict[str, Any]) -> str:
    """Return a setting in one line, such as ``lr 3.1e-04, batch_size 8``."""
    return ", ".join(f"{name} {shown(value)}" for name, value in params.items())


def _numbers(standing: SweepRead, states: tuple[str, ...]) -> list[int]:
    return [int(n) for n in standing.trials.index[standing.trials["state"].isin(states)]]
