"""What is stopped leaves no process, no shared memory, no lock and no half-written file behind."""

import os
import resource
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.reliability.conftest import PATIENCE, Shell, times, wait_until
from trainer.config import TrainConfig
from trainer.locks import is_held
from trainer.tracking import find_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="/proc tells who is there"),
]
Process = subprocess.Popen[bytes]
Wait = Callable[..., None]
STOPPED = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
SHARED = Path("/dev/shm")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of what a test starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def unused_memory() -> set[str]:
    """Return the names of shared memory that no living process has mapped or open."""
    used = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            used |= {line.split("/dev/shm/")[-1] for line in (process / "maps").open()}
            used |= {file.readlink().name for file in (process / "fd").iterdir()}
        except OSError:
            continue  # It has just ended, or is somebody else's.
    return {path.name for path in SHARED.iterdir()} - {name.strip() for name in used}


def stop(
    shell: Shell, process: Process, number: signal.Signals, *, temporary: Path, group: bool = False
) -> None:
    """Stop a command, as a terminal does with a ``group``, and look for what it leaves behind."""
    before = unused_memory()
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.wait(PATIENCE)
    nothing_is_left(shell, process, temporary, before)


def nothing_is_left(shell: Shell, process: Process, temporary: Path, before: set[str]) -> None:
    """Fail the test where a command that has ended left something."""
    wait_until(lambda: not shell.session(process))  # loaders see a moment later that it is gone
    # Torch's own cache of the user, an empty folder, is made by its import and used by all.
    assert not [p for p in temporary.rglob("*") if not p.name.startswith("torchinductor_")]
    # What another program is just about to map is not left: it goes, and what is left stays.
    wait_until(lambda: unused_memory() <= before)
    store = shell.folder / "mlruns"
    assert not [path for path in store.rglob("*.lock") if is_held(path)]
    assert not list(store.rglob("*.worker"))
    assert not list(store.rglob(".*"))
    assert not find_runs("attributes.status = 'RUNNING'")


@STOPPED
def test_training_with_loaders(
    number: signal.Signals, shell: Shell, long: Path, await_epoch: Wait, temporary: Path
) -> None:
    command = ("trainer", "fit", "--config", str(long), "--workers", "2")
    process = shell.start(*command, start_new_session=True)
    await_epoch(process)
    assert len(shell.session(process)) > 2, "there are no loaders"
    stop(shell, process, number, temporary=temporary, group=number == signal.SIGINT)
    assert process.returncode == 130


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_interrupted_again_and_again(
    again: signal.Signals, shell: Shell, long: Path, await_epoch: Wait
) -> None:
    command = ("trainer", "fit", "--config", str(long), "--workers", "2")
    process = shell.start(*command, start_new_session=True)
    await_epoch(process)
    insist(shell, process, again)
    assert shell.runs()[0]["state"] == "interrupted"


def insist(shell: Shell, process: Process, again: signal.Signals) -> None:
    """Press Ctrl-C, and whatever else, until a command has ended."""
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        process.send_signal(again)
        time.sleep(0.01)
    wait_until(lambda: not shell.session(process))
    assert not find_runs("attributes.status = 'RUNNING'")


def test_training_whose_loader_is_killed(
    shell: Shell, long: Path, await_epoch: Wait, temporary: Path
) -> None:
    command = ("trainer", "fit", "--config", str(long), "--workers", "2")
    process = shell.start(*command, start_new_session=True, stderr=subprocess.PIPE)
    await_epoch(process)
    loaders = [pid for pid in shell.session(process) if pid != process.pid]
    before = unused_memory()
    for pid in loaders:
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0, said
    nothing_is_left(shell, process, temporary, before)
    assert shell.runs()[0]["state"] == "failed"


