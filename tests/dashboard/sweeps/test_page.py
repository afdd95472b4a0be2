"""The page Sweeps: on no sweep, on real studies in each state, and beside a study that writes."""

import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from optuna.trial import TrialState
from streamlit.testing.v1 import AppTest

from dashboard.sweeps import table
from sweeps import reading as sweep_reading
from sweeps.attributes import WORKER
from sweeps.samplers import distributions
from sweeps.spec_reading import from_plain
from sweeps.study import Sweep, create
from trainer.tracking import reading

Open = Callable[..., AppTest]
SPACE = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}, "batch_size": [4, 8, 16]}


def make(storage: str | None = None, **keys: Any) -> Sweep:
    """Return a sweep without trials."""
    plain = {"name": "hunt", "space": SPACE, "trials": 6, "epochs": 4, **keys}
    return create(from_plain(plain), storage)


def begin(sweep: Sweep, *, lr: float = 1e-3, batch_size: int = 8) -> optuna.Trial:
    """Begin a trial with this setting."""
    sweep.study.enqueue_trial({"lr": lr, "batch_size": batch_size})
    return sweep.study.ask(distributions(sweep.spec))


def fill(sweep: Sweep) -> None:
    """Give the sweep a complete, a pruned, a failed and a running trial."""
    done = begin(sweep)
    done.report(0.9, 3)
    for key, value in {"run_id": "a" * 32, "run_ids": ["a" * 32], "epochs": 4}.items():
        done.set_user_attr(key, value)
    sweep.study.tell(done, 0.9)
    pruned = begin(sweep, lr=1e-5, batch_size=4)
    pruned.report(0.4, 1)
    pruned.report(float("nan"), 2)
    pruned.set_user_attr("reason", "below the median")
    sweep.study.tell(pruned, state=TrialState.PRUNED)
    failed = begin(sweep, lr=1e-1)
    failed.set_user_attr("reason", "**loss** is <b>nan</b>")
    sweep.study.tell(failed, state=TrialState.FAIL)
    begin(sweep, lr=2e-3).report(0.3, 2)


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def progress(app: AppTest) -> str:
    return "\n".join(str(getattr(p.proto, "text", "")) for p in app.get("progress"))


def test_a_store_without_sweeps_says_what_to_run(one_run: str, open_app: Open) -> None:
    assert "sweeps run" in said(open_app("sweeps"))


def test_a_sweep_without_trials(one_run: str, open_app: Open) -> None:
    make()
    app = open_app("sweeps")
    assert "No trial has begun yet" in said(app) and "no trial yet" in progress(app)


PARTS = ("History", "Parameters", "Importance", "Curves", "Trade-off", "Trials")


@pytest.mark.parametrize("part", PARTS)
def test_every_part_shows_every_state(one_run: str, open_app: Open, part: str) -> None:
    fill(make())
    app = open_app("sweeps", sweep="hunt", sweep_part=part)
    assert "3 of 6 trials: 1 complete, 1 pruned, 1 failed, 1 running" in progress(app)
    assert "trial 3: 2 of 4 epochs" in progress(app)
    assert "Trial 0, the best · complete · val/dice 0.9000" in said(app)


def test_a_failed_trial_alone(one_run: str, open_app: Open) -> None:
    sweep = make()
    failed = begin(sweep)
    failed.set_user_attr("reason", "out of memory")
    sweep.study.tell(failed, state=TrialState.FAIL)
    for part in PARTS:
        app = open_app("sweeps", sweep_part=part)
        assert "Trial 0 · failed" in said(app) and "out of memory" in said(app)


def test_the_address_chooses_sweep_and_trial(one_run: str, open_app: Open) -> None:
    fill(make())
    make(name="other")
    app = open_app("sweeps", sweep="hunt", trial="2")
    assert "Trial 2 · failed" in said(app)
    assert "**loss** is <b>nan</b>" in [code.value for code in app.code]
    app.selectbox(key="chosen_trial").set_value(1).run()
    assert app.query_params["trial"] == "1" and app.query_params["sweep"] == "hunt"
    app.selectbox(key="chosen_sweep").set_value("other").run()
    assert "trial" not in app.query_params and "no trial yet" in progress(app)
    assert "Trial 0, the best" in said(open_app("sweeps", sweep="hunt", trial="nonsense"))


