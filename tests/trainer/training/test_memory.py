"""A run finds the batch that fits, and says what would where memory runs out."""

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.command_line import Answer
from trainer.config import TrainConfig
from trainer.config.flags import config_of, parse_run
from trainer.data.loading import Batch, open_data
from trainer.network.device import peak_memory_mib
from trainer.network.forward import Forward, Passed
from trainer.network.memory import reachable_mib
from trainer.tracking import get_run
from trainer.tracking.reading import histories
from trainer.training import batch_search, memory
from trainer.training.fitting import FitResult, _new_training, fit

SAID = "out of memory at batch_size"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what gives the network so much memory, in images of 32 x 48 and 4 channels.

    A training step that would take more is refused as a GPU refuses it. What is computed again
    takes half as much.
    """
    passing = Forward.__call__

    def set_memory(images: float) -> None:
        def refusing(self: Forward, batch: Batch) -> Passed:
            first: Any = self.model.first
            halved = "forward" in vars(first)
            pixels = batch.images[:, 0].numel() * first[0].out_channels / 4
            if self.model.training and pixels / (2 if halved else 1) > images * 32 * 48:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return passing(self, batch)

        monkeypatch.setattr(Forward, "__call__", refusing)

    return set_memory


def folder_of(result: FitResult) -> Path:
    return Path(get_run(result.run_id).info.artifact_uri.removeprefix("file://"))


@pytest.mark.parametrize(
    ("asked", "fitting", "found"),
    [
        ("auto", 5.0, {"batch_size": 4}),
        ("auto", 1e9, {"batch_size": 8}),  # of 12 images
        ("auto:12", 5.0, {"batch_size": 4, "accumulate": 3}),
        ("auto:12", 1e9, {"batch_size": 12, "accumulate": 1}),
        ("auto:7", 6.5, {"batch_size": 1, "accumulate": 7}),
    ],
)
def test_the_number_that_was_found_takes_the_place_of_auto(
    tiny: TrainConfig,
    store: Path,
    gpu: Callable[[float], None],
    asked: str,
    fitting: float,
    found: dict[str, int],
) -> None:
    gpu(fitting)
    config = tiny.replace(epochs=1, samples=0)
    result = fit(config.replace(batch_size=asked), progress=False)
    assert (result.outcome, result.found) == ("completed", found)
    run = get_run(result.run_id)
    numbers = config.replace(**found)
    assert {name: run.data.params[name] for name in found} == {
        name: str(value) for name, value in found.items()
    }
    assert run.data.tags["segscope.seed_group"] == numbers.seed_group()
    assert f"batch_size: {found['batch_size']}\n" in (folder_of(result) / "config.yaml").read_text()
    log = (folder_of(result) / "log.txt").read_text()
    assert log.count(f"found for batch_size {asked}: ") == 1
    again = fit(numbers, progress=False)
    losses = histories([result.run_id, again.run_id], ["train/loss"]).groupby("run_id")["value"]
    assert len({tuple(values) for _, values in losses}) == 1
    assert again.best == result.best


def test_it_is_found_within_what_is_free(
    tiny: TrainConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By real steps of growing size, of which none takes much more than there is."""
    config = tiny.replace(image_size=(320, 480), base_channels=8, epochs=1, samples=0)
    budget = 300.0
    monkeypatch.setattr(
        batch_search, "reachable_mib", lambda device, share: reachable_mib(device, 0.0) + budget
    )
    peaks: list[float] = []

    def noted(device: torch.device) -> float:
        peaks.append(peak_memory_mib(device))
        return peaks[-1]

    monkeypatch.setattr(batch_search, "peak_memory_mib", noted)
    data = open_data(config, progress=False)
    build = partial(_new_training, data=data)
    config = config.replace(batch_size="auto:12")
    before = reachable_mib(torch.device("cpu"), 0.0)
    found, told = memory.find_batch_size(config, data, build)
    assert 1 <= found["batch_size"] < 12
    # An allocator keeps what it likes: the last step may take a little more than was foretold.
    assert " would take " in told or " took " in told.partition(";")[2]
    assert max(peaks) < before + 2 * budget
    budget = 4000.0
    more, _ = memory.find_batch_size(config, data, build)
    assert more["batch_size"] > found["batch_size"]


