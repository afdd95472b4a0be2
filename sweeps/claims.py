"""Who runs which trial: claimed one at a time, given back when cut short, taken from the dead."""

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweeps.attributes import DEATHS, REASON, UNCOUNTED, WORKER
from sweeps.presence import Presence, is_alive, worker_lock
from sweeps.samplers import build_sampler, distributions
from sweeps.space import conditions, read_by
from sweeps.study import Sweep

# A setting that kills its process twice would do it again (out of memory, most likely).
MAX_DEATHS = 2


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
        trial.set_user_attr(WORKER, presence.to_json())
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
    """End a running trial that was cut short; it does not count, and its setting waits again."""
    storage = sweep.study._storage
    storage.set_trial_user_attr(trial._trial_id, REASON, reason)
    storage.set_trial_user_attr(trial._trial_id, UNCOUNTED, True)
    sweep.study.tell(trial.number, state=TrialState.FAIL)
    deaths = trial.user_attrs.get(DEATHS)
    attributes = None if deaths is None else {DEATHS: deaths}
    sweep.study.enqueue_trial(trial.params, user_attrs=attributes)


def reap(sweep: Sweep) -> list[FrozenTrial]:
    """End the running trials whose worker is gone and return them; call it holding the lock.

    The setting is tried again; the second time that its process dies the trial has failed.
    """
    running = sweep.study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    dead = [trial for trial in running if not is_alive(trial)]
    for trial in dead:
        deaths = trial.user_attrs.get(DEATHS, 0) + 1
        if deaths < MAX_DEATHS:
            trial.user_attrs[DEATHS] = deaths
            give_back(sweep, trial, "its process died")
        else:
            reason = f"its process died {deaths} times; out of memory?"
            sweep.study._storage.set_trial_user_attr(trial._trial_id, REASON, reason)
            sweep.study.tell(trial.number, state=TrialState.FAIL)
        if worker := trial.user_attrs.get(WORKER):
            worker_lock(worker["id"]).unlink(missing_ok=True)
    return dead
