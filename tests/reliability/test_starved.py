"""A full disk, a store that may not be written, an address with a slip: one line, nothing lost."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from sweeps.cli import COMMANDS as SWEEPS
from tests.reliability.conftest import Shell
from tests.reliability.test_what_runs import obey_modes
from tests.test_old_store import FIXTURES, IMAGES, RUNS, copied
from trainer.cli import COMMANDS as TRAINER
from trainer.config import TrainConfig
from trainer.tracking import get_run

# A crowded machine takes many times as long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROUNDS = int(os.environ.get("SEGSCOPE_DISKS_FILLED", "2"))
ROOM = 6  # MiB

# A full disk


@pytest.fixture
def disk(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a store on a small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    try:
        (place / "mlruns").mkdir()
        shutil.copyfile(store / "mlflow.db", place / "mlruns" / "mlflow.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlruns/mlflow.db")
        yield place
    finally:
        # The open client of this test's own process still holds the database.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Write until nothing fits any more."""
    rest = place / "rest"
    with rest.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return rest


def the_one_line(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "Background on this error" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("trainer:", "sweeps:"))]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("attempt", range(ROUNDS))
def test_a_disk_that_fills_up_loses_nothing(
    disk: Path, shell: Shell, tiny: TrainConfig, attempt: int
) -> None:
    # Its own checkpoints fill it: a larger network each time meets another write.
    config = disk.parent / "config.yaml"
    config.write_text(tiny.replace(epochs=500, base_channels=10 + attempt).to_yaml())
    full = the_one_line(shell.run("trainer", "fit", "--config", str(config)))
    (row,) = shell.runs()
    assert "make room there" in full
    assert full.endswith(f"; go on with: trainer resume {row['run_id']}")
    assert row["state"] in ("interrupted", "dead")
    subprocess.run(["mount", "-o", f"remount,size={4 * ROOM}m", str(disk)], check=True)
    epochs = row["epoch"] + 2
    again = shell.run("trainer", "resume", row["run_id"], "--epochs", str(epochs))
    assert again.returncode == 0, again.stderr
    (row,) = shell.runs()
    assert (row["state"], row["epoch"]) == ("completed", epochs)
    files = Path(get_run(row["run_id"]).info.artifact_uri.removeprefix("file://"))
    parts = sorted(path.name for path in (files / "evaluation/per_image").iterdir())
    assert parts == [f"epoch-{epoch:04}.parquet" for epoch in range(1, epochs + 1)]


def test_every_command_says_that_the_disk_is_full(
    disk: Path, shell: Shell, tiny: TrainConfig
) -> None:
    config, epochs = disk.parent / "config.yaml", ("--epochs", "1")
    config.write_text(tiny.to_yaml())
    made = shell.run("trainer", "fit", "--config", str(config), *epochs)
    assert made.returncode == 0, made.stderr
    run_id = made.stdout.strip()
    rest = fill(disk)
    space = "space: {lr: [0.01, 0.02]}\nfixed: {epochs: 1}\n"
    (disk.parent / "spec.yaml").write_text(space)
    for words in (
        ("trainer", "fit", "--config", str(config)),
        ("trainer", "resume", run_id, "--epochs", "9"),
        ("trainer", "register", run_id, "--name", "cars"),
        ("trainer", "evaluate", run_id, "--out", str(disk / "scores")),
        ("sweeps", "run", "spec.yaml", "--data", str(tiny.data)),
    ):
        line = the_one_line(shell.run(*words))
        assert "make room there" in line or "disk" in line, line
    rest.unlink()
    with Path("/dev/full").open("w") as nowhere:
        done = shell.run("trainer", "runs", capture_output=False, stdout=nowhere, stderr=-1)
    assert the_one_line(done) == "trainer: No space left on device; make room there"
    done = shell.run("trainer", "resume", run_id, "--epochs", "3")
    assert done.returncode == 0, done.stderr


def test_a_sweep_of_two_workers_gives_back_what_the_disk_had_no_room_for(
    disk: Path, shell: Shell, tiny: TrainConfig
) -> None:
    fixed = yaml.safe_load(tiny.replace(epochs=500).to_yaml())
    del fixed["format"], fixed["lr"]
    spec = {"space": {"lr": [0.01, 0.02, 0.03]}, "fixed": fixed, "pruner": "none"}
    (disk.parent / "spec.yaml").write_text(yaml.safe_dump(spec))
    command = ("sweeps", "run", "spec.yaml", "--name", "full", "--workers", "2")
    line = the_one_line(shell.run(*command))
    assert "make room there" in line and line.endswith("; go on with: sweeps resume full"), line
    subprocess.run(["mount", "-o", f"remount,size={40 * ROOM}m", str(disk)], check=True)
    assert "failed" not in {row["state"] for row in shell.runs()}
    status = json.loads(shell.run("sweeps", "status", "full", "--json").stdout)
    assert set(status["states"]) <= {"cut short", "stopped", "waiting"}, status


# A store that may not be written, and one that is not there

