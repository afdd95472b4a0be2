"""Panels for the overlay viewer, made from what a run stored."""

from collections.abc import Sequence

import pandas as pd

from dashboard.pictures import scores as image_scores
from dashboard.pictures.scores import dice_captions
from dashboard.pictures.stored import encoded_predictions, encoded_samples
from dashboard.pictures.viewer import Panel
from dashboard.store import reads
from trainer.data.collection import ClassInfo


def sample_panels(
    run_id: str, epochs: Sequence[int], *, title: str = "{name}"
) -> tuple[list[Panel], list[ClassInfo]]:
    """Return one panel for each fixed sample image of a run, with its masks at ``epochs``.

    ``title`` may hold ``{name}``, the image's name. Both lists are empty when the run stored no
    samples.
    """
    found = encoded_samples(run_id)
    if found is None:
        return [], []
    names, images, targets, classes = found
    frames = [encoded_predictions(run_id, epoch) for epoch in epochs]
    dice = image_dice(run_id)
    return [
        Panel(
            title=title.replace("{name}", name),
            image=images[i],
            target=targets[i],
            frames=[frame[i] if frame and i < len(frame) else "" for frame in frames],
            captions=dice_captions(dice, name, epochs),
        )
        for i, name in enumerate(names)
    ], classes


def image_dice(run_id: str) -> pd.DataFrame:
    """Return one Dice per validation image (rows) and epoch (columns) of a run."""
    return image_scores.image_dice(reads.per_image(run_id))
