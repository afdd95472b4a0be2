"""All that is written says its format; what a later version wrote is refused by every reader."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow.entities import Metric, Param

from sweeps.cli import main as sweeps
from tests.test_old_store import FIXTURES, IMAGES, PLACE, RUNS, copied
from trainer.cli import main as trainer
from trainer.config import TrainConfig
from trainer.prediction.files import Prediction
from trainer.prediction.inputs import find_pictures
from trainer.progress import Progress
from trainer.tracking.client import client, experiment_id
from trainer.tracking.formats import FORMAT, TAG, check_run_format
from trainer.tracking.reading import list_runs
from trainer.training.fitting import fit, resume

RUN = RUNS["seed 0"]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the folder of a store of before, that the test may change."""
    folder = copied(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
    return folder


@pytest.fixture
def written(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the id of a run as format 2 wrote it, put into a store of today's MLflow.

    See ``fixtures/make_run.py``.
    """
    monkeypatch.chdir(tmp_path)
    said: dict[str, Any] = json.loads((FIXTURES / "run_2.json").read_text("utf-8"))
    api = client()
    run_id = str(api.create_run(experiment_id("cars"), tags=said["tags"]).info.run_id)
    params = [Param(key, value) for key, value in said["params"].items()]
    metrics = [Metric(k, v, e, e) for k, values in said["metrics"].items() for e, v in values]
    api.log_batch(run_id, metrics=metrics, params=params)
    api.set_terminated(run_id, said["status"])
    shutil.copytree(FIXTURES / "run_2", store / "artifacts" / "cars" / run_id / "artifacts")
    shutil.copytree(FIXTURES / "cars_1", tmp_path / "cars")
    for path in (store / "artifacts").rglob("dataset.json"):
        path.write_text(path.read_text("utf-8").replace(PLACE, str(tmp_path)))
    return run_id


def test_a_run_of_format_2_goes_on(written: str, store: Path) -> None:
    (row,) = list_runs().loc[[written]].to_dict("records")
    assert (row["state"], row["last_step"], row["reason"][:11]) == ("interrupted", 2, "interrupted")
    assert row[f"tags.{TAG}"] == "2"
    assert list_runs().loc[written, "metrics.val/dice"] > 0
    result = resume(written, progress=False)
    assert (result.outcome, result.epochs) == ("completed", 3)


def test_a_model_of_format_3_predicts(tmp_path: Path) -> None:
    image = FIXTURES / "cars_1" / "images" / Path(IMAGES[0]).name
    out = tmp_path / "out"
    prediction = Prediction(FIXTURES / "model_3", find_pictures([image], out), out)
    prediction.run(Progress())
    assert prediction.written[0].mask.is_file()
    assert prediction.values.told.startswith("class indices (its data's own values are not known)")
    config = json.loads((FIXTURES / "model_3" / "config.json").read_text("utf-8"))
    assert config["format"] == 3


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what calls a command that must refuse, and returns its one line."""

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", list(words))
        assert {"trainer": trainer, "sweeps": sweeps}[words[0]]() == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


def test_all_that_a_run_writes_says_its_format(store: Path, tiny: TrainConfig) -> None:
    run_id = fit(tiny.replace(epochs=1), progress=False).run_id
    assert list_runs().loc[run_id, f"tags.{TAG}"] == str(FORMAT)
    (files,) = store.glob(f"artifacts/*/{run_id}/artifacts")
    assert yaml.safe_load((files / "config.yaml").read_text())["format"] >= 2
    for name in ("last", "best"):
        state = json.loads((files / "checkpoints" / name / "state.json").read_text())
        assert state["format"] >= 2


def retag(old: Path, value: str) -> None:
    with closing(sqlite3.connect(old / "mlruns" / "mlflow.db")) as database, database:
        added = "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
        database.execute(added, (TAG, value, RUN))


@pytest.mark.parametrize(
    "words",
    [
        ("trainer", "resume", RUN, "--epochs", "9"),
        ("trainer", "evaluate", RUN),
        ("trainer", "predict", RUN, IMAGES[0], "--out", "out"),
        ("trainer", "register", RUN, "--name", "cars"),
        ("trainer", "stability", RUN),
        ("trainer", "compare", RUN, RUNS["momentum"]),
    ],
    ids=lambda words: str(words[1]),
)
def test_a_run_of_a_later_version_is_refused(
    old: Path, refused: Callable[..., str], words: tuple[str, ...]
) -> None:
    retag(old, "3")
    assert refused(*words) == (
        f"trainer: run: {RUN} cannot be read: it has format '3'; this version reads 1 to 2: "
        "upgrade Segscope"
    )


def test_a_table_of_runs_tells_the_later_one_and_lists_the_others(old: Path) -> None:
    retag(old, "3")
    table = list_runs()
    assert len(table) == len(RUNS)
    assert "upgrade Segscope" in table.loc[RUN, "reason"]
    assert table["reason"].str.contains("upgrade Segscope").sum() == 1


@pytest.mark.parametrize("written", ["", "0", "x", "2.0", "\x1b[2J" * 99])
def test_a_format_that_nobody_wrote_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="upgrade Segscope"):
        check_run_format(RUN, {TAG: written})


@pytest.mark.parametrize("format_", [3, "2", None, [2]])
def test_a_checkpoint_of_a_later_version_is_refused(
    old: Path, refused: Callable[..., str], format_: object
) -> None:
    run_id = RUNS["interrupted"]
    for path in old.glob(f"mlruns/artifacts/*/{run_id}/artifacts/checkpoints/*/state.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": format_}))
    line = refused("trainer", "resume", run_id)
    assert line.startswith("trainer: checkpoint: ")
    assert f"last/state.json: has format {format_!r}; this version" in line
    line = refused("trainer", "register", run_id, "--name", "cars")
    assert f"best/state.json: has format {format_!r}; this version" in line


def test_a_configuration_a_spec_and_a_model_of_a_later_version_are_refused(
    old: Path, refused: Callable[..., str]
) -> None:
    Path("later.yaml").write_text("format: 9\nlr: 0.1\n")
    assert "format: 9 is not known here" in refused("trainer", "fit", "--config", "later.yaml")
    Path("spec.yaml").write_text("format: 9\nspace: {lr: [0.1, 0.2]}\n")
    assert "format: 9 is not known here" in refused("sweeps", "run", "spec.yaml")
    (path,) = Path("model_1").rglob("config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 9}))
    assert "has format 9" in refused("trainer", "predict", "model_1", IMAGES[0], "--out", "out")
    journal = old / "mlruns" / "optuna.journal"
    lines = journal.read_text().splitlines(keepends=True)
    changed = [line.replace('"spec":{', '"spec":{"format":9,') for line in lines]
    assert changed != lines
    journal.write_text("".join(changed))
    assert "format: 9" in refused("sweeps", "best", "rates")
