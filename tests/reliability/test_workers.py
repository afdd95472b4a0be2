"""Workers of one sweep that do not see each other, fall silent, die, or lose their parent."""

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import sweeps.presence
from sweeps.attributes import WORKER
from sweeps.objective import CLOSED
from sweeps.reading import read_study
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.study import Sweep, create, load
from sweeps.summary import rows
from sweeps.workers import work
from tests.reliability.conftest import PATIENCE, Shell, times, wait_until
from tests.sweeps.conftest import pretend, spec  # noqa: F401  (fixtures)
from trainer.config import TrainConfig
from trainer.tracking import find_runs

MakeSpec = Callable[..., SweepSpec]
ROOT = Path(__file__).parents[2]
CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
# Eight settings, so many that two workers take their turns.
GRID = {"space": {"batch_size": [1, 2, 4, 8], "kernel_size": [3, 5]}, "sampler": "grid"}
WORKS = """
import logging, sys
logging.basicConfig(format="%(message)s")
import pretend, sweeps.presence
from sweeps.study import load
from sweeps.workers import work

sweeps.presence.BEAT_SECONDS = 1
storage = sys.argv[1] if len(sys.argv) > 1 else None
work(load("test", storage), fit=pretend.paced_fit)
"""


class Crew:
    """Starts workers of the sweep ``test``, each in a folder, or a container, of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, name: str, *arguments: str, prefix: list[str], **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a worker in the folder called ``name``."""
        (self.folder / name).mkdir(exist_ok=True)
        found = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "sweeps")])}
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", WORKS, *arguments],
            cwd=self.folder / name,
            env=os.environ | found | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Return what starts workers; those that go on are killed at the end."""
    crew = Crew(tmp_path)
    yield crew
    for process in crew.started:
        with process:
            process.kill()  # nothing, once it has ended and been waited for


@functools.cache
def containers() -> bool:
    """Return whether this system gives a process a table of processes of its own."""
    try:
        return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def signed(sweep: Sweep) -> set[str]:
    """Return the ids of the workers that a sweep has had."""
    return {t.user_attrs[WORKER]["id"] for t in sweep.trials() if WORKER in t.user_attrs}


@pytest.mark.slow
@pytest.mark.parametrize("contained", [False, True], ids=["folders", "containers"])
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_two_workers_on_one_host_leave_each_others_trials_alone(
    kind: str,
    contained: bool,
    crew: Crew,
    pretend: ModuleType,  # noqa: F811
    spec: MakeSpec,  # noqa: F811
    store: Path,
) -> None:
    if contained and not containers():
        pytest.skip("this system, or its container, lets nobody make namespaces")
    url = f"sqlite:///{crew.folder}/study.db" if kind == "sqlite" else None
    sweep = create(spec(**GRID, trials=8, epochs=15, pruner="none"), url)
    prefix, arguments = CONTAINER if contained else [], [url] if url else []
    # A journal is in the store's folder, which both have; a database's workers need not share it.
    stores = [f"sqlite:///{crew.folder}/{n}/mlflow.db" for n in "ab"] if url else [None, None]
    for name, uri in zip("ab", stores, strict=True):
        environment = {"MLFLOW_TRACKING_URI": uri} if uri else {}
        crew.start(name, *arguments, prefix=prefix, **environment)
        wait_until(lambda n=name: len(signed(sweep)) >= " ab".index(n))
    while any(process.poll() is None for process in crew.started):
        page = read_study(url or str(store / "optuna.journal"), "test")
        assert {"stopped", "cut short"}.isdisjoint(page.counts)
        time.sleep(0.2)
    said = [process.communicate()[1] for process in crew.started]
    assert [process.returncode for process in crew.started] == [0, 0], said
    assert [row.state for row in rows(sweep)] == ["complete"] * 8
    assert len({tuple(row.params.values()) for row in rows(sweep)}) == 8
    assert len(signed(sweep)) == 2
    assert said == ["", ""]


@pytest.mark.slow
def test_a_worker_that_fell_silent_is_told_that_its_trial_was_ended(
    crew: Crew,
    pretend: ModuleType,  # noqa: F811
    spec: MakeSpec,  # noqa: F811
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeps.presence, "SILENT_SECONDS", 4)
    url = f"sqlite:///{crew.folder}/study.db"
    sweep = create(spec(trials=2, epochs=40, pruner="none"), url)
    elsewhere = f"sqlite:///{crew.folder}/a/mlflow.db"
    process = crew.start("a", url, prefix=[], MLFLOW_TRACKING_URI=elsewhere)
    wait_until(lambda: any(trial.intermediate_values for trial in sweep.trials()))
    os.kill(process.pid, signal.SIGSTOP)
    watching = load("test", url)
    wait_until(lambda: rows(watching)[0].state == "stopped")
    summary = carry_out(load("test", url), fit=pretend.fit)
    assert (summary.complete, summary.failed, summary.running) == (2, 0, 0)
    os.kill(process.pid, signal.SIGCONT)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, f"trial 0 of sweep test: {CLOSED}\n")
    assert [row.state for row in rows(sweep)] == ["cut short", "complete", "complete"]
    # Whoever asks counts the same, from whichever folder.
    told = json.loads(shell.run("sweeps", "status", "test", "--json", "--storage", url).stdout)
    assert told["states"] == read_study(url, "test").counts == {"complete": 2, "cut short": 1}


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_what_stops_a_worker_before_it_trains_gives_the_setting_back(
    kind: str,
    pretend: ModuleType,  # noqa: F811
    spec: MakeSpec,  # noqa: F811
    store: Path,
) -> None:
    sweep = create(spec(trials=1), f"sqlite:///{store}/study.db" if kind == "sqlite" else None)

    def stop() -> None:
        raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            work(sweep, fit=pretend.fit, on_change=stop)
    assert not list(store.rglob("*.worker"))
    work(sweep, fit=pretend.fit)
    *cut, last = rows(sweep)
    assert [(row.state, row.reason) for row in cut] == [("cut short", "interrupted")] * 4
    assert last.state == "complete"
    assert len({row.params["lr"] for row in rows(sweep)}) == 1


def test_a_trial_whose_worker_was_killed_before_it_signed_is_taken_up_at_once(
    pretend: ModuleType,  # noqa: F811
    spec: MakeSpec,  # noqa: F811
    store: Path,
) -> None:
    sweep = create(spec(trials=2), None)
    sweep.study.ask()
    assert rows(sweep)[0].state == "running"
    work(sweep, fit=pretend.fit)
    assert [row.state for row in rows(sweep)] == ["cut short", "complete", "complete"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("storage", ["journal", "sqlite"])
@pytest.mark.parametrize("victim", ["parent", "worker", "all"])
def test_a_sweep_goes_on_whichever_of_its_processes_is_killed(
    victim: str, storage: str, shell: Shell, tiny: TrainConfig
) -> None:
    fixed = yaml.safe_load(tiny.replace(epochs=8).to_yaml())
    for name in ("format", "batch_size", "kernel_size"):
        fixed.pop(name, None)
    (shell.folder / "killed.yaml").write_text(
        yaml.safe_dump(GRID | {"fixed": fixed, "trials": 8, "pruner": "none"})
    )
    url = f"sqlite:///{shell.folder}/study.db" if storage == "sqlite" else None
    flags = ["--storage", url] if url else []
    for number in range(times(1, 6)):
        chance = random.Random(f"{victim} {storage} {number}")
        name = f"killed-{number}"
        process = shell.start(
            *("sweeps", "run", "killed.yaml", "--name", name, "--workers", "2", *flags),
            start_new_session=True,
        )
        time.sleep(chance.uniform(2, 30))  # while it begins, claims, trains: all may be met
        workers = [pid for pid in shell.session(process) if pid != process.pid]
        for pid in {
            "parent": [process.pid],
            "worker": chance.sample(workers, min(1, len(workers))),
            "all": [process.pid, *workers],
        }[victim]:
            _kill(pid)
        process.wait(5 * PATIENCE)  # where a worker alone was killed, to its end
        wait_until(lambda process=process: not shell.session(process))
        begun = shell.run("sweeps", "status", "--json", *flags)
        if name in begun.stdout:
            again = shell.run("sweeps", "resume", name, "--workers", "2", *flags)
        else:
            again = shell.run("sweeps", "run", "killed.yaml", "--name", name, *flags)
        assert (again.returncode, "Traceback" in again.stderr) == (0, False), again.stderr
        sweep = load(name, url)
        complete = [row for row in rows(sweep) if row.state == "complete"]
        assert len({tuple(row.params.values()) for row in complete}) == len(complete) == 8
        assert {row.state for row in rows(sweep)} <= {"complete", "cut short"}
        assert not find_runs("attributes.status = 'RUNNING'")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
