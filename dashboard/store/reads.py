"""Cached reads of the store, for every page.

Frames that come from here are shared between sessions: read them, never change them.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.settings import Settings, from_environment
from dashboard.store import run_table
from dashboard.store.cache import EMPTY, Curve, StoreCache
from trainer.data.collection import ClassInfo
from trainer.evaluation import results
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.per_image import read_parts
from trainer.evaluation.results import BestEpoch
from trainer.evaluation.samples import FOLDER as SAMPLES
from trainer.evaluation.samples import (
    WORST,
    Strip,
    read_predictions,
    read_samples,
    read_worst,
    sampled_epochs,
)
from trainer.run_files import read_run_file
from trainer.store import tracking_uri
from trainer.tracking import artifacts

T = TypeVar("T")

ASKED = "_asked"
REMOTE_SECONDS = 15
"""How old a file may be that a server keeps and its run may still change."""


def settings() -> Settings:
    """Return how the dashboard was started."""
    return from_environment()


def store() -> StoreCache:
    """Return what has been read of the current store, shared by all sessions."""
    return _store(tracking_uri())


@st.cache_resource(show_spinner=False, max_entries=4)
def _store(uri: str) -> StoreCache:
    return StoreCache(uri)


def runs(including: Iterable[str] = ()) -> pd.DataFrame:
    """Return the table of all runs, archived ones too, newest first, seconds old at most.

    While a slow store is still being read it has the newest, and those ``including``. Raises
    ``ValueError`` when the store cannot be read.
    """
    return store().runs(including)


def run(run_id: str) -> Any:
    """Return the row of one run (a series), or None when the store has no such run."""
    table = runs([run_id])
    return table.loc[run_id] if run_id in table.index else None


def overview() -> pd.DataFrame:
    """Return `run_table.overview` of all runs, with scores but without curves.

    Computed once for each state of the store.
    """
    return runs_and_overview()[1]


def runs_and_overview() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `runs` and `overview` of one state of the store: the same runs in the same order.

    Asked for one after the other, the later table has the runs that were begun meanwhile.
    """
    cache = store()
    cache.runs()
    return _overview(Snapshot(cache.uri, cache.generation))


class Snapshot(NamedTuple):
    """A state of a store, as a cache key."""

    uri: str
    generation: int


@st.cache_resource(show_spinner=False, max_entries=2)
def _overview(snapshot: Snapshot) -> tuple[pd.DataFrame, pd.DataFrame]:
    cache = _store(snapshot.uri)
    table = cache.runs()
    found = headline_curves(run_table.without_summary(table))
    return table, run_table.overview(table, found, now=pd.Timestamp.now(tz="UTC"))


def with_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `overview` with their sparklines and EMA-best scores filled in."""
    found = headline_curves(list(table.index))
    return run_table.overview(runs().loc[table.index], found, now=pd.Timestamp.now(tz="UTC"))


def curves(run_ids: Sequence[str], metric: str) -> dict[str, Curve]:
    """Return one metric of each run on every epoch."""
    return store().curves(run_ids, metric)


def headline_curves(run_ids: Sequence[str]) -> dict[str, Curve]:
    """Return each run's headline on every epoch; empty for a run that has none."""
    metrics = runs(run_ids)["headline"].reindex(list(run_ids), fill_value="")
    of_metric = {m: curves(list(metrics.index[metrics == m]), m) for m in metrics.unique() if m}
    pairs = zip(run_ids, metrics, strict=True)
    return {run_id: of_metric[m][run_id] if m else EMPTY for run_id, m in pairs}


def best_epoch(run_id: str) -> BestEpoch | None:
    """Return the epoch that a run stands for; None where nothing tells, or there is no such run."""
    row = run(run_id)
    if row is None:
        return None
    return results.best_epoch(row, lambda metric: curves([run_id], metric)[run_id])


def metrics_of(run_ids: Sequence[str]) -> list[str]:
    """Return the names of all metrics that any of the runs has logged, sorted."""
    table = runs()
    known = table.index.intersection(list(run_ids))
    return sorted(set().union(*table.loc[known, "logged_metrics"]))


def artifact(run_id: str, path: str) -> Path | None:
    """Return a readable file or folder of a run, or None when it has none of that path."""
    row = run(run_id)
    if row is None:
        return None
    st.session_state.setdefault(ASKED, set()).add(run_id)
    try:
        if artifacts.is_remote(row["artifact_uri"]):
            return _fetched(run_id, row["artifact_uri"], path, artifacts.state_of(row["ended"]))
        return artifacts.artifact_path(run_id, row["artifact_uri"], path)
    except ValueError:
        return None  # The list of the run's files says why.


@st.cache_resource(show_spinner=False, max_entries=512, ttl=REMOTE_SECONDS)
def _fetched(run_id: str, artifact_uri: str, path: str, version: str | None) -> Path | None:
    return artifacts.artifact_path(run_id, artifact_uri, path, version=version)


def artifact_list(run_id: str, path: str = "") -> list[artifacts.ArtifactEntry]:
    """Return what a folder of a run's artifacts holds."""
    row = run(run_id)
    return [] if row is None else artifacts.list_artifacts(run_id, row["artifact_uri"], path)


