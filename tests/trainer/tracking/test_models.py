"""MLflow's side of the model registry, on a real store."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow.models import Model

from trainer.tracking import get_run, start_parent
from trainer.tracking.client import client
from trainer.tracking.models import (
    create_version,
    download_version,
    find_alias,
    find_version,
    registered_models,
    set_alias,
    versions,
)

PYTHON_MODEL = """
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

class Same(PythonModel):
    def predict(self, context, model_input: np.ndarray, params=None):
        return model_input[..., 0]

set_model(Same())
"""


def make(
    tmp_path: Path, run_id: str, name: str = "cars", number: int = 1, channels: int = 3
) -> Any:
    """Register a made-up model of a run; what it holds is ``number``."""
    workspace = tmp_path / f"workspace {name} {number}"
    (workspace / "model").mkdir(parents=True)
    (workspace / "model" / "config.json").write_text(json.dumps({"number": number}))
    (workspace / "code").mkdir()
    (workspace / "code" / "__init__.py").touch()
    (workspace / "python_model.py").write_text(PYTHON_MODEL)
    return create_version(
        run_id,
        name,
        model_folder=workspace / "model",
        python_model=workspace / "python_model.py",
        code=workspace / "code",
        channels=channels,
        requirements=["mlflow"],
        tags={"best.val_dice": "0.9"},
        workspace=workspace,
    )


@pytest.fixture
def run_id(store: Path) -> str:
    return start_parent("run", experiment="e")


def test_a_version_knows_where_it_came_from(run_id: str, tmp_path: Path, store: Path) -> None:
    before = get_run(run_id).info
    made = make(tmp_path, run_id)
    found = find_version("cars", "1")
    assert (str(made.version), found.run_id, found.status) == ("1", run_id, "READY")
    assert found.tags == {"best.val_dice": "0.9"}
    after = get_run(run_id)
    assert (after.info.status, after.info.end_time) == (before.status, before.end_time)
    (output,) = after.outputs.model_outputs
    assert client().get_logged_model(output.model_id).status == "READY"


@pytest.mark.parametrize("channels", [1, 3])
def test_the_signature_takes_images_of_any_size(run_id: str, tmp_path: Path, channels: int) -> None:
    make(tmp_path, run_id, channels=channels)
    stored = Model.load(str(download_version("cars", "1", tmp_path / "pulled")))
    (images,), (masks,) = stored.signature.inputs.inputs, stored.signature.outputs.inputs
    assert (str(images.type), images.shape) == ("uint8", (-1, -1, -1, channels))
    assert (str(masks.type), masks.shape) == ("uint8", (-1, -1, -1))


def test_versions_count_up_newest_first(run_id: str, tmp_path: Path) -> None:
    for number in range(1, 12):
        make(tmp_path, run_id, number=number)
    make(tmp_path, run_id, name="it's a pet")
    make(tmp_path, run_id, name='"pets" 1.2 at 100%')
    assert [int(v.version) for v in versions("cars")] == list(range(11, 0, -1))
    assert [int(v.version) for v in versions("it's a pet")] == [1]
    assert [model.name for model in registered_models()] == [
        '"pets" 1.2 at 100%',
        "cars",
        "it's a pet",
    ]
    assert [int(v.version) for v in versions('"pets" 1.2 at 100%')] == [1]
    assert versions("nothing") == []


def test_an_alias_moves(run_id: str, tmp_path: Path) -> None:
    make(tmp_path, run_id, number=1)
    make(tmp_path, run_id, number=2)
    set_alias("cars", "champion", "1")
    assert str(find_alias("cars", "champion").version) == "1"
    set_alias("cars", "champion", "2")
    assert str(find_alias("cars", "champion").version) == "2"
    (model,) = registered_models()
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "2"}
    with pytest.raises(ValueError, match="model: there is no models:/cars@other"):
        find_alias("cars", "other")


@pytest.mark.parametrize(("name", "version"), [("nothing", "1"), ("cars", "7"), ("cars", "x")])
def test_what_is_not_there_is_said(name: str, version: str, run_id: str, tmp_path: Path) -> None:
    make(tmp_path, run_id)
    with pytest.raises(ValueError, match=r"^model: "):
        set_alias(name, "champion", version)
    with pytest.raises(ValueError, match=f"model: there is no models:/{name}/{version}"):
        find_version(name, version)
    with pytest.raises(ValueError, match=r"^model: "):
        download_version(name, version, tmp_path / "got")


def test_a_download_is_a_copy(run_id: str, tmp_path: Path, store: Path) -> None:
    make(tmp_path, run_id, number=5)
    folder = download_version("cars", "1", tmp_path / "got")
    assert folder.resolve().is_relative_to(tmp_path / "got")
    assert json.loads((folder / "artifacts/model/config.json").read_text()) == {"number": 5}
    before = {path: path.read_bytes() for path in store.rglob("config.json")}
    (folder / "artifacts/model/config.json").write_text("changed")
    assert before == {path: path.read_bytes() for path in store.rglob("config.json")}
    assert not list(folder.rglob("*.pkl"))


def test_a_failure_leaves_no_version(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("trainer.tracking.models.copied_here", full)
    with pytest.raises(OSError, match="no space left"):
        make(tmp_path, run_id)
    experiment = get_run(run_id).info.experiment_id
    (logged,) = client().search_logged_models([experiment])
    assert logged.status == "FAILED"
    assert registered_models() == []


def test_nothing_is_looked_up_outside_the_store(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's own default store is a file in the working directory."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    make(tmp_path, run_id)
    set_alias("cars", "champion", "1")
    download_version("cars", "1", tmp_path / "got")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow  # a tracking server takes half a minute to start
def test_the_same_through_a_server(remote: Path, tmp_path: Path) -> None:
    run_id = start_parent("run", experiment="e")
    make(tmp_path, run_id, name="through a server", number=3)
    set_alias("through a server", "champion", "1")
    assert find_alias("through a server", "champion").run_id == run_id
    folder = download_version("through a server", "1", tmp_path / "got")
    assert json.loads((folder / "artifacts/model/config.json").read_text()) == {"number": 3}
    with pytest.raises(ValueError, match=r"^model: "):
        set_alias("through a server", "champion", "9")
