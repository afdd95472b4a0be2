"""What the weights of an epoch score on the validation images."""

import time

from trainer.analysis.score_table import AVERAGED
from trainer.config import TrainConfig
from trainer.data.loading import SegmentationData
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluation import Evaluation
from trainer.network.forward import Forward
from trainer.progress import Progress
from trainer.training.averaging import WeightAverage
from trainer.training.recording import SampleRecorder


def validate(
    learning: Forward,
    average: WeightAverage | None,
    data: SegmentationData,
    config: TrainConfig,
    *,
    samples: SampleRecorder,
    progress: Progress,
    epoch: int,
    judgement: type[Evaluation],
) -> tuple[Evaluation, dict[str, float]]:
    """Return the evaluation of the weights that the run is judged by, and the ``val/*`` metrics.

    Where the weights are averaged too, the metrics are of both.
    """

    def judge(forward: Forward, what: str) -> Evaluation:
        batches = data.batches("val", batch_size=config.images_at_once, workers=config.workers)
        return evaluate(
            forward,
            progress.watch(batches, f"epoch {epoch} {what}"),
            split="val",
            images=data.names("val"),
            groups=data.groups("val"),
            classes=data.class_names,
            keep=samples.indices,
            keep_worst=samples.keep_worst,
            judgement=judgement,
        )

    started = time.monotonic()
    validation = judge(learning, "validation")
    seconds = max(time.monotonic() - started, 1e-9)
    speed = {"throughput/val_images_per_second": data.size("val") / seconds}
    metrics = {**validation.metrics(), **speed}
    if average is None:
        return validation, metrics
    averaged = judge(average.forward, "validation of averaged weights")
    scores = averaged.metrics().items()
    metrics |= {f"{AVERAGED}/{key.removeprefix('val/')}": value for key, value in scores}
    return averaged if average.is_judged else validation, metrics
