"""Model folders and checkpoints whose JSON or tensors are rubbish."""

import json
from pathlib import Path

import pytest
import torch
from torch.optim import Optimizer

from tests.reliability.rubbish import assert_right, damaged, documents
from tests.trainer.model_folders import model_folder, picture
from trainer.config import TrainConfig
from trainer.models import build_model
from trainer.prediction.predictor import Predictor
from trainer.run_files import read_run_file
from trainer.training.checkpoints import (
    fitting,
    load_optimizer,
    load_state,
    load_weights,
    save_checkpoint,
)
from trainer.training.optimizers import build_optimizer
from trainer.training.progression import Progression
from trainer.training.schedules import Length, Schedule, build_schedule

CONFIG = TrainConfig()
FIXTURE = Path(__file__).parents[1] / "fixtures" / "model_1" / "artifacts" / "model"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_folder(tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path)
    sound = (folder / name).read_bytes()
    inputs = documents(json.loads(sound), name) if name == "config.json" else damaged(sound, name)
    image = picture(40, 56)
    assert_right(
        inputs, folder / name, lambda _: Predictor(folder).predict(image), str(folder), "model:"
    )


def test_where_a_model_came_from(tmp_path: Path) -> None:
    inputs = documents(json.loads((FIXTURE / "origin.json").read_bytes()), "origin")
    assert_right(inputs, tmp_path / "origin.json", read_run_file)


def schedule_of(optimizer: Optimizer) -> Schedule:
    length = Length(epochs=3, steps=2)
    settings = CONFIG.settings("schedule")
    return build_schedule(optimizer, CONFIG.schedule, settings, length, warmup_epochs=1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint as the loop writes one."""
    model = build_model("unet", out_channels=1, base_channels=2, depth=1, kernel_size=3)
    optimizer = build_optimizer(model, CONFIG.optimizer, CONFIG.settings("optimizer"))
    model(torch.randn(2, 3, 12, 16)).mean().backward()
    optimizer.step()
    schedule = schedule_of(optimizer)
    state = {
        "model": {"name": "unet", "settings": {"out_channels": 1}},
        "progression": vars(Progression(epoch=1, history={"val/dice": [0.5]})),
        "schedule": schedule.state(),
    }
    save_checkpoint(tmp_path / "last", model, optimizer, state)
    restore(tmp_path / "last")
    return tmp_path / "last"


def restore(folder: Path) -> None:
    model = build_model("unet", out_channels=1, base_channels=2, depth=1, kernel_size=3)
    optimizer = build_optimizer(model, CONFIG.optimizer, CONFIG.settings("optimizer"))
    schedule = schedule_of(optimizer)
    state = load_state(folder, ("schedule", "progression"))
    load_weights(folder, model)
    load_optimizer(folder, optimizer)
    with fitting(folder, "schedule"):
        schedule.restore(state["schedule"])
    Progression(**{n: v for n, v in state["progression"].items() if n in vars(Progression())})


@pytest.mark.parametrize("name", ["state.json", "model.safetensors", "optimizer.safetensors"])
def test_a_checkpoint(checkpoint: Path, name: str) -> None:
    sound = (checkpoint / name).read_bytes()
    inputs = documents(json.loads(sound), name) if name == "state.json" else damaged(sound, name)
    assert_right(inputs, checkpoint / name, lambda _: restore(checkpoint), str(checkpoint))
