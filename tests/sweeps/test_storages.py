"""Where a study is kept is found from the store alone, and nobody is led astray by a store."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sweeps import cli, storages
from sweeps.parent import open_parent
from sweeps.reading import STORAGE, journal, with_password_told
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.study import create
from trainer import tracking

MakeSpec = Callable[..., SweepSpec]
Said = Callable[..., tuple[int, str, str]]
SECRET = "s3cret"


@pytest.fixture
def said(store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Return what runs the command and returns its exit code, its result and what else it said."""
    monkeypatch.delenv(STORAGE, raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", *words])
        capsys.readouterr()
        code = cli.main()
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def kept(pretend: ModuleType, spec: MakeSpec, store: Path) -> Path:
    """Return the database of a sweep of three trials, outside of the store's folder."""
    database = store.parent / "studies" / "my 50% study?.db"
    database.parent.mkdir()
    url = "sqlite:///" + str(database).replace("%", "%25").replace("?", "%3F")
    carry_out(create(spec(trials=3), url), fit=pretend.fit)
    return database


@pytest.mark.parametrize(
    "words", [("status", "test"), ("status",), ("best", "test"), ("report", "test")]
)
def test_a_study_is_found_from_the_store_alone(
    kept: Path, said: Said, words: tuple[str, ...]
) -> None:
    code, out, err = said(*words, "--json")
    assert code == 0, err
    assert '"complete": 3' in out


def test_a_sweep_is_gone_on_with_where_it_was_begun(
    kept: Path, said: Said, pretend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.training.fitting.fit", pretend.fit)
    code, out, err = said("resume", "test", "--trials", "5", "--json")
    assert code == 0, err
    assert sum(json.loads(out)["trials"].values()) == 5
    assert str(kept) not in out and "storage: the store has sweep test in" in err
    assert not journal().exists()


def test_a_study_that_was_moved_is_found_beside_the_store_or_told(kept: Path, said: Said) -> None:
    moved = journal().parent / kept.name
    shutil.move(kept, moved)
    assert said("best", "test")[0] == 0
    shutil.move(moved, kept.with_name("other.db"))
    code, _, err = said("best", "test")
    assert code == 2 and f"in {kept}, which is not here" in err and STORAGE in err
    code, out, err = said("status")
    assert code == 0 and str(kept) in err and "no sweeps here" in out


def test_one_variable_is_read_by_the_commands(
    said: Said, pretend: ModuleType, spec: MakeSpec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.training.fitting.fit", pretend.fit)
    monkeypatch.setenv(STORAGE, f"sqlite:///{store}/study.db")
    (store / "hunt.yaml").write_text("space: {lr: [0.01, 0.02]}\nepochs: 1\n")
    data = str(spec().config.data)
    words = ("--data", data, "--json", "--image-size", "32", "48")
    code, _, err = said("run", str(store / "hunt.yaml"), *words)
    assert code == 0, err
    assert (store / "study.db").is_file() and not journal().exists()
    for command in ("status", "best", "report", "resume"):
        code, out, err = said(command, "hunt", "--json")
        assert code == 0 and '"complete": 2' in out, err


def test_a_flag_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORAGE, "sqlite:///named.db")
    assert storages.told("sqlite:///given.db") == "sqlite:///given.db"
    assert storages.told(None) == "sqlite:///named.db"
    monkeypatch.setenv(STORAGE, "")
    assert storages.told(None) is None


@pytest.mark.parametrize(
    ("address", "noted"),
    [
        (f"postgresql+psycopg://me:{SECRET}@host:5432/db", "postgresql+psycopg://me@host:5432/db"),
        (
            f"postgresql+psycopg://host/db?user=me&password={SECRET}",
            "postgresql+psycopg://host/db?user=me",
        ),
        ("postgresql+psycopg://host/db", "postgresql+psycopg://host/db"),
        ("sqlite:////a%20b/c.db", "/a b/c.db"),
        (None, ""),
    ],
)
def test_no_password_is_noted(store: Path, address: str | None, noted: str) -> None:
    assert storages.tag(address) == noted


def test_a_journal_beside_a_server_is_noted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    assert storages.default_told() == ""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert storages.tag(None) == str(tmp_path / "mlruns" / "optuna.journal")
    assert str(journal()) in storages.default_told() and STORAGE in storages.default_told()


def test_the_journal_of_another_folder_is_read_and_not_gone_on_with(
    said: Said, pretend: ModuleType, spec: MakeSpec, store: Path
) -> None:
    sweep = create(spec(trials=2), None)
    carry_out(sweep, fit=pretend.fit)
    run_id = str(sweep.parent_run_id)
    elsewhere = store.parent / "elsewhere" / "mlruns" / journal().name
    elsewhere.parent.mkdir(parents=True)
    shutil.move(journal(), elsewhere)
    tracking.set_tags(run_id, {storages.TAG: str(elsewhere)})
    code, out, err = said("best", "test", "--json")
    assert code == 0 and '"complete": 2' in out, err
    code, _, err = said("resume", "test", "--trials", "9")
    assert code == 2 and f"in the folder where it was begun, {elsewhere.parents[1]}" in err


@pytest.mark.parametrize(
    "noted",
    [
        "postgresql+psycopg://me@db.example.org/sweeps",
        "postgresql+psycopg://localhost/sweeps?host=db.example.org",
        "postgresql+psycopg://localhost@db.example.org/sweeps",
        "postgresql+psycopg://localhost.example.org/sweeps",
        "postgresql+psycopg://localhost:5432,db.example.org/sweeps",
        "postgresql+psycopg://localhost/host=db.example.org",
        "mysql+pymysql://localhost/sweeps",
        "sqlite:////etc/passwd",
    ],
)
def test_a_store_in_a_file_leads_to_no_server_elsewhere(store: Path, noted: str) -> None:
    with pytest.raises(
        ValueError, match=r"may come from anybody.*--storage or in SEGSCOPE_STORAGE"
    ):
        storages.checked("hunt", noted)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5433", "[::1]", "me@localhost"])
def test_this_machines_own_database_is_asked(
    store: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"postgresql+psycopg://{host}/sweeps"
    assert storages.checked("hunt", address) == address
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    away = "postgresql+psycopg://me@db.example.org/sweeps"
    assert storages.checked("hunt", away) == away


def test_a_sweep_of_before_gets_its_note_when_it_goes_on(
    pretend: ModuleType, spec: MakeSpec, store: Path
) -> None:
    sweep = create(spec(trials=2), f"sqlite:///{store}/study.db")
    run_id = open_parent(sweep)
    tracking.set_tags(run_id, {storages.TAG: ""})
    carry_out(sweep, fit=pretend.fit)
    assert tracking.get_run(run_id).data.tags[storages.TAG] == f"{store}/study.db"


def test_where_a_password_is_looked_for_is_told() -> None:
    assert with_password_told("no such table") == "no such table"
    line = with_password_told("fe_sendauth: no password supplied")
    assert all(word in line for word in ("--storage", STORAGE, "PGPASSWORD", "~/.pgpass"))
