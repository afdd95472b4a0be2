"""Runs made up of plausible curves, for stores that benchmarks and tests read.

Nothing was trained: the curves rise, overfit, dip for one epoch, diverge or stop as those of real
runs do, so that every state a reader can meet is there.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from trainer.analysis.stability import stability
from trainer.config import TrainConfig

SECOND = 1000
MINUTE = 60 * SECOND
EPOCH_MS = 20 * SECOND
FATES = ("completed", "completed", "completed", "completed", "dips", "dips", "pruned", "failed")

Curve = list[tuple[int, float]]


@dataclass(kw_only=True)
class DrawnRun:
    """One run as a store holds it; times in milliseconds since 1970, steps are epochs."""

    name: str
    experiment: str
    status: str
    start: int
    end: int | None
    params: dict[str, str]
    tags: dict[str, str]
    curves: dict[str, Curve] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    archived: bool = False
    run_id: str = ""
    epoch_ms: int = EPOCH_MS
    write_artifacts: Callable[[Path], None] | None = None


def grid(count: int, epochs: int, *, now: int, seed: int = 0) -> Iterator[DrawnRun]:
    """Yield ``count`` runs of a grid over lr, batch size, kernel size and seed.

    One configuration is repeated with three seeds. The last ones are still running.
    """
    rng = np.random.default_rng(seed)
    space = list(product((16, 32, 8, 4), (3, 5, 7), np.geomspace(1e-5, 3e-3, 300)))
    configurations = rng.permutation(len(space))
    for number in range(count):
        batch, kernel, lr = space[configurations[number // 3 % len(space)]]
        config = TrainConfig(
            lr=float(f"{lr:.3g}"),
            batch_size=batch,
            kernel_size=kernel,
            seed=number % 3,
            epochs=epochs,
            experiment=f"grid-{number // 3 % 4}",
        )
        fate = "running" if number >= count - 3 else FATES[rng.integers(len(FATES))]
        start = now - (count - number) * 3 * MINUTE - epochs * EPOCH_MS
        yield drawn_run(config, fate, epochs, start=start, rng=rng)


def drawn_run(
    config: TrainConfig, fate: str, epochs: int, *, start: int, rng: np.random.Generator
) -> DrawnRun:
    """Return one run with eight metrics an epoch; ``fate`` is an outcome, dips or running."""
    length = {"pruned": max(1, epochs // 3), "failed": max(2, epochs // 2)}.get(fate, epochs)
    curves = metric_curves(config, length, rng, dips=2 if fate == "dips" else 0)
    if fate == "failed":
        curves["train/loss"][-1] = (length, float("nan"))
    end = None if fate == "running" else start + length * EPOCH_MS
    outcome = {"dips": "completed", "running": ""}.get(fate, fate)
    run = DrawnRun(
        name=f"{config.model} lr {config.lr:.3g}",
        experiment=config.experiment,
        status=status_of(outcome),
        start=start,
        end=end,
        params=config.to_params(),
        tags=tags_of(config, outcome),
        curves=curves,
    )
    if end is not None:
        run.summary = summary_of(curves)
    return run


def metric_curves(
    config: TrainConfig, length: int, rng: np.random.Generator, *, dips: int
) -> dict[str, Curve]:
    """Return eight curves that belong together; good lr rises higher, high lr is noisier."""
    epoch = np.arange(1, length + 1)
    best = 0.985 - 0.02 * (np.log10(config.lr) + 3.7) ** 2 + 0.002 * (config.kernel_size - 3)
    noise = rng.normal(0, 0.002 + config.lr, length)
    dice = best - 0.35 * np.exp(-epoch / 3) + noise
    for at in rng.integers(1, length, dips) if length > 2 else ():
        dice[at] -= rng.uniform(0.05, 0.4)
    dice = np.clip(dice, 0.0, 1.0)
    train = np.clip(best + 0.006 - 0.33 * np.exp(-epoch / 3) + noise / 4, 0.0, 1.0)
    overfit = np.maximum(0, epoch - length / 2) * 0.002
    values = {
        "train/loss": 0.05 + 0.9 * (1 - train),
        "train/dice": train,
        "val/loss": 0.06 + 0.9 * (1 - dice) + overfit,
        "val/dice": dice,
        "val/miou": dice / (2 - dice),
        "val/accuracy": 1 - (1 - dice) / 4,
        "lr": np.full(length, config.lr),
        "train/grad_norm": 0.8 + 8 * np.maximum(0, np.roll(dice, 1) - dice),
    }
    return {key: list(zip(epoch.tolist(), v.tolist(), strict=True)) for key, v in values.items()}


def summary_of(curves: dict[str, Curve]) -> dict[str, float]:
    """Return the values that a run writes at its end."""
    dice = np.array([value for _, value in curves["val/dice"]])
    steps = np.array([step for step, _ in curves["val/dice"]])
    best = int(np.argmax(dice))
    found = {
        "best/val_dice": float(dice[best]),
        "best/epoch": float(steps[best]),
        "best/val_miou": max(value for _, value in curves["val/miou"]),
    }
    return found | stability(dice, epochs=steps).to_metrics()


def tags_of(config: TrainConfig, outcome: str) -> dict[str, str]:
    """Return the tags of the store contract."""
    return {
        "segscope.version": "0.1.0",
        "segscope.kind": "run",
        "segscope.data": config.data or "turntable",
        "segscope.data_digest": "3f9a1c0b77de",
        "segscope.git_commit": "8de5946d1b3c44a0a3f7c1b2d3e4f5a6b7c8d9e0",
        "segscope.seed_group": config.seed_group(),
        "segscope.classes": '["background", "object"]',
        **({"segscope.outcome": outcome} if outcome else {}),
    }


def status_of(outcome: str) -> str:
    """Return MLflow's status of an outcome; without one the run is still going."""
    if outcome in ("pruned", "interrupted"):
        return "KILLED"
    return {"failed": "FAILED", "": "RUNNING"}.get(outcome, "FINISHED")


def new_id() -> str:
    """Return a fresh run id as MLflow makes them."""
    return uuid.uuid4().hex
