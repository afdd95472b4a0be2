"""Checkpoints: exact, whole at any moment, and never code."""

import json
import os
import pickletools
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainer.catalogue.optimizers import OPTIMIZERS, Descent
from trainer.catalogue.schedules import SCHEDULES
from trainer.config import TrainConfig
from trainer.models import build_model
from trainer.training import checkpoints
from trainer.training.checkpoints import (
    copy_checkpoint,
    find_checkpoint,
    load_optimizer,
    load_state,
    load_weights,
    save_checkpoint,
)
from trainer.training.optimizers import build_optimizer
from trainer.training.schedules import Length, Schedule, build_schedule

SETTINGS = {"out_channels": 1, "base_channels": 2, "depth": 1, "kernel_size": 3}


def network(seed: int = 0, **settings: int) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = build_model("unet", **{**SETTINGS, **settings})
    # As the loop does it: what a checkpoint stores is row-major, what it fills is not.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def batches(number: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(2, 3, 12, 16, generator=generator) for _ in range(number)]


def learn(model: nn.Module, optimizer: Optimizer, images: list[Tensor]) -> list[float]:
    losses = []
    for image in images:
        optimizer.zero_grad(set_to_none=True)
        loss = (model(image) - 1).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses


def trained(config: TrainConfig | None = None, steps: int = 2) -> tuple[nn.Module, Optimizer]:
    model = network()
    config = config or TrainConfig()
    optimizer = build_optimizer(model, config.optimizer, config.settings("optimizer"))
    learn(model, optimizer, batches(steps))
    return model, optimizer


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in OPTIMIZERS),
        *((name, {"momentum": 0.0}) for name in ("sgd", "rmsprop")),
    ],
)
def test_training_goes_on_bit_for_bit(
    name: str, settings: dict[str, float], tmp_path: Path
) -> None:
    config = TrainConfig(optimizer=name, lr=1e-2, weight_decay=1e-3, **settings)
    images = batches(6)
    model = network()
    optimizer = build_optimizer(model, config.optimizer, config.settings("optimizer"))
    learn(model, optimizer, images[:3])
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 3})

    restored = network(seed=1)
    its_optimizer = build_optimizer(
        restored, config.optimizer, config.replace(lr=0.5).settings("optimizer")
    )
    load_weights(tmp_path / "last", restored)
    load_optimizer(tmp_path / "last", its_optimizer)
    expected = learn(model, optimizer, images[3:])
    assert learn(restored, its_optimizer, images[3:]) == expected
    kept = restored.state_dict()
    assert all(torch.equal(tensor, kept[key]) for key, tensor in model.state_dict().items())
    assert its_optimizer.param_groups[0]["lr"] == 1e-2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizer_comes_back_whole(name: str, tmp_path: Path) -> None:
    config = TrainConfig(optimizer=name)
    model, optimizer = trained(config)
    save_checkpoint(tmp_path / "last", model, optimizer, {})
    restored = build_optimizer(network(), config.optimizer, config.settings("optimizer"))
    load_optimizer(tmp_path / "last", restored)
    before, after = optimizer.state_dict(), restored.state_dict()
    assert before["state"].keys() == after["state"].keys()
    for index, values in before["state"].items():
        assert values.keys() == after["state"][index].keys()
        for key, value in values.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(after["state"][index][key]))
    groups = json.loads(json.dumps(before["param_groups"]))
    assert json.loads(json.dumps(after["param_groups"])) == groups


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_survives_json(name: str, tmp_path: Path) -> None:
    config = TrainConfig(schedule=name, epochs=12)

    def lrs(optimizer: Optimizer, schedule: Schedule, epochs: int) -> list[float]:
        seen = []
        for _ in range(epochs):
            optimizer.step()
            schedule.after_step()
            schedule.after_epoch(0.5)
            seen.append(optimizer.param_groups[0]["lr"])
        return seen

    model, optimizer = trained(config)
    schedule = build_schedule(
        optimizer,
        config.schedule,
        config.settings("schedule"),
        Length(epochs=config.epochs, steps=1),
    )
    lrs(optimizer, schedule, 5)
    save_checkpoint(tmp_path / "last", model, optimizer, {"schedule": schedule.state()})
    restored = build_optimizer(network(), config.optimizer, config.settings("optimizer"))
    its_schedule = build_schedule(
        restored,
        config.schedule,
        config.settings("schedule"),
        Length(epochs=config.epochs, steps=1),
    )
    load_optimizer(tmp_path / "last", restored)
    its_schedule.restore(load_state(tmp_path / "last")["schedule"])
    assert lrs(restored, its_schedule, 7) == lrs(optimizer, schedule, 7)


def test_state_is_the_mapping_given(tmp_path: Path) -> None:
    model, optimizer = trained()
    given = {"config": {"lr": "0.0002"}, "progression": {"epoch": 4, "best_score": -float("inf")}}
    save_checkpoint(tmp_path / "last", model, optimizer, given)
    state = load_state(tmp_path / "last")
    assert {key: state[key] for key in given} == given


def test_weights_of_another_architecture_are_one_clear_error(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {})
    with pytest.raises(ValueError, match=r"^checkpoint: .*last does not fit the model: ") as caught:
        load_weights(tmp_path / "last", network(base_channels=4))
    assert "\n" not in str(caught.value)
    assert "first.0.weight" in str(caught.value)


