"""What has been read of one store, kept up to date with few, small reads.

A finished run never changes, so its history is read once. The table of runs is completed by what
changed since the last look, and read whole again now and then, because a tag that another program
changed shows in no other way. Behind a server the newest runs come first and the others while the
reader looks at those. Nothing here knows Streamlit.
"""

import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.analysis import history
from trainer.tracking import reading
from trainer.tracking.standing import UNFINISHED

FRESH_SECONDS = 1.0
WHOLE_SECONDS = 60.0
WHOLE_SHARE = 20
"""A table that takes long is read whole less often: at most this part of the time goes into it."""
CHEAP_SECONDS = 0.3
OVERLAP_MS = 30_000
"""Clocks of several machines differ; a change is looked for this much before the last look."""


class Curve(NamedTuple):
    """One metric of one run: epochs ascending, each once, and the value logged last for each."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


EMPTY = Curve(np.empty(0, np.int64), np.empty(0))


class _Entry(NamedTuple):
    curve: Curve
    ended: object
    """When the run had ended as its history was read; None while it went on."""
    read_at: float
    newest: int


class StoreCache:
    """Everything read of the store at ``uri``; safe to share between sessions."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.generation = 0
        """Counts up whenever the table of runs has changed: a key for what is made from it."""
        self._lock = threading.RLock()
        self.complete = False
        """Whether the table of runs has them all, not the newest alone."""
        self._runs: pd.DataFrame | None = None
        self._looked = self._whole = float("-inf")
        self._looked_ms = 0
        self._cost = 0.0
        self._refreshing = False
        self._curves: dict[str, dict[str, _Entry]] = {}

    def runs(self, including: Iterable[str] = ()) -> pd.DataFrame:
        """Return the table of `reading.list_runs`, at most a few seconds old; do not change it.

        While it is not `complete` it still has those of the runs ``including`` that the store has.
        Raises ``ValueError`` when the store cannot be read.
        """
        with self._lock:
            now = time.monotonic()
            if self._runs is None:
                self._read_first()
            elif now - self._looked > FRESH_SECONDS:
                self._read_changes()
                if now - self._whole > max(WHOLE_SECONDS, WHOLE_SHARE * self._cost):
                    self._refresh_whole()
            assert self._runs is not None
            if not self.complete:
                self.refresh([r for r in including if r not in self._runs.index])
            return self._runs

    def refresh(self, run_ids: Sequence[str]) -> None:
        """Read the rows of some runs anew: after a write, which nothing else may show at once."""
        with self._lock:
            if self._runs is not None and run_ids:
                self._put(reading.chosen_runs(run_ids, self.uri))

    def curves(self, run_ids: Iterable[str], metric: str) -> dict[str, Curve]:
        """Return one metric of each run, full; a run that never logged it has an empty curve."""
        wanted = list(dict.fromkeys(run_ids))
        ended = self._ended(wanted)
        with self._lock:
            entries = self._curves.setdefault(metric, {})
            now = time.monotonic()
            absent = [r for r in wanted if r not in entries]
            moving = [r for r in wanted if r in entries and _is_old(entries[r], ended[r], now)]
            if absent:
                self._read_curves(metric, absent, ended, since=None)
            if moving:
                since = min(entries[r].newest for r in moving)
                self._read_curves(metric, moving, ended, since=since)
            return {r: entries[r].curve for r in wanted}

    def _ended(self, run_ids: Sequence[str]) -> dict[str, object]:
        runs = self.runs()
        known = runs.loc[runs.index.intersection(list(run_ids))]
        done = ~known["status"].isin(UNFINISHED)
        times = dict(zip(known.index[done], known["ended"][done], strict=True))
        return {run_id: times.get(run_id) for run_id in run_ids}

    def _read_curves(
        self, metric: str, run_ids: list[str], ended: dict[str, object], since: int | None
    ) -> None:
        entries = self._curves[metric]
        read_at = time.monotonic()
        table = reading.histories(run_ids, [metric], since=since, uri=self.uri)
        pieces = _pieces(table)
        for run_id in run_ids:
            old = entries[run_id].curve if since is not None else EMPTY
            newest = entries[run_id].newest if since is not None else 0
            piece = pieces.get(run_id)
            curve = old
            if piece is not None:
                newest = piece.newest
                steps = np.concatenate([old.steps, piece.steps])
                values = np.concatenate([old.values, piece.values])
                curve = Curve(*history.newest(steps, values))
            entries[run_id] = _Entry(curve, ended[run_id], read_at, newest)

    def _read_first(self) -> None:
        started = time.monotonic()
        looked_ms = int(time.time() * 1000)
        pages = reading.run_pages(self.uri)
        self._runs, self.complete = next(pages)
        self.generation += 1
        self._looked, self._looked_ms = time.monotonic(), looked_ms
        # Until the last page has come nothing is older than the whole.
        self._whole = self._looked if self.complete else math.inf
        self._cost = self._looked - started
        if not self.complete:
            rest = threading.Thread(target=self._read_on, args=(pages, started), daemon=True)
            rest.start()

    def _read_on(self, pages: Iterator[tuple[pd.DataFrame, bool]], started: float) -> None:
        try:
            for page, last in pages:
                with self._lock:
                    assert self._runs is not None
                    # What has been looked at since the reading began is newer than the page.
                    self._put(page.loc[~page.index.isin(self._runs.index)])
                    if last:
                        self.complete, self._whole = True, time.monotonic()
                        self._cost = self._whole - started
        except ValueError:
            with self._lock:  # The next look begins again, and says to somebody what is wrong.
                self._runs = None

    def _put(self, rows: pd.DataFrame) -> None:
        assert self._runs is not None
        if len(rows) and not _holds(self._runs, rows):
            self._runs = reading.updated(self._runs, rows)
            self.generation += 1

    def _read_whole(self) -> None:
        started = time.monotonic()
        looked_ms = int(time.time() * 1000)
        runs = reading.list_runs(self.uri)
        with self._lock:
            if self._runs is None or not runs.equals(self._runs):
                self.generation += 1
            self._runs = runs
            self._looked = self._whole = time.monotonic()
            self._looked_ms = looked_ms
            self._cost = self._whole - started

    def _read_changes(self) -> None:
        looked_ms = int(time.time() * 1000)
        self._put(reading.latest_changes(self._looked_ms - OVERLAP_MS, self.uri))
        self._looked = time.monotonic()
        self._looked_ms = looked_ms

    def _refresh_whole(self) -> None:
        # A large store takes seconds: nobody waits for them, the older table serves meanwhile.
        if self._cost < CHEAP_SECONDS:
            self._read_whole()
        elif not self._refreshing:
            self._refreshing = True
            threading.Thread(target=self._refresh_behind, daemon=True).start()

    def _refresh_behind(self) -> None:
        try:
            self._read_whole()
        except ValueError:
            # The next look in the foreground meets the same trouble, and says so to somebody.
            self._whole = time.monotonic()
        finally:
            self._refreshing = False


def _holds(runs: pd.DataFrame, changes: pd.DataFrame) -> bool:
    """Return whether the table already says what the rows of ``changes`` say."""
    if not (set(changes.columns) <= set(runs.columns) and changes.index.isin(runs.index).all()):
        return False
    said = changes.reindex(columns=runs.columns).astype(object)
    known = runs.loc[changes.index].astype(object)
    return said.where(said.notna(), None).equals(known.where(known.notna(), None))


class _Piece(NamedTuple):
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    newest: int


def _pieces(table: pd.DataFrame) -> dict[str, _Piece]:
    """Cut the histories of one metric, sorted by run, into their runs."""
    if table.empty:
        return {}
    codes = table["run_id"].cat.codes.to_numpy()
    steps, values = table["step"].to_numpy(), table["value"].to_numpy()
    times = table["timestamp"].to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    ends = np.append(starts[1:], codes.size)
    names = table["run_id"].cat.categories
    return {
        str(names[codes[a]]): _Piece(steps[a:b], values[a:b], int(times[a:b].max()))
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    }


def _is_old(entry: _Entry, ended: object, now: float) -> bool:
    if ended is None:
        return now - entry.read_at > FRESH_SECONDS
    return entry.ended != ended
