"""A package that is missing is named with the command that installs it, wherever it is needed."""

import builtins
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.reading import study_names
from sweeps.study import open_storage
from tests.conftest import ROOT
from trainer import tracking
from trainer.command_line import USER_MISTAKE, guarded
from trainer.config import TrainConfig
from trainer.extras import EXTRAS, missing, needed
from trainer.tracking.artifacts import artifact_path, list_artifacts
from trainer.tracking.client import _first_call
from trainer.tracking.sql_reads import SqlReader

POSTGRESQL = "postgresql+psycopg://me:secret@127.0.0.1:1/db"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a package, and all below it, as if it were not installed."""

    def hide(package: str) -> None:
        whole = builtins.__import__

        def absent(name: str, *rest: Any) -> Any:
            if f"{name}.".startswith(f"{package}."):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return whole(name, *rest)

        for name in list(sys.modules):
            if f"{name}.".startswith(f"{package}."):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(builtins, "__import__", absent)

    return hide


def test_every_extra_is_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"]) - {"dev"}
    assert set(EXTRAS.values()) == extras


@pytest.mark.parametrize(
    "call",
    [
        lambda: _first_call(POSTGRESQL),
        lambda: SqlReader(POSTGRESQL).runs(),
        lambda: open_storage(POSTGRESQL),
        lambda: study_names(POSTGRESQL),
    ],
    ids=["the store", "the store read", "a sweep's storage", "a sweep read"],
)
def test_a_driver_that_is_missing_is_named(
    call: Callable[[], object], without: Callable[[str], None], store: Path
) -> None:
    without("psycopg")
    with pytest.raises(ValueError, match=r"psycopg is not installed; install it with: ") as refused:
        call()
    assert "pip install 'segscope[postgresql]'" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "package", "extra"),
    [
        ("s3://bucket/run", "boto3", "s3"),
        ("gs://bucket/run", "google.cloud", "gcs"),
        ("wasbs://box@account.blob.core.windows.net/run", "azure", "azure"),
    ],
)
def test_a_place_of_artifacts_names_what_it_needs(
    place: str, package: str, extra: str, without: Callable[[str], None], store: Path
) -> None:
    from mlflow import MlflowClient

    api = MlflowClient()
    experiment = api.create_experiment("far", artifact_location=place)
    run = api.create_run(experiment)
    without(package)
    for call in (
        lambda: list_artifacts(run.info.run_id, run.info.artifact_uri),
        lambda: artifact_path(run.info.run_id, run.info.artifact_uri, "config.yaml"),
        lambda: tracking.download(run.info.run_id, "config.yaml", store / "here"),
    ):
        with pytest.raises(ValueError, match=rf"pip install 'segscope\[{extra}\]'"):
            call()
    (store / "some").mkdir()
    (store / "some" / "file").write_text("x")
    said = guarded("trainer", lambda: tracking.log_files(run.info.run_id, store / "some") or 0)
    assert said == USER_MISTAKE


def test_files_that_a_server_keeps_are_not_called_missing(store: Path, tiny: TrainConfig) -> None:
    from mlflow import MlflowClient

    api = MlflowClient()
    experiment = api.create_experiment("served", artifact_location="mlflow-artifacts:/1")
    run = api.create_run(experiment)
    for call in (
        lambda: list_artifacts(run.info.run_id, run.info.artifact_uri),
        lambda: artifact_path(run.info.run_id, run.info.artifact_uri, "config.yaml"),
        lambda: tracking.download(run.info.run_id, "config.yaml", store / "here"),
    ):
        with pytest.raises(ValueError, match=r"kept by a tracking server, .* http://"):
            call()


def test_other_errors_are_not_taken_for_it() -> None:
    assert missing(None) is None
    assert missing(ValueError("psycopg")) is None
    assert missing(ImportError("x", name="psycopgly")) is None
    assert missing(ImportError("of ours")) is None
    try:
        try:
            raise ImportError("x", name="azure.identity")
        except ImportError as inner:
            raise RuntimeError("outer") from inner
    except RuntimeError as error:
        assert missing(error) == needed("azure.identity")
    assert needed("azure.identity").endswith("'segscope[azure]'")
