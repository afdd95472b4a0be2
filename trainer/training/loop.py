"""The training loop, from the first epoch to the last."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainer.analysis.ratios import PixelCounts, summary
from trainer.analysis.scores import counts
from trainer.config import TrainConfig
from trainer.data.loading import Batch, Batches, SegmentationData
from trainer.evaluation.evaluate import split_loss
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import confusion_per_image, predicted_classes
from trainer.network.device import peak_memory_mib
from trainer.network.forward import Forward, Passed
from trainer.progress import Progress
from trainer.training.averaging import AVERAGED, LEARNING, WeightAverage
from trainer.training.checkpoints import WEIGHTS, copy_checkpoint, save_checkpoint
from trainer.training.progression import Progression
from trainer.training.recording import Recorder, RunFolder
from trainer.training.schedules import Schedule
from trainer.training.validation import validate


class TrainingFailure(Exception):
    """Training cannot go on, for a reason that lies in the learning; everything so far is kept."""


class StopTraining(Exception):
    """Raised by whoever watches the epochs, to end the run here with everything kept."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Training:
    """The parts of a run that change while it trains.

    ``architecture`` is the model's name and settings, enough to build it again.
    """

    architecture: dict[str, Any]
    forward: Forward
    optimizer: Optimizer
    schedule: Schedule
    progression: Progression
    frozen: tuple[nn.Module, ...] = ()
    """Parts of the network that do not learn."""
    judgement: type[Evaluation] = Evaluation
    """What is made of what is counted on a split."""
    average: WeightAverage | None = None

    def networks(self) -> dict[str, nn.Module]:
        """Return all whose weights a checkpoint keeps, by file: as the model's, the judged ones."""
        learning = self.forward.model
        if self.average is None:
            return {WEIGHTS: learning}
        averaged = self.average.forward.model
        if self.average.is_judged:
            return {WEIGHTS: averaged, LEARNING: learning}
        return {WEIGHTS: learning, AVERAGED: averaged}

    def state(self, config: TrainConfig) -> dict[str, Any]:
        """Return the JSON part of a checkpoint."""
        averaged = {"average": {"updates": self.average.updates}} if self.average else {}
        return {
            **averaged,
            "config": config.to_params(),
            "model": self.architecture,
            "progression": vars(self.progression),
            "schedule": self.schedule.state(),
        }


def train(
    training: Training,
    data: SegmentationData,
    config: TrainConfig,
    recorder: Recorder,
    progress: Progress,
) -> str:
    """Train until the epochs or the patience run out, and return the outcome.

    Goes on after ``training.progression.epoch``; what is kept of each epoch is the recorder's.
    Raises `TrainingFailure` when the loss is no longer finite.
    """
    # Before an epoch and not after it: a process may have died between the last one and the end.
    while not training.progression.is_out_of_patience(config):
        epoch = training.progression.epoch + 1
        if epoch > config.epochs:
            return "completed"
        started = time.monotonic()
        lr = float(training.optimizer.param_groups[0]["lr"])
        learned = train_epoch(training, data, config, epoch, progress)
        _fail_unless_finite("train/loss", {**learned, "lr": lr}, epoch, training, recorder.run)
        validation, scored = validate(
            training.forward,
            training.average,
            data,
            config,
            samples=recorder.samples,
            progress=progress,
            epoch=epoch,
            judgement=training.judgement,
        )
        metrics = {
            **learned,
            **scored,
            "lr": lr,
            "time/epoch_seconds": time.monotonic() - started,
            "memory/peak_mib": peak_memory_mib(training.forward.device),
        }
        # Weights that the epoch's last steps spoilt show here first; no checkpoint may hold them.
        _fail_unless_finite("val/loss", metrics, epoch, training, recorder.run)
        best = training.progression.update(epoch, metrics, config)
        training.schedule.after_epoch(metrics[config.monitor])
        recorder.record(
            epoch, metrics, validation, best=best, save=partial(_save, training, config, best)
        )
        progress.beside = f"  {recorder.left(epoch)}"
    return "early-stopped"


def training_batches(
    data: SegmentationData, config: TrainConfig, epoch: int, device: torch.device
) -> Batches:
    """Return the batches that an epoch of training passes over."""
    return data.batches(
        "train",
        batch_size=config.images_at_once,
        epoch=epoch,
        seed=config.seed,
        shuffle=True,
        augment=True,
        workers=config.workers,
        pin_memory=device.type == "cuda",
    )