def test_the_table_has_a_row_a_trial(one_run: str, open_app: Open) -> None:
    fill(make())
    table = open_app("sweeps", sweep_part="Trials").dataframe[0].value
    assert table["number"].tolist() == [0, 1, 2, 3]
    assert table["state"].tolist() == ["complete", "pruned", "failed", "running"]
    assert table["lr"].tolist() == [1e-3, 1e-5, 1e-1, 2e-3]


def test_from_a_trial_to_run_and_files(one_run: str, open_app: Open) -> None:
    sweep = make()
    trial = begin(sweep)
    trial.set_user_attr("run_id", one_run)
    trial.set_user_attr("run_ids", [one_run])
    sweep.study.tell(trial, 0.9)
    app = open_app("sweeps")
    links = [link.proto for link in app.get("page_link")]
    assert any("Checkpoint" in link.label for link in links)
    assert f"trainer register {one_run} --name NAME" in said(app)
    table = open_app("sweeps", sweep_part="Trials").dataframe[0].value
    assert table["run"].tolist() == [one_run[:8]] and table["checkpoint"].tolist() == ["files"]


def test_a_store_without_the_study_shows_its_runs(full_store: str, open_app: Open) -> None:
    app = open_app("sweeps")
    assert "study itself is not at hand" in said(app)
    found = table.from_runs(reading.list_runs(), "lr-batch-kernel")
    assert found.counts["complete"] and found.counts["pruned"]
    assert found.best is not None and {p.name for p in found.parameters} >= {"lr"}
    for part in PARTS:
        open_app("sweeps", sweep_part=part)


def test_a_damaged_journal_is_said_and_the_runs_still_show(
    own_store: str, tmp_path: Path, open_app: Open
) -> None:
    (tmp_path / "optuna.journal").write_text("{}\nnot json\nnot json either\n")
    app = open_app("sweeps")
    assert "sweeps: cannot read" in said(app) and "optuna.journal" in said(app)
    assert "Trial" in said(app)


def test_reading_makes_no_file_and_writes_none(store: Path) -> None:
    assert sweep_reading.storages() == []
    fill(make())
    before = {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}
    sweep_reading.read_study(sweep_reading.storages()[0], "hunt")
    assert before == {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}


def test_a_half_written_line_of_the_journal_waits(store: Path) -> None:
    fill(make())
    journal = sweep_reading.storages()[0]
    with Path(journal).open("a") as file:
        file.write('{"op_code": 4, "worker_id"')
    assert len(sweep_reading.read_study(journal, "hunt").trials) == 4


def test_new_trials_show_without_reading_all_anew(store: Path) -> None:
    sweep = make()
    fill(sweep)
    journal = sweep_reading.storages()[0]
    assert len(sweep_reading.read_study(journal, "hunt").trials) == 4
    sweep.study.tell(begin(sweep), 0.95)
    found = sweep_reading.read_study(journal, "hunt")
    assert len(found.trials) == 5 and found.best == 4


def test_a_dead_worker_is_not_shown_as_running(store: Path) -> None:
    sweep = make()
    trial = begin(sweep)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    host = socket.gethostname()
    trial.set_user_attr(WORKER, {"id": "gone", "host": host, "pid": process.pid})
    found = sweep_reading.read_study(sweep_reading.storages()[0], "hunt")
    assert found.trials["state"].tolist() == ["stopped"]


WRITER = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
where = sys.argv[1]
storage = RDBStorage(where) if "://" in where else JournalStorage(JournalFileBackend(where))
study = optuna.load_study(study_name="hunt", storage=storage)
for number in range(int(sys.argv[2])):
    trial = study.ask({"lr": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)})
    for step in range(1, 5):
        trial.report(step / 10, step)
    study.tell(trial, number / 100)
