"""From logits to pixel counts, on the device: the counts alone leave it."""

import torch
from torch import Tensor

from trainer.data.collection import VOID


def predicted_classes(logits: Tensor) -> Tensor:
    """Return the class of each pixel, ``(batch, height, width)`` ``uint8``.

    One channel is the logit of class 1 of two; otherwise the largest channel wins.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).to(torch.uint8)
    return logits.argmax(dim=1).to(torch.uint8)


def confusion_per_image(predicted: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Return each image's confusion matrix ``C[target, predicted]`` in pixels.

    Both maps are ``(batch, height, width)`` ``uint8``; the result is ``(batch, num_classes,
    num_classes)`` ``int64``. Pixels whose target is `VOID` are left out.
    """
    if num_classes == 2:
        return _confusion_of_two(predicted, target)
    batch = target.shape[0]
    labelled = target != VOID
    image = torch.arange(batch, device=target.device).view(-1, 1, 1)
    cell = (image * num_classes + target) * num_classes + predicted
    found = torch.bincount(cell[labelled], minlength=batch * num_classes**2)
    return found.view(batch, num_classes, num_classes)


def _confusion_of_two(predicted: Tensor, target: Tensor) -> Tensor:
    # Comparing and summing is some twenty times faster than scattering into bins.
    def pixels(mask: Tensor) -> Tensor:
        return mask.flatten(1).sum(dim=1)

    said, true = predicted == 1, target == 1
    false = target == 0
    true_positive, false_positive = pixels(said & true), pixels(said & false)
    cells = [
        pixels(false) - false_positive,
        false_positive,
        pixels(true) - true_positive,
        true_positive,
    ]
    return torch.stack(cells, dim=1).view(-1, 2, 2)
