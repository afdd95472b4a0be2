"""What goes on for long takes no more memory, and no more open files, than at its beginning."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.reliability.conftest import times
from trainer.config import TrainConfig

ROOT = Path(__file__).parents[2]
# A connection to a store is kept by SQLAlchemy's pool when it has been used: how many there are,
# up to as many as this, tells how many threads once wrote at the same moment, and no leak.
POOLED = 5
# Each line of what a child prints is a state of its own: its resident MiB, its connections to a
# store, and its other open files.
MEASURED = """
import gc, json, os, sys

def opened():
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the listing's own

def tell():
    gc.collect()
    lines = open("/proc/self/status").read().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    names = list(opened())
    connections = sum(name.endswith("mlflow.db") for name in names)
    others = sum("mlflow.db" not in name for name in names)
    print(json.dumps([resident / 1024, connections, others]), flush=True)

"""
RUNS = """
from pathlib import Path
from trainer.config.parsing import from_yaml
from trainer.training.fitting import fit

config = from_yaml(Path(sys.argv[1]))
for seed in range(int(sys.argv[2])):
    fit(config.replace(seed=seed), progress=False)
    tell()
"""
EPOCHS = """
from pathlib import Path
from trainer.config.parsing import from_yaml
from trainer.training.fitting import fit

fit(from_yaml(Path(sys.argv[1])), on_epoch=lambda epoch, metrics: tell(), progress=False)
"""
# Visitors who look at one page after the other and turn what can be turned on each.
INTERACTIONS = """
from streamlit.testing.v1 import AppTest
from trainer.tracking.reading import list_runs

runs = list_runs().index
pages = ["runs", "curves", "run", "samples", "dip", "compare", "stability", "sweeps", "models"]
for number in range(int(sys.argv[2])):
    if number % 4 == 0:
        if number % (4 * len(pages)) == 0:
            app = AppTest.from_file(sys.argv[1], default_timeout=300).run()
        app.switch_page(f"{pages[number // 4 % len(pages)]}/page.py")
        app.query_params["runs"] = ",".join(runs[number % 30 : number % 30 + 3])
    else:
        kinds = (app.toggle, app.checkbox, app.selectbox)
        widgets = [widget for kind in kinds for widget in kind if not widget.disabled]
        if widgets:
            turned = widgets[number % len(widgets)]
            if turned.type == "selectbox":
                turned.select_index(number % len(turned.options))
            else:
                turned.set_value(not turned.value)
    try:
        app.run()
    except ValueError:
        continue  # AppTest cannot say what stands in a choice whose list has become another
    assert not app.exception, app.exception[0].stack_trace
    if number % (4 * len(pages)) == 0:
        tell()
"""


def measured(script: str, *arguments: str, folder: Path) -> list[float]:
    """Return the resident MiB that a script told, in order; its open files must not grow."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell a process's memory in /proc")
    command = [sys.executable, "-c", MEASURED + script, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    print(told)
    assert max(connections for _, connections, _ in told) <= POOLED
    files = [others for _, _, others in told]
    assert files[-1] <= files[len(files) // 3]
    return [mib for mib, _, _ in told]


def growth(told: list[float]) -> float:
    """Return by how much the end lies above the state after the warm-up, a third of the way."""
    third = len(told) // 3
    return statistics.median(told[-third:]) - statistics.median(told[third : 2 * third])


@pytest.mark.slow
def test_run_after_run_in_one_process_takes_no_more(store: Path, tiny: TrainConfig) -> None:
    config = store.parent / "run.yaml"
    config.write_text(tiny.replace(epochs=2).to_yaml())
    count = times(24, 100)
    mib = measured(RUNS, str(config), str(count), folder=store.parent)
    assert len(mib) == count
    assert growth(mib) < 8


@pytest.mark.slow
def test_the_dashboard_takes_no_more_the_longer_it_is_used(
    drawn_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{drawn_store}/mlflow.db")
    app, count = ROOT / "dashboard" / "app.py", times(360, 2000)
    mib = measured(INTERACTIONS, str(app), str(count), folder=tmp_path)
    assert growth(mib) < 16


@pytest.mark.slow
def test_epoch_after_epoch_takes_no_more(
    store: Path, tmp_path: Path, many_images: Callable[[int], Path], tiny: TrainConfig
) -> None:
    config = tmp_path / "epochs.yaml"
    data = many_images(times(500, 5000))
    config.write_text(tiny.replace(data=str(data), epochs=30, base_channels=2).to_yaml())
    mib = measured(EPOCHS, str(config), folder=tmp_path)
    assert len(mib) == 30
    assert growth(mib) < 8


@pytest.fixture
def many_images(tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that draws so many discs with their masks and returns their folder."""

    def draw(count: int) -> Path:
        root = tmp_path / "discs"
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True)
        random = np.random.default_rng(0)
        rows, columns = np.mgrid[:32, :48]
        for number in range(count):
            middle, radius = random.uniform([8, 12], [24, 36]), random.uniform(4, 9)
            disc = np.hypot(rows - middle[0], columns - middle[1]) < radius
            image = random.normal(70, 12, (32, 48, 3)) + disc[..., None] * 90
            name = f"{number:05d}.png"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / "images" / name)
            Image.fromarray(disc.astype(np.uint8) * 255).save(root / "masks" / name)
        return root

    return draw
