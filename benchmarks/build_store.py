"""Build a tracking store of made-up runs, large for measuring or small for trying every page.

    python benchmarks/build_store.py --uri sqlite:///big/mlflow.db --runs 10000 --epochs 100
    python benchmarks/build_store.py --uri sqlite:///small/mlflow.db --small

The database is created through MLflow; the rows then go in by bulk inserts into MLflow's own
tables in the order in which training logs them, because the public API would take hours for 7
million metric values. As in a store that grew by training, nothing gathers statistics for SQLite's
planner. ``--small`` adds the artifacts of the store contract, drawn from simple shapes.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from drawn_runs import DrawnRun, grid, new_id

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

RUNS_A_TRANSACTION = 200


def main() -> None:
    """Build the store that the flags describe and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", required=True, help="SQLAlchemy URI of the store to fill")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--small", action="store_true", help="about 40 runs with artifacts")
    parser.add_argument("--artifacts", type=Path, help="artifact folder of a store on a server")
    flags = parser.parse_args()
    os.environ["MLFLOW_TRACKING_URI"] = flags.uri
    started = time.perf_counter()
    now = int(time.time() * 1000)
    if flags.small:
        from drawn_store import small_store

        runs: Iterable[DrawnRun] = small_store(now=now)
    else:
        runs = grid(flags.runs, flags.epochs, now=now)
    count = insert_runs(flags.uri, runs, flags.artifacts)
    print(f"{count} runs in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def insert_runs(uri: str, runs: Iterable[DrawnRun], artifacts: Path | None = None) -> int:
    """Insert runs into the store at ``uri``, creating it when it is new, and return how many."""
    from sqlalchemy import create_engine, insert

    from trainer.tracking.client import begin

    begin()  # Creates the database under the lock that creation needs.
    engine = create_engine(uri)
    experiments: dict[str, tuple[int, str]] = {}
    count = 0
    remaining = iter(runs)
    while group := list(islice(remaining, RUNS_A_TRANSACTION)):
        for run in group:
            run.run_id = run.run_id or new_id()
            if run.experiment not in experiments:
                experiments[run.experiment] = _experiment(run.experiment, artifacts)
        with engine.begin() as connection:
            for table, rows in _rows(group, experiments):
                if rows:
                    connection.execute(insert(table), rows)
        for run in group:
            if run.write_artifacts is not None:
                folder = Path(_local(experiments[run.experiment][1])) / run.run_id / "artifacts"
                folder.mkdir(parents=True, exist_ok=True)
                run.write_artifacts(folder)
        count += len(group)
        print(f"\r{count} runs", end="", file=sys.stderr)
    print(file=sys.stderr)
    engine.dispose()
    return count


def _experiment(name: str, artifacts: Path | None) -> tuple[int, str]:
    from trainer.tracking.client import client, experiment_id

    if artifacts is not None and client().get_experiment_by_name(name) is None:
        client().create_experiment(name, artifact_location=(artifacts / name).absolute().as_uri())
    number = experiment_id(name)
    return int(number), client().get_experiment(number).artifact_location


def _local(location: str) -> str:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return str(local_file_uri_to_path(location))


def _rows(
    runs: Iterable[DrawnRun], experiments: dict[str, tuple[int, str]]
) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    from mlflow.store.tracking.dbmodels.models import (
        SqlLatestMetric,
        SqlMetric,
        SqlParam,
        SqlRun,
        SqlTag,
    )

    runs = list(runs)
    yield SqlRun.__table__, [_run_row(run, *experiments[run.experiment]) for run in runs]
    yield (
        SqlParam.__table__,
        [
            {"key": k, "value": v, "run_uuid": run.run_id}
            for run in runs
            for k, v in run.params.items()
        ],
    )
    yield (
        SqlTag.__table__,
        [
            {"key": k, "value": v, "run_uuid": run.run_id}
            for run in runs
            for k, v in {"mlflow.runName": run.name, **run.tags}.items()
        ],
    )
    # In the order of time, as runs that train side by side log them.
    histories = sorted(
        (row for run in runs for row in _metric_rows(run)), key=itemgetter("timestamp")
    )
    yield SqlMetric.__table__, histories
    latest = {(row["run_uuid"], row["key"]): row for row in histories}
    yield SqlLatestMetric.__table__, list(latest.values())


def _run_row(run: DrawnRun, experiment: int, location: str) -> dict[str, Any]:
    return {
        "run_uuid": run.run_id,
        "name": run.name,
        "source_type": "LOCAL",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "researcher",
        "status": run.status,
        "start_time": run.start,
        "end_time": run.end,
        "deleted_time": run.end if run.archived else None,
        "source_version": "",
        "lifecycle_stage": "deleted" if run.archived else "active",
        "artifact_uri": f"{location}/{run.run_id}/artifacts",
        "experiment_id": experiment,
    }


def _metric_rows(run: DrawnRun) -> Iterator[dict[str, Any]]:
    length = max((curve[-1][0] for curve in run.curves.values() if curve), default=0)
    curves = run.curves | {key: [(length, value)] for key, value in run.summary.items()}
    for key, curve in curves.items():
        for step, value in curve:
            missing = value != value
            yield {
                "key": key,
                "value": 0.0 if missing else value,
                "timestamp": run.start + step * run.epoch_ms,
                "step": step,
                "is_nan": missing,
                "run_uuid": run.run_id,
            }


if __name__ == "__main__":
    main()
