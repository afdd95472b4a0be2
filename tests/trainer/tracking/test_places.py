"""A store that was moved or copied finds its files, and never writes where it was."""

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.test_cli import run  # noqa: F401  the fixture: commands as a user types them
from trainer.tracking.places import ROOTS, Outside, local_path

RUN = "segscope/0f3/artifacts"


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a store's database; ``tmp_path / "old"`` is where it was."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new/mlflow.db")
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def found(path: Path) -> Path | None:
    return local_path(path.as_uri())


def test_files_beside_the_database_come_before_those_where_they_were(moved, tmp_path):
    for store in ("old", "new"):
        (tmp_path / store / "artifacts" / RUN).mkdir(parents=True)
    assert found(tmp_path / "old" / "artifacts" / RUN) == moved / "artifacts" / RUN


@pytest.mark.parametrize("old_is_there", [False, True])
def test_a_run_without_files_belongs_beside_its_experiment(moved, tmp_path, old_is_there):
    (moved / "artifacts" / "segscope").mkdir(parents=True)
    if old_is_there:
        (tmp_path / "old" / "artifacts" / "segscope" / "another").mkdir(parents=True)
    assert found(tmp_path / "old" / "artifacts" / RUN) == moved / "artifacts" / RUN


def test_a_place_of_the_users_own_stays(moved, tmp_path, monkeypatch):
    (moved / "artifacts" / "segscope").mkdir(parents=True)
    own = tmp_path / "disk" / "experiment 7" / "0f3" / "artifacts"
    own.parents[1].mkdir(parents=True)
    monkeypatch.setenv(ROOTS, f"{tmp_path / 'nowhere'}{os.pathsep}{tmp_path / 'disk'}")
    assert found(own) == own
    own.mkdir(parents=True)
    assert found(own) == own


def test_what_is_nowhere_stays_where_it_was_recorded(moved, tmp_path, monkeypatch):
    recorded = tmp_path / "old" / "artifacts" / RUN
    with pytest.raises(Outside, match="not below"):
        found(recorded)
    monkeypatch.setenv(ROOTS, str(tmp_path / "old"))
    assert found(recorded) == recorded
    assert local_path("s3://bucket/1/0f3/artifacts") is None


@pytest.mark.parametrize(
    "address", ["mlflow-artifacts:/1/0f3", "mlflow-artifacts://host:5000/1/0f3"]
)
def test_files_that_a_server_keeps_are_reached_through_it(moved, monkeypatch, address):
    for store in ("", f"sqlite:///{moved}/mlflow.db", "postgresql+psycopg://me:s3cret@host/runs"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        with pytest.raises(ValueError, match="kept by a tracking server") as error:
            local_path(address)
        assert "set MLFLOW_TRACKING_URI to the server's address" in str(error.value)
        assert "s3cret" not in str(error.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert local_path(address) is None


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc",
        "/etc",
        "file:///",
        "etc",
        "",
        "file://{new}/../secret",
        "file://{new}/link",
        "file://{new}/link/below",
        "file://{new}",
        "file://elsewhere/etc",
        "file:///%65tc",
        "FILE:///etc",
    ],
)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "server"])
def test_a_store_cannot_name_a_folder_that_is_not_its_own(moved, tmp_path, monkeypatch, uri, kind):
    (tmp_path / "secret" / "below").mkdir(parents=True)
    (moved / "link").symlink_to(tmp_path / "secret")
    if kind != "sqlite":
        address = "http://127.0.0.1:1" if kind == "server" else "postgresql+psycopg://me@host/db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.chdir(moved)
    with pytest.raises(Outside, match=r"^store: it names ") as caught:
        local_path(uri.format(new=moved))
    assert "\n" not in str(caught.value)
    assert ROOTS in str(caught.value) or "another machine" in str(caught.value)


@pytest.mark.parametrize("layout", ["artifacts", "mlruns", "mlartifacts"])
def test_the_usual_layouts_lie_below_the_store(moved, tmp_path, layout):
    place = moved / layout / "1" / "0f3" / "artifacts"
    assert found(place) == place
    place.mkdir(parents=True)
    assert found(place) == place


def test_a_store_that_is_reached_by_a_link_is_itself(moved, tmp_path, monkeypatch):
    (tmp_path / "short").symlink_to(moved)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/short/mlflow.db")
    for folder in (moved, tmp_path / "short"):
        (moved / "artifacts" / RUN).mkdir(parents=True, exist_ok=True)
        assert found(folder / "artifacts" / RUN).resolve() == moved / "artifacts" / RUN