print(len(study.trials))
"""


@pytest.fixture
def storage(request: pytest.FixtureRequest, store: Path) -> Iterator[str]:
    """Return a storage with an empty sweep: the journal, or SQLite."""
    if request.param == "journal":
        make()
        yield sweep_reading.storages()[0]
    else:
        url = f"sqlite:///{store}/study.db"
        make(url)
        yield url


@pytest.mark.parametrize("storage", ["journal", "sqlite"], indirect=True)
def test_a_study_that_is_being_written_never_waits_for_us(storage: str) -> None:
    """Two readers read without pause while another process writes 12 trials."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, storage, "12"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    counts: list[int] = []
    faults: list[str] = []

    def read() -> None:
        while writer.poll() is None:
            try:
                counts.append(len(sweep_reading.read_study(storage, "hunt").trials))
            except ValueError as error:
                faults.append(str(error))
            time.sleep(0.002)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    out, err = writer.communicate(timeout=120)
    for reader in readers:
        reader.join()
    assert writer.returncode == 0, err
    assert "locked" not in err and out.strip() == "12"
    assert faults == [] and len(counts) > 5
    assert len(sweep_reading.read_study(storage, "hunt").trials) == 12


def test_sqlite_is_opened_so_that_it_cannot_write(store: Path) -> None:
    url = f"sqlite:///{store}/study.db"
    make(url)
    sweep_reading.study_names(url)
    opened = sweep_reading._opened(url, sweep_reading._identity(url))
    with pytest.raises(optuna.exceptions.StorageInternalError) as refused:
        opened.set_study_user_attr(1, "mine", 1)
    assert "readonly database" in str(refused.value.__cause__)


def test_an_old_reader_holds_no_lock(store: Path) -> None:
    url = f"sqlite:///{store}/study.db"
    fill(make(url))
    sweep_reading.read_study(url, "hunt")
    with closing(sqlite3.connect(store / "study.db", timeout=0)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.rollback()


def test_a_further_storage_is_looked_into(
    one_run: str, store: Path, monkeypatch: pytest.MonkeyPatch, open_app: Open
) -> None:
    url = f"sqlite:///{store}/study.db"
    fill(make(url))
    monkeypatch.setenv(sweep_reading.STORAGE, url)
    assert "Trial 0, the best" in said(open_app("sweeps", sweep="hunt"))
    monkeypatch.setenv(sweep_reading.STORAGE, f"sqlite:///{store}/not-there.db")
    assert "there is no such file" in said(open_app("sweeps"))
    assert not (store / "not-there.db").exists()


@pytest.mark.parametrize("name", ["why?", "a#b", "50%", "a%3Fb", "two words", "Zürich 日本"])
@pytest.mark.parametrize("kind", ["journal", "SQLite beside it", "SQLite by its address"])
def test_a_storage_lies_in_its_folder_whatever_that_is_called(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "all" / name
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = "study.db" if kind == "SQLite beside it" else quote(str(folder / "study.db"))
    storage = None if kind == "journal" else f"sqlite:///{path}"
    fill(make(storage))
    monkeypatch.setenv(sweep_reading.STORAGE, storage or "")
    assert sweep_reading.study_names(sweep_reading.storages()[-1]) == ["hunt"]
    assert len(sweep_reading.read_study(sweep_reading.storages()[-1], "hunt").trials) == 4
    assert (folder / "mlruns/optuna.journal" if storage is None else folder / "study.db").is_file()
    assert [path.name for path in folder.parent.iterdir()] == [name]


def test_a_database_that_is_no_study_is_said(store: Path) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        sweep_reading.study_names(f"sqlite:///{store}/mlflow.db")
    with pytest.raises(ValueError, match="cannot read") as refused:
        sweep_reading.study_names("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(refused.value)
    assert json.dumps(str(refused.value))


def test_a_trial_whose_process_is_gone_has_stopped(full_store: str) -> None:
    runs = reading.list_runs()
    own = table.from_runs(runs, "lr-batch-kernel").trials
    first = own["run_id"].iloc[0]
    for state in ("running", "dead"):
        changed = runs.assign(
            status=runs["status"].mask(runs.index == first, "RUNNING"),
            state=runs["state"].mask(runs.index == first, state),
        )
        now = table.from_runs(changed, "lr-batch-kernel").trials["state"]
        assert now.iloc[0] == {"running": "running", "dead": "stopped"}[state]
        assert now.iloc[1:].tolist() == own["state"].iloc[1:].tolist()
