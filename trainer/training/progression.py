"""How far a run has come, and which of its epochs is the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer.analysis.score_table import twin
from trainer.config import TrainConfig

# The curves that the statistics and diagnoses at the end of a run are made from.
HISTORY = (
    "train/loss",
    "train/dice",
    "train/miou",
    "train/grad_norm",
    "val/loss",
    "val/dice",
    "val/miou",
    "val/foreground_share",
    "lr",
)


@dataclass
class Progression:
    """How far a run has come: what a checkpoint must remember beside weights and optimiser.

    ``history`` holds each curve of `HISTORY`, and the monitored one, from epoch 1 on, so that the
    end of a resumed run knows its beginning without asking the store.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf
    best_metrics: dict[str, float] = field(default_factory=dict)
    score_to_beat: float = -math.inf
    epochs_without_gain: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)

    def update(self, epoch: int, metrics: Mapping[str, float], config: TrainConfig) -> bool:
        """Take an epoch's metrics in; return whether it is the best so far.

        As long as no epoch has a score the newest stands for the best, so that there always is one.
        """
        self.epoch = epoch
        known = dict.fromkeys((*HISTORY, config.monitor, twin(config.monitor)))
        for key in (key for key in known if key in metrics):
            # A checkpoint of an earlier version has no beginning of a curve that it did not keep.
            curve = self.history.setdefault(key, [math.nan] * (epoch - 1))
            curve.append(float(metrics[key]))
        score = metrics[config.monitor]
        # Patience asks for a gain of min_delta, which small steps may add up to; the best
        # checkpoint for any gain at all.
        if score > self.score_to_beat + (config.min_delta if config.patience else 0.0):
            self.score_to_beat, self.epochs_without_gain = score, 0
        else:
            self.epochs_without_gain += 1
        if self.is_scored and not score > self.best_score:
            return False
        self.best_epoch = epoch
        if not math.isnan(score):
            self.best_score = score
        self.best_metrics = {k: v for k, v in metrics.items() if k.startswith("val/")}
        return True

    @property
    def is_scored(self) -> bool:
        """Whether some epoch had the monitored score."""
        return self.best_score > -math.inf

    def is_out_of_patience(self, config: TrainConfig) -> bool:
        """Whether early stopping ends the run here."""
        return config.patience is not None and self.epochs_without_gain >= config.patience
