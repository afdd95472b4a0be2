"""Measure what loading costs: decoding every time against the cache, workers, augmentation.

python benchmarks/loading.py PATH [--image-size 160 240] [--rounds 3]

PATH is any folder that `trainer data` reads. The cache is made in a temporary folder. Seconds are
the least of the rounds; "cpu" is processor time of this process, all threads together, so it
leaves out workers, and does not suffer from other work on the machine as "wall" does.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.catalogue.data import AUGMENTATIONS
from trainer.config import TrainConfig
from trainer.data.cache.decoding import decode_all
from trainer.data.files.passing import available_cores
from trainer.data.loading import SegmentationData, open_data


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds an item."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:10.3f} {self.cpu:10.3f}"


def measure(work: Callable[[], int], rounds: int) -> Cost:
    """Return the least cost an item of ``work``, which returns the number of its items."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        items = work()
        walls.append((time.perf_counter() - wall) / items * 1e3)
        cpus.append((time.process_time() - cpu) / items * 1e3)
    return Cost(wall=min(walls), cpu=min(cpus))


def epoch(data: SegmentationData, *, workers: int = 0, augment: bool = False) -> int:
    """Pass once over the training images, in batches of 16, and return their number."""
    batches = data.batches(
        "train", batch_size=16, epoch=1, shuffle=True, augment=augment, workers=workers
    )
    return sum(len(batch.indices) for batch in batches)


def read_all(data: SegmentationData) -> int:
    """Copy every training item out of the cache, without making batches."""
    rows = data.items("train").rows
    for row in rows:
        image, target = data.images.read(row)
        image.copy(), target.copy()
    return len(rows)


def build(config: TrainConfig) -> SegmentationData:
    """Open the data with an empty cache and print what that costs."""
    started = time.perf_counter()
    data = open_data(config, progress=False)
    seconds = time.perf_counter() - started
    pairs = len(data.images)
    print(f"{pairs} pairs, {data.size('train')} for training, {available_cores()} cores")
    print(f"first opening, cache made:   {seconds:8.2f} s, {seconds / pairs * 1e3:.2f} ms a pair")
    started = time.perf_counter()
    open_data(config, progress=False)
    print(f"second opening:              {time.perf_counter() - started:8.2f} s")
    return data


def report_epochs(config: TrainConfig, rounds: int) -> None:
    """Print what an item costs from each kind of cache, with and without workers."""
    print("\nms an item, no augmentation           wall        cpu")
    for mode in ("off", "disk", "ram"):
        data = open_data(config.replace(cache=mode), progress=False)
        if mode != "off":
            print(f"  {mode}, read and copied       {measure(lambda d=data: read_all(d), rounds)}")
        for workers in (0, 2):
            cost = measure(lambda d=data, w=workers: epoch(d, workers=w), rounds)
            print(f"  {mode + ',':5s} batches, {workers} workers   {cost}")


def report_threads(data: SegmentationData, rounds: int) -> None:
    """Print what decoding costs by the number of threads."""
    print("\nms an item, decoding into the cache   wall        cpu")
    threads = 1
    while threads <= available_cores():
        cost = measure(
            lambda t=threads: sum(1 for _ in decode_all(data.images.source, threads=t)), rounds
        )
        print(f"  {threads:2d} threads                  {cost}")
        threads *= 2


def report_augmentation(config: TrainConfig, rounds: int) -> None:
    """Print what each preset costs at probability 0.5."""
    print("\nms an item, from disk, augmented      wall        cpu")
    for name in AUGMENTATIONS:
        data = open_data(config.replace(augment=name), progress=False)
        epoch(data, augment=True)  # imports albumentations
        cost = measure(lambda d=data: epoch(d, augment=True), rounds)
        print(f"  {name:12s}                {cost}")


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--image-size", type=int, nargs=2, default=(160, 240))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    config = TrainConfig(data=str(arguments.path.resolve()), image_size=tuple(arguments.image_size))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        data = build(config)
        report_threads(data, arguments.rounds)
        report_epochs(config, arguments.rounds)
        report_augmentation(config, arguments.rounds)


if __name__ == "__main__":
    main()
