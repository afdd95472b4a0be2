"""The range test of learning rates: steps of a real training at rates that grow until it breaks."""

import itertools
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from trainer.analysis.learning_rates import KIND, PICTURE, Suggested, has_diverged, suggest
from trainer.analysis.scores import Floats
from trainer.config import TrainConfig
from trainer.data.loading import SegmentationData
from trainer.data.painting import save_image
from trainer.evaluation.evaluate import split_loss
from trainer.network.device import repeatable
from trainer.progress import Progress
from trainer.tracking import finish, held, log_files, log_summary, start_parent
from trainer.tracking.closing import ended_by
from trainer.training.fitting import opened
from trainer.training.loop import Training, learn
from trainer.training.range_picture import picture

logger = logging.getLogger(__name__)

# What decides how long a training is, and what is kept of it; a range test has its own.
UNREAD = ("lr", "schedule", "warmup_epochs", "epochs", "patience", "monitor", "ema_decay")


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """The rates of a test, the loss of each step ``(steps,)``, and what they suggest."""

    run_id: str
    rates: Floats
    losses: Floats
    suggested: Suggested

    def to_json(self) -> dict[str, Any]:
        """Return what ``trainer lr-find --json`` prints."""
        losses = [loss if np.isfinite(loss) else None for loss in self.losses.tolist()]
        return {
            "run_id": self.run_id,
            **vars(self.suggested),
            "lr": self.rates.tolist(),
            "loss": losses,
        }


def range_test(
    config: TrainConfig, *, steps: int, lowest: float, highest: float, progress: bool = True
) -> RangeTest:
    """Try rates from ``lowest`` to ``highest`` in so many steps, and keep the test in the store.

    It is as a training of ``config`` begins: its data, augmentation, loss, optimiser and seed.
    Raises ``ValueError`` before there is a run of it for a mistake in the data, the configuration
    or the bounds.
    """
    _check(steps, lowest, highest)
    config = config.replace(
        schedule="constant", warmup_epochs=0, patience=None, monitor="val/dice", ema_decay=None
    )
    config, data, training, _, notes = opened(config, progress)
    for note in notes:
        logger.info("%s", note)
    rates = np.geomspace(lowest, highest, steps)
    run_id = start_parent(
        f"{KIND} {config.run_name or config.model}",
        experiment=config.experiment,
        tags={"segscope.kind": KIND, "segscope.data": config.data or "turntable"},
        params=_params(config, steps, lowest, highest),
    )
    try:
        with held(run_id), repeatable(asked=config.deterministic):
            losses = _losses(training, data, config, rates, Progress(enabled=progress))
            tested = rates[: losses.size]
            found = RangeTest(
                run_id=run_id, rates=tested, losses=losses, suggested=suggest(tested, losses)
            )
        _keep(found, config)
    except BaseException as error:
        finish(run_id, *ended_by(error))
        raise
    finish(run_id, "completed", found.suggested.note or None)
    return found


def _check(steps: int, lowest: float, highest: float) -> None:
    if not 10 <= steps <= 10_000:
        raise ValueError(f"steps: {steps} must lie in 10 to 10000")
    if not 0 < lowest < highest < np.inf:
        raise ValueError(f"lowest: {lowest:g} must be above 0 and below highest, {highest:g}")


def _params(config: TrainConfig, steps: int, lowest: float, highest: float) -> dict[str, str]:
    read = {name: text for name, text in config.to_params().items() if name not in UNREAD}
    own = {"steps": str(steps), "lowest": f"{lowest:g}", "highest": f"{highest:g}"}
    return read | {f"{KIND}.{name}": text for name, text in own.items()}


def _losses(
    training: Training,
    data: SegmentationData,
    config: TrainConfig,
    rates: Floats,
    progress: Progress,
) -> Floats:
    """Return the loss of each step, of as many as it took until training diverged."""
    groups = training.optimizer.param_groups
    # An encoder that learns at a rate of its own keeps its share.
    shares = [group["lr"] / groups[0]["lr"] for group in groups]
    losses: list[float] = []
    sums: list[Tensor] = []

    def set_rate() -> None:
        for group, share in zip(groups, shares, strict=True):
            group["lr"] = float(rates[len(losses)]) * share

    set_rate()
    for epoch in itertools.count(1):
        for _, passed, norm in learn(training, data, config, epoch, progress, f"pass {epoch}"):
            sums.append(passed.sums)
            if norm is None:
                continue
            losses.append(split_loss(sums))
            sums.clear()
            if len(losses) == rates.size or has_diverged(losses):
                return np.array(losses)
            set_rate()
    raise AssertionError("there is no last epoch")


def _keep(found: RangeTest, config: TrainConfig) -> None:
    """Put the numbers, the picture and the configuration into the run."""
    rates = vars(found.suggested)
    suggested = {name: rates[name] for name in ("steepest", "below_minimum")}
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        folder = Path(scratch)
        table = pd.DataFrame({"lr": found.rates, "loss": found.losses})
        table.to_csv(folder / f"{KIND}.csv", index_label="step")
        save_image(picture(found.rates, found.losses, suggested), folder / PICTURE)
        (folder / f"{KIND}.yaml").write_text(config.to_yaml(), encoding="utf-8")
        log_files(found.run_id, folder)
    told = {f"{KIND}/{name}": rate for name, rate in suggested.items() if rate is not None}
    log_summary(found.run_id, told)
