"""Who runs which trial: claimed one at a time, given back when cut short, taken from the dead."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from sweeps.attributes import DEATHS, PLANNED, REASON, UNCOUNTED, WORKER
from sweeps.presence import Presence, is_alive, listens, silent, worker_lock
from sweeps.samplers import build_sampler, distributions
from sweeps.space import conditions, read_by
from sweeps.study import Sweep
from trainer.faults import system_fault, unless_refused
from trainer.interruption import deaf

# A setting whose training ends its process so often would do it again (out of memory, most likely).
# That usually happens in the first batches, so no epoch need be done; but once or twice may be
# chance, or somebody who killed them all.
MAX_DEATHS = 3


def claim(sweep: Sweep, presence: Presence) -> tuple[optuna.Trial | None, list[FrozenTrial]]:
    """Return the next trial, its setting drawn, and the trials that were found dead.

    The trial is None when all have been begun. One process at a time claims, so workers neither
    draw the same setting nor begin more trials than the spec asks for.
    """
    with sweep.lock():
        dead = reap(sweep)
        if sweep.to_claim() == 0:
            return None, dead
        study = sweep.study
        number = len(study.get_trials(deepcopy=False))
        study.sampler = build_sampler(sweep.spec, number=number)
        trial = _ask(sweep)
        heard = listens(storage := study._storage)
        if heard:
            storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
        trial.set_user_attr(WORKER, presence.to_json(beats=heard))
    return trial, dead


def _ask(sweep: Sweep) -> optuna.Trial:
    """Return a new trial, its setting drawn: first the components, then what they read."""
    drawn, space = distributions(sweep.spec), sweep.spec.space
    hanging = conditions(space)
    trial = sweep.study.ask({name: drawn[name] for name in space if name not in hanging})
    for name in read_by(space, trial.params):
        if name in hanging:
            trial._suggest(name, drawn[name])
    return trial


def give_back(sweep: Sweep, trial: FrozenTrial, reason: str) -> None:
    """End a running trial that was cut short; it does not count, and its setting waits again.

    Nothing is done where somebody else has ended it.
    """
    with suppress(UpdateFinishedTrialError):
        _end(sweep, trial, {REASON: reason, UNCOUNTED: True})
        deaths = trial.user_attrs.get(DEATHS)
        attributes = None if deaths is None else {DEATHS: deaths}
        sweep.study.enqueue_trial(trial.params, user_attrs=attributes)


@contextmanager
def giving_back(sweep: Sweep, presence: Presence) -> Iterator[None]:
    """Give back what this worker has claimed and not ended, whatever it is that stops it."""
    try:
        yield
    except BaseException as error:
        told = "interrupted" if isinstance(error, KeyboardInterrupt) else system_fault(error)
        with deaf(), unless_refused():
            for trial in sweep.study.get_trials(deepcopy=True, states=(TrialState.RUNNING,)):
                if trial.user_attrs.get(WORKER, {}).get("id") == presence.id:
                    give_back(sweep, trial, told or str(error))
            # Only now: by its free lock a trial that could not be given back is known for dead.
            worker_lock(presence.id).unlink(missing_ok=True)
        raise


def reap(sweep: Sweep) -> list[FrozenTrial]:
    """End the running trials whose worker is gone and return them; call it holding the lock.

    The setting is tried again, until `MAX_DEATHS` processes have died while they trained it.
    """
    study = sweep.study
    running = study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    not_heard = silent(study._storage, study._study_id)
    # Who claims signs before it lets go of the lock.
    unsigned = {t.number for t in running if sweep.lock_is_shared and WORKER not in t.user_attrs}
    dead = [t for t in running if t.number in unsigned or not is_alive(t, not_heard)]
    for trial in dead:
        trained = PLANNED in trial.user_attrs
        deaths = trial.user_attrs.get(DEATHS, 0) + trained
        if deaths < MAX_DEATHS:
            trial.user_attrs[DEATHS] = deaths
            give_back(sweep, trial, "its process died" + ("" if trained else " before it trained"))
        else:
            with suppress(UpdateFinishedTrialError):
                _end(sweep, trial, {REASON: f"its process died {deaths} times; out of memory?"})
        if worker := trial.user_attrs.get(WORKER):
            worker_lock(worker["id"]).unlink(missing_ok=True)
    return dead


def _end(sweep: Sweep, trial: FrozenTrial, attributes: Mapping[str, str | bool]) -> None:
    storage = sweep.study._storage
    for key, value in attributes.items():
        storage.set_trial_user_attr(trial._trial_id, key, value)
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
