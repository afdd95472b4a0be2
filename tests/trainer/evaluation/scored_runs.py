"""Runs with results by image and epoch, written without training."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trainer.config import TrainConfig
from trainer.evaluation.per_image import FOLDER, write_part
from trainer.tracking import start_run
from trainer.tracking.client import client

IMAGES = tuple(f"image {number:02d}" for number in range(24))
CLASSES = ("background", "car")


class Epoch(NamedTuple):
    """What a run logs of an epoch, and which share of each car it finds."""

    dice: float
    miou: float
    found: float


# By Dice the first is the better one at its best epoch; by mIoU, which it monitors, it is worse.
BY_DICE = (Epoch(0.70, 0.50, 0.50), Epoch(0.80, 0.60, 0.80), Epoch(0.75, 0.55, 0.60))
BY_MIOU = (Epoch(0.85, 0.50, 0.95), Epoch(0.70, 0.55, 0.60), Epoch(0.72, 0.65, 0.70))


def write_run(
    name: str,
    epochs: Sequence[Epoch],
    *,
    monitor: str = "val/dice",
    outcome: str | None = "completed",
    says_best: bool = True,
    images: Sequence[str] = IMAGES,
    classes: Sequence[str] = CLASSES,
    groups: Sequence[str] | None = None,
    digest: str | None = "3f9a1c0b77de",
    scale: int = 1,
    **settings: object,
) -> str:
    """Write a run and return its id; without an ``outcome`` it goes on.

    ``scale``: it was scored on targets of so many times the pixels.
    """
    config = TrainConfig(monitor=monitor, run_name=name).replace(**settings)
    run = start_run(config, tags={} if digest is None else {"segscope.data_digest": digest})
    scores = {"val/dice": [e.dice for e in epochs], "val/miou": [e.miou for e in epochs]}
    for number, epoch in enumerate(epochs, start=1):
        write_part(
            run.folder / FOLDER,
            epoch=number,
            images=images,
            classes=classes,
            confusion=scale * confusion(epoch.found, len(images), len(classes)),
            groups=groups,
            lr=math.nan,
            grad_norm=math.nan,
        )
        run.log_epoch(number, {key: values[number - 1] for key, values in scores.items()})
    if says_best:
        best = int(np.argmax(scores[monitor]))
        said = {"best/epoch": best + 1.0}
        said |= {f"best/{k.replace('/', '_')}": v[best] for k, v in scores.items()}
        run.log_epoch(len(epochs), said)
    if outcome is not None:
        run.finish(outcome)
    return run.id


def write_foreign_run(name: str, metrics: Mapping[str, Sequence[float]]) -> str:
    """Write a run as a program does that knows nothing of Segscope, and return its id."""
    api = client()
    run_id = str(api.create_run("0", run_name=name).info.run_id)
    for key, values in metrics.items():
        for step, value in enumerate(values, start=1):
            api.log_metric(run_id, key, value, step=step)
    api.set_terminated(run_id)
    return run_id


def confusion(found: float, images: int, classes: int) -> np.ndarray:
    """Return ``(images, classes, classes)`` pixels: of 1,000 of a car so many are found."""
    matrix = np.zeros((images, classes, classes), dtype=np.int64)
    matrix[:, 0, 0] = 9_000
    matrix[:, 1, 1] = np.round(1_000 * found + 20 * np.sin(np.arange(images))).clip(0, 1_000)
    matrix[:, 1, 0] = 1_000 - matrix[:, 1, 1]
    return matrix
