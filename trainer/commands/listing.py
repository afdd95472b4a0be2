"""``trainer runs``: which runs a store has, how they stand and how good they are."""

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from trainer.command_line import DONE, Answer, finite, parse, print_json
from trainer.names import check
from trainer.printing import Terminal, inert, say
from trainer.wording import MISSING, counted, duration

if TYPE_CHECKING:
    import pandas as pd

NEEDED = [
    *("name", "state", "reason", "last_step", "headline", "started", "last_heard", "experiment"),
    *("params.epochs", "metrics.time/epoch_seconds"),
]
HEADINGS = ("Run", "Name", "State", "Epoch", "Best", "Time", "Experiment")


@dataclass(frozen=True, kw_only=True)
class Runs(Answer):
    """List the runs of the store, the newest first; archived ones are left out."""

    limit: int = 20
    """List at most so many; 0 for all."""
    filter: str = ""
    """MLflow filter expression, as on the page Runs: "params.lr = '0.001'"."""
    experiment: str | None = None
    """List those of this experiment alone."""


def runs(args: list[str]) -> int:
    """List the runs of the store: how they stand, how good, how long."""
    command = parse(Runs, prog="trainer runs", args=args)
    if command.limit < 0:
        raise ValueError(f"limit: {command.limit} must be at least 0; 0 lists all")
    found = _matching(command)
    rows = _rows(found.head(command.limit or len(found)))
    if command.json:
        print_json(rows)
        return DONE
    if not rows:
        say("no run matches" if command.filter or command.experiment else "no runs here yet")
    else:
        _print(rows)
    if len(rows) < len(found):
        left = len(found) - len(rows)
        say(f"{counted(left, 'older run')} not listed; --limit 0 lists all", file=sys.stderr)
    return DONE


def _matching(command: Runs) -> "pd.DataFrame":
    from trainer.tracking.filtering import matching
    from trainer.tracking.reading import list_runs

    found = list_runs()
    if command.experiment is not None:
        check("experiment", command.experiment, set(found["experiment"]))
        found = found[found["experiment"] == command.experiment]
    found = found[~found["archived"].astype(bool)]
    return found[matching(found, command.filter)]


def _rows(found: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return what is told of each run as plain values, None where it has none."""
    import pandas as pd

    from trainer.evaluation.best_scores import best_scores
    from trainer.tracking.standing import seconds_taken

    scores = best_scores(found)
    taken = seconds_taken(found, pd.Timestamp.now(tz="UTC"))
    needed: Any = found.reindex(columns=NEEDED)
    return [
        {
            "run_id": run_id,
            "name": run["name"],
            "state": run["state"],
            "reason": run["reason"] if isinstance(run["reason"], str) else "",
            "epoch": int(run["last_step"]),
            "epochs": _planned(run),
            "headline": run["headline"],
            "best": finite(scores[run_id]),
            "seconds": finite(taken[run_id]),
            "seconds_left": _seconds_left(run),
            "started": None if pd.isna(run["started"]) else run["started"].isoformat(),
            "experiment": run["experiment"],
        }
        for run_id, run in needed.to_dict("index").items()
    ]


def _planned(run: Any) -> int | None:
    told = run["params.epochs"]
    return int(told) if isinstance(told, str) and told.isdecimal() else None


def _seconds_left(run: Any) -> float | None:
    """Return what the epochs to come take at the pace of the last one, or of those so far."""
    from trainer.tracking.standing import RUNNING

    planned = _planned(run)
    if run["state"] != RUNNING or planned is None or not run["last_step"]:
        return None
    pace = float(run["metrics.time/epoch_seconds"])
    if not math.isfinite(pace):
        pace = (run["last_heard"] - run["started"]).total_seconds() / run["last_step"]
    left = pace * (planned - run["last_step"])
    return max(0.0, left) if math.isfinite(left) else None


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        right = heading in ("Epoch", "Best")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(inert, _cells(row)))
    # In a file or a pipe no cell is cut to fit.
    console = Terminal() if sys.stdout.isatty() else Terminal(width=10_000)
    console.print(table)
    for row in rows:
        if row["state"] == "dead":
            line = f"{row['run_id'][:8]} is dead: {row['reason']}"
            console.print(inert(line), soft_wrap=True)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    epochs = "" if row["epochs"] is None else f"/{row['epochs']}"
    left = row["seconds_left"]
    return (
        row["run_id"][:8],
        row["name"],
        row["state"],
        f"{row['epoch']}{epochs}",
        MISSING if row["best"] is None else f"{row['best']:.4f} {row['headline']}",
        duration(row["seconds"]) if left is None else f"{duration(left)} left",
        row["experiment"],
    )
