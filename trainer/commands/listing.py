"""``trainer runs``: which runs a store has, how they stand and how good they are."""

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from trainer.command_line import DONE, Tabular, finite, parse, print_json
from trainer.names import check
from trainer.printing import say
from trainer.wording import MISSING, counted, duration, measured

if TYPE_CHECKING:
    import pandas as pd

    from trainer.tables import Table

NEEDED = [
    *("name", "state", "reason", "last_step", "headline", "started", "last_heard", "experiment"),
    *("params.epochs", "metrics.time/epoch_seconds"),
]


@dataclass(frozen=True, kw_only=True)
class Runs(Tabular):
    """List the runs of the store, the newest first; archived ones are left out."""

    limit: int = 20
    """List at most so many; 0 for all."""
    filter: Annotated[str, "EXPRESSION"] = ""
    """MLflow filter expression, as on the page Runs: "params.lr = '0.001'"."""
    experiment: Annotated[str | None, "NAME"] = None
    """List those of this experiment alone."""


def runs(args: list[str]) -> int:
    """List the runs of the store: how they stand, how good, how long."""
    command = parse(Runs, prog="trainer runs", args=args)
    if command.limit < 0:
        raise ValueError(f"limit: {command.limit} must be at least 0; 0 lists all")
    found = _matching(command)
    rows = _rows(found.head(command.limit or len(found)))
    if command.form == "json":
        print_json(rows)
        return DONE
    if not rows and command.form == "table":
        say("no run matches" if command.filter or command.experiment else "no runs here yet")
    else:
        from trainer.tables import tell

        dead = [row for row in rows if row["state"] == "dead"]
        said = [f"{row['run_id'][:8]} is dead: {row['reason']}" for row in dead]
        tell(_table(rows, command.form), command.form, said)
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


def _table(rows: list[dict[str, Any]], form: str) -> "Table":
    """Return a row a run; for programs in full, with what people read in one cell taken apart."""
    from trainer.tables import Column, Table

    def column(name: str, key: str, **how: Any) -> Column:
        return Column(name=name, values=[row[key] for row in rows], **how)

    named = [column("Name", "name"), column("State", "state")]
    if form == "csv":
        return Table(
            index="Run",
            labels=[row["run_id"] for row in rows],
            columns=[
                *named,
                *(column("Epoch", "epoch"), column("Epochs", "epochs")),
                *(column("Best", "best"), column("Metric", "headline")),
                *(column("Time [s]", "seconds"), column("Left [s]", "seconds_left")),
                column("Experiment", "experiment"),
            ],
        )
    columns = [
        *named,
        column("Epoch", "epoch", shown=list(map(_epochs, rows))),
        column("Best", "best", shown=list(map(_best, rows))),
        Column(name="Time", values=list(map(_time, rows))),
        column("Experiment", "experiment"),
    ]
    return Table(index="Run", labels=[row["run_id"][:8] for row in rows], columns=columns)


def _epochs(row: dict[str, Any]) -> str:
    return f"{row['epoch']}" if row["epochs"] is None else f"{row['epoch']}/{row['epochs']}"


def _best(row: dict[str, Any]) -> str:
    return MISSING if row["best"] is None else f"{measured(row['best'])} {row['headline']}"


def _time(row: dict[str, Any]) -> str:
    left = row["seconds_left"]
    return duration(row["seconds"]) if left is None else f"{duration(left)} left"
