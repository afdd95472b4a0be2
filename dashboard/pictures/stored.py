"""Every picture that a run has stored, by image and epoch: fixed samples and worst images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.pictures import scores as image_scores
from dashboard.pictures.overlays import encoded
from dashboard.store import reads
from dashboard.store.reads import Version, read_version, version_of
from trainer.data.collection import ClassInfo
from trainer.evaluation.samples import FOLDER as SAMPLES
from trainer.evaluation.samples import read_predictions, read_samples

Map = np.ndarray


@dataclass(kw_only=True)
class Picture:
    """One validation image with its target and the predicted maps that are stored, by epoch."""

    image: Map
    target: Map
    predicted: dict[int, Map] = field(default_factory=dict)


class State(NamedTuple):
    """A run as it stands, as a cache key: its id, its last epoch, when it ended."""

    run_id: str
    last_step: int
    ended: str


def state(run_id: str) -> State:
    """Return what changes when a run has stored more."""
    row = reads.run(run_id)
    return State(run_id, int(row["last_step"] or 0), str(row["ended"]))


def pictures(
    run_id: str, epochs: Sequence[int], *, worst_of: Sequence[int] = ()
) -> tuple[dict[str, Picture], list[ClassInfo]]:
    """Return the stored pictures of a run by image, with their masks at ``epochs``, and classes.

    The fixed samples come first, then the worst images of the epochs ``worst_of``. Both are empty
    when the run stored no samples.
    """
    found = reads.samples(run_id)
    if found is None:
        return {}, []
    strip, classes = found
    samples = zip(strip.names, strip.images, strip.targets, strict=True)
    stored = {name: Picture(image=image, target=target) for name, image, target in samples}
    for epoch in epochs:
        of_epoch = reads.predictions(run_id, epoch)
        for name, mask in zip(strip.names, of_epoch or (), strict=False):
            stored[name].predicted[epoch] = mask
    for epoch in worst_of:
        _add_worst(stored, run_id, epoch, new=True)
    for epoch in epochs:
        if epoch not in worst_of:
            _add_worst(stored, run_id, epoch, new=False)
    return stored, classes


def scores(run_id: str, score: str, class_name: str | None) -> pd.DataFrame:
    """Return `image_scores.image_scores` of a run; empty when it stored no per-image scores."""
    return _scores(state(run_id), score, class_name)


def encoded_samples(run_id: str) -> tuple[list[str], list[str], list[str], list[ClassInfo]] | None:
    """Return a run's sample names, images and targets as the browser takes them, and classes."""
    return read_version(_encoded_samples, version_of(run_id, SAMPLES, "index.json"))


def encoded_predictions(run_id: str, epoch: int) -> list[str] | None:
    """Return the samples' predicted maps at an epoch as the browser takes them."""
    version = version_of(run_id, SAMPLES, f"epoch-{epoch:04d}.png", epoch)
    return read_version(_encoded_predictions, version)


@st.cache_resource(show_spinner=False, max_entries=32)
def _scores(of: State, score: str, class_name: str | None) -> pd.DataFrame:
    return image_scores.image_scores(reads.per_image(of.run_id), score, class_name)


def classes_of(run_id: str) -> list[str]:
    """Return the classes of a run's per-image scores, in order; empty when it stored none."""
    rows = reads.per_image(run_id)
    return [] if rows.empty else image_scores.class_names(rows)


def encoded_pictures(stored: dict[str, Picture]) -> dict[str, tuple[str, str, dict[int, str]]]:
    """Return each image, target and predicted maps as the browser takes them."""
    return {
        name: (
            encoded(p.image),
            encoded(p.target),
            {epoch: encoded(mask) for epoch, mask in p.predicted.items()},
        )
        for name, p in stored.items()
    }


def _add_worst(stored: dict[str, Picture], run_id: str, epoch: int, *, new: bool) -> None:
    found = reads.worst(run_id, epoch)
    if found is None:
        return
    strip, predicted, _ = found
    parts = zip(strip.names, strip.images, strip.targets, predicted, strict=True)
    for name, image, target, mask in parts:
        if new and name not in stored:
            stored[name] = Picture(image=image, target=target)
        if name in stored:
            stored[name].predicted.setdefault(epoch, mask)


@st.cache_resource(show_spinner=False, max_entries=64)
def _encoded_samples(version: Version) -> tuple[list[str], list[str], list[str], list[ClassInfo]]:
    strip, classes = read_samples(Path(version.folder))
    images, targets = ([encoded(m) for m in maps] for maps in (strip.images, strip.targets))
    return list(strip.names), images, targets, classes


@st.cache_resource(show_spinner=False, max_entries=2048)
def _encoded_predictions(version: Version) -> list[str]:
    return [encoded(m) for m in read_predictions(Path(version.folder), version.epoch)]
