"""Before a run whose epochs are too short to learn from, that is said, with what to change."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from trainer.config import TrainConfig
from trainer.training.few_steps import FEW, few_steps


def steps_of(config: TrainConfig, images: int) -> int:
    return math.ceil(math.ceil(images / config.images_at_once) / config.accumulate)


def test_the_line_names_numbers_and_cures() -> None:
    (told,) = few_steps(TrainConfig(batch_size=16, epochs=10), 12, 1)
    assert told == (
        "an epoch is 1 step of the optimiser: 12 images at batch size 16, more than there are; "
        "10 epochs are 10 steps. To learn more: --batch-size 1 or --epochs 80"
    )
    (told,) = few_steps(TrainConfig(batch_size=16, accumulate=2, epochs=10), 60, 2)
    assert "60 images at batch size 16 and accumulate 2; 10 epochs are 20 steps" in told
    assert told.endswith("--batch-size 7 --accumulate 1 or --epochs 40")


@given(
    images=st.integers(1, 500),
    batch_size=st.integers(1, 64),
    accumulate=st.integers(1, 8),
    epochs=st.integers(1, 50),
)
def test_each_cure_that_is_named_is_one(
    images: int, batch_size: int, accumulate: int, epochs: int
) -> None:
    config = TrainConfig(batch_size=batch_size, accumulate=accumulate, epochs=epochs)
    steps = steps_of(config, images)
    told = few_steps(config, images, steps)
    assert bool(told) == (steps < FEW)
    for line in told:
        for cure in line.partition("To learn more: ")[2].split(" or "):
            flags = {name: int(value) for name, value in re.findall(r"--(\S+) (\d+)", cure)}
            changed = config.replace(**{n.replace("-", "_"): v for n, v in flags.items()})
            assert steps_of(changed, images) * changed.epochs > steps * epochs or images == 1
