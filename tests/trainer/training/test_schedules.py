"""Learning-rate schedules, by name."""

import json
import math

import pytest
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from trainer.catalogue.schedules import SCHEDULES
from trainer.config import TrainConfig
from trainer.training.optimizers import build_optimizer
from trainer.training.schedules import Length, Schedule, build_schedule


def layer() -> nn.Linear:
    return nn.Linear(5, 3)


STEPS = 4


def begun(config: TrainConfig) -> tuple[Optimizer, Schedule]:
    """Return an optimiser and its schedule, of epochs of `STEPS` steps."""
    optimizer = build_optimizer(layer(), config.optimizer, config.settings("optimizer"))
    schedule = build_schedule(
        optimizer,
        config.schedule,
        config.settings("schedule"),
        Length(epochs=config.epochs, steps=STEPS),
        warmup_epochs=config.warmup_epochs,
    )
    return optimizer, schedule


def pass_epoch(optimizer: Optimizer, schedule: Schedule, score: float) -> list[float]:
    """Pass an epoch; return the learning rate after each of its steps, and at its end."""
    seen = []
    for _ in range(STEPS):
        optimizer.step()
        schedule.after_step()
        seen.append(float(optimizer.param_groups[0]["lr"]))
    schedule.after_epoch(score)
    return [*seen, float(optimizer.param_groups[0]["lr"])]


def lrs(config: TrainConfig, scores: list[float]) -> list[float]:
    """Return the learning rate of each epoch, the one before the first score included."""
    optimizer, schedule = begun(config)
    seen = [float(optimizer.param_groups[0]["lr"])]
    return [*seen, *(pass_epoch(optimizer, schedule, score)[-1] for score in scores)]


def by_step(config: TrainConfig) -> list[float]:
    """Return the learning rate at each step of a run."""
    optimizer, schedule = begun(config)
    seen = [float(optimizer.param_groups[0]["lr"])]
    for _ in range(config.epochs):
        *within, last = pass_epoch(optimizer, schedule, 0.5)
        seen += [*within[:-1], last]
    return seen[:-1]


def test_the_table_is_tested_in_full() -> None:
    assert set(SCHEDULES) == {
        "constant",
        "cosine",
        "inverse-time",
        "one-cycle",
        "plateau",
        "polynomial",
        "step",
    }


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


def test_step_lowers_by_a_factor_every_few_epochs() -> None:
    config = TrainConfig(lr=0.1, schedule="step", schedule_every=2, schedule_factor=0.1)
    found = lrs(config, [0.5] * 5)
    assert found == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_polynomial_falls_to_zero_over_the_steps() -> None:
    config = TrainConfig(lr=0.1, schedule="polynomial", schedule_power=2.0, epochs=5)
    assert by_step(config) == pytest.approx([0.1 * (1 - n / 20) ** 2 for n in range(20)])


def test_inverse_time_is_keras() -> None:
    config = TrainConfig(lr=0.1, schedule="inverse-time", schedule_decay=0.5, epochs=2)
    assert by_step(config) == pytest.approx([0.1 / (1 + 0.5 * n) for n in range(8)])


def test_one_cycle_is_torchs() -> None:
    config = TrainConfig(lr=0.1, schedule="one-cycle", epochs=100)
    optimizer = build_optimizer(layer(), "sgd", TrainConfig(optimizer="sgd").settings("optimizer"))
    # Torch's top comes a step earlier, and its end is a 10,000th of where it began, not 0.
    theirs = OneCycleLR(optimizer, 0.1, total_steps=401, cycle_momentum=False)
    expected = []
    for _ in range(400):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    found = by_step(config)
    assert found[0] == pytest.approx(0.1 / 25)
    assert max(found) == pytest.approx(0.1, rel=1e-6)
    assert found == pytest.approx(expected, abs=0.001)
    assert found[-1] < 1e-5


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_up_rises_evenly_to_what_the_schedule_says(name: str) -> None:
    config = TrainConfig(lr=0.1, schedule=name, epochs=6)
    plain, warmed = by_step(config), by_step(config.replace(warmup_epochs=2))
    warm = 2 * STEPS
    rising = [lr * (n + 1) / warm for n, lr in enumerate(plain[:warm])]
    assert warmed == pytest.approx([*rising, *plain[warm:]])


def test_a_warm_up_does_not_disturb_a_plateau() -> None:
    config = TrainConfig(lr=0.1, schedule="plateau", schedule_patience=0, warmup_epochs=3)
    found = lrs(config, [0.5, 0.4, 0.3, 0.2])
    full = [0.1, 0.1, 0.05, 0.025, 0.0125]
    rising = [1 / 12, 5 / 12, 9 / 12, 1, 1]
    assert found == pytest.approx([lr * share for lr, share in zip(full, rising, strict=True)])


@pytest.mark.parametrize("warmup_epochs", [0, 3, 8])
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("epochs", [8, 16])
def test_a_restored_schedule_goes_on_and_may_go_further(
    name: str, epochs: int, warmup_epochs: int
) -> None:
    """Stopped after 5 epochs and given more or not: as if it had had them from the first on."""
    config = TrainConfig(lr=0.1, schedule=name, epochs=8, warmup_epochs=warmup_epochs)
    first, schedule = begun(config)
    for _ in range(5):
        pass_epoch(first, schedule, 0.5)
    state = json.loads(json.dumps(schedule.state()))

    longer = config.replace(epochs=epochs)
    second, restored = begun(longer)
    second.load_state_dict(first.state_dict())
    restored.restore(state)
    found = [float(second.param_groups[0]["lr"])]
    found += [pass_epoch(second, restored, 0.5)[-1] for _ in range(3)]
    assert found == pytest.approx(lrs(longer, [0.5] * 8)[5:])
