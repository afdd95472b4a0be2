"""A sweep from its start, or where it stopped, to its end."""

import logging
import time
from dataclasses import replace

from optuna.trial import TrialState

from sweeps.attributes import DATA, RUN
from sweeps.objective import Fit
from sweeps.parent import close_parent, open_parent
from sweeps.space import Choices
from sweeps.spec import SweepSpec
from sweeps.study import FINISHED, Sweep, create
from sweeps.summary import Summary, summarise
from sweeps.view import View
from sweeps.workers import work, work_together
from trainer import tracking
from trainer.config import TrainConfig
from trainer.faults import GO_ON, system_fault, unless_refused
from trainer.interruption import deaf
from trainer.prediction.registry import settled

logger = logging.getLogger(__name__)


def start(
    spec: SweepSpec, storage: str | None, *, workers: int = 1, fit: Fit | None = None
) -> Summary:
    """Carry out the sweep that ``spec`` describes, made now unless it exists.

    Raises ``ValueError`` as `carry_out` does; a sweep that cannot begin leaves no study behind.
    """
    _check_workers(workers)
    spec = _settled(spec)
    digest = _data_digest(spec.config)
    sweep = create(spec, storage)
    _check_data(sweep, digest)
    return _run_trials(sweep, workers, fit)


def _settled(spec: SweepSpec) -> SweepSpec:
    """Return the spec with the model that its trials begin with as what it means now.

    Each trial is a run of the store, so that ``last`` would mean another one to the next trial.
    """
    searched = spec.space.get("init_from")
    for word in searched.values if isinstance(searched, Choices) else ():
        if word is not None and (meant := settled(word)) != word:
            raise ValueError(f"space.init_from: write {meant} for {word!r}, which is found by name")
    if spec.config.init_from is None:
        return spec
    config = spec.config.replace(init_from=settled(spec.config.init_from))
    return replace(spec, config=config)


def carry_out(sweep: Sweep, *, workers: int = 1, fit: Fit | None = None) -> Summary:
    """Run the trials that are left and return how the sweep stands then.

    Started again after a stop, a crash or with more trials, it goes on where it was. ``workers``
    above 1 are processes of their own. Raises ``ValueError`` for the user's mistake; Ctrl-C
    leaves everything so that `carry_out` goes on.
    """
    _check_workers(workers)
    if not _is_done(summarise(sweep)):
        _check_data(sweep, _data_digest(sweep.spec.config))
    return _run_trials(sweep, workers, fit)


def _run_trials(sweep: Sweep, workers: int, fit: Fit | None) -> Summary:
    before = summarise(sweep)
    if _is_done(before):
        logger.info("sweep %s has all its trials; --trials N asks for more", sweep.spec.name)
        return before
    parent = open_parent(sweep)
    timeout = sweep.spec.timeout
    deadline = None if timeout is None else time.time() + timeout
    try:
        with tracking.Beating(parent), View(sweep) as view:
            if workers == 1:
                work(sweep, fit=fit, deadline=deadline, on_change=view.refresh)
            else:
                work_together(sweep, workers, fit=fit, deadline=deadline, on_change=view.refresh)
    except KeyboardInterrupt as error:
        with deaf():
            close_parent(sweep, summarise(sweep), interrupted=True)
        error.add_note(f"{GO_ON}{sweep.resuming}")
        raise
    except Exception as error:
        fault = system_fault(error)
        outcome = "interrupted" if fault else "failed"
        with deaf(), unless_refused():
            tracking.finish(parent, outcome, fault or " ".join(str(error).split()))
        raise
    summary = summarise(sweep)
    close_parent(sweep, summary)
    return summary


def _is_done(summary: Summary) -> bool:
    return summary.finished >= summary.total


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise ValueError(f"workers: {workers} must be at least 1")


def _data_digest(config: TrainConfig) -> str:
    """Return the digest of the data, decoded on the way for the trials.

    Raises ``ValueError`` for wrong data before the sweep leaves anything in the store.
    """
    from trainer.data.dataset import DataSet

    return DataSet.open(config).images.digest_of_files()


def _check_data(sweep: Sweep, digest: str) -> None:
    """Raise ``ValueError`` when the trials so far, or another worker's, learn from other data."""
    with sweep.lock():
        # What came of nothing yet may be corrected.
        known = _known_digest(sweep) if sweep.trials(*FINISHED, TrialState.RUNNING) else None
        if known not in (None, digest):
            where = sweep.spec.config.data or "the built-in data"
            raise ValueError(
                f"data: {where} has changed since sweep {sweep.spec.name} began (digest {known}, "
                f"here {digest}); give a new sweep another --name"
            )
        sweep.study.set_user_attr(DATA, digest)


def _known_digest(sweep: Sweep) -> str | None:
    """Return the digest that the study keeps; one of before kept it with its runs alone."""
    if (kept := sweep.study.user_attrs.get(DATA)) is not None:
        return str(kept)
    for trial in sweep.trials(*FINISHED):
        try:
            tags = tracking.get_run(trial.user_attrs.get(RUN, "")).data.tags
        except ValueError:
            continue  # The run is gone.
        return str(tags["segscope.data_digest"]) if "segscope.data_digest" in tags else None
    return None