def cures(line: str) -> list[list[str]]:
    """Return each of the flags that a line says would help."""
    listed = line.partition("what fits here: ")[2].replace("or ", "")
    return [shlex.split(each) for each in listed.split(", ")]


@pytest.mark.parametrize(
    ("changes", "fitting", "named"),
    [
        ({}, 3.0, ["--batch-size 2 --accumulate 2", "--activation-checkpointing"]),
        ({"accumulate": 3}, 1.5, ["--batch-size 1 --accumulate 12", "--batch-size 2 "]),
        ({"batch_size": 1}, 0.6, ["--activation-checkpointing", "--image-size 16 24"]),
        ({"activation_checkpointing": True}, 1.9, ["--batch-size 2", "--base-channels 2"]),
        ({"geometry": "pad", "image_size": None}, 2.0, ["--geometry random-crop --image-size"]),
    ],
)
def test_each_setting_that_is_named_makes_the_run_fit(
    tiny: TrainConfig,
    store: Path,
    gpu: Callable[[float], None],
    changes: dict[str, Any],
    fitting: float,
    named: list[str],
) -> None:
    left_out = {name for name, value in changes.items() if value is None}
    values = {**tiny.values(), "epochs": 1, "samples": 0, **changes}
    config = TrainConfig(**{name: v for name, v in values.items() if name not in left_out})
    gpu(fitting)
    result = fit(config, progress=False)
    run = get_run(result.run_id)
    assert (result.outcome, run.info.status) == ("failed", "FAILED")
    reason = run.data.tags["segscope.reason"]
    assert reason == result.reason and "\n" not in reason
    assert reason.startswith(f"{SAID} {config.batch_size}; what fits here: ")
    assert f"failed: {reason}" in (folder_of(result) / "log.txt").read_text()
    flags = cures(reason)
    assert len(flags) == 3
    assert all(any(each in shlex.join(of) for of in flags) for each in named)
    for each in flags:
        changed = config_of(parse_run(Answer, prog="fit", args=each, base=config))
        again = fit(changed, progress=False)
        assert again.outcome == "completed", each
        if "--batch-size" in each:
            step = config.images_at_once * config.accumulate
            assert changed.images_at_once * changed.accumulate == step


def test_a_later_epoch_that_runs_out_keeps_those_before(
    tiny: TrainConfig, store: Path, gpu: Callable[[float], None]
) -> None:
    def full(epoch: int, metrics: Any) -> None:
        gpu(2.0)

    result = fit(tiny.replace(epochs=3), on_epoch=full, progress=False)
    assert (result.outcome, result.epochs) == ("failed", 1)
    assert str(result.reason).startswith(SAID)
    assert set(result.best) and (folder_of(result) / "checkpoints" / "best").exists()


def test_where_not_even_one_image_fits_there_is_no_run(
    tiny: TrainConfig, store: Path, gpu: Callable[[float], None]
) -> None:
    gpu(0.6)
    with pytest.raises(ValueError, match=r"^batch_size: not a single image fits .*--image-size 16"):
        fit(tiny.replace(batch_size="auto"), progress=False)
    gpu(0.0)
    with pytest.raises(ValueError, match="nothing less fits beside the network"):
        fit(tiny.replace(batch_size="auto"), progress=False)


def test_what_cannot_be_measured_is_said(
    tiny: TrainConfig,
    store: Path,
    gpu: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(device: torch.device) -> None:
        raise ValueError("memory: it is measured on Linux and on a GPU alone")

    monkeypatch.setattr(batch_search, "reset_peak", refuse)
    gpu(2.0)
    reason = fit(tiny, progress=False).reason
    assert reason == f"{SAID} 4; make the batches, the images or the model smaller"
    with pytest.raises(ValueError, match="measured on Linux"):
        fit(tiny.replace(batch_size="auto"), progress=False)