def text(run_id: str, path: str, *, at_most: int = 200_000) -> str | None:
    """Return the end of a text file of a run, or None when it has none."""
    file = artifact(run_id, path)
    if file is None or not file.is_file():
        return None
    return _noting(run_id, path, file.parent, lambda: _end_of(file, at_most))


def _end_of(file: Path, at_most: int) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - at_most))
        return stream.read().decode("utf-8", errors="replace")


def json_value(run_id: str, path: str) -> Any:
    """Return a JSON file of a run, or None when it has none or a damaged one, see `damaged`."""
    file = artifact(run_id, path)
    if file is None:
        return None
    return _noting(run_id, path, file.parent, lambda: read_run_file(file))


def damaged() -> list[str]:
    """Return a line for each damaged file of the runs whose files were asked for since the last."""
    asked = st.session_state.pop(ASKED, set())
    found = [lines for (run_id, _), lines in _damage().copy().items() if run_id in asked]
    return sorted(set().union(*found))


@st.cache_resource(show_spinner=False)
def _damage() -> dict[tuple[str, str], list[str]]:
    return {}


def _note(run_id: str, what: str, folder: Path, faults: Sequence[str]) -> None:
    if faults:
        _damage()[run_id, what] = [fault.replace(f"{folder}{os.sep}", "") for fault in faults]
    else:
        _damage().pop((run_id, what), None)


def _noting(run_id: str, what: str, folder: Path, read: Callable[[], T]) -> T | None:
    """Return what ``read`` returns; None, and the fault is noted, where a file is damaged."""
    try:
        value = read()
    except (ValueError, OSError) as error:
        _note(run_id, what, folder, [str(error)])
        return None
    _note(run_id, what, folder, [])
    return value


def samples(run_id: str) -> tuple[Strip, list[ClassInfo]] | None:
    """Return the fixed sample images of a run, their targets and the classes."""
    return read_version(_samples, version_of(run_id, SAMPLES, "index.json"))


def sample_epochs(run_id: str) -> list[int]:
    """Return the epochs whose sample predictions are stored."""
    folder = artifact(run_id, SAMPLES)
    return [] if folder is None else sampled_epochs(folder)


def predictions(run_id: str, epoch: int) -> list[np.ndarray] | None:
    """Return the samples' predicted maps at an epoch, in the samples' order."""
    return read_version(_predictions, version_of(run_id, SAMPLES, f"epoch-{epoch:04d}.png", epoch))


def worst(run_id: str, epoch: int) -> tuple[Strip, list[np.ndarray], list[float]] | None:
    """Return the lowest-scoring validation images of an epoch, their maps and their Dice."""
    return read_version(
        _worst, version_of(run_id, SAMPLES, f"{WORST}/epoch-{epoch:04d}.json", epoch)
    )


def per_image(run_id: str, epochs: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the per-image scores of a run, all epochs or some; empty when it has none."""
    folder = artifact(run_id, PER_IMAGE)
    if folder is None:
        return pd.DataFrame(columns=["epoch", "image", "class", "tp", "fp", "fn", "dice", "iou"])
    newest = max((p.stat().st_mtime_ns for p in folder.glob("epoch-*.parquet")), default=0)
    version = Version(run_id, str(folder), 0, newest)
    rows, faults = _per_image(version, None if epochs is None else tuple(epochs))
    _note(run_id, f"{PER_IMAGE} {epochs}", folder, faults)
    return rows


class Version(NamedTuple):
    """What identifies a file's content in a cache: run, folder, epoch, and when it changed."""

    run_id: str
    folder: str
    epoch: int
    changed: int


def version_of(run_id: str, folder: str, needed: str, epoch: int = 0) -> Version | None:
    """Return what tells a state of a run's folder from others; None without the file needed."""
    found = artifact(run_id, folder)
    if found is None or not (found / needed).is_file():
        return None
    return Version(run_id, str(found), epoch, (found / needed).stat().st_mtime_ns)


def read_version(read: Callable[[Version], T], version: Version | None) -> T | None:
    """Return what ``read`` makes of a version; None without one, or where it is damaged."""
    if version is None:
        return None
    what = f"{read.__qualname__} {version.epoch}"
    return _noting(version.run_id, what, Path(version.folder), lambda: read(version))


@st.cache_resource(show_spinner=False, max_entries=64)
def _samples(version: Version) -> tuple[Strip, list[ClassInfo]]:
    return read_samples(Path(version.folder))


@st.cache_resource(show_spinner=False, max_entries=1024)
def _predictions(version: Version) -> list[np.ndarray]:
    return list(read_predictions(Path(version.folder), version.epoch))


@st.cache_resource(show_spinner=False, max_entries=128)
def _worst(version: Version) -> tuple[Strip, list[np.ndarray], list[float]]:
    strip, maps, dice = read_worst(Path(version.folder), version.epoch)
    return strip, list(maps), dice


@st.cache_resource(show_spinner=False, max_entries=64)
def _per_image(version: Version, epochs: tuple[int, ...] | None) -> tuple[pd.DataFrame, list[str]]:
    faults: list[str] = []
    return read_parts(Path(version.folder), epochs, damaged=faults.append), faults
