"""What may be changed about a run after it: its tags, its note, whether it is archived."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from trainer.faults import system_fault
from trainer.tracking.client import client

MAX_TAG_NAME = 250
OWN_PREFIXES = ("segscope.", "mlflow.")


def archive(run_ids: Iterable[str]) -> None:
    """Archive runs: MLflow's deletion, which keeps everything and which `restore` undoes."""
    for run_id in run_ids:
        with _refusals(run_id):
            client().delete_run(run_id)


def restore(run_ids: Iterable[str]) -> None:
    """Bring archived runs back."""
    for run_id in run_ids:
        with _refusals(run_id):
            client().restore_run(run_id)


def set_note(run_id: str, text: str) -> None:
    """Set the run's note, the text that MLflow's own pages show as its description."""
    with _refusals(run_id):
        client().set_tag(run_id, MLFLOW_RUN_NOTE, text)


def tag_runs(run_ids: Iterable[str], key: str, value: str) -> None:
    """Set a tag of the user's own; ``ValueError`` for a name that is empty, long or reserved."""
    name = key.strip()
    if not name or len(name) > MAX_TAG_NAME:
        raise ValueError(f"tag: a name has 1 to {MAX_TAG_NAME} characters")
    if name.startswith(OWN_PREFIXES):
        raise ValueError(f"tag: {name!r} is kept for the trainer's own; choose another name")
    for run_id in run_ids:
        with _refusals(run_id):
            client().set_tag(run_id, name, value)


@contextmanager
def _refusals(run_id: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        refused = f"run: {run_id} was not changed: {error.message}"
        raise ValueError(system_fault(error) or refused) from error
