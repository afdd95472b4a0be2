"""What a run is told of memory: how large its batches may be, and with which settings it fits."""

import math
from collections.abc import Callable

import torch

from trainer.config import TrainConfig
from trainer.config.batches import asked_for
from trainer.data.loading import SegmentationData
from trainer.network.recomputation import recompute
from trainer.training.batch_search import image_size, largest
from trainer.training.loop import Training, training_batches


def find_batch_size(
    config: TrainConfig, data: SegmentationData, build: Callable[[TrainConfig], Training]
) -> tuple[dict[str, int], str]:
    """Return the fields that take the place of ``batch_size: auto``, and a line that says why.

    ``auto`` is the largest power of two, up to the images of an epoch; of ``auto:N`` it is the
    largest divisor of N, with so many batches to a step that it has N images. ``build`` makes a
    training that is thrown away. Raises ``ValueError`` when not a single image fits.
    """
    training = build(config.replace(batch_size=1, accumulate=1))
    wanted = asked_for(config.batch_size)
    if wanted is None:
        items = len(training_batches(data, config.replace(batch_size=1), 1, torch.device("cpu")))
        sizes = [2**n for n in range(items.bit_length())]
    else:
        sizes = _divisors(wanted)
    reached = largest(training, config, data, sizes)
    if reached.shape is None or reached.shape[1:] != image_size(data):
        told = _cured(_cures(training, config.replace(batch_size=1), data, 1))
        raise ValueError(f"batch_size: not a single image fits ({reached.told}); {told}")
    images = reached.shape.images
    found = {"batch_size": images}
    if wanted is not None:
        found["accumulate"] = wanted // images
    said = ", ".join(f"{name} {value}" for name, value in found.items())
    return found, f"{said}, found for batch_size {config.batch_size}: {reached.told}"


def out_of_memory(training: Training, config: TrainConfig, data: SegmentationData) -> str:
    """Return a line with up to three settings, as flags, each of which makes the run fit.

    A step has as many images as before. Batches are tried by training steps, ``training`` is no
    good afterwards; a smaller image or narrower network is one of as much memory as what was tried.
    """
    asked = config.images_at_once
    told = f"out of memory at batch_size {asked}"
    try:
        cures = _cures(training, config, data, asked)
    except ValueError:  # It cannot be measured.
        return f"{told}; make the batches, the images or the model smaller"
    return f"{told}; {_cured(cures)}"


def _cured(cures: list[str]) -> str:
    if not cures:
        return "nothing less fits beside the network; make the model smaller"
    *others, last = cures
    return f"what fits here: {', '.join([*others, f'or {last}'] if others else [last])}"


def _cures(
    training: Training, config: TrainConfig, data: SegmentationData, asked: int
) -> list[str]:
    height, width = image_size(data)
    step = asked * config.accumulate
    cures = []
    # What was asked for has just run out, whatever is free by now.
    shape = largest(training, config, data, _divisors(asked)[:-1]).shape
    share = 0.0 if shape is None else shape.pixels / (height * width)
    if share >= 1:
        cures.append(_batch(int(share), step))
    if not config.activation_checkpointing:
        recompute(training.forward.model)
        again = largest(training, config, data, _divisors(asked)).shape
        if again is not None and again.pixels >= height * width:
            beside = "" if again.images == asked else f" {_batch(again.images, step)}"
            cures.append(f"--activation-checkpointing{beside}")
    if share:
        cures += _smaller(config, (height, width), share / asked)
    return cures[:3]


def _batch(images: int, step: int) -> str:
    return f"--batch-size {images} --accumulate {step // images}"


def _smaller(config: TrainConfig, size: tuple[int, int], share: float) -> list[str]:
    """Return the flags of an image, and of a network, that takes ``share`` of the memory."""
    model = config.settings("model")
    sides = [int(side * math.sqrt(share)) // model.stride * model.stride for side in size]
    flags = []
    if min(sides) and max(sides) >= model.least_size:
        crop = "--geometry random-crop " if config.geometry == "pad" else ""
        flags.append(f"{crop}--image-size {sides[0]} {sides[1]}")
    return [*flags, f"--base-channels {max(1, int(model.base_channels * share))}"]


def _divisors(number: int) -> list[int]:
    """Return what divides ``number``, from 1 on."""
    return [n for n in range(1, number + 1) if number % n == 0]
