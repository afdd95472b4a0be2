"""One run from its configuration to its end: data, tracking, training, evaluation, diagnosis."""

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainer.analysis.score_table import of_average
from trainer.classification.config import ClassifyConfig
from trainer.classification.data import LabelledData
from trainer.classification.judging import Judgement
from trainer.classification.network import Classifier
from trainer.config import TrainConfig
from trainer.config.parsing import scored_in
from trainer.data.augment import check_augmentation, written_augmentation
from trainer.data.loading import SegmentationData, open_data
from trainer.data.splits import Splits
from trainer.evaluation.evaluation import Evaluation
from trainer.faults import is_out_of_memory
from trainer.files import reading, remove_partials
from trainer.models import build_model
from trainer.network.arithmetic import DTYPES
from trainer.network.device import choose_device, choose_dtype, processor_name, repeatable
from trainer.network.forward import Forward
from trainer.network.losses import Weigh, build_loss
from trainer.network.recomputation import recompute
from trainer.prediction.registry import settled
from trainer.progress import Progress
from trainer.store import tracking_uri, without_passwords
from trainer.tracking import Ending, Run, closing, get_run, held, log_file, reopen_run, starting
from trainer.tracking.beginning import name_of
from trainer.tracking.class_names import classes_tag
from trainer.training.averaging import WeightAverage
from trainer.training.conclusion import best_of, conclude
from trainer.training.few_steps import few_steps
from trainer.training.loop import (
    StopTraining,
    Training,
    TrainingFailure,
    steps_in_epoch,
    train,
)
from trainer.training.memory import find_batch_size, out_of_memory
from trainer.training.optimizers import build_optimizer
from trainer.training.progression import Progression
from trainer.training.recording import OnEpoch, Recorder
from trainer.training.restoring import kept_checkpoints, restore
from trainer.training.schedules import Length, build_schedule
from trainer.training.transfer import begin_from, frozen
from trainer.wording import counted

logger = logging.getLogger(__name__)