def test_damaged_weights_are_one_clear_error(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {})
    weights = tmp_path / "last" / checkpoints.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"^checkpoint: .*last"):
        load_weights(tmp_path / "last", network())


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_the_mode_of_every_file_is_the_umasks(mask: int, tmp_path: Path) -> None:
    """Who shares a store reads the weights of others, too."""
    before = os.umask(mask)
    try:
        save_checkpoint(tmp_path / "last", *trained(), {})
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "last").iterdir()}
    assert modes == dict.fromkeys(modes, 0o666 & ~mask)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"optimizer": []}', '{"optimizer": {"state": 1}}', "[" * 10**5, "\udc80"],
)
def test_a_damaged_state_is_one_clear_error(text: str, tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {})
    state = tmp_path / "last" / checkpoints.STATE
    state.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError) as caught:
        load_optimizer(tmp_path / "last", optimizer)
    assert str(state) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_in_a_checkpoint_is_code(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 1})
    files = {path.name: path.read_bytes() for path in (tmp_path / "last").iterdir()}
    assert set(files) == {"model.safetensors", "optimizer.safetensors", "state.json"}
    json.loads(files["state.json"])
    for name in ("model.safetensors", "optimizer.safetensors"):
        header = int.from_bytes(files[name][:8], "little")
        tensors = json.loads(files[name][8 : 8 + header])
        end = max(entry["data_offsets"][1] for entry in tensors.values())
        assert 8 + header + end == len(files[name])  # a header and raw numbers, nothing else
    for content in files.values():
        with pytest.raises(ValueError):
            list(pickletools.genops(content))


def test_a_planted_pickle_is_not_executed(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {})
    witness = tmp_path / "executed"
    planted = f"cposix\nsystem\n(S'touch {witness}'\ntR.".encode()
    (tmp_path / "last" / checkpoints.WEIGHTS).write_bytes(planted)
    (tmp_path / "last" / checkpoints.OPTIMIZER).write_bytes(planted)
    with pytest.raises(ValueError, match="checkpoint: "):
        load_weights(tmp_path / "last", network())
    with pytest.raises(ValueError, match="checkpoint: "):
        load_optimizer(tmp_path / "last", optimizer)
    assert not witness.exists()


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


STEPS = {
    "mkdir": (Path, "mkdir"),
    "save_file": (checkpoints, "save_file"),
    "write_text": (Path, "write_text"),
    "fsync": (os, "fsync"),
    "rename": (Path, "rename"),
    "rmtree": (shutil, "rmtree"),
    "unlink": (os, "unlink"),
    "rmdir": (os, "rmdir"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_moment_leaves_a_loadable_checkpoint(
    step: str, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends just before or just after the n-th call of each thing that `save` does."""
    kills = 0
    while _killed_in_save(tmp_path / str(kills) / "last", step, kills, after, monkeypatch):
        kills += 1
    assert kills >= 1


def _killed_in_save(
    folder: Path, step: str, moment: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> bool:
    model, optimizer = trained()
    save_checkpoint(folder, model, optimizer, {"epoch": 1})
    old = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    learn(model, optimizer, batches(1))
    real, calls = getattr(*STEPS[step]), []

    def dying(*args: object, **kwargs: object) -> object:
        calls.append(step)
        if len(calls) == moment + 1 and not after:
            raise Killed
        result = real(*args, **kwargs)
        if len(calls) == moment + 1:
            raise Killed
        return result

    killed = False
    with monkeypatch.context() as patched:
        patched.setattr(*STEPS[step], dying)
        try:
            save_checkpoint(folder, model, optimizer, {"epoch": 2})
        except Killed:
            killed = True

    found = find_checkpoint(folder)
    assert found is not None
    expected = {1: old, 2: model.state_dict()}[load_state(found)["epoch"]]
    restored = network(seed=3)
    load_weights(found, restored)
    load_optimizer(found, build_optimizer(restored, "adam", Descent()))
    for name, tensor in restored.state_dict().items():
        assert torch.equal(tensor, expected[name])

    # And what was left over is not in the way of the process that goes on.
    save_checkpoint(folder, model, optimizer, {"epoch": 3})
    assert find_checkpoint(folder) == folder
    assert load_state(folder)["epoch"] == 3
    assert [path.name for path in folder.parent.iterdir()] == ["last"]
    return killed


def test_left_over_folders_are_no_checkpoint(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path / "last") is None
    (tmp_path / ".last.partial").mkdir()
    (tmp_path / ".last.partial" / "state.json").write_text("{}")
    assert find_checkpoint(tmp_path / "last") is None


def test_a_half_deleted_old_folder_never_wins_over_the_new(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 2})
    (tmp_path / ".last.old").mkdir()
    (tmp_path / ".last.old" / "state.json").write_text("{}")
    assert find_checkpoint(tmp_path / "last") == tmp_path / "last"


def test_the_best_stays_when_the_last_goes_on(tmp_path: Path) -> None:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 1})
    copy_checkpoint(tmp_path / "last", tmp_path / "best")
    best = {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()}
    learn(model, optimizer, batches(1))
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 2})
    assert {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()} == best
    assert load_state(tmp_path / "best")["epoch"] == 1
    copy_checkpoint(tmp_path / "last", tmp_path / "best")
    assert load_state(tmp_path / "best")["epoch"] == 2


def test_a_copy_is_made_where_links_do_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_paths: object) -> None:
        raise OSError("links do not work here")

    model, optimizer = trained()
    save_checkpoint(tmp_path / "last", model, optimizer, {"epoch": 1})
    monkeypatch.setattr(os, "link", refused)
    copy_checkpoint(tmp_path / "last", tmp_path / "best")
    load_weights(tmp_path / "best", network())
