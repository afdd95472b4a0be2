"""Where a run that goes on stands: at the newest of its checkpoints that is whole."""

import logging
from pathlib import Path

from trainer.files import aside, reading
from trainer.training.checkpoints import (
    STATE,
    WEIGHTS,
    copy_checkpoint,
    find_checkpoint,
    fitting,
    load_optimizer,
    load_state,
    load_weights,
    read_tensors,
)
from trainer.training.loop import Training
from trainer.training.progression import Progression

logger = logging.getLogger(__name__)


def kept_checkpoints(folder: Path) -> list[Path]:
    """Return the folders of a run's checkpoints, damaged ones too, the newest first."""
    places = [folder / name for name in ("last", "best")]
    return [path for place in places for path in (place, aside(place)) if path.is_dir()]


def restore(training: Training, folder: Path) -> None:
    """Bring ``training`` to the newest whole checkpoint below ``folder``; before any, leave it.

    What is damaged is named and passed over, for the best one at worst. Raises ``ValueError`` when
    none is whole, and when the best weights, which the run's end needs, are not.
    """
    damage: list[ValueError] = []
    for checkpoint in kept_checkpoints(folder):
        try:
            _take(training, checkpoint)
        except ValueError as error:
            damage.append(error)
            continue
        for damaged in damage:
            logger.warning("%s; the run goes on from %s", damaged, checkpoint)
        _check_best(training.progression, checkpoint, folder / "best")
        return
    if damage:
        raise ValueError(
            f"{damage[0]}; no other checkpoint is whole: put a copy back, or remove {folder} to "
            "train the run from its beginning"
        ) from damage[0]


def _take(training: Training, checkpoint: Path) -> None:
    average = training.average
    state = load_state(checkpoint, ("schedule", "progression", *(["average"] if average else [])))
    for name, network in training.networks().items():
        load_weights(checkpoint, network, name)
    load_optimizer(checkpoint, training.optimizer)
    with fitting(checkpoint, "schedule"):
        training.schedule.restore(state["schedule"])
    if average:
        average.updates = state["average"]["updates"]
    with reading(checkpoint / STATE):
        progression = Progression(**state["progression"])
        ends = {len(curve) for curve in progression.history.values()}
        if not 0 <= progression.best_epoch <= progression.epoch or ends - {progression.epoch}:
            raise ValueError("its epochs and its curves contradict each other")
    vars(training.progression).update(vars(progression))


def _check_best(progression: Progression, checkpoint: Path, best: Path) -> None:
    if progression.best_epoch == progression.epoch:
        if checkpoint.name != best.name:
            copy_checkpoint(checkpoint, best)  # who was killed may not have come to it
    elif (found := find_checkpoint(best)) is not None:
        try:
            read_tensors(found / WEIGHTS)
        except ValueError as error:
            raise ValueError(
                f"{error}; put a copy back, or remove {best}: unless a later epoch is better, the "
                "run then ends without test scores"
            ) from error