@pytest.mark.parametrize("carry", [shutil.move, shutil.copytree])
def test_a_store_goes_on_where_it_was_moved_or_copied_to(
    run,  # noqa: F811
    draw_pairs,
    tmp_path,
    monkeypatch,
    new_database,
    carry,
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    data = draw_pairs(tmp_path / "data")
    fit = ("fit", "--data", str(data), "--epochs", "1", "--image-size", "32", "32")
    small = ("--base-channels", "4", "--depth", "2", "--experiment", "fields")
    old = tmp_path / "old" / "mlruns"
    old.mkdir(parents=True)
    shutil.copyfile(new_database, old / "mlflow.db")
    monkeypatch.chdir(tmp_path / "old")
    run_id = run(*fit, *small)[1].strip()
    assert run("register", run_id, "--name", "cars", "--alias", "champion")[0] == 0

    monkeypatch.chdir(tmp_path)
    carry(tmp_path / "old", tmp_path / "new")
    before = sorted((tmp_path / "old").rglob("*"))
    monkeypatch.chdir(tmp_path / "new")
    image = str(data / "images" / "0.png")
    assert run("predict", "models:/cars@champion", image, "--out", "masks")[0] == 0
    assert run("evaluate", run_id)[0] == 0
    assert run("resume", run_id, "--epochs", "2")[0] == 0
    assert run("register", run_id, "--name", "cars")[1].strip() == "models:/cars/2"
    assert run("pull", "models:/cars/2", "--out", "pulled")[0] == 0
    other = run(*fit, *small)[1].strip()
    files = tmp_path / "new" / "mlruns" / "artifacts" / "fields" / other / "artifacts"
    assert (files / "checkpoints" / "best" / "model.safetensors").is_file()
    assert sorted((tmp_path / "old").rglob("*")) == before


@pytest.fixture
def draw_pairs():
    def drawn(root: Path) -> Path:
        for number in range(6):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            mask = np.zeros((32, 32), np.uint8)
            mask[8:20, 4 + number : 20] = 1
            for folder, picture in (("images", pixels), ("masks", mask)):
                (root / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(root / folder / f"{number}.png")
        return root

    return drawn


def test_an_archived_run_is_told_as_that(run, draw_pairs, tmp_path, store, monkeypatch):  # noqa: F811
    from trainer.tracking.curating import archive

    monkeypatch.chdir(tmp_path)
    data = draw_pairs(tmp_path / "data")
    small = ("--image-size", "32", "32", "--base-channels", "4", "--depth", "2")
    run_id = run("fit", "--data", str(data), "--epochs", "1", *small)[1].strip()
    assert run("register", run_id, "--name", "cars")[0] == 0
    archive([run_id])
    for command in (
        ("resume", run_id, "--epochs", "2"),
        ("register", run_id, "--name", "cars"),
        ("promote", "cars", "1"),
        ("evaluate", run_id),
    ):
        code, _, said = run(*command)
        assert code == 2
        assert f"run: {run_id} is archived; restore it first" in said
        assert "Traceback" not in said
    assert run("evaluate", "models:/cars/1")[0] == 0
    cure = said.strip().rpartition(" or with ")[2]
    cure = cure.replace(" mlflow ", f" {shlex.quote(sys.executable)} -m mlflow ")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    subprocess.run(cure, shell=True, check=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")
    assert run("evaluate", run_id)[0] == 0


def test_files_that_are_gone_are_told_as_that(run, draw_pairs, tmp_path, store, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    data = draw_pairs(tmp_path / "data")
    small = ("--image-size", "32", "32", "--base-channels", "4", "--depth", "2")
    run_id = run("fit", "--data", str(data), "--epochs", "1", *small)[1].strip()
    shutil.rmtree(store / "artifacts")
    for command in ("resume", "evaluate"):
        code, _, said = run(command, run_id)
        assert code == 2
        assert f"run: the files of {run_id} are gone" in said


def test_every_command_tells_of_files_that_a_server_keeps(
    run,  # noqa: F811
    draw_pairs,
    tmp_path,
    store,
    monkeypatch,
):
    """As one looks at the database of a server, and not through it."""
    monkeypatch.chdir(tmp_path)
    data = draw_pairs(tmp_path / "data")
    small = ("--image-size", "32", "32", "--base-channels", "4", "--depth", "2", "--cache", "ram")
    run_ids = [
        run("fit", "--data", str(data), "--epochs", "1", "--lr", lr, *small)[1].strip()
        for lr in ("0.01", "0.02")
    ]
    assert run("register", run_ids[0], "--name", "cars", "--alias", "champion")[0] == 0
    with sqlite3.connect(store / "mlflow.db") as database:
        for table, column in (
            ("runs", "artifact_uri"),
            ("experiments", "artifact_location"),
            ("model_versions", "storage_location"),
            ("model_versions", "source"),
        ):
            database.execute(f"UPDATE {table} SET {column} = 'mlflow-artifacts:/0/x/artifacts'")
    image = str(next((data / "images").iterdir()))
    for command in (
        ("fit", "--data", str(data), "--epochs", "1", *small),
        ("resume", run_ids[0], "--epochs", "2"),
        ("evaluate", run_ids[0]),
        ("evaluate", "cars"),
        ("predict", run_ids[0], image, "--out", "masks"),
        ("register", run_ids[0], "--name", "other"),
        ("compare", *run_ids),
        ("pull", "cars", "--out", "pulled"),
    ):
        code, _, said = run(*command)
        assert (code, "kept by a tracking server" in said) == (2, True), (command, said)
        assert "has no artifact" not in said and "Traceback" not in said
