"""Begin a run, or go on with one that is in the store: both need the store, whose ids they are."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Param, RunInfo
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_USER

from trainer import __version__
from trainer.classification.config import ClassifyConfig
from trainer.config import NOT_HYPERPARAMETERS, TrainConfig
from trainer.config.parsing import from_params, from_yaml
from trainer.files import check_own
from trainer.tracking.client import begin, check_answers, client, experiment_id
from trainer.tracking.environment import environment, git_commit, user
from trainer.tracking.formats import FORMAT, TAG
from trainer.tracking.heartbeat import HEARTBEAT, beat
from trainer.tracking.places import local_path
from trainer.tracking.records import true_params
from trainer.tracking.run import Run
from trainer.tracking.runs import active_run

# What a run is a training of, by its kind.
CONFIGURATIONS = {one.kind: one() for one in (TrainConfig, ClassifyConfig)}


def start_run(
    config: TrainConfig,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    machine: Mapping[str, str] | None = None,
) -> Run:
    """Create a run of ``config`` in its experiment, with its parameters, tags and environment.

    ``machine`` holds `trainer.config.MACHINE_PARAMS`: what it is trained with, and on.
    Raises ``ValueError`` when the store cannot be reached, or its files lie outside of it.
    """
    name = name_of(config)
    all_tags = {
        MLFLOW_RUN_NAME: name,
        MLFLOW_USER: user(),
        "segscope.version": __version__,
        TAG: str(FORMAT),
        "segscope.kind": config.kind,
        "segscope.git_commit": git_commit(),
        "segscope.seed_group": config.seed_group(),
        "segscope.data": config.data or "turntable",
        # Two threads write it from here on; MLflow takes only one that is the first of its tag.
        HEARTBEAT: beat(),
        **(tags or {}),
    }
    if parent_run_id is not None:
        all_tags[MLFLOW_PARENT_RUN_ID] = parent_run_id
    check_answers(begin().tracking_uri)
    experiment = experiment_id(config.experiment)
    local_path(client().get_experiment(experiment).artifact_location)  # refused before it runs
    created = client().create_run(experiment, tags=all_tags, run_name=name)
    return _described(created.info, config, machine or {})


def _described(info: RunInfo, config: TrainConfig, machine: Mapping[str, str]) -> Run:
    params = [Param(key, value) for key, value in {**config.to_params(), **machine}.items()]
    client().log_batch(info.run_id, params=params)
    run = Run(info.run_id, info.artifact_uri, latest=info.start_time)
    run.write_text("config.yaml", config.to_yaml())
    run.write_json("environment.json", {**environment(), **machine})
    return run


def reopen_run(run_id: str) -> tuple[Run, TrainConfig]:
    """Return a run that ended or was killed, to be written on, with the config it was made with.

    Its status stays as it is until `Run.reopen`. One whose process died before its files were
    written has what the store holds of it; where that is not its parameters, it is closed.

    Raises ``ValueError`` when there is no such run, when it is archived, when its files are gone,
    when it was not made by Segscope, when there is a link in it, and when nothing of it was kept.
    """
    found = active_run(run_id)
    info, kind = found.info, found.data.tags.get("segscope.kind")
    base = CONFIGURATIONS.get(kind)
    ours = base is not None
    local = local_path(info.artifact_uri)
    has_begun = bool(found.data.metrics)
    if ours and has_begun and local is not None and not local.exists():
        raise ValueError(f"run: the files of {run_id} are gone: there is no {local}")
    for path in () if local is None else local.rglob("*"):
        check_own(path)  # it will be written, and removed
    run = Run(info.run_id, info.artifact_uri)
    run.fetch()
    path = run.folder / "config.yaml"
    if path.is_file():
        config = from_yaml(path, base, stored=True)
        _check_config(config, found.data.params, path)
        return run, config
    if ours and not has_begun and found.data.params:
        return run, from_params(true_params(found.data.params, found.data.tags), base)
    if run.is_remote:
        shutil.rmtree(run.folder)
    if ours and not has_begun:
        run.finish("failed", "its process died before its settings were kept")
        raise ValueError(
            f"run: nothing of {run_id} was kept, for its process died as it began; it is closed: "
            "start a new one"
        )
    where = "its files are not all here: resume it where they are"
    others = f"it is no training, but of kind {kind}" if kind else "it was not written by Segscope"
    why = where if ours else others
    raise ValueError(f"run: {run_id} has no config.yaml; {why}")


def _check_config(config: TrainConfig, params: Mapping[str, str], path: Path) -> None:
    """Refuse a configuration that lost what the store still has: without it, it has defaults."""
    for name, value in config.to_params().items():
        told = params.get(name, value)
        if told != value and name not in NOT_HYPERPARAMETERS and name != "epochs":
            raise ValueError(
                f"{path}: is damaged, for its {name} is {value} and the store's {told}; put a "
                "whole one back"
            )


def name_of(config: TrainConfig) -> str:
    """Return the name of a run: the given one, or its model and what is most often changed."""
    if config.run_name:
        return config.run_name
    told = config.values()
    shown = {"lr": "lr", "batch_size": "batch", "kernel_size": "kernel", "seed": "seed"}
    kind = [] if config.kind == TrainConfig.kind else [config.kind]
    values = (f"{short} {told[name]:.9g}" for name, short in shown.items() if name in told)
    return " ".join([config.model, *kind, *values])
