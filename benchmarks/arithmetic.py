"""Measure what it costs to validate in float32, beside bfloat16 and beside training.

python benchmarks/arithmetic.py PATH [--image-size 160 240] [--base-channels 16 64] [--rounds 5]

PATH is any folder that `trainer data` reads. For each width of the network a few batches are
trained and validated in both arithmetics, in turn; seconds are medians of processor time, all
threads together, for one batch of 16: they do not suffer from other work on the machine. "share"
is what an epoch takes longer when it validates in float32 and trains in bfloat16, with as many
validation images for each training image as the data has. "pixels" is how many of a million
validation pixels get another class.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch

from trainer.config import TrainConfig
from trainer.data.loading import Batch, SegmentationData, open_data
from trainer.models import build_model
from trainer.network.device import processor_name
from trainer.network.forward import Forward
from trainer.network.losses import build_loss
from trainer.training.optimizers import build_optimizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--image-size", type=int, nargs=2, default=(160, 240))
    parser.add_argument("--base-channels", type=int, nargs="+", default=(16, 64))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    config = TrainConfig(data=str(given.path), image_size=tuple(given.image_size), cache="ram")
    data = open_data(config, progress=False)
    threads = torch.get_num_threads()
    print(f"{processor_name(torch.device('cpu'))}, {threads} threads; processor seconds")
    print(f"{'base':>4} {'':14} {'float32':>8} {'bfloat16':>8} {'ratio':>6} {'share':>6} pixels")
    for width in given.base_channels:
        measure(data, config.replace(base_channels=width), given.rounds)


def measure(data: SegmentationData, config: TrainConfig, rounds: int) -> None:
    """Print the rows of one width."""
    torch.manual_seed(0)
    loss = build_loss("auto", config.settings("loss"), data.num_classes, lambda _: None)
    settings = vars(config.settings("model"))
    model = build_model(config.model, out_channels=loss.out_channels, **settings)
    optimizer = build_optimizer(model, config.optimizer, config.settings("optimizer"))
    forwards = {
        name: Forward(
            model,
            loss,
            mean=data.mean,
            std=data.std,
            device=torch.device("cpu"),
            dtype=dtype,
            eval_dtype=dtype,
        )
        for name, dtype in DTYPES.items()
    }
    if min(data.size("train"), data.size("val")) <= 16:
        raise SystemExit("give a folder with more than 16 images to train on and to validate on")
    training = list(islice(data.batches("train", batch_size=16, shuffle=True), 4))
    validation = list(islice(data.batches("val", batch_size=16), 4))
    learn: dict[str, list[float]] = {name: [] for name in DTYPES}
    score: dict[str, list[float]] = {name: [] for name in DTYPES}
    for _ in range(rounds):
        for name, forward in forwards.items():
            model.train()
            learn[name].extend(timed(step(forward, optimizer, batch) for batch in training))
            model.eval()
            with torch.inference_mode():
                score[name].extend(timed(forward(batch).loss.item() for batch in validation))
    trained = {name: statistics.median(seconds) for name, seconds in learn.items()}
    scored = {name: statistics.median(seconds) for name, seconds in score.items()}
    ratio = data.size("val") / data.size("train")
    more = ratio * (scored["float32"] - scored["bfloat16"])
    share = more / (trained["bfloat16"] + ratio * scored["bfloat16"])
    other = 1e6 * differing(forwards, validation)
    row(config.base_channels, "training step", trained, "")
    row(config.base_channels, "validation", scored, f" {share:6.1%} {other:7.0f}")


def step(forward: Forward, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """Learn from one batch."""
    optimizer.zero_grad(set_to_none=True)
    forward(batch).loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def timed(work: Iterable[object]) -> Iterator[float]:
    """Yield the seconds of each piece of work, the first one left out: it warms up."""
    started = time.process_time()
    for place, _ in enumerate(work):
        ended = time.process_time()
        if place:
            yield ended - started
        started = ended


@torch.inference_mode()
def differing(forwards: dict[str, Forward], batches: list[Batch]) -> float:
    """Return the share of pixels that the two arithmetics give different classes."""
    unequal, pixels = 0, 0
    for batch in batches:
        logits = [forward(batch).logits for forward in forwards.values()]
        classes = [x.argmax(1) if x.shape[1] > 1 else x > 0 for x in logits]
        unequal += int((classes[0] != classes[1]).sum())
        pixels += classes[0].numel()
    return unequal / pixels


def row(width: int, what: str, seconds: dict[str, float], rest: str) -> None:
    """Print one row."""
    a, b = seconds["float32"], seconds["bfloat16"]
    print(f"{width:>4} {what:14} {a:8.3f} {b:8.3f} {a / b:6.2f}{rest}")


if __name__ == "__main__":
    main()