__all__ = ["FitResult", "StopTraining", "fit", "resume"]


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended. ``best``: ``epoch``, ``val_dice``, ``val_miou`` and the monitored score."""

    run_id: str
    outcome: str
    epochs: int
    best: dict[str, float]
    stability: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    found: dict[str, Any] = field(default_factory=dict)
    """What took the place of ``batch_size: auto`` and of a word for a model; a repeat is to have
    the same."""

    def to_json(self) -> dict[str, Any]:
        """Return what ``trainer fit --json`` prints."""
        return {
            "run_id": self.run_id,
            "status": self.outcome,
            "epochs": self.epochs,
            "best": self.best,
            "stability": self.stability,
            "reason": self.reason,
        }


def fit(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
) -> FitResult:
    """Train one run and keep everything of it in the store, however it ends.

    ``on_epoch`` hears of every epoch once its results are safe, and may raise `StopTraining`. A
    failure to learn (a loss that is not finite) ends the run as failed and returns; a mistake in
    the data or the configuration raises ``ValueError`` before there is a run.
    """
    config, data, training, found, notes = opened(config, progress)
    steps = steps_in_epoch(data, config, training.forward.device)
    notes += few_steps(config, len(data.items("train", crops=True)), steps)
    machine = _machine(training)
    begun = starting(config, parent_run_id=parent_run_id, tags=tags, machine=machine)
    with begun as run, closing(run) as ending:
        where = without_passwords(tracking_uri())
        logger.info(
            "run %s (%s), kept in %s; to look at it: dashboard", name_of(config), run.id, where
        )
        result = _carry_out(run, ending, config, data, training, on_epoch, progress, notes)
    return replace(result, found=found)


def resume(run_id: str, *, epochs: int | None = None, progress: bool = True) -> FitResult:
    """Go on with a run where it was left, in the same run and on the same split.

    That may be before its first epoch, and after its last one where only its end is missing.
    ``epochs`` raises the number of epochs. Raises ``ValueError`` when there is no such run, its
    data has changed, it ended with all its epochs, or another process is training it.
    """
    get_run(run_id)  # Its lock is a file, and none is made for what is no run.
    with held(run_id):
        run, config = reopen_run(run_id)
        remove_partials(run.folder)
        own = config.epochs
        if epochs is not None:
            config = config.replace(epochs=epochs)
        recorded = get_run(run_id)
        params = recorded.data.params
        data, training = _reopened(run, config, params.get("train_dtype"), progress)
        done = training.progression.epoch
        is_over = done == config.epochs or (
            epochs is None and training.progression.is_out_of_patience(config)
        )
        if config.epochs < done:
            raise ValueError(
                f"epochs: run {run_id} has {_of_its(done, own)} already; give {done} or more"
            )
        if is_over and recorded.info.status == "FINISHED":
            raise ValueError(f"run: {run_id} {_ended(done, own)}")
        if not is_over and training.progression.is_out_of_patience(config):
            training.progression.epochs_without_gain = 0  # It stopped early, and is to go on.
        with closing(run) as ending:
            run.write_text("config.yaml", config.to_yaml())
            run.reopen()
            run.note_resumed(done, config, _machine(training))
            if done and scored_in(params) is None:
                logger.warning(
                    "the epochs so far were scored in an arithmetic that was not recorded; "
                    "from here on it is %s",
                    config.eval_precision,
                )
            name = recorded.info.run_name
            logger.info("going on with %s (%s), which has %s", name, run.id, _of_its(done, own))
            if config.epochs < own:
                logger.warning("it is to end after %d, as --epochs says", config.epochs)
            return _carry_out(run, ending, config, data, training, None, progress)


def _of_its(done: int, epochs: int) -> str:
    return f"{done} of its {counted(epochs, 'epoch')}"


def _ended(done: int, epochs: int) -> str:
    """Say of a run that came to its end how it would go on."""
    if done < epochs:
        return f"stopped early, with {_of_its(done, epochs)}; go on with --epochs {epochs}"
    return f"already has its {counted(done, 'epoch')}; give more with --epochs"


class Opened(NamedTuple):
    """A run before its first epoch; ``found`` took the place of words in the configuration."""

    config: TrainConfig
    data: SegmentationData
    training: Training
    found: dict[str, Any]
    notes: list[str]


def opened(config: TrainConfig, progress: bool, *, train_dtype: str | None = None) -> Opened:
    """Return the data and the parts of a run before its first epoch, all checked."""
    data = _open(config, progress)
    data.check_scorable()
    data.check_sizes()
    check_augmentation(
        config.augment, config.settings("augment"), data.augmented_size, config.channels
    )
    found: dict[str, Any] = {}
    notes: list[str] = []
    if config.init_from is not None:
        found["init_from"] = settled(config.init_from)
        config = config.replace(**found)
    if isinstance(config.batch_size, str):
        size, told = find_batch_size(config, data, partial(_new_training, data=data))
        config = config.replace(**size)
        found |= size
        notes.append(told)
    training = _new_training(config, data, train_dtype=train_dtype)
    if config.init_from is not None:
        begin_from(config.init_from, training.forward.model)
    return Opened(config, data, training, found, notes)


def _reopened(
    run: Run, config: TrainConfig, train_dtype: str | None, progress: bool
) -> tuple[SegmentationData, Training]:
    """Return the data of a run, as it was noted, and its parts where its checkpoints stand."""
    checkpoints = run.folder / "checkpoints"
    noted = all((run.folder / name).exists() for name in ("dataset.json", "split.json"))
    if not noted and not kept_checkpoints(checkpoints):  # It died before anything was trained.
        begun = opened(config, progress, train_dtype=train_dtype)
        return begun.data, begun.training
    dataset, split = (run.read_json(name) for name in ("dataset.json", "split.json"))
    with reading(run.folder / "dataset.json"):
        root, digest = Path(dataset["root"]), str(dataset["digest"])
    with reading(run.folder / "split.json"):
        splits = Splits.from_json(split)
    there = config.replace(data=_still_there(config.data, root))
    data = _open(there, progress, splits)
    if {data.digest, data.images.digest_of_files()} != {digest}:
        raise ValueError(f"data: {config.data} has changed since run {run.id}; start a new run")
    training = _new_training(config, data, train_dtype=train_dtype)
    restore(training, checkpoints)
    return data, training


def _open(config: TrainConfig, progress: bool, splits: Splits | None = None) -> SegmentationData:
    if isinstance(config, ClassifyConfig):
        return LabelledData.open(config, splits=splits, progress=progress)
    return open_data(config, splits=splits, progress=progress)


def _still_there(data: str | None, root: Path) -> str | None:
    """Return ``data``; where nothing is there, since it was said from another folder, ``root``."""
    if data is not None and not Path(data).exists() and root.exists():
        return str(root)
    return data


def _new_training(
    config: TrainConfig, data: SegmentationData, *, train_dtype: str | None = None
) -> Training:
    """Return the parts of a run; one that goes on is trained in the type that it was begun in."""
    torch.manual_seed(config.seed)
    loss = build_loss(config.loss, config.settings("loss"), data.num_classes, _weigh(data))
    channels: dict[str, Any] = {
        "in_channels": config.channels,
        "out_channels": loss.out_channels,
    }
    settings = {**channels, **vars(config.settings("model"))}
    model = build_model(config.model, **settings)
    settings |= getattr(model, "travels", {})
    if config.activation_checkpointing:
        recompute(model)
    if isinstance(config, ClassifyConfig):
        model = Classifier(model, dropout=settings.get("dropout", 0.0), **channels)
    device = choose_device(config.device)
    forward = Forward(
        model,
        loss,
        mean=data.mean,
        std=data.std,
        device=device,
        dtype=choose_dtype(train_dtype or config.precision, device),
        eval_dtype=DTYPES[config.eval_precision],
    )
    still = frozen(model) if config.freeze == "encoder" else ()
    optimizer = build_optimizer(
        model, config.optimizer, config.settings("optimizer"), encoder_lr=config.encoder_lr
    )
    average = None
    if config.ema_decay is not None:
        is_judged = of_average(config.monitor)
        average = WeightAverage(forward, config.ema_decay, is_judged=is_judged)
    return Training(
        architecture={"name": config.model, "settings": settings},
        forward=forward,
        average=average,
        optimizer=optimizer,
        schedule=build_schedule(
            optimizer,
            config.schedule,
            config.settings("schedule"),
            Length(epochs=config.epochs, steps=steps_in_epoch(data, config, device)),
            warmup_epochs=config.warmup_epochs,
        ),
        progression=Progression(),
        frozen=still,
        judgement=Judgement if isinstance(config, ClassifyConfig) else Evaluation,
    )


def _weigh(data: SegmentationData) -> Weigh:
    def weigh(kind: str) -> Tensor | None:
        weights = data.class_weights(kind)
        return None if weights is None else torch.tensor(weights, dtype=torch.float32)

    return weigh


def _machine(training: Training) -> dict[str, str]:
    """Return what `trainer.config.MACHINE_PARAMS` names: what the run is trained with, and on."""
    device = training.forward.device
    return {
        "train_dtype": str(training.forward.dtype).removeprefix("torch."),
        "processor": processor_name(device),
        "threads": str(torch.get_num_threads()),
    }


def _note_data(run: Run, data: SegmentationData, config: TrainConfig) -> None:
    run.set_tags({"segscope.data_digest": data.digest, **classes_tag(data.class_names)})
    run.write_json("dataset.json", data.to_json())
    run.write_json("split.json", data.splits.to_json())
    pipeline = written_augmentation(config.augment, config.settings("augment"))
    if pipeline is not None:
        run.write_text("augmentation.yaml", pipeline)


def _machine_line(config: TrainConfig, machine: Mapping[str, str]) -> str:
    return (
        f"training in {machine['train_dtype']}, scores in {config.eval_precision}, "
        f"on {machine['processor'] or 'an unnamed processor'}, "
        f"{counted(int(machine['threads']), 'thread')}"
    )


def _carry_out(
    run: Run,
    ending: Ending,
    config: TrainConfig,
    data: SegmentationData,
    training: Training,
    on_epoch: OnEpoch | None,
    progress: bool,
    notes: Sequence[str] = (),
) -> FitResult:
    shown = Progress(enabled=progress)
    with log_file(run), repeatable(asked=config.deterministic):
        for note in (*(f"data: {note}" for note in data.notes()), *notes):
            logger.info(note)
        logger.info(_machine_line(config, _machine(training)))
        _note_data(run, data, config)
        recorder = Recorder(run, data, config, on_epoch=on_epoch)
        try:
            ending.outcome = train(training, data, config, recorder, shown)
        except StopTraining as stop:
            ending.outcome, ending.reason = stop.outcome, stop.reason
        except TrainingFailure as failure:
            ending.outcome, ending.reason = "failed", str(failure)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # Its tensors hang on them.
            ending.outcome, ending.reason = "failed", out_of_memory(training, config, data)
        if ending.outcome == "failed":
            logger.error("failed: %s", ending.reason)
        stability = conclude(run, config, data, training, ending.outcome, shown)
    return FitResult(
        run_id=run.id,
        outcome=ending.outcome,
        epochs=training.progression.epoch,
        best=best_of(training, config.monitor),
        stability=stability,
        reason=ending.reason,
    )
