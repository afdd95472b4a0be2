"""Optimisers, by name."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Adamax, AdamW, NAdam, Optimizer, RMSprop

from trainer.catalogue.optimizers import OPTIMIZERS, Descent
from trainer.config import TrainConfig
from trainer.training.optimizers import build_optimizer

CLASSES: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "adamax": Adamax,
    "nadam": NAdam,
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


def test_the_table_is_tested_in_full() -> None:
    assert set(CLASSES) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_learns_as_torchs_own_plain_one_does(name: str) -> None:
    settings: dict[str, float] = {"lr": 1e-2, "weight_decay": 1e-2}
    if name in ("sgd", "rmsprop"):
        settings["momentum"] = 0.8
    if name == "sgd":
        settings["nesterov"] = True
    config = TrainConfig(optimizer=name, **settings)
    model = layer()
    optimizer = build_optimizer(model, config.optimizer, config.settings("optimizer"))
    assert type(optimizer) is CLASSES[name]
    plain = layer()
    reference = CLASSES[name](plain.parameters(), **settings)  # type: ignore[call-arg]
    torch.testing.assert_close(steps(model, optimizer), steps(plain, reference))


def test_every_weight_is_trained() -> None:
    model = layer()
    groups = build_optimizer(model, "adam", Descent()).param_groups
    assert [id(p) for group in groups for p in group["params"]] == [
        id(p) for p in model.parameters()
    ]


def test_biases_and_normalisations_need_not_shrink() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    settings = Descent(weight_decay=0.1, decay_norms=False)
    shrinking, others = build_optimizer(model, "adam", settings).param_groups
    assert [p.ndim for p in shrinking["params"]] == [4]
    assert [p.ndim for p in others["params"]] == [1, 1, 1]
    assert (shrinking["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValueError, match=r"momentum: 0\.0 must be above 0 with nesterov"):
        TrainConfig(optimizer="sgd", momentum=0.0, nesterov=True)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown optimizer 'adma'.*did you mean 'adamax'"):
        TrainConfig(optimizer="adma")
