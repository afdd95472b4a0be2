"""What a run keeps of an epoch, in one order, whatever trained it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from trainer.analysis.score_table import AVERAGED, of_average
from trainer.config import TrainConfig
from trainer.data.loading import SegmentationData
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.samples import FOLDER, Strip, write_predictions, write_samples, write_worst
from trainer.wording import duration

logger = logging.getLogger(__name__)

MOST_WORST = 4
OnEpoch = Callable[[int, Mapping[str, float]], None]


class RunFolder(Protocol):
    """Where a recorder writes: a run of the store, or a stand-in."""

    folder: Path

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep one epoch's metrics."""


class Recorder:
    """Keep every epoch of a run: its results by image, samples, metrics, checkpoint, and a line."""

    def __init__(
        self,
        run: RunFolder,
        data: SegmentationData,
        config: TrainConfig,
        *,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        self.run = run
        self.samples = SampleRecorder(
            run.folder, data, count=config.samples, seed=config.split_seed
        )
        self._epochs = config.epochs
        self._is_at_most = config.patience is not None
        self._seconds: list[float] = []
        self._monitor = config.monitor
        self._on_epoch = on_epoch

    def record(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        validation: Evaluation,
        *,
        best: bool,
        save: Callable[[Path], None],
    ) -> None:
        """Keep an epoch; all of it is safe before ``on_epoch`` hears of it.

        ``save`` writes the checkpoints into the folder that it is given.
        """
        validation.write_images(
            self.run.folder / PER_IMAGE,
            epoch=epoch,
            lr=metrics["lr"],
            grad_norm=metrics["train/grad_norm"],
        )
        self.samples.record(epoch, validation)
        if best:
            validation.write_confusion(self.run.folder / "evaluation", epoch=epoch)
        # Metrics before the checkpoint: killed in between, the epoch is trained and logged again
        # (readers keep the newest). The other way round it would be missing for good.
        self.run.log_epoch(epoch, metrics)
        save(self.run.folder / "checkpoints")
        scores = _beside(validation.told(), metrics, self._monitor)
        self._seconds.append(metrics["time/epoch_seconds"])
        told = [_line(epoch, self._epochs, metrics, scores), self.left(epoch), "best" * best]
        logger.info("  ".join(filter(None, told)))
        if self._on_epoch is not None:
            self._on_epoch(epoch, metrics)

    def left(self, epoch: int) -> str:
        """Say after an epoch how long the rest will take, as those of this process took."""
        if epoch >= self._epochs:
            return ""
        seconds = (self._epochs - epoch) * float(np.median(self._seconds))
        return f"{'at most' if self._is_at_most else 'about'} {duration(seconds)} left"


def _beside(scores: str, metrics: Mapping[str, float], monitor: str) -> str:
    """Add to what the judged weights scored what the others did, where the weights are averaged."""
    key = monitor.rpartition("/")[2]
    averaged = metrics.get(f"{AVERAGED}/{key}")
    if averaged is None:
        return scores
    if of_average(monitor):
        return f"ema {scores}  raw {key} {metrics[f'val/{key}']:.4f}"
    return f"{scores}  ema {key} {averaged:.4f}"


def _line(epoch: int, epochs: int, metrics: Mapping[str, float], scores: str) -> str:
    return (
        f"epoch {epoch:>3}/{epochs}  train loss {metrics['train/loss']:.4f}  "
        f"val loss {metrics['val/loss']:.4f}  {scores}  {metrics['time/epoch_seconds']:.1f} s"
    )


class SampleRecorder:
    """Write the predictions of ``count`` validation images, chosen by ``seed``, after each epoch.

    The choice hangs on the split alone, so runs on the same split show the same images. The
    currently worst few are written beside them.
    """

    def __init__(self, run_folder: Path, data: SegmentationData, *, count: int, seed: int) -> None:
        self._folder = run_folder / FOLDER
        self._data = data
        available = data.size("val")
        chosen = np.random.default_rng(seed).permutation(available)[:count]
        self.indices: tuple[int, ...] = tuple(sorted(int(index) for index in chosen))
        self.keep_worst = min(count, MOST_WORST)
        if self.indices:
            write_samples(self._folder, self._strip(self.indices), data.classes)

    def record(self, epoch: int, evaluation: Evaluation) -> None:
        """Write the predicted maps of the fixed images and of the worst ones of this epoch."""
        if not self.indices:
            return
        maps = evaluation.predictions
        classes = self._data.classes
        write_predictions(self._folder, epoch, [maps[i] for i in self.indices], classes)
        if worst := evaluation.worst(self.keep_worst):
            indices, scores = zip(*worst, strict=True)
            predicted = [maps[i] for i in indices]
            write_worst(self._folder, epoch, self._strip(indices), predicted, scores, classes)

    def _strip(self, indices: Sequence[int]) -> Strip:
        names = self._data.names("val")
        return Strip(
            names=tuple(names[i] for i in indices),
            images=tuple(self._data.image("val", i) for i in indices),
            targets=tuple(self._data.target("val", i) for i in indices),
        )
