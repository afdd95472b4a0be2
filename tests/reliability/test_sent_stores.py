"""A store that somebody sent names a folder that is not its own: no command lists or writes it."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.trainer.test_cli import run  # noqa: F401  the fixture: commands as a user types them
from trainer.config import TrainConfig
from trainer.files import copy_folder
from trainer.tracking import download, start_run
from trainer.tracking.client import client
from trainer.tracking.delivery import NotSent, deliver
from trainer.tracking.outbox import Outbox
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


@pytest.fixture
def outbox(tmp_path: Path, new_database: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Return the outboxes of a store that somebody sent, and its one run; a folder is beside it."""
    (tmp_path / "store" / "outbox").mkdir(parents=True)
    shutil.copyfile(new_database, tmp_path / "store" / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store/mlflow.db")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "words").write_text("hidden")
    return tmp_path / "store" / "outbox", client().create_run("0").info.run_id


def to_a_server(monkeypatch: pytest.MonkeyPatch, uri: str) -> list[tuple[str, ...]]:
    """Let the files of every run lie at ``uri``; return what is sent there."""
    sent: list[tuple[str, ...]] = []
    real = client().get_run

    def get_run(run_id: str) -> object:
        found = real(run_id)
        found.info._artifact_uri = uri
        return found

    def log_artifact(run_id: str, kept: str, path: str | None) -> None:
        sent.append((run_id, Path(kept).read_text(), path or ""))

    monkeypatch.setattr(client(), "get_run", get_run)
    monkeypatch.setattr(client(), "log_artifact", log_artifact)
    return sent


def refusal(run_id: str) -> str:
    """Return why the first record of a run's outbox is not sent."""
    waiting = Outbox(run_id)
    with pytest.raises((NotSent, ValueError)) as caught:
        deliver(client(), run_id, waiting.first() or {}, waiting, alive=False)
    return str(caught.value)


KEPT = "0123456789abcdef/words"


@pytest.mark.parametrize(
    ("kept", "link"),
    [
        ("../../../mine/words", None),
        ("ABSOLUTE", None),
        ("0123456789abcdef/../../../../mine/words", None),
        (".", None),
        (7, None),
        (KEPT, "RUN/0123456789abcdef/words"),
        (KEPT, "RUN/0123456789abcdef"),
        (KEPT, "RUN"),
    ],
)
def test_an_outbox_sends_and_removes_nothing_but_its_own(
    outbox: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: object,
    link: str | None,
) -> None:
    folder, run_id = outbox
    (tmp_path / "mine" / run_id / "0123456789abcdef").mkdir(parents=True)
    (tmp_path / "mine" / run_id / KEPT).write_text("hidden")
    sent = to_a_server(monkeypatch, "s3://bucket/run")
    if kept == "ABSOLUTE":
        kept = f"{tmp_path}/mine/words"
    if link is not None:
        place = folder / link.replace("RUN", run_id)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(tmp_path / "mine" / place.relative_to(folder))
    line = {"id": "1", "artifact": "stolen/words", "kept": kept}
    (folder / f"{run_id}.jsonl").write_text(json.dumps(line) + "\n")
    before = everything(tmp_path / "mine")
    said = refusal(run_id)
    assert "line 1 of" in said or "is a link, which is not followed" in said
    assert sent == []
    assert everything(tmp_path / "mine") == before


def test_an_outbox_sends_what_is_kept_in_it(
    run,  # noqa: F811
    outbox: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, run_id = outbox
    sent = to_a_server(monkeypatch, "s3://bucket/run")
    (folder / run_id / KEPT).parent.mkdir(parents=True)
    (folder / run_id / KEPT).write_text("words")
    line = {"id": "1", "artifact": "a/words", "kept": KEPT}
    (folder / f"{run_id}.jsonl").write_text(json.dumps(line) + "\n")
    assert run("sync")[0] == 0
    assert sent == [(run_id, "words", "a")]
    assert not list(folder.glob("*.jsonl")) and not (folder / run_id).exists()


@pytest.mark.parametrize("place", ["mine", "store/artifacts/0/RUN/artifacts"])
def test_an_outbox_writes_no_file_of_this_machine(
    outbox: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    folder, run_id = outbox
    uri = (tmp_path / place.replace("RUN", run_id)).as_uri()
    sent = to_a_server(monkeypatch, uri)
    (folder / run_id / KEPT).parent.mkdir(parents=True)
    (folder / run_id / KEPT).write_text("planted")
    line = {"id": "1", "artifact": "words", "kept": KEPT}
    (folder / f"{run_id}.jsonl").write_text(json.dumps(line) + "\n")
    said = refusal(run_id)
    assert "its files lie on this machine" in said or "store: it names" in said
    assert sent == []


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "-x"])
def test_an_outbox_of_no_run_is_left_alone(
    run,  # noqa: F811
    outbox: tuple[Path, str],
    name: str,
) -> None:
    folder, _ = outbox
    (folder / f"{name}.jsonl").write_text('{"id": "1"}\n')
    before = everything(folder.parent)
    assert run("sync")[:2] == (0, "nothing waits to be sent\n")
    assert everything(folder.parent) == before


def a_run(store: Path) -> tuple[str, Path]:
    """Return a run that ended, as far as its files tell, and the folder of these."""
    begun = start_run(TrainConfig())
    for name in ("last", "best"):
        begun.write_text(f"checkpoints/{name}/state.json", "{}")
    begun.write_text("log.txt", "begun")
    begun.finish("interrupted")
    return begun.id, begun.folder


ODD_FILES = [
    ("log.txt", "mine/words"),
    ("checkpoints", "mine"),
    ("checkpoints/last", "mine"),
    ("checkpoints/last/state.json", "mine/words"),
    ("evaluation", "mine"),
    ("samples/loop", ".."),
    ("samples/nowhere", "nothing"),
    ("samples/zeros", "/dev/zero"),
    ("samples/pipe", None),
]


def place_odd(folder: Path, name: str, target: Path | None) -> Path:
    """Put a link, or a pipe, where a run or a model has something of its own; return its place."""
    path = folder / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if target is None:
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    return path


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need rights there")
@pytest.mark.parametrize(("name", "target"), ODD_FILES)
def test_a_run_with_links_in_it_is_not_written_on(
    run,  # noqa: F811
    store: Path,
    tmp_path: Path,
    name: str,
    target: str | None,
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "words").write_text("hidden")
    run_id, folder = a_run(store)
    odd = place_odd(folder, name, None if target is None else tmp_path / target)
    code, _, said = run("resume", run_id)
    assert code == 2
    assert f"{odd} is " in said and "Traceback" not in said
    assert everything(tmp_path / "mine") == {tmp_path / "mine" / "words": b"hidden"}


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need rights there")
@pytest.mark.parametrize(("name", "target"), ODD_FILES)
def test_what_is_copied_of_a_store_is_its_own(
    store: Path, tmp_path: Path, name: str, target: str | None
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "words").write_text("hidden")
    run_id, folder = a_run(store)
    odd = place_odd(folder, name, None if target is None else tmp_path / target)
    with pytest.raises(ValueError, match=r"is a link|is neither a file nor a folder"):
        copy_folder(folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=f"^{odd} is |does not lie inside|has no artifact"):
        download(run_id, name, tmp_path / "got")
    for copied in ("copy", "got"):
        assert b"hidden" not in everything(tmp_path / copied).values()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_nothing_is_written_through_a_link(store: Path, tmp_path: Path) -> None:
    """As the files of a sweep are written into its run."""
    (tmp_path / "words").write_text("mine")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "sweep.yaml").write_text("planted")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "sweep.yaml").symlink_to(tmp_path / "words")
    with pytest.raises(ValueError, match=r"sweep\.yaml is a link"):
        copy_folder(tmp_path / "new", tmp_path / "store")
    assert (tmp_path / "words").read_text() == "mine"
