"""The largest batch that fits into memory, found by training steps of growing size.

Memory grows with the pixels of a batch by a straight line. So two steps tell what the next one will
take, which is only tried where there is so much: on a processor nothing else says so in time, for
the kernel ends a process that asks for too much. A GPU refuses, which is caught.
"""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from trainer.config import TrainConfig
from trainer.data.geometry import round_up
from trainer.data.loading import Batch, SegmentationData
from trainer.evaluation.metrics import predicted_classes
from trainer.faults import is_out_of_memory
from trainer.network.device import peak_memory_mib
from trainer.network.memory import reachable_mib, reset_peak
from trainer.training.loop import Training

# Of what is free as the search begins. The rest is for what a run needs beside its steps: batches
# that wait, the maps that are kept of an epoch, what other programs begin meanwhile.
SHARE = 0.8
# Sides of the first images that are tried, in parts of an image's: so that a single one is not
# tried either before it is known what it will take.
PARTS = (4, 2)


class Shape(NamedTuple):
    """Of a batch."""

    images: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """All of the batch's."""
        return self.images * self.height * self.width

    def __str__(self) -> str:
        return f"{self.images} x {self.height} x {self.width}"


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a search came: the largest batch that fits, and why no larger one was taken."""

    shape: Shape | None
    told: str


def search(shapes: Iterable[Shape], peak_of: Callable[[Shape], float], reach: float) -> Reached:
    """Return the last of ``shapes``, which grow, whose step stays within ``reach`` MiB.

    ``peak_of`` takes a step and returns its peak in MiB, or raises what `is_out_of_memory` knows.
    """
    taken: list[tuple[Shape, float]] = []
    told = "no larger one was asked for"
    for shape in shapes:
        if (expected := _expected(taken, shape.pixels)) > reach:
            told = f"{shape} would take {_gib(expected)}"
            break
        try:
            peak = peak_of(shape)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # Its tensors hang on them.
            told = f"{shape} does not fit"
            break
        if peak > reach:
            told = f"{shape} took {_gib(peak)}"
            break
        taken.append((shape, peak))
    told += f", of {_gib(reach)} that there are"
    if not taken:
        return Reached(shape=None, told=told)
    shape, peak = taken[-1]
    return Reached(shape=shape, told=f"{shape} took {_gib(peak)}; {told}")


def _expected(taken: list[tuple[Shape, float]], pixels: int) -> float:
    """Return the MiB that a step of so many pixels will take, by the last two; 0 before there are.

    Never less than the last one's: what the allocator keeps may hide what a small one took.
    """
    if len(taken) < 2:
        return 0.0
    (small, low), (large, high) = taken[-2:]
    slope = max(0.0, high - low) / (large.pixels - small.pixels)
    return high + slope * (pixels - large.pixels)


def _gib(mib: float) -> str:
    return f"{mib / 1024:.1f} GiB"


def largest(
    training: Training, config: TrainConfig, data: SegmentationData, sizes: Iterable[int]
) -> Reached:
    """Return the largest batch of ``sizes`` images, which grow, that ``training`` has room for.

    A part of an image where not a single one fits. The weights are no good afterwards. Raises
    ``ValueError`` where memory cannot be measured.
    """
    device = training.forward.device
    height, width = image_size(data)
    least = config.settings("model").least_size
    parts = [Shape(1, max(height // n, least), max(width // n, least)) for n in PARTS]
    whole = [Shape(n, height, width) for n in sizes]
    shapes = [*(part for part in dict.fromkeys(parts) if part.pixels < height * width), *whole]
    # A classifier's target is a single pixel.
    one_target = data.items("train", crops=True).batch([(1, 0)])[1].shape[1:] == (1, 1)
    reset_peak(device)
    reach = reachable_mib(device, SHARE)

    def peak_of(shape: Shape) -> float:
        reset_peak(device)
        try:
            _step(training, _blank(shape, config.channels, one_target=one_target))
        finally:
            training.optimizer.zero_grad(set_to_none=True)
        return peak_memory_mib(device)

    # An optimiser takes its memory with its first step, and keeps it.
    first = search(shapes[:1], peak_of, reach)
    return search(shapes, peak_of, reach) if first.shape else first


def image_size(data: SegmentationData) -> tuple[int, int]:
    """Return height and width of training's largest item, to which its batch is padded."""
    items = data.items("train", crops=True)
    if items.size is not None:
        return items.size
    sizes = [round_up(items.images.size(row), items.multiple) for row in items.rows]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def _blank(shape: Shape, channels: int, *, one_target: bool) -> Batch:
    pixels = torch.zeros(shape.images, shape.height, shape.width, channels, dtype=torch.uint8)
    targets = pixels[:, :1, :1, 0] if one_target else pixels[..., 0]
    return Batch(pixels.permute(0, 3, 1, 2), targets.clone(), torch.arange(shape.images))


def _step(training: Training, batch: Batch) -> None:
    """Learn from a batch and score it, as an epoch does."""
    forward = training.forward
    forward.model.train()
    for part in training.frozen:
        part.eval()
    passed = forward(batch)
    passed.loss.backward()  # type: ignore[no-untyped-call]
    training.optimizer.step()
    del passed
    forward.model.eval()
    with torch.inference_mode():
        predicted_classes(forward(batch).logits)
