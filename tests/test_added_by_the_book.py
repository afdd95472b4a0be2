"""Follow CONTRIBUTING's ways on a copy of the code: a model, a loss and a preset, and a sweep."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]

SETTINGS = '''

@dataclass(frozen=True, kw_only=True)
class FlatSettings(ModelSettings):
    """Of a network that never leaves the image's own scale."""

    base_channels: int = 4
    """Channels between the two convolutions."""
    kernel_size: int = 3
    """Side of the convolution kernels; odd."""
'''
NETWORK = '''"""Two convolutions at the image's own scale."""

from torch import nn


class Flat(nn.Sequential):
    stride = 1
    encoder_parts = ("0",)

    def __init__(self, *, in_channels=3, out_channels=1, base_channels=4, kernel_size=3):
        super().__init__(
            nn.Conv2d(in_channels, base_channels, kernel_size, padding=kernel_size // 2),
            nn.ReLU(),
            nn.Conv2d(base_channels, out_channels, 1),
        )

    def segments(self):
        return list(self)
'''
MODEL_LINE = """    "flat": Component(
        architectures.FlatSettings,
        ".flat:Flat",
        "two convolutions",
    ),
"""
LOSS = '''

class SquaredError(PixelLoss):
    """Squared distance of the probabilities from what is there (Brier 1950)."""

    def __init__(self, num_classes, class_weights=None, *, sharpness=1.0):
        super().__init__(num_classes, class_weights)
        self._sharpness = sharpness

    def forward(self, logits, target):
        weight = self.weights(target)
        there = F.one_hot(_inside(target, self.out_channels).long(), self.out_channels)
        wrong = torch.softmax(logits.float() * self._sharpness, 1) - there.movedim(-1, 1)
        return _over_pixels(wrong.square().sum(1) * weight, weight)


def squared(settings, num_classes, weigh):
    return SquaredError(num_classes, weigh(settings.class_weights), sharpness=settings.sharpness)
'''
LOSS_SETTINGS = '''@dataclass(frozen=True, kw_only=True)
class SquaredLoss(WeightedLoss):
    """Of the squared error."""

    sharpness: float = 1.0
    """By which the logits are multiplied."""


'''
LOSS_LINE = """    "squared": Component(
        SquaredLoss,
        "trainer.network.pixel_losses:squared",
        about="squared error of the probabilities (Brier 1950)",
    ),
"""
PRESET = {
    "description": "Whether sharp probabilities help a flat network.",
    "fixed": {"model": "flat"},
    "space": {"loss": ["squared", "cross-entropy"], "sharpness": [1.0, 2.0]},
    "sampler": "grid",
    "pruner": "none",
    "trials": 9,
}


def insert(path: Path, before: str, text: str) -> None:
    """Put a text into a file, before what stands there once."""
    source = path.read_text(encoding="utf-8")
    assert source.count(before) == 1, (path, before)
    path.write_text(source.replace(before, text + before), encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the packages to which a model, a loss and a preset were added."""
    root = tmp_path / "copy"
    for package in ("trainer", "sweeps"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    models = root / "trainer" / "models"
    with (models / "architectures.py").open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    (models / "flat.py").write_text(NETWORK, encoding="utf-8")
    insert(models / "__init__.py", '    "unet": Component(', MODEL_LINE)
    with (root / "trainer" / "network" / "pixel_losses.py").open("a", encoding="utf-8") as file:
        file.write(LOSS)
    losses = root / "trainer" / "catalogue" / "losses.py"
    insert(losses, "LOSSES = {\n", LOSS_SETTINGS)
    insert(losses, '    "bce": Component(', LOSS_LINE)
    preset = root / "sweeps" / "presets" / "flat-sharpness.yaml"
    preset.write_text(yaml.safe_dump(PRESET), encoding="utf-8")
    insert(root / "sweeps" / "spec_reading.py", '    "demo",\n', '    "flat-sharpness",\n')
    return root


@pytest.fixture
def command(copy: Path, tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs one of the copy's commands and returns what it printed."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlruns/mlflow.db",
    }

    def run(package: str, *arguments: str) -> str:
        # Not -m, nor from the copy's folder: neither may be found where the process stands.
        main = f"import sys; from {package}.cli import main; sys.exit(main())"
        argv = [sys.executable, "-c", main, *arguments]
        done = subprocess.run(
            argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_what_is_added_as_contributing_says_is_listed_trained_and_searched(
    command: Callable[..., str], cars: Path
) -> None:
    listed = {row["name"]: row for row in json.loads(command("trainer", "models", "--json"))}
    # 3 x 3 x 3 x 4 + 4, and 4 x 1 + 1 to the one logit of two classes.
    assert listed["flat"]["trainable"] == 117
    assert listed["flat"]["settings"] == {"base_channels": 4, "kernel_size": 3}
    assert "flat-sharpness" in command("sweeps", "presets")
    small = "--image-size 32 48 --epochs 1 --batch-size 4 --samples 1 --val-fraction 0.25"
    command("sweeps", "run", "flat-sharpness", "--data", str(cars), *small.split())
    report = command("sweeps", "report", "flat-sharpness")
    # Sharpness is a setting of one of the two losses alone.
    assert len([line for line in report.splitlines() if "| squared " in line]) == 2
    assert len([line for line in report.splitlines() if "| cross-entropy " in line]) == 1
    run = command("sweeps", "best", "flat-sharpness").strip()
    assert json.loads(command("trainer", "evaluate", run, "--json"))
