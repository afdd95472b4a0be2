"""The sweep's own run in the store: what groups its trials' runs, and sums them up."""

import tempfile
from pathlib import Path

import yaml
from optuna.trial import FrozenTrial

from sweeps import storages
from sweeps.attributes import PARENT, REASON
from sweeps.study import Sweep
from sweeps.summary import Summary
from trainer import tracking
from trainer.files import remove_partials
from trainer.tracking.places import local_path
from trainer.wording import counted


def open_parent(sweep: Sweep) -> str:
    """Return the parent run's id, created at the first start and reopened at the next ones.

    Raises ``ValueError`` when the store cannot be reached.
    """
    spec = sweep.spec
    with sweep.lock():
        if (known := sweep.parent_run_id) is not None:
            tracking.get_run(known)
            tracking.reopen_parent(known)
            tracking.set_tags(known, {storages.TAG: storages.tag(sweep.storage)})
            return known
        params = {f"space.{name}": str(dimension) for name, dimension in spec.space.items()}
        params |= {"sampler": spec.sampler.name, "pruner": spec.pruner.name}
        params |= {
            "metric": spec.metric,
            "seeds": str(spec.seeds),
            "epochs": str(spec.config.epochs),
        }
        run_id = tracking.start_parent(
            spec.name,
            experiment=spec.config.experiment,
            tags={
                "segscope.kind": "sweep",
                "segscope.sweep": spec.name,
                "segscope.data": spec.config.data or "turntable",
                "mlflow.note.content": spec.description,
                storages.TAG: storages.tag(sweep.storage),
            },
            params=params,
        )
        with tempfile.TemporaryDirectory() as folder:
            text = yaml.safe_dump(spec.to_mapping(), sort_keys=False, allow_unicode=True)
            (Path(folder) / "sweep.yaml").write_text(text, encoding="utf-8")
            tracking.log_files(run_id, Path(folder))
        sweep.study.set_user_attr(PARENT, run_id)
    return run_id


def close_parent(sweep: Sweep, summary: Summary, *, interrupted: bool = False) -> None:
    """Write the sweep's figures to its run and close it."""
    run_id = sweep.parent_run_id
    assert run_id is not None, "open_parent comes first"
    tracking.log_summary(run_id, summary.to_metrics(), step=summary.finished)
    if summary.best is not None:
        tracking.set_tags(run_id, {"segscope.best_run": summary.best.run_id or ""})
    if interrupted:
        reason = f"{summary.finished} of {counted(summary.total, 'trial')} done"
        tracking.finish(run_id, "interrupted", reason)
    elif summary.best is None:
        tracking.finish(run_id, "failed", "no trial was completed")
    else:
        tracking.finish(run_id, "completed")


def close_dead_runs(sweep: Sweep, dead: list[FrozenTrial]) -> None:
    """Close the runs that dead trials left open, with the reason."""
    for trial in dead:
        kept = sweep.study.get_trials(deepcopy=False)[trial.number]
        for run in tracking.find_runs(
            f"tags.`mlflow.parentRunId` = '{sweep.parent_run_id}' "
            f"and tags.`segscope.trial` = '{trial.number}' and attributes.status = 'RUNNING'"
        ):
            tracking.finish(run.info.run_id, "interrupted", kept.user_attrs.get(REASON))
            if (folder := local_path(run.info.artifact_uri)) is not None:
                remove_partials(folder)
