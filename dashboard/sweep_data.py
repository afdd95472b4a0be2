"""A sweep for the pages: its study joined with what the store knows of its runs."""

from dataclasses import replace

from dashboard import data, sweep_reads, sweep_trials
from dashboard.store_cache import Curve
from dashboard.sweep_trials import SweepRead
from dashboard.sweep_views import trial_curves


def names() -> tuple[list[str], list[str]]:
    """Return the sweeps of the store and of the storages, newest first, and what went wrong."""
    found, faults = sweep_trials.names(data.runs()), []
    for storage in sweep_reads.storages():
        try:
            found += [n for n in reversed(sweep_reads.study_names(storage)) if n not in found]
        except ValueError as error:
            faults.append(str(error))
    return found, faults


def sweep(name: str) -> SweepRead:
    """Return a sweep as it stands: by its study where one can be read, else by its runs."""
    runs = data.runs()
    found = _study(name) or sweep_trials.from_runs(runs, name)
    trials = sweep_trials.with_runs_of(found.trials, runs, name)
    return replace(found, trials=sweep_trials.with_measures(trials, data.overview()))


def curves(found: SweepRead) -> dict[int, Curve]:
    """Return the score of each trial's first run, epoch by epoch."""
    first = [ids[0] for ids in found.trials["run_ids"] if ids]
    return trial_curves(found.trials, data.curves(first, found.metric))


def _study(name: str) -> SweepRead | None:
    for storage in sweep_reads.storages():
        try:
            if name in sweep_reads.study_names(storage):
                return sweep_reads.read_study(storage, name)
        except ValueError:
            continue  # `names` has said so.
    return None
