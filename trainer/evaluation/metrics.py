"""From logits to pixel counts, on the device: the counts alone leave it."""

import numpy as np
import torch
from torch import Tensor


def predicted_classes(logits: Tensor) -> Tensor:
    """Return the class of each pixel, ``(batch, height, width)`` ``uint8``.

    One channel is the logit of class 1 of two; otherwise the largest channel wins.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).to(torch.uint8)
    # Unlike argmax, max is vectorised: 27 ms instead of 35 to 146 for 16 images, 11 classes.
    return logits.max(dim=1).indices.to(torch.uint8)


def confusion_per_image(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Return each image's confusion matrix ``C[target, predicted]`` in pixels.

    Both maps are ``(batch, height, width)`` ``uint8``; the result is ``(batch, num_classes,
    num_classes)`` ``int64``. Pixels whose target is `VOID` are left out.
    """
    if num_classes == 2:
        return _confusion_of_two(predicted, target)
    # Void gets a row of its own that is dropped afterwards: choosing the labelled pixels first
    # takes three times as long, and would make the processor wait for a GPU.
    batch, rows = target.shape[0], num_classes + 1
    image = torch.arange(batch, dtype=torch.int32, device=target.device).view(-1, 1, 1)
    cell = (image * rows + target.clamp(max=num_classes)) * num_classes + predicted
    found = torch.bincount(cell.flatten(), minlength=batch * rows * num_classes)
    return found.view(batch, rows, num_classes)[:, :num_classes]


def _confusion_of_two(predicted: Tensor, target: Tensor) -> Tensor:
    # Comparing and summing is some twenty times faster than scattering into bins; and numpy,
    # image by image, so that the masks stay in the processor's cache, four times faster again.
    if target.device.type == "cpu":
        pairs = zip(predicted.numpy(), target.numpy(), strict=True)
        cells = [_four_cells(said == 1, true == 1, true == 0) for said, true in pairs]
        return torch.tensor(cells, dtype=torch.int64).view(-1, 2, 2)

    def pixels(mask: Tensor) -> Tensor:
        return mask.flatten(1).sum(dim=1)

    said, true, false = predicted == 1, target == 1, target == 0
    hits, alarms = pixels(said & true), pixels(said & false)
    on_device = [pixels(false) - alarms, alarms, pixels(true) - hits, hits]
    return torch.stack(on_device, dim=1).view(-1, 2, 2)


def _four_cells(said: np.ndarray, true: np.ndarray, false: np.ndarray) -> tuple[int, ...]:
    hits, alarms = np.count_nonzero(said & true), np.count_nonzero(said & false)
    misses = np.count_nonzero(true) - hits
    return int(np.count_nonzero(false) - alarms), int(alarms), int(misses), int(hits)