@STOPPED
def test_predictions(
    number: signal.Signals, shell: Shell, tiny: TrainConfig, temporary: Path
) -> None:
    (shell.folder / "short.yaml").write_text(tiny.replace(epochs=1).to_yaml())
    fitted = shell.run("trainer", "fit", "--config", "short.yaml")
    assert fitted.returncode == 0, fitted.stderr
    images = []
    for index in range(2000):
        images.append(shell.folder / "images" / f"{index}.jpg")
        images[-1].parent.mkdir(exist_ok=True)
        images[-1].symlink_to(next(Path(str(tiny.data), "train").iterdir()))
    command = ("trainer", "predict", fitted.stdout.strip(), *map(str, images), "--out", "masks")
    process = shell.start(*command, "--overlay", start_new_session=True)
    masks = shell.folder / "masks"
    wait_until(lambda: process.poll() is not None or len(list(masks.glob("*.png"))) > 4)
    stop(shell, process, number, temporary=temporary, group=number == signal.SIGINT)
    assert process.returncode == 130
    assert not list(masks.glob(".*"))
    written = list(masks.glob("*.png"))
    for path in written:
        with Image.open(path) as image:
            image.load()
    # The table tells of what was done, each mask of which is there.
    told = pd.read_csv(masks / "predictions.csv")["mask"]
    assert {masks / mask for mask in told} <= set(written)


@pytest.fixture
def swept(shell: Shell, long: Path, await_epoch: Wait) -> Process:
    """Return a sweep of two workers, each of which trains."""
    fixed = yaml.safe_load(long.read_text())
    del fixed["format"], fixed["lr"]
    spec = {"space": {"lr": [0.01, 0.02, 0.03]}, "fixed": fixed}
    (shell.folder / "swept.yaml").write_text(yaml.safe_dump(spec))
    command = ("sweeps", "run", "swept.yaml", "--workers", "2")
    process = shell.start(*command, start_new_session=True)
    await_epoch(process, runs=2)
    return process


@STOPPED
def test_a_sweep_of_two_workers(
    number: signal.Signals, shell: Shell, swept: Process, temporary: Path
) -> None:
    stop(shell, swept, number, temporary=temporary, group=number == signal.SIGINT)
    assert swept.returncode == 130


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_interrupted_again_and_again(
    again: signal.Signals, shell: Shell, swept: Process
) -> None:
    insist(shell, swept, again)


def test_a_sweep_of_which_a_worker_was_killed(
    shell: Shell, swept: Process, await_epoch: Wait, temporary: Path
) -> None:
    children = Path(f"/proc/{swept.pid}/task/{swept.pid}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
    os.kill(next(pid for pid, said in commands.items() if "spawn_main" in said), signal.SIGKILL)
    await_epoch(swept, runs=3)
    stop(shell, swept, signal.SIGTERM, temporary=temporary)
    assert swept.returncode == 130


@pytest.fixture
def served(shell: Shell, store: Path) -> tuple[Process, str]:
    """Return a dashboard that may open 256 files, as some systems have it, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    process = shell.start(
        *("dashboard", "--port", str(port)),
        start_new_session=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)),
    )
    address = f"127.0.0.1:{port}"
    wait_until(lambda: process.poll() is not None or answers(address))
    return process, address


def answers(address: str) -> bool:
    """Return whether a server answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=10):
            return True
    except OSError:
        return False


@STOPPED
def test_the_dashboard(
    number: signal.Signals, shell: Shell, served: tuple[Process, str], temporary: Path
) -> None:
    stop(shell, served[0], number, temporary=temporary)


def test_pages_that_were_closed_keep_no_other_from_opening(served: tuple[Process, str]) -> None:
    process, address = served
    client = pytest.importorskip("websockets.sync.client", reason="Streamlit brings it")
    for _ in range(times(140, 400)):
        with client.connect(f"ws://{address}/_stcore/stream", origin=f"http://{address}"):
            pass
    assert answers(address)
    opened = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    print(f"{opened} files are open")
    assert 256 < opened < 512
