"""One trial: a setting becomes a config, the config a run, the run's best score the trial's value.

A pruned or failed trial keeps its runs and its reason, in the study and in the store.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from sweeps.attributes import EPOCHS, PLANNED, REASON, RUN, RUNS, SAVED, SCORES
from sweeps.pruners import BestSoFar
from sweeps.study import FINISHED, STORAGE_ERRORS, Sweep
from trainer.config import TrainConfig
from trainer.faults import is_out_of_memory, system_fault
from trainer.store import Unreachable

if TYPE_CHECKING:
    from trainer.training.fitting import FitResult

logger = logging.getLogger(__name__)

CLOSED = "another worker held this one for dead and ended the trial; its setting is tried again"


class Fit(Protocol):
    """What trains one run: `trainer.training.fitting.fit`."""

    def __call__(
        self,
        config: TrainConfig,
        *,
        parent_run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        on_epoch: Callable[[int, Mapping[str, float]], None] | None = None,
        progress: bool = True,
    ) -> "FitResult": ...


@dataclass(kw_only=True)
class Objective:
    """Runs the trials of one sweep with ``fit``; ``on_change`` hears of every epoch and end."""

    sweep: Sweep
    fit: Fit
    on_change: Callable[[], None] = field(default=lambda: None)

    def run(self, trial: optuna.Trial) -> None:
        """Run a claimed trial and tell the study how it ended.

        Raises ``ValueError`` when the very first trials fail by the user's mistake: it is then
        the sweep's, not the setting's; and when the tracking server does not answer. A later one
        fails its trial alone, as does a machine out of memory. Whatever else is raised passes
        through, after the study has been told. What cuts the trial short (Ctrl-C, the study's own
        failure) passes through untold.
        """
        try:
            self._run(trial)
        except STORAGE_ERRORS:
            raise
        except UpdateFinishedTrialError:
            logger.warning("trial %d of sweep %s: %s", trial.number, self.sweep.spec.name, CLOSED)
        except ValueError as error:
            # Without its server or a disk no trial begins: that is no setting's fault either.
            refused = isinstance(error, Unreachable) or system_fault(error)
            if refused or not self.sweep.trials(*FINISHED):
                raise
            self._tell(trial, TrialState.FAIL, str(error))
        except Exception as error:
            if system_fault(error):
                raise  # The machine's failure, not the setting's: it is given back.
            reason = f"{type(error).__name__}: {error}"
            if not is_out_of_memory(error):
                self._tell(trial, TrialState.FAIL, reason)
                raise
            self._tell(trial, TrialState.FAIL, f"out of memory ({reason})")

    def _run(self, trial: optuna.Trial) -> None:
        spec = self.sweep.spec
        config = spec.config_of(trial.params)
        trial.set_user_attr(PLANNED, config.epochs * spec.seeds)
        results: list[FitResult] = []
        for repeat in range(spec.seeds):
            results.append(self._fit(trial, config, repeat))
            self._keep(trial, config, results)
            config = config.replace(**results[-1].found)
            if results[-1].outcome not in ("completed", "early-stopped"):
                break
        last = results[-1]
        if last.outcome == "pruned":
            self._tell(trial, TrialState.PRUNED, last.reason)
        elif last.outcome == "failed" or len(results) < spec.seeds:
            self._tell(trial, TrialState.FAIL, last.reason or last.outcome)
        else:
            scores = [self._score(result) for result in results]
            self._tell(trial, TrialState.COMPLETE, None, sum(scores) / len(scores))

    def _fit(self, trial: optuna.Trial, config: TrainConfig, repeat: int) -> "FitResult":
        spec = self.sweep.spec
        watch = self._watch(trial, config.epochs)
        name = f"{spec.name} {trial.number}" + (f" seed {config.seed + repeat}" if repeat else "")
        return self.fit(
            config.replace(seed=config.seed + repeat, run_name=name),
            parent_run_id=self.sweep.parent_run_id,
            tags={"segscope.sweep": spec.name, "segscope.trial": str(trial.number)},
            # Repeats measure the noise of a setting that is worth it: they are never pruned.
            on_epoch=watch if repeat == 0 else lambda *_: self.on_change(),
            progress=False,
        )

    def _watch(
        self, trial: optuna.Trial, epochs: int
    ) -> Callable[[int, Mapping[str, float]], None]:
        best = BestSoFar()
        metric, spec = self.sweep.spec.metric, self.sweep.spec.pruner
        # After its last epoch there is nothing left to save but the repeats with other seeds.
        last = epochs if self.sweep.spec.seeds > 1 else epochs - 1

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            from trainer.training.fitting import StopTraining

            reached = best.after(float(metrics[metric]))
            if reached is not None:
                try:
                    trial.report(reached, step=epoch)
                except UpdateFinishedTrialError:
                    raise StopTraining(outcome="interrupted", reason=CLOSED) from None
            self.on_change()
            if reached is not None and epoch <= last and trial.should_prune():
                row = f", for {spec.patience + 1} epochs in a row" if spec.patience else ""
                reason = (
                    f"best {metric} {reached:.4f} after epoch {epoch} is below the {spec.name} "
                    f"of the trials that reached it{row}"
                )
                raise StopTraining(outcome="pruned", reason=reason)

        return on_epoch

    def _keep(self, trial: optuna.Trial, config: TrainConfig, results: "list[FitResult]") -> None:
        """Put into the study which runs there are, how good, and what they cost and saved."""
        best = max(results, key=self._score)
        trained = sum(result.epochs for result in results)
        # A failed run spent its epochs for nothing, but left none that were worth training.
        stopped = results[-1].outcome in ("pruned", "early-stopped", "completed")
        planned = config.epochs * (
            self.sweep.spec.seeds if results[-1].outcome == "pruned" else len(results)
        )
        kept: dict[str, Any] = {
            RUN: best.run_id,
            RUNS: [result.run_id for result in results],
            SCORES: [self._score(result) for result in results],
            EPOCHS: trained,
            SAVED: planned - trained if stopped else 0,
        }
        for key, value in kept.items():
            trial.set_user_attr(key, value)

    def _score(self, result: "FitResult") -> float:
        """Return the run's best score; NaN when no epoch had one."""
        return float(result.best.get(self.sweep.spec.metric.replace("/", "_"), float("nan")))

    def _tell(
        self,
        trial: optuna.Trial,
        state: TrialState,
        reason: str | None,
        value: float | None = None,
    ) -> None:
        if state is TrialState.COMPLETE and value != value:
            state, reason, value = TrialState.FAIL, f"no epoch had a {self.sweep.spec.metric}", None
        if reason:
            trial.set_user_attr(REASON, reason)
        self.sweep.study.tell(trial, value, state=state)
        self.on_change()
