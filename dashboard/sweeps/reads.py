"""A sweep for the pages: its study joined with what the store knows of its runs."""

from dataclasses import replace

from dashboard.store import reads
from dashboard.store.cache import Curve
from dashboard.sweeps import table
from dashboard.sweeps.facts import trial_curves
from sweeps import reading, storages
from sweeps.trials import SweepRead


def names() -> tuple[list[str], list[str]]:
    """Return the sweeps of the store and of the storages, newest first, and what went wrong."""
    found, faults = table.names(reads.runs()), []
    for storage in reading.storages():
        try:
            found += [n for n in reversed(reading.study_names(storage)) if n not in found]
        except ValueError as error:
            faults.append(str(error))
    return found, faults


def sweep(name: str) -> SweepRead:
    """Return a sweep as it stands: by its study where one can be read, else by its runs."""
    runs = reads.runs()
    found = _study(name, table.storage(runs, name)) or table.from_runs(runs, name)
    trials = table.with_runs_of(found.trials, runs, name)
    return replace(found, trials=table.with_measures(trials, reads.overview()))


def curves(found: SweepRead) -> dict[int, Curve]:
    """Return the score of each trial's first run, epoch by epoch."""
    first = [ids[0] for ids in found.trials["run_ids"] if ids]
    return trial_curves(found.trials, reads.curves(first, found.metric))


def why_no_study(name: str) -> str:
    """Return why the study that the store notes for a sweep cannot be read; empty where none is."""
    noted = table.storage(reads.runs(), name)
    try:
        if noted:
            reading.read_study(storages.checked(name, noted), name)
    except ValueError as error:
        return str(error)
    return ""


def _study(name: str, noted: str) -> SweepRead | None:
    for storage in reading.storages():
        try:
            if name in reading.study_names(storage):
                return reading.read_study(storage, name)
        except ValueError:
            continue  # `names` has said so.
    try:
        return reading.read_study(storages.checked(name, noted), name) if noted else None
    except ValueError:
        return None  # `why_no_study` says why.
