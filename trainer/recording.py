"""What a run keeps of its predictions: a few fixed validation images and the worst, by epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.loading import SegmentationData
from trainer.evaluation import Evaluation
from trainer.samples import FOLDER, Strip, write_predictions, write_samples, write_worst
from trainer.scores import image_scores

MOST_WORST = 4


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
        if evaluation.worst:
            scores = image_scores(evaluation.confusion[list(evaluation.worst)])
            write_worst(
                self._folder,
                epoch,
                self._strip(evaluation.worst),
                [maps[i] for i in evaluation.worst],
                [float(score) for score in scores],
                classes,
            )

    def _strip(self, indices: Sequence[int]) -> Strip:
        names = self._data.names("val")
        return Strip(
            names=tuple(names[i] for i in indices),
            images=tuple(self._data.image("val", i) for i in indices),
            targets=tuple(self._data.target("val", i) for i in indices),
        )
