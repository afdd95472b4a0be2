"""A store that somebody sent names a folder that is not its own: no command lists or writes it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.trainer.test_cli import run  # noqa: F401  the fixture: commands as a user types them
from trainer.tracking.client import client
from trainer.tracking.places import ROOTS


@pytest.fixture
def sent(tmp_path: Path, new_database: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Return a folder beside the store, that its experiment and its one run name as theirs."""
    (tmp_path / "store").mkdir()
    shutil.copyfile(new_database, tmp_path / "store" / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store/mlflow.db")
    api = client()
    run_id = api.create_run("0", tags={"segscope.kind": "run"}).info.run_id
    secret = tmp_path / "secret"
    for name in ("checkpoints/best", "samples"):
        (secret / name).mkdir(parents=True)
    for name in ("config.yaml", "dataset.json", "split.json", "checkpoints/best/state.json"):
        (secret / name).write_text('{"hidden": "words"}')
    with closing(sqlite3.connect(tmp_path / "store" / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET artifact_uri = ?", (secret.as_uri(),))
        database.execute("UPDATE experiments SET artifact_location = ?", (secret.as_uri(),))
    return secret, run_id


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COMMANDS = [
    ("resume", "RUN", "--epochs", "9"),
    ("register", "RUN", "--name", "cars"),
    ("evaluate", "RUN"),
    ("predict", "RUN", "IMAGE", "--out", "OUT"),
    ("fit", "--experiment", "Default", "--epochs", "1"),
]


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: str(words[0]))
def test_a_command_says_what_the_store_names_and_touches_nothing(
    run,  # noqa: F811
    sent: tuple[Path, str],
    tmp_path: Path,
    draw: None,
    words: tuple[str, ...],
) -> None:
    secret, run_id = sent
    before = everything(secret)
    given = {"RUN": run_id, "IMAGE": str(tmp_path / "image.png"), "OUT": str(tmp_path / "out")}
    code, out, said = run(*(given.get(word, word) for word in words))
    assert code == 2, said
    assert out == ""
    [line] = [line for line in said.splitlines() if "store: it names" in line]
    assert str(secret) in line and ROOTS in line
    assert "hidden" not in said and "Traceback" not in said
    assert everything(secret) == before
    assert len(client().search_runs(["0"])) == 1  # nor was a run begun


@pytest.fixture
def draw(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "image.png")


def test_a_folder_that_the_user_allows_is_read(
    run,  # noqa: F811
    sent: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, run_id = sent
    monkeypatch.setenv(ROOTS, str(tmp_path))
    code, _, said = run("evaluate", run_id)
    assert code == 2
    assert "hidden" in said  # of the configuration there, which is read, and is none
