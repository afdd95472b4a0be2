"""Computing with what gives the same result each time."""

import pytest
import torch

from trainer.config import TrainConfig
from trainer.network.device import repeatable


@pytest.mark.parametrize("asked", [True, False])
def test_it_is_asked_of_torch_and_left_as_it_was(asked: bool) -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(asked=asked):
        assert torch.are_deterministic_algorithms_enabled() == asked
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_has_no_such_form_is_named() -> None:
    values = torch.zeros(4)
    refused = (
        torch.zeros(2, dtype=torch.long),
        torch.ones(2),
    )
    said = pytest.raises(ValueError, match=r"^deterministic: put_ has no such form here; leave it")
    with said, repeatable(asked=True):
        values.put_(*refused)
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(asked=False):
        values.put_(*refused)


def test_another_failure_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="deterministic, they say"), repeatable(asked=False):
        raise RuntimeError("deterministic, they say")
    with pytest.raises(RuntimeError, match="shapes"), repeatable(asked=True):
        raise RuntimeError("shapes")


def test_it_makes_no_other_configuration() -> None:
    assert TrainConfig(deterministic=True).seed_group() == TrainConfig().seed_group()
