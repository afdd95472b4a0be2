"""Runs and curves without a store, shared by the tests of the dashboard."""

import numpy as np

from dashboard.store.cache import Curve
from trainer.tracking.records import RunRecord

# Validation Dice of the first report at lr = 1e-4: dips at epochs 2 and 6.
REPORT = [0.9810, 0.8296, 0.9846, 0.9880, 0.9876, 0.7070, 0.9882, 0.9895, 0.9891, 0.9884]


def curve(values: list[float], first: int = 1) -> Curve:
    """Return a curve with one value an epoch, from epoch ``first`` on."""
    return Curve(np.arange(first, first + len(values)), np.array(values, dtype=float))


def record(run_id: str, **given: object) -> RunRecord:
    """Return a finished run of one minute, with the fields ``given`` in place of the usual."""
    values: dict[str, object] = {
        "run_id": run_id,
        "name": run_id,
        "status": "FINISHED",
        "start": 1_000,
        "end": 61_000,
        "archived": False,
        "experiment_id": "1",
        "experiment": "e",
        "user": "u",
        "artifact_uri": "",
        "params": {},
        "tags": {},
        "metrics": {},
        "last_step": 3,
    } | given
    return RunRecord(**values)  # type: ignore[arg-type]
