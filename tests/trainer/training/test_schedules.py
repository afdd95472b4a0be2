"""Learning-rate schedules, by name."""

import json
import math

import pytest
from torch import nn

from trainer.catalogue import SCHEDULES
from trainer.config import TrainConfig
from trainer.training.optimizers import build_optimizer
from trainer.training.schedules import build_schedule


def layer() -> nn.Linear:
    return nn.Linear(5, 3)


def lrs(config: TrainConfig, scores: list[float]) -> list[float]:
    """Return the learning rate of each epoch, the one before the first score included."""
    optimizer = build_optimizer(layer(), config.optimizer, config.settings("optimizer"))
    schedule = build_schedule(
        optimizer, config.schedule, config.settings("schedule"), epochs=config.epochs
    )
    seen = [optimizer.param_groups[0]["lr"]]
    for score in scores:
        optimizer.step()
        schedule.after_epoch(score)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_the_table_is_tested_in_full() -> None:
    assert set(SCHEDULES) == {"constant", "cosine", "plateau"}


def test_constant_stays() -> None:
    assert lrs(TrainConfig(lr=0.1), [0.5] * 20) == [0.1] * 21


def test_cosine_falls_to_zero_over_the_epochs() -> None:
    epochs = 8
    found = lrs(TrainConfig(lr=0.1, schedule="cosine", epochs=epochs), [0.5] * epochs)
    expected = [0.1 * (1 + math.cos(math.pi * e / epochs)) / 2 for e in range(epochs + 1)]
    assert found == pytest.approx(expected)
    assert found[epochs - 1] > 0  # the last epoch that is trained still learns


def test_plateau_halves_after_more_than_three_epochs_without_a_better_score() -> None:
    config = TrainConfig(lr=0.1, schedule="plateau")
    found = lrs(config, [0.5, 0.6, 0.6, 0.59, 0.6, 0.6, 0.7])
    assert found == pytest.approx([0.1] * 6 + [0.05] * 2)


def test_plateau_looks_for_higher_scores() -> None:
    assert lrs(TrainConfig(lr=0.1, schedule="plateau"), [0.1 * e for e in range(9)]) == [0.1] * 10


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("epochs", [8, 16])
def test_a_restored_schedule_goes_on_and_may_go_further(name: str, epochs: int) -> None:
    """Stopped after 8 epochs and given as many more: as if it had been 16 from the ninth on."""
    config = TrainConfig(lr=0.1, schedule=name, epochs=8)
    first = build_optimizer(layer(), config.optimizer, config.settings("optimizer"))
    schedule = build_schedule(
        first, config.schedule, config.settings("schedule"), epochs=config.epochs
    )
    for _ in range(8):
        first.step()
        schedule.after_epoch(0.5)
    state = json.loads(json.dumps(schedule.state()))

    longer = config.replace(epochs=epochs)
    second = build_optimizer(layer(), longer.optimizer, longer.settings("optimizer"))
    second.load_state_dict(first.state_dict())
    restored = build_schedule(
        second, longer.schedule, longer.settings("schedule"), epochs=longer.epochs
    )
    restored.restore(state)
    found = [second.param_groups[0]["lr"]]
    for _ in range(3):
        second.step()
        restored.after_epoch(0.5)
        found.append(second.param_groups[0]["lr"])
    assert found == pytest.approx(lrs(longer, [0.5] * 11)[8:])