def steps_in_epoch(data: SegmentationData, config: TrainConfig, device: torch.device) -> int:
    """Return how many steps the optimiser takes in an epoch."""
    return math.ceil(len(training_batches(data, config, 1, device)) / config.accumulate)


def _shares(sizes: list[int], accumulate: int) -> list[float]:
    """Return what each batch counts in the step that it belongs to, by its number of images."""
    steps = [sizes[at : at + accumulate] for at in range(0, len(sizes), accumulate)]
    return [size / sum(step) for step in steps for size in step]


def learn(
    training: Training,
    data: SegmentationData,
    config: TrainConfig,
    epoch: int,
    progress: Progress,
    label: str,
) -> Iterator[tuple[Batch, Passed, Tensor | None]]:
    """Pass once over the training images, and yield each batch with what it gave.

    Where it ended a step of the optimiser, the norm of the step's gradient comes with it.
    """
    forward, model = training.forward, training.forward.model
    parameters = list(model.parameters())
    clip = config.gradient_clip or math.inf
    # What a network draws, as for dropout, hangs on the epoch and not on what went before it.
    torch.manual_seed(int(np.random.SeedSequence((config.seed, epoch)).generate_state(1)[0]))
    model.train()
    for part in training.frozen:
        part.eval()
    training.optimizer.zero_grad(set_to_none=True)
    batches = training_batches(data, config, epoch, forward.device)
    shares = _shares(batches.sizes, config.accumulate)
    watched: Iterable[Batch] = progress.watch(batches, label)
    for number, (batch, share) in enumerate(zip(watched, shares, strict=True), start=1):
        norm = None
        passed = forward(batch)
        (passed.loss * share).backward()  # type: ignore[no-untyped-call]
        if number % config.accumulate == 0 or number == len(batches):
            norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
            training.optimizer.step()
            training.optimizer.zero_grad(set_to_none=True)
            training.schedule.after_step()
            if training.average:
                training.average.update()
        yield batch, passed, norm


def train_epoch(
    training: Training, data: SegmentationData, config: TrainConfig, epoch: int, progress: Progress
) -> dict[str, float]:
    """Pass once over the training images and return the epoch's ``train/*`` metrics.

    Losses, gradient norms and pixel counts stay on the device until the end of the epoch: reading
    one earlier would make the processor wait for the GPU at every step.
    """
    device = training.forward.device
    sums: list[Tensor] = []
    norms: list[Tensor] = []
    confusion = torch.zeros(data.num_classes, data.num_classes, dtype=torch.int64, device=device)
    started = time.monotonic()
    label = f"epoch {epoch}/{config.epochs}"
    for batch, passed, norm in learn(training, data, config, epoch, progress, label):
        if norm is not None:
            norms.append(norm)
        sums.append(passed.sums)
        with torch.no_grad():
            predicted = predicted_classes(passed.logits)
            targets = batch.targets.to(device)
            confusion += confusion_per_image(predicted, targets, data.num_classes).sum(dim=0)
    scores = summary(PixelCounts(*counts(confusion.cpu().numpy()[np.newaxis])))
    norm_of_steps = torch.stack(norms)
    learned = {
        "train/loss": split_loss(sums),
        **{f"train/{key}": scores[key] for key in training.judgement.shown},
        "train/grad_norm": norm_of_steps.mean().item(),
        "train/grad_norm_max": norm_of_steps.max().item(),
    }
    # The clock stops once the device has answered.
    seconds = max(time.monotonic() - started, 1e-9)
    return {**learned, "throughput/train_images_per_second": data.size("train") / seconds}


def _fail_unless_finite(
    key: str, metrics: Mapping[str, float], epoch: int, training: Training, run: RunFolder
) -> None:
    loss = metrics[key]
    if math.isfinite(loss):
        return
    run.log_epoch(epoch, metrics)
    training.progression.history.setdefault(key, []).append(loss)
    what = {"train/loss": "training", "val/loss": "validation"}[key]
    raise TrainingFailure(
        f"the {what} loss became {loss} in epoch {epoch} at learning rate {metrics['lr']:g}; "
        "lower lr or set gradient_clip"
    )


def _save(training: Training, config: TrainConfig, best: bool, folder: Path) -> None:
    networks = training.networks()
    model = networks.pop(WEIGHTS)
    state = training.state(config)
    save_checkpoint(folder / "last", model, training.optimizer, state, networks)
    if best:
        copy_checkpoint(folder / "last", folder / "best")
