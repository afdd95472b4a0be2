"""Reads of Optuna's studies: never writes, takes no lock that a running study waits for.

The journal is read without its lock. A database is opened read-only and every query stands
alone, so that SQLite's shared lock is held for milliseconds: a writer waits five seconds for it.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sweeps.attributes import (
    EPOCHS,
    PARENT,
    PLANNED,
    REASON,
    RUN,
    RUNS,
    SAVED,
    SCORES,
    SPEC,
    UNCOUNTED,
)
from sweeps.presence import is_alive, listening, silent
from sweeps.space import label
from sweeps.spec_reading import from_plain
from sweeps.trials import (
    COMPLETE,
    CUT_SHORT,
    FAILED,
    PRUNED,
    RUNNING,
    STOPPED,
    WAITING,
    Parameter,
    SweepRead,
    categories,
    numeric,
    trials_table,
)
from trainer.extras import missing
from trainer.store import local_folder, read_only, sqlite_path, without_password

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

STORAGE = "SEGSCOPE_STORAGE"
"""Environment: the URL of the database that studies are kept in, as ``sweeps --storage`` takes."""
# By Optuna's names, for which it need not be imported.
_STATES = {
    "COMPLETE": COMPLETE,
    "PRUNED": PRUNED,
    "FAIL": FAILED,
    "RUNNING": RUNNING,
    "WAITING": WAITING,
}

PED_ANOVA, FANOVA = "PED-ANOVA", "fANOVA"
ENOUGH = {PED_ANOVA: 20, FANOVA: 6}
"""Complete trials below which an evaluator says nothing; PED-ANOVA's best tenth must be two."""


def journal() -> Path:
    """Return where `sweeps` keeps its journal of the current store; it may not be there."""
    return local_folder() / "optuna.journal"


def storages() -> list[str]:
    """Return the storages to look into: the journal's path when there is one, and `STORAGE`."""
    known = [str(journal())] if journal().is_file() else []
    named = os.environ.get(STORAGE)
    return [*known, named] if named else known


def study_names(storage: str) -> list[str]:
    """Return the sweeps in a storage, oldest first; ``ValueError`` when it cannot be read."""
    with _reading(storage) as opened:
        return sweeps_in(opened)


def sweeps_in(opened: "BaseStorage") -> list[str]:
    """Return the studies of an open storage that are sweeps, oldest first."""
    return [s.study_name for s in opened.get_all_studies() if SPEC in s.user_attrs]


def read_study(storage: str, name: str) -> SweepRead:
    """Return a sweep's study with its trials; ``ValueError`` when it cannot be read."""
    with _reading(storage) as opened:
        return read(opened, name)


def read(opened: "BaseStorage", name: str) -> SweepRead:
    """Return a sweep as its study in an open storage tells it."""
    number = opened.get_study_id_from_name(name)
    user_attrs = opened.get_study_user_attrs(number)
    trials = opened.get_all_trials(number, deepcopy=False)
    not_heard = silent(opened, number)
    spec = user_attrs.get(SPEC) or {}
    fixed = spec.get("fixed") or {}
    parameters = tuple(_parameter(n, d) for n, d in (spec.get("space") or {}).items())
    return SweepRead(
        name=name,
        metric=str(fixed.get("monitor", "val/dice")),
        total=_total(json.dumps(spec)),
        seeds=int(spec.get("seeds", 1)),
        epochs=fixed.get("epochs"),
        sampler=str((spec.get("sampler") or {}).get("name", "")),
        pruner=str((spec.get("pruner") or {}).get("name", "")),
        description=str(spec.get("description", "")),
        parent_run_id=user_attrs.get(PARENT),
        from_study=True,
        parameters=parameters,
        trials=trials_table(
            [_row(trial, not_heard) for trial in trials], [p.name for p in parameters]
        ),
    )


def usual_evaluator(complete: int) -> str:
    """Return the evaluator for so many complete trials: PED-ANOVA as soon as it has enough."""
    return PED_ANOVA if complete >= ENOUGH[PED_ANOVA] else FANOVA


def importances(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    column: str,
    *,
    higher_is_better: bool,
    evaluator: str,
) -> dict[str, float] | None:
    """Return how much each parameter matters for ``column`` of the complete trials, summing to 1.

    Optuna's own computation, on a study in memory; the most important first. None when fewer than
    `ENOUGH` complete trials have a finite value, or nothing that all of them have varies.
    """
    import optuna

    complete = trials[(trials["state"] == COMPLETE) & trials[column].notna()]
    # As Optuna does: what only some trials have, those of a component, is not compared.
    shared = [p for p in parameters if complete[p.column].notna().all()]
    varying = [p for p in shared if complete[p.column].nunique() > 1]
    if len(complete) < ENOUGH[evaluator] or complete[column].nunique() < 2 or not varying:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize" if higher_is_better else "minimize")
    drawn_from = {p.name: _distribution(complete, p) for p in varying}
    study.add_trials(
        optuna.trial.create_trial(
            params={p.name: row[p.column] for p in varying},
            distributions=drawn_from,
            value=float(row[column]),
        )
        for _, row in complete.iterrows()
    )
    found = optuna.importance.get_param_importances(study, evaluator=_evaluator(evaluator))
    return {name: float(share) for name, share in found.items()}


