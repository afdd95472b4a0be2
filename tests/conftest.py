"""Fixtures that every part of the tests shares."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from trainer.config import TrainConfig

# Threads that wait give their core away: beside another busy process training is else ten times
# slower. It has to be said before torch is loaded, here and in what the tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Properties are tried on the same examples everywhere; `--hypothesis-seed N` tries others.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parent.parent


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return the folder of a real data set by name; skips the test where it is absent."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("SEGSCOPE_REAL_DATA", ROOT.parent / "shared" / "data")) / name
        if not folder.is_dir():
            pytest.skip(f"the real data set {name} is not here (set SEGSCOPE_REAL_DATA)")
        return folder

    return find


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty MLflow database: creating one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("new") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        from trainer.tracking.client import begin

        begin()
    return path


@pytest.fixture(scope="session")
def drawn_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small store with every state a run can be in; do not write to it."""
    folder = tmp_path_factory.mktemp("drawn")
    uri = f"sqlite:///{folder}/mlflow.db"
    command = [sys.executable, str(ROOT / "benchmarks/build_store.py"), "--uri", uri, "--small"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Take back what a command has set of logging: its stream is closed after the test."""
    loggers = [logging.getLogger(name) for name in ("trainer", "sweeps", "dashboard")]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    yield
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = list(handlers), propagate
        each.setLevel(level)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: Path) -> Path:
    """Point everything at an empty store of this test's own and return its folder."""
    folder = tmp_path / "mlruns"
    folder.mkdir()
    shutil.copyfile(new_database, folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture(params=["float32-1", "float32-2", "bfloat16-1", "bfloat16-2"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Be a machine that trains in this type by itself, with so many threads; return the type.

    What a test asserts must hold on every one, whatever the processor that runs it has.
    """
    import torch

    dtype, threads = request.param.split("-")
    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", dtype)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    before = torch.get_num_threads()
    torch.set_num_threads(int(threads))
    yield dtype
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in Carvana's layout: bright ellipses on dark ground, 8 cars of 3 views.

    32 x 48 pixels, easy enough that a small network learns it in a few epochs.
    """
    root = tmp_path_factory.mktemp("cars")
    (root / "train").mkdir()
    (root / "train_masks").mkdir()
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[:32, :48]
    for car in range(8):
        for view in range(1, 4):
            middle = random.uniform([12, 16], [20, 32])
            radii = random.uniform([5, 8], [9, 14])
            inside = ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2
            mask = (inside < 1).astype(np.uint8)
            image = random.normal(70, 12, (32, 48, 3)) + mask[..., None] * random.uniform(60, 120)
            name = f"{car:012x}_{view:02d}"
            pixels = Image.fromarray(image.clip(0, 255).astype(np.uint8))
            pixels.save(root / "train" / f"{name}.jpg", quality=95)
            palette = Image.fromarray(mask, mode="P")
            palette.putpalette([0, 0, 0, 255, 255, 255])
            palette.save(root / "train_masks" / f"{name}_mask.gif")
    return root


@pytest.fixture
def tiny(cars: Path) -> TrainConfig:
    """Return a configuration that trains on `cars` in about a second."""
    return TrainConfig(
        data=str(cars),
        image_size=(32, 48),
        base_channels=4,
        depth=2,
        epochs=3,
        batch_size=4,
        lr=1e-2,
        val_fraction=0.25,
        test_fraction=0.25,
        samples=3,
        cache="ram",
    )
