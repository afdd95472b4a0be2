"""Optimisers and schedules, by name."""

import json
import math

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from trainer.catalogue import OPTIMIZERS, SCHEDULES
from trainer.config import TrainConfig
from trainer.optimizers import advance, build_optimizer, build_schedule, restore_schedule

CLASSES: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": SGD,
    "rmsprop": RMSprop,
}


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(5, 3)


def steps(model: nn.Linear, optimizer: Optimizer, number: int = 4) -> torch.Tensor:
    inputs = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(number):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()
    return model.weight.detach().clone()


def lrs(config: TrainConfig, scores: list[float]) -> list[float]:
    """Return the learning rate of each epoch, the one before the first score included."""
    optimizer = build_optimizer(layer(), config)
    schedule = build_schedule(optimizer, config)
    seen = [optimizer.param_groups[0]["lr"]]
    for score in scores:
        optimizer.step()
        advance(schedule, score)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_the_tables_are_tested_in_full() -> None:
    assert set(CLASSES) == set(OPTIMIZERS)
    assert set(SCHEDULES) == {"constant", "cosine", "plateau"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_learns_as_torchs_own_plain_one_does(name: str) -> None:
    config = TrainConfig(optimizer=name, lr=1e-2, momentum=0.8, weight_decay=1e-2)
    model = layer()
    optimizer = build_optimizer(model, config)
    assert type(optimizer) is CLASSES[name]
    settings: dict[str, float] = {"lr": 1e-2, "weight_decay": 1e-2}
    if name in ("sgd", "rmsprop"):
        settings["momentum"] = 0.8
    plain = layer()
    reference = CLASSES[name](plain.parameters(), **settings)  # type: ignore[call-arg]
    torch.testing.assert_close(steps(model, optimizer), steps(plain, reference))


def test_every_weight_is_trained() -> None:
    model = layer()
    groups = build_optimizer(model, TrainConfig()).param_groups
    assert [id(p) for group in groups for p in group["params"]] == [
        id(p) for p in model.parameters()
    ]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown optimizer 'adma'.*did you mean 'adam'"):
        TrainConfig(optimizer="adma")


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
    first = build_optimizer(layer(), config)
    schedule = build_schedule(first, config)
    for _ in range(8):
        first.step()
        advance(schedule, 0.5)
    state = json.loads(json.dumps(schedule.state_dict()))

    longer = config.replace(epochs=epochs)
    second = build_optimizer(layer(), longer)
    second.load_state_dict(first.state_dict())
    restored = build_schedule(second, longer)
    restore_schedule(restored, state)
    found = [second.param_groups[0]["lr"]]
    for _ in range(3):
        second.step()
        advance(restored, 0.5)
        found.append(second.param_groups[0]["lr"])
    assert found == pytest.approx(lrs(longer, [0.5] * 11)[8:])
