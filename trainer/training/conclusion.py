"""The end of a run: its summary, the test split, and what the curves say."""

import copy
import logging

import numpy as np

from trainer.analysis.diagnosis import Finding, diagnose
from trainer.analysis.headline import STABILITY_TAG
from trainer.analysis.per_image_rows import per_image_dice, target_foreground_share
from trainer.analysis.stability import stability
from trainer.classification.config import ClassifyConfig
from trainer.classification.judging import Judgement
from trainer.config import TrainConfig
from trainer.data.loading import SegmentationData
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.per_image import read_parts
from trainer.network.cost import cost_of
from trainer.progress import Progress
from trainer.tracking import Run
from trainer.training.checkpoints import find_checkpoint, load_weights
from trainer.training.loop import Training
from trainer.training.progression import Progression

logger = logging.getLogger(__name__)

TEST_FOLDER = "evaluation/test"


def conclude(
    run: Run,
    config: TrainConfig,
    data: SegmentationData,
    training: Training,
    outcome: str,
    progress: Progress,
) -> dict[str, float]:
    """Write the summary metrics, the test results and the diagnoses; return the stability ones.

    The test split is evaluated once, with the best weights, and only when training came to its
    own end: a pruned or failed run has no result to report on it.
    """
    progression = training.progression
    statistics: dict[str, float] = {}
    if progression.epoch:
        if not progression.is_scored:
            logger.warning("no epoch had a %s, so the last one stands for the best", config.monitor)
        statistics = stability(np.array(progression.history[config.monitor])).to_metrics()
        run.set_tags({STABILITY_TAG: config.monitor})
        best = best_of(training, config.monitor)
        summary = {f"best/{key}": value for key, value in best.items()}
        if outcome in ("completed", "early-stopped"):
            summary |= _final(run, config, data, training, progress)
        summary |= _costs(training, data, config)
        run.log_epoch(progression.epoch, summary | statistics)
    findings = _diagnose(run, config, data, progression, outcome)
    run.write_json("diagnoses.json", [finding.to_json() for finding in findings])
    for finding in findings:
        logger.info("%s: %s", finding.rule, finding.message)
    return statistics


def best_of(training: Training, monitor: str) -> dict[str, float]:
    """Return the best ``epoch`` with its ``val_dice``, ``val_miou`` and the monitored score.

    Of a classifier it has the scores that are shown of one. Empty before any epoch.
    """
    progression = training.progression
    if progression.best_epoch == 0:
        return {}
    shown = dict.fromkeys((*(f"val/{key}" for key in training.judgement.shown), monitor))
    scores = {key.replace("/", "_"): progression.best_metrics[key] for key in shown}
    return {"epoch": progression.best_epoch, **scores}


def _costs(training: Training, data: SegmentationData, config: TrainConfig) -> dict[str, float]:
    """Return what the network costs for an image of the size that it was trained on."""
    network = copy.deepcopy(training.forward.model).to("meta")
    found = cost_of(network, data.augmented_size, channels=config.channels)
    return {
        "model/parameters": found.trainable,
        "model/statistics": found.buffers,
        "model/flops": found.flops,
    }


def _final(
    run: Run,
    config: TrainConfig,
    data: SegmentationData,
    training: Training,
    progress: Progress,
) -> dict[str, float]:
    """Return the ``test/*`` metrics of the best weights, and boundary IoU where asked for."""
    best = find_checkpoint(run.folder / "checkpoints" / "best")
    if best is None:
        return {}
    load_weights(best, training.forward.model)

    def evaluated(split: str) -> Evaluation:
        batches = data.batches(split, batch_size=config.images_at_once, workers=config.workers)
        return evaluate(
            training.forward,
            progress.watch(batches, split),
            split=split,
            images=data.names(split),
            groups=data.groups(split),
            classes=data.class_names,
            boundary=config.boundary_iou,
            judgement=training.judgement,
        )

    metrics: dict[str, float] = {}
    if config.boundary_iou:
        metrics["best/val_boundary_iou"] = evaluated("val").scores()["boundary_iou"]
    if data.size("test"):
        result = evaluated("test")
        result.write(run.folder / TEST_FOLDER, epoch=training.progression.best_epoch)
        metrics |= result.metrics()
        told = result.with_intervals() if isinstance(result, Judgement) else result.told()
        logger.info("test: %s", told)
    return metrics


def _diagnose(
    run: Run,
    config: TrainConfig,
    data: SegmentationData,
    progression: Progression,
    outcome: str,
) -> list[Finding]:
    rows = read_parts(run.folder / PER_IMAGE)
    of_masks = not rows.empty and not isinstance(config, ClassifyConfig)
    return diagnose(
        progression.history,
        metric=config.monitor,
        num_val_images=data.size("val"),
        outcome=outcome,
        patience=config.patience,
        target_foreground_share=target_foreground_share(rows) if of_masks else None,
        per_image=per_image_dice(rows) if of_masks else None,
    )