def storage_to_read(storage: str) -> "BaseStorage":
    """Return an open storage that is never written; ``ValueError`` when it cannot be read."""
    with _reading(storage) as opened:
        return opened


@contextmanager
def _reading(storage: str) -> Iterator["BaseStorage"]:
    """Open a storage; what goes wrong with it becomes one line."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    known = (
        OSError,
        ValueError,
        KeyError,
        ImportError,
        sqlite3.Error,
        SQLAlchemyError,
        OptunaError,
    )
    try:
        yield _opened(storage, _identity(storage))
    except known as error:
        cause = getattr(error, "orig", None) or error
        said = (str(cause).strip().splitlines() or [type(error).__name__])[0]
        reason = missing(error) or with_password_told(said)
        raise ValueError(f"sweeps: cannot read {without_password(storage)}: {reason}") from error


def with_password_told(reason: str) -> str:
    """Return why a database refused, with where its password is looked for if that is why."""
    if "password" not in reason:
        return reason
    return (
        f"{reason}; no run keeps one: give it in the address, with --storage or in {STORAGE}, or "
        "as the driver knows it, in PGPASSWORD or ~/.pgpass"
    )


def _identity(storage: str) -> int:
    # A store deleted and made anew is another file of the same name.
    path = sqlite_path(storage) or Path(storage)
    return path.stat().st_ino if path.exists() else 0


@lru_cache(maxsize=8)
def _opened(storage: str, identity: int) -> "BaseStorage":
    """Open a storage once: what it has read of finished trials it never reads again."""
    del identity
    from optuna.storages import JournalStorage, RDBStorage, get_storage

    from sweeps.journal import Journal

    if "://" not in storage:
        return JournalStorage(Journal(Path(storage)))
    database = RDBStorage(
        without_template(storage),
        engine_kwargs=_read_only(storage),
        skip_compatibility_check=True,
        skip_table_creation=True,
    )
    return get_storage(listening(database))


def without_template(url: str) -> str:
    """Return an address for Optuna, which would fill in what stands in braces."""
    return url.replace("{", "{{").replace("}", "}}")


def _read_only(url: str) -> dict[str, Any]:
    from sqlalchemy import NullPool

    alone = {"poolclass": NullPool, "isolation_level": "AUTOCOMMIT"}
    database = sqlite_path(url)
    if database is None:
        return alone | {"connect_args": {"options": "-c default_transaction_read_only=on"}}
    if not database.is_file():
        raise ValueError("there is no such file")
    address = read_only(database)
    return alone | {"creator": lambda: sqlite3.connect(address, uri=True, timeout=20)}


def _row(trial: "FrozenTrial", not_heard: set[int]) -> dict[str, Any]:
    user_attrs = trial.user_attrs
    finite = [v for v in trial.intermediate_values.values() if v == v]
    scored = [] if trial.value is None else [trial.value]
    reached = max([*finite, *scored], default=None)
    run_id = user_attrs.get(RUN)
    return {
        "number": trial.number,
        "state": _state(trial, not_heard),
        "reached": reached,
        "value": trial.value if trial.state.name == "COMPLETE" else None,
        "epochs": user_attrs.get(EPOCHS) or max(trial.intermediate_values, default=0),
        "planned": user_attrs.get(PLANNED),
        "saved": user_attrs.get(SAVED, 0),
        "run_id": run_id,
        "run_ids": user_attrs.get(RUNS) or ([run_id] if run_id else []),
        "scores": user_attrs.get(SCORES) or [],
        "reason": user_attrs.get(REASON),
        "started": _utc(trial.datetime_start),
        "ended": _utc(trial.datetime_complete),
        "params": trial.params,
    }


def _state(trial: "FrozenTrial", not_heard: set[int]) -> str:
    if UNCOUNTED in trial.user_attrs:
        return CUT_SHORT
    state = _STATES[trial.state.name]
    return STOPPED if state == RUNNING and not is_alive(trial, not_heard) else state


@lru_cache(maxsize=64)
def _total(spec: str) -> int | None:
    """Return the trials that finish a sweep, from the spec as the study keeps it, in JSON."""
    plain = json.loads(spec)
    try:
        return from_plain(plain).total
    except ValueError:
        # Of another version: what its trials came to can be read all the same.
        trials: int | None = plain.get("trials")
        return trials


def _parameter(name: str, dimension: Mapping[str, Any]) -> Parameter:
    if "choices" not in dimension:
        low, high = float(dimension["low"]), float(dimension["high"])
        return Parameter(name=name, log=bool(dimension.get("log", False)), low=low, high=high)
    return Parameter(name=name, choices=tuple(label(c) for c in dimension["choices"]))


def _distribution(trials: pd.DataFrame, parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not numeric(trials, parameter):
        return CategoricalDistribution(categories(trials, parameter))
    values = trials[parameter.column].astype(float)
    low = min(float(values.min()), values.min() if parameter.low is None else parameter.low)
    high = max(float(values.max()), values.max() if parameter.high is None else parameter.high)
    return FloatDistribution(low, high, log=parameter.log and low > 0)


def _evaluator(name: str) -> "BaseImportanceEvaluator":
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if name == PED_ANOVA:
        return PedAnovaImportanceEvaluator()
    return FanovaImportanceEvaluator(seed=0)


def _utc(moment: datetime | None) -> datetime | None:
    # Optuna's times are this machine's own, without a zone.
    return None if moment is None else moment.astimezone()