# What each command needs on the old store; {out} is a folder of the test's own.
READING = {
    "trainer data": "cars",
    "trainer runs": "--limit 0",
    "trainer evaluate": f"{RUNS['seed 0']} --out {{out}}",
    "trainer compare": f"{RUNS['seed 0']} {RUNS['momentum']}",
    "trainer stability": RUNS["seed 0"],
    "trainer predict": f"models:/cars@champion {IMAGES[0]} --out {{out}}",
    "trainer pull": "models:/cars/1 --out {out}/pulled",
    "trainer list": "losses",
    "trainer recipes": "",
    "trainer models": "--registered",
    "sweeps status": "",
    "sweeps best": "rates",
    "sweeps report": "rates",
    "sweeps presets": "",
    "trainer sync": "",
}
WRITING = {
    "trainer fit": "--data cars --epochs 1 --cache ram --image-size 32 48",
    "trainer classify": "--data labelled.csv --epochs 1 --cache ram --image-size 32 48",
    "trainer lr-find": "--data cars --cache ram --image-size 32 48",
    "trainer resume": f"{RUNS['interrupted']} --epochs 9",
    "trainer register": f"{RUNS['seed 0']} --name cars",
    "trainer promote": "cars 1",
    "sweeps run": "spec.yaml",
    "sweeps resume": "rates --trials 9",
    "sweeps repair": "",
}
# To sync asks no store where nothing waits.
STORELESS = ("trainer data", "trainer list", "trainer recipes", "trainer sync", "sweeps presets")
ALL_IN_ONE = """
import contextlib, io, json, sys
from sweeps.cli import main as sweeps
from trainer.cli import main as trainer

try:
    open("mlruns/new", "w")
    sys.exit("it may be written")
except OSError:
    pass
for words in json.load(sys.stdin):
    sys.argv, said, out = words, io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
        code = {"trainer": trainer, "sweeps": sweeps}[words[0]]()
    print(json.dumps([" ".join(words), code, out.getvalue(), said.getvalue()]))
"""


def test_every_command_is_known_to_read_or_to_write() -> None:
    known = {f"trainer {name}" for name in TRAINER} | {f"sweeps {name}" for name in SWEEPS}
    assert set(READING) | set(WRITING) == known
    assert not set(READING) & set(WRITING)


@pytest.mark.skipif(sys.platform != "linux", reason="who is root elsewhere may write everywhere")
def test_a_store_that_may_not_be_written_is_read_by_all_that_only_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, out = copied(tmp_path / "old"), tmp_path / "out"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}/mlruns/mlflow.db")
    (old / "spec.yaml").write_text("space: {lr: [0.01, 0.02]}\nfixed: {data: cars, epochs: 1}\n")
    images = sorted((old / "cars" / "images").iterdir())
    labels = [f"{image},{'ab'[number % 2]}\n" for number, image in enumerate(images)]
    (old / "labelled.csv").write_text("".join(["image,class\n", *labels]))
    commands = [
        f"{command} {words}".format(out=out / command.replace(" ", "-")).split()
        for command, words in (READING | WRITING).items()
    ]
    store = [old, *old.rglob("*")]
    modes = {path: path.stat().st_mode for path in store}
    for path in store:
        path.chmod(modes[path] & 0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ALL_IN_ONE],
            input=json.dumps(commands),
            cwd=old,
            capture_output=True,
            text=True,
            preexec_fn=obey_modes,
        )
    finally:
        for path in store:
            path.chmod(modes[path])
    assert done.returncode == 0, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ended) == len(commands)
    for words, code, output, said in ended:
        if " ".join(words.split()[:2]) in READING:
            assert (code, bool(output)) == (0, True), (words, said)
        else:
            assert code == 2 and "mlruns" in said, (words, said)
        assert "Traceback" not in said
    assert {path: path.stat().st_mode for path in [old, *old.rglob("*")]} == modes


@pytest.mark.parametrize("command", [*READING, "trainer register", "trainer promote"])
def test_an_address_with_a_slip_makes_no_store(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: Callable[..., int],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlrnus/mlflow.db")
    monkeypatch.chdir(tmp_path)
    images = str(FIXTURES / "cars_1" / "images")  # which are there: of the store alone is asked
    said_of = (READING | WRITING)[command].replace("cars/images", images)
    words = said_of.format(out=tmp_path / "out").split()
    code = call(*command.split(), *words)
    said = capsys.readouterr()
    if command not in (*STORELESS, "sweeps status"):
        assert code == 2, said
        assert "there is no" in said.err
    assert not list(tmp_path.iterdir())
    if command.startswith("sweeps") and words:
        code = call(*command.split(), *words, "--storage", f"sqlite:///{tmp_path}/slip.db")
        assert code == 2
        assert "there is no such file" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what calls one of the commands in this process."""
    from sweeps.cli import main as sweeps
    from trainer.cli import main as trainer

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", list(words))
        return {"trainer": trainer, "sweeps": sweeps}[words[0]]()

    return call
