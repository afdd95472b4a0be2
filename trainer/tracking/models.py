"""MLflow's side of the model registry."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import Schema, TensorSpec

from trainer.extras import missing
from trainer.faults import system_fault
from trainer.files import copy_folder
from trainer.tracking.client import client
from trainer.tracking.places import copied_here, local_path
from trainer.tracking.runs import active_run


def _signature(channels: int) -> ModelSignature:
    pixels = np.dtype(np.uint8)
    return ModelSignature(
        inputs=Schema([TensorSpec(pixels, (-1, -1, -1, channels))]),
        outputs=Schema([TensorSpec(pixels, (-1, -1, -1))]),
    )


def create_version(
    run_id: str,
    name: str,
    *,
    model_folder: Path,
    channels: int,
    python_model: Path,
    code: Path,
    requirements: list[str],
    tags: Mapping[str, str],
    workspace: Path,
) -> Any:
    """Log ``model_folder`` as a model of the run, register it under ``name``, return the version.

    Its images have ``channels``. ``code`` is a package folder that ships with it. The run itself
    stays as it is: MLflow's fluent ``log_model`` would mark it running and finished once more.
    """
    api = client()
    info = active_run(run_id).info
    # Stricter than for the name that it is registered by, which may well be "cars-1.2".
    plain = re.sub(r"""[/:.%"']""", "-", name)
    logged = api.create_logged_model(info.experiment_id, name=plain, source_run_id=run_id)
    try:
        described = Model(run_id=run_id, model_id=logged.model_id)
        with warnings.catch_warnings():
            # It asks for an input example even where the signature is given.
            warnings.simplefilter("ignore", UserWarning)
            save_model(
                path=str(workspace / "mlflow_model"),
                python_model=str(python_model),
                code_paths=[str(code)],
                artifacts={"model": str(model_folder)},
                signature=_signature(channels),
                pip_requirements=requirements,
                mlflow_model=described,
            )
        if not copied_here(workspace / "mlflow_model", logged.artifact_location):
            api.log_model_artifacts(logged.model_id, str(workspace / "mlflow_model"))
    except BaseException:
        api.finalize_logged_model(logged.model_id, LoggedModelStatus.FAILED)
        raise
    api.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    api.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    _ensure_registered(name)
    return api.create_model_version(
        name,
        source=logged.artifact_location,
        run_id=run_id,
        model_id=logged.model_id,
        tags=dict(tags),
    )


def set_alias(name: str, alias: str, version: str) -> None:
    """Point ``alias`` at a version; ``ValueError`` when there is no such model or version."""
    try:
        client().get_model_version(name, version)
        client().set_registered_model_alias(name, alias, version)
    except MlflowException as error:
        raise ValueError(system_fault(error) or f"model: {error.message}") from error


def find_version(name: str, version: str) -> Any:
    """Return a version by its number; ``ValueError`` when there is none."""
    try:
        return client().get_model_version(name, version)
    except MlflowException as error:
        missing = f"model: there is no models:/{name}/{version} in this store"
        raise ValueError(system_fault(error) or missing) from error


def find_model(name: str) -> Any | None:
    """Return MLflow's record of a registered model; None where there is none of that name."""
    try:
        return client().get_registered_model(name)
    except MlflowException as error:
        if fault := system_fault(error):
            raise ValueError(fault) from error
        return None


def find_alias(name: str, alias: str) -> Any:
    """Return the version that an alias points at; ``ValueError`` when there is none."""
    try:
        return client().get_model_version_by_alias(name, alias)
    except MlflowException as error:
        missing = f"model: there is no models:/{name}@{alias} in this store"
        raise ValueError(system_fault(error) or missing) from error


def download_version(name: str, version: str, into: Path) -> Path:
    """Copy the files of a version into ``into``, a new folder, and return it."""
    api = client()
    into.mkdir(parents=True)
    try:
        # By where it lies: a models:/ address would be looked up in mlflow's global store.
        uri = api.get_model_version_download_uri(name, version)
        if (local := local_path(uri)) is not None:
            copy_folder(local, into)
            return into
        copied = download_artifacts(
            artifact_uri=uri, dst_path=str(into), tracking_uri=api.tracking_uri
        )
    except (MlflowException, OSError, ImportError) as error:
        refused = f"model: cannot download models:/{name}/{version}: {missing(error) or error}"
        raise ValueError(system_fault(error) or refused) from error
    return Path(copied)


def registered_models() -> list[Any]:
    """Return MLflow's records of all registered models, by name."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = client().search_registered_models(page_token=token, order_by=["name ASC"])
        found.extend(page)
        token = page.token
        if not token:
            return found


def versions(name: str) -> list[Any]:
    """Return MLflow's records of all versions of a registered model, newest first."""
    quote = '"' if "'" in name else "'"  # The filter's grammar knows no escape.
    found: list[Any] = []
    token: str | None = None
    while True:
        page = client().search_model_versions(f"name = {quote}{name}{quote}", page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return sorted(found, key=lambda version: -int(version.version))


def _ensure_registered(name: str) -> None:
    if find_model(name) is not None:
        return
    try:
        client().create_registered_model(name)
    except MlflowException as error:
        refused = f"model: cannot register {name!r}: {error.message}"
        raise ValueError(system_fault(error) or refused) from error
