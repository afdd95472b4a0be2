"""Any run of the store: found, closed, tagged, grouped."""

import math
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER

from trainer import __version__
from trainer.faults import system_fault
from trainer.store import tracking_uri, without_password, without_passwords
from trainer.tracking.client import client, experiment_id
from trainer.tracking.environment import user
from trainer.tracking.formats import FORMAT, TAG, check_run_format
from trainer.tracking.outbox import Record, record
from trainer.tracking.places import copied_here
from trainer.tracking.sending import post

OUTCOMES = {
    "completed": "FINISHED",
    "early-stopped": "FINISHED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
MAX_TAG = 5000
MAX_KEY = 250
# MLflow takes 1,000 a request, tags among them.
MAX_METRICS = 900


def start_parent(
    name: str,
    *,
    experiment: str,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> str:
    """Create a run that groups others, such as a sweep, and return its id."""
    all_tags = {
        MLFLOW_RUN_NAME: name,
        MLFLOW_USER: user(),
        "segscope.version": __version__,
        TAG: str(FORMAT),
        **(tags or {}),
    }
    experiment = experiment_id(experiment)  # first: it begins a store that is not there
    created = client().create_run(experiment, tags=all_tags, run_name=name)
    if params:
        batch = [Param(key, value) for key, value in params.items()]
        client().log_batch(created.info.run_id, params=batch)
    return str(created.info.run_id)


def finish(run_id: str, outcome: str, reason: str | None = None) -> None:
    """Close any run with one of `OUTCOMES`."""
    post(run_id, ending(outcome, reason))


def reopen_parent(run_id: str) -> None:
    """Mark a run that groups others as running again; ``ValueError`` where it is archived."""
    active_run(run_id)
    post(run_id, record(status="RUNNING"))


def log_summary(run_id: str, metrics: Mapping[str, float], *, step: int = 0) -> None:
    """Write single values of a run, such as a sweep's best score."""
    post(run_id, *summaries(metrics, step))


def set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of any run; long values are cut to what every backend takes."""
    post(run_id, record(tags=tagging(tags)))


def ending(outcome: str, reason: str | None, *, at: int | None = None) -> Record:
    """Return the record that closes a run with one of `OUTCOMES`.

    ``at`` is its time in ms since 1970, left out this moment.
    """
    told = without_passwords(reason or "")
    tags = tagging({"segscope.outcome": outcome, "segscope.reason": told})
    return record(tags=tags, status=OUTCOMES[outcome], end=at or _now())


def summaries(metrics: Mapping[str, float], step: int, *, at: int | None = None) -> list[Record]:
    """Return the records of a step's metrics: one, or as many as needed.

    ``at`` is their time in ms since 1970, left out this moment.
    """
    values = [(metric_key(key), storable(value)) for key, value in metrics.items()]
    parts = [dict(values[i : i + MAX_METRICS]) for i in range(0, len(values), MAX_METRICS)]
    now = at or _now()
    return [record(metrics=part, step=step, time=now) for part in parts]


def tagging(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with their values cut to what every backend takes."""
    return {key: value[:MAX_TAG] for key, value in tags.items()}


def get_run(run_id: str) -> Any:
    """Return MLflow's record of a run.

    Raises ``ValueError`` when there is none of that id, or a later version wrote it.
    """
    try:
        found = client().get_run(run_id)
    except MlflowException as error:
        missing = f"run: there is no run {run_id!r} in this store"
        raise ValueError(system_fault(error) or missing) from error
    check_run_format(run_id, found.data.tags)
    return found


def active_run(run_id: str) -> Any:
    """Return MLflow's record of a run that can be written; ``ValueError`` when it is archived."""
    found = get_run(run_id)
    _refuse_archived(found)
    return found


def check_not_archived(run_id: str) -> None:
    """Raise ``ValueError`` for a run that is archived; one that is gone for good passes."""
    try:
        found = client().get_run(run_id)
    except MlflowException as error:
        if fault := system_fault(error):
            raise ValueError(fault) from error
        return
    _refuse_archived(found)


def _refuse_archived(run: Any) -> None:
    run_id = run.info.run_id
    if run.info.lifecycle_stage == "deleted":
        store = shlex.quote(without_password(tracking_uri()))
        raise ValueError(
            f"run: {run_id} is archived; restore it first, on the dashboard's page Runs or with "
            f"MLFLOW_TRACKING_URI={store} mlflow runs restore --run-id {run_id}"
        )


def find_runs(
    filter_string: str, *, view: int = ViewType.ACTIVE_ONLY, most: int | None = None
) -> list[Any]:
    """Return MLflow's records of runs of all experiments that match its filter syntax.

    The newest come first; ``most`` of them when given, 1,000 at the highest. ``view`` is one of
    MLflow's `ViewType`: archived runs are left out unless it says so. Raises ``ValueError`` with
    MLflow's own words when the filter is malformed.
    """
    api = client()
    experiments = _experiments()
    found: list[Any] = []
    token: str | None = None
    while experiments:
        try:
            page = api.search_runs(
                experiments,
                filter_string,
                run_view_type=view,
                max_results=most or SEARCH_MAX_RESULTS_DEFAULT,
                page_token=token,
            )
        except MlflowException as error:
            raise ValueError(f"filter: {error.message}") from error
        found.extend(page)
        token = page.token
        if not token or most:
            break
    return found


def log_files(run_id: str, folder: Path) -> None:
    """Copy every file of ``folder`` into the artifacts of any run."""
    if not copied_here(folder, get_run(run_id).info.artifact_uri):
        client().log_artifacts(run_id, str(folder))


def metric_key(key: str) -> str:
    """Return ``key`` with what MLflow does not take in a metric's name replaced by ``_``.

    That is most punctuation, and, since a name may become a path, a part that is empty or dots.
    """
    safe = re.sub(r"[^\w\-. :/]", "_", key)[:MAX_KEY]
    parts = [part if part.strip(".") else "_" for part in safe.split("/")]
    return "/".join(parts)[:MAX_KEY].rstrip("/")


def storable(value: float) -> float:
    """Return the number as MLflow keeps it: NaN for what is not finite."""
    # MLflow keeps NaN but turns an infinity into 1.8e308, which every mean would then believe.
    return value if math.isfinite(value) else math.nan


def _now() -> int:
    return int(time.time() * 1000)


def _experiments() -> list[str]:
    found: list[str] = []
    token: str | None = None
    while token != "":
        page = client().search_experiments(page_token=token)
        found.extend(experiment.experiment_id for experiment in page)
        token = page.token or ""
    return found
