"""The ``sweeps`` command, in this process where nothing is trained and for real where it is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from sweeps import cli
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.spec_reading import PRESETS
from sweeps.study import create, load
from trainer import tracking

MakeSpec = Callable[..., SweepSpec]
Sweeps = Callable[..., int]
# A network so small that an epoch takes a fraction of a second.
TINY = {"image-size": "16 24", "base-channels": "2", "depth": "1", "epochs": "2", "samples": "1"}


@pytest.fixture
def real_sweep(tmp_path: Path, store: Path) -> list[str]:
    """Return the command of a sweep that trains for real, on bright squares on noise."""
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for number in range(16):
        image = random.integers(0, 100, (16, 24, 3), dtype=np.uint8)
        mask = np.zeros((16, 24), np.uint8)
        top, left = random.integers(0, 8, 2)
        mask[top : top + 8, left : left + 12] = 255
        image[mask > 0] += 120
        Image.fromarray(image).save(tmp_path / "data" / "images" / f"{number:02}.png")
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{number:02}.png")
    flags = [word for name, value in TINY.items() for word in (f"--{name}", *value.split())]
    command = [sys.executable, "-m", "sweeps", "run", "lr-only", "--name", "real", *flags]
    return [*command, "--data", str(tmp_path / "data"), "--batch-size", "4", "--json"]


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch, store: Path) -> Sweeps:
    """Return a function that runs the command with arguments and returns its exit code."""

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["sweeps", *arguments])
        return cli.main()

    return call


def test_presets_are_listed(sweeps: Sweeps, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweeps("presets") == 0
    listed = capsys.readouterr().out
    assert all(f"{name}  " in listed for name in PRESETS)  # however long the name is
    assert "lr: 1e-05 to 0.01, log" in listed


def test_a_finished_sweep_is_looked_at(
    sweeps: Sweeps,
    pretend: ModuleType,
    spec: MakeSpec,
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = carry_out(create(spec(trials=5), None), fit=pretend.fit)
    assert summary.best is not None
    capsys.readouterr()
    assert sweeps("best", "test") == 0
    assert capsys.readouterr().out.strip() == summary.best.run_id
    assert sweeps("best", "test", "--json") == 0
    assert json.loads(capsys.readouterr().out) == summary.to_json()
    assert sweeps("status", "test") == 0
    assert capsys.readouterr().out.startswith("test                    5/5 trials (")
    assert sweeps("status", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["study"], one["total"], one["running"]) == ("test", 5, 0)
    assert sweeps("report", "test") == 0
    table = capsys.readouterr().out
    assert f"**Best: {summary.best.value:.4f}, trial {summary.best.number}" in table
    assert len(re.findall(r"^\| \d+ \|", table, flags=re.MULTILINE)) == 5
    assert sweeps("report", "test", "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert len(written["rows"]) == 5
    assert written["importance"] == {"evaluator": "fANOVA", "fields": None}
    # Nothing is left to do, so this trains nothing and says the same.
    assert sweeps("resume", "test", "--json") == 0
    assert json.loads(capsys.readouterr().out) == summary.to_json() | {"test": {}}


def test_no_sweeps_yet_says_what_to_run(sweeps: Sweeps, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweeps("status") == 0
    assert "sweeps run lr-batch-kernel" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "spec: name a preset or a YAML file first"),
        (["run", "--trials", "3", "lr-only"], "spec: name a preset or a YAML file first"),
        (["run", "lr-onyl"], "unknown preset 'lr-onyl' (did you mean 'lr-only'?)"),
        (["run", "gone.yaml"], "gone.yaml: cannot be read"),
        (["run", "lr-only", "--lr", "1e-3"], "lr: it is searched"),
        (["run", "lr-only", "--lr=1e-3"], "lr: it is searched"),
        (["run", "lr-only", "--batch-size", "-1"], "batch_size: -1 must be at least 1"),
        (["run", "lr-only", "--trials", "0"], "trials: 0 must lie in 1 to 1,000,000"),
        (["run", "lr-only", "--workers", "0"], "workers: 0 must be at least 1"),
        (["run", "lr-only", "--trails", "1"], "unknown option '--trails'"),
        (["run", "lr-only", "--name", "a b"], "name: 'a b' may hold letters"),
        (["run", "lr-only", "--data", "/no/such/folder"], "data: /no/such/folder does not exist"),
        (["run", "lr-only", "--storage", "x.db"], "storage: 'x.db' is not a URL"),
        (["best", "nothing"], "there is no 'nothing'"),
        (["resume", "nothing"], "there is no 'nothing'"),
        (["begin"], "unknown command 'begin'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    sweeps: Sweeps, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert sweeps(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert said in captured.err


def test_an_empty_study_has_no_best(
    sweeps: Sweeps, spec: MakeSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    create(spec(), None)
    assert sweeps("best", "test") == 2
    assert "sweep: 'test' has no completed trial (0 pruned, 0 failed)" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [("--data", "/no/such/folder"), ("--workers", "0")])
def test_a_sweep_that_cannot_begin_leaves_nothing_behind(
    sweeps: Sweeps, capsys: pytest.CaptureFixture[str], flags: tuple[str, str]
) -> None:
    assert sweeps("run", "lr-only", *flags) == 2
    assert tracking.find_runs("") == []
    assert sweeps("status") == 0
    assert "no sweeps here yet" in capsys.readouterr().out


def test_fewer_trials_than_are_done_is_one_line(
    sweeps: Sweeps, pretend: ModuleType, spec: MakeSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    carry_out(create(spec(trials=3), None), fit=pretend.fit)
    capsys.readouterr()
    assert sweeps("resume", "test", "--trials", "2") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "trials: 2 is below the 3 that test has done; give at least 3" in line


def test_help_imports_none_of_the_heavy_packages() -> None:
    script = (
        "import sys; sys.argv = ['sweeps', 'run', '--help']\n"
        "from sweeps.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'mlflow', 'optuna', 'albumentations', 'streamlit'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--kernel-size" in done.stdout


def test_a_real_sweep_from_end_to_end(real_sweep: list[str]) -> None:
    command = [*real_sweep, "--trials", "3"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    figures = ["study", "trials", "best", "epochs_trained", "epochs_saved"]
    assert list(result) == [*figures, "selection", "test"]
    assert sum(result["trials"].values()) == 3
    assert result["epochs_trained"] + result["epochs_saved"] == 6
    assert len(re.findall(r"^trial \d", done.stderr, flags=re.MULTILINE)) == 3
    left = re.findall(r"\((\d) of 3 trials, about [\d hmins]+ left\)$", done.stderr, re.MULTILINE)
    assert left == ["1", "2"]
    assert re.search(r"^trial 2 .* \(3 of 3 trials\)$", done.stderr, re.M)
    best = tracking.get_run(result["best"]["run_id"])
    assert best.data.metrics["best/val_dice"] == pytest.approx(result["best"]["value"])
    assert result["test"]["dice"] == pytest.approx(best.data.metrics["test/dice"])
    assert float(best.data.params["lr"]) == pytest.approx(result["best"]["params"]["lr"])
    assert best.data.tags["mlflow.parentRunId"] == load("real", None).parent_run_id
    assert best.data.tags["segscope.sweep"] == "real"


@pytest.mark.slow
def test_a_real_sweep_goes_on_after_kill_9(real_sweep: list[str], store: Path) -> None:
    command = [*real_sweep, "--trials", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment()) as process:
        end = time.monotonic() + 120
        while not (store / "optuna.journal").exists() or not has_reported(store):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["trials"].values()) == 2
    trials = load("real", None).study.get_trials()
    assert trials[0].user_attrs["reason"] == "its process died"
    assert trials[1].params == trials[0].params
    assert not tracking.find_runs("attributes.status = 'RUNNING'")


def has_reported(store: Path) -> bool:
    """Return whether a trial has reported an epoch: operation 7 of the journal."""
    return '"op_code":7' in (store / "optuna.journal").read_text()


def environment() -> dict[str, str]:
    """Return the environment of a command, on one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}
