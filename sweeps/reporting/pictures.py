"""Sample predictions of a sweep's configurations, as pictures that stand in the page itself."""

import base64
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from sweeps.reporting.facts import Configuration, Facts
from trainer.data.collection import ClassInfo
from trainer.data.painting import Map, in_colour, lay_over
from trainer.evaluation.results import best_epoch
from trainer.evaluation.samples import FOLDER, read_predictions, read_samples
from trainer.tracking.artifacts import artifact_path, state_of

MOST_IMAGES, MOST_SHOWN = 4, 4
"""Images shown, and configurations: from the best to the worst."""
LARGEST = 320
"""Pixels along the longer side of a picture."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Validation images by name, each as pictures (data URIs) in the order of ``columns``."""

    columns: list[str]
    rows: dict[str, list[str]]
    classes: list[ClassInfo]


def samples(facts: Facts) -> Samples | None:
    """Return the images that every run keeps, their targets and what some configurations predict.

    Of each configuration its first run at its best epoch; what is not kept, is damaged, or is of
    other images is left out. None where nothing is left.
    """
    shown: Samples | None = None
    for configuration in _spread_out(facts):
        try:
            found = _of_run(facts, configuration)
        except ValueError:
            continue
        if found is None:
            continue
        if shown is None:
            shown = found
        elif list(found.rows) == list(shown.rows):
            shown.columns.append(found.columns[-1])
            for name, row in shown.rows.items():
                row.append(found.rows[name][-1])
    return shown


def _spread_out(facts: Facts) -> list[Configuration]:
    """Return the best and the worst configuration, and as many between them as are shown."""
    ranked = sorted(facts.configurations, key=lambda c: -(c.trial.value or 0.0))
    number = min(MOST_SHOWN, len(ranked))
    return [ranked[round(at * (len(ranked) - 1) / max(1, number - 1))] for at in range(number)]


def _of_run(facts: Facts, configuration: Configuration) -> Samples | None:
    run_id = configuration.run_ids[0]
    row: Any = facts.runs.loc[run_id]
    at = best_epoch(row, lambda metric: facts.curve(run_id, metric)[:2])
    folder = artifact_path(run_id, row["artifact_uri"], FOLDER, version=state_of(row["ended"]))
    if at is None or folder is None:
        return None
    strip, classes = read_samples(folder)
    predicted = read_predictions(folder, at.epoch)
    parts = list(zip(strip.names, strip.images, strip.targets, predicted, strict=True))
    rows = {
        name: [
            _encoded(in_colour(image)),
            *(_encoded(lay_over(image, mask, classes)) for mask in (target, guess)),
        ]
        for name, image, target, guess in parts[:MOST_IMAGES]
    }
    label = f"{configuration.label}, epoch {at.epoch}"
    return Samples(columns=["image", "target", label], rows=rows, classes=classes)


def _encoded(image: Map) -> str:
    """Return a picture as a data URI."""
    picture, stored = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((LARGEST, LARGEST))
    picture.save(stored, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stored.getvalue()).decode()
