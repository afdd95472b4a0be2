"""Write one run: metrics once an epoch, files first to the local disk."""

import json
import logging
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunInfo, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_USER

from trainer import __version__
from trainer.config import NOT_HYPERPARAMETERS, TrainConfig
from trainer.config.parsing import from_params, from_yaml
from trainer.faults import GO_ON, system_fault, unless_refused
from trainer.files import reading, replacing_folder, write_json, write_text
from trainer.printing import LineFormatter
from trainer.store import local_folder, without_passwords
from trainer.tracking.artifacts import download
from trainer.tracking.client import client, experiment_id
from trainer.tracking.environment import environment, git_commit, user
from trainer.tracking.formats import FORMAT, TAG
from trainer.tracking.heartbeat import HEARTBEAT, Beating, beat
from trainer.tracking.places import local_path
from trainer.tracking.records import CHANGED_PARAM, true_params
from trainer.tracking.runs import MAX_TAG, OUTCOMES, active_run, metric_key, storable
from trainer.tracking.runs import finish as finish_run

logger = logging.getLogger(__name__)

UPLOAD_SECONDS = 180.0


class Run:
    """A run that is being written.

    ``folder`` holds its files under their artifact paths. On a local store it is the artifact
    folder itself; otherwise it lies under ``staging/`` and `publish` copies what is new into the
    store, so that an epoch never waits for an upload.
    """

    def __init__(self, run_id: str, artifact_uri: str) -> None:
        self.id = run_id
        local = local_path(artifact_uri)
        self.beating = Beating(run_id)
        self.is_remote = local is None
        self.folder = local or local_folder() / "staging" / run_id
        self.folder.mkdir(parents=True, exist_ok=True)
        self._published: dict[Path, tuple[int, int]] = {}
        self._published_at = time.monotonic()

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write an epoch's metrics in one batch; ``epoch`` counts from 1."""
        now = int(time.time() * 1000)
        batch = [
            Metric(metric_key(key), storable(value), now, epoch) for key, value in metrics.items()
        ]
        alive = [RunTag(HEARTBEAT, beat())]
        for start in range(0, len(batch), 1000):  # MLflow takes 1,000 metrics a batch.
            client().log_batch(self.id, metrics=batch[start : start + 1000], tags=alive)
        if self.is_remote and time.monotonic() - self._published_at > UPLOAD_SECONDS:
            self.publish()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags in one request; long values are cut to what every backend takes."""
        client().log_batch(self.id, tags=[RunTag(k, v[:MAX_TAG]) for k, v in tags.items()])

    def write_text(self, path: str, text: str) -> None:
        """Put a text file into the run's folder, all of it or nothing."""
        write_text(self.folder / path, text)

    def write_json(self, path: str, value: Any) -> None:
        """Put a JSON file into the run's folder, all of it or nothing."""
        write_json(self.folder / path, value, indent=2)

    def read_json(self, path: str) -> Any:
        """Return a JSON file of the run's folder; ``ValueError`` when there is no whole one."""
        try:
            with reading(self.folder / path):
                return json.loads((self.folder / path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ValueError(f"run: {self.id} has no {path}") from error

    def reopen(self) -> None:
        """Mark the run as running again."""
        # The heartbeat first: with the one of before, readers elsewhere would call it dead.
        self.set_tags({"segscope.outcome": "", "segscope.reason": "", HEARTBEAT: beat()})
        client().update_run(self.id, status="RUNNING")

    def note_resumed(self, epoch: int, config: TrainConfig, machine: Mapping[str, str]) -> None:
        """Add to ``environment.json`` that, and with what, the run goes on after ``epoch``.

        Parameters that it was begun without, by an earlier version, are set from here on. The
        number of epochs may have become another, which a tag tells; the run is then a repeat of
        others of so many epochs.
        """
        known = client().get_run(self.id).data.params
        if known.get("epochs") != str(config.epochs):
            changed = {f"{CHANGED_PARAM}epochs": str(config.epochs)}
            self.set_tags(changed | {"segscope.seed_group": config.seed_group()})
        missing = [Param(key, value) for key, value in machine.items() if key not in known]
        client().log_batch(self.id, params=missing)
        begun = (self.folder / "environment.json").exists()
        noted = self.read_json("environment.json") if begun else {**environment(), **machine}
        again = {"after_epoch": epoch, **environment(), **machine}
        noted.setdefault("resumed", []).append(again)
        self.write_json("environment.json", noted)

    def publish(self) -> None:
        """Copy what is new or changed in the folder into a remote store; nothing on a local one."""
        if not self.is_remote:
            return
        for path in sorted(p for p in self.folder.rglob("*") if self._is_artifact(p)):
            state = _state(path)
            if self._published.get(path) != state:
                parent = path.parent.relative_to(self.folder).as_posix()
                client().log_artifact(self.id, str(path), None if parent == "." else parent)
                self._published[path] = state
        self._published_at = time.monotonic()

    def fetch(self) -> None:
        """Bring a remote run's files here, unless it was killed here: what it left is newer."""
        if not self.is_remote or any(self.folder.iterdir()):
            return
        with replacing_folder(self.folder) as partial:
            download(self.id, "", partial)
        self._published = {p: _state(p) for p in self.folder.rglob("*") if self._is_artifact(p)}

    def finish(self, outcome: str, reason: str | None = None) -> None:
        """Close the run with one of `OUTCOMES`; a remote store gets the files first."""
        self.publish()
        self.beating.stop()
        self.set_tags({"segscope.outcome": outcome, "segscope.reason": reason or ""})
        client().set_terminated(self.id, status=OUTCOMES[outcome])
        if self.is_remote:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _is_artifact(self, path: Path) -> bool:
        # What is half-written has a name, or lies in a folder, that starts with a dot.
        inside = path.relative_to(self.folder).parts
        return path.is_file() and not any(part.startswith(".") for part in inside)


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
    name = config.run_name or _default_name(config)
    all_tags = {
        MLFLOW_RUN_NAME: name,
        MLFLOW_USER: user(),
        "segscope.version": __version__,
        TAG: str(FORMAT),
        "segscope.kind": "run",
        "segscope.git_commit": git_commit(),
        "segscope.seed_group": config.seed_group(),
        "segscope.data": config.data or "turntable",
        # Two threads write it from here on; MLflow takes only one that is the first of its tag.
        HEARTBEAT: beat(),
        **(tags or {}),
    }
    if parent_run_id is not None:
        all_tags[MLFLOW_PARENT_RUN_ID] = parent_run_id
    experiment = experiment_id(config.experiment)
    local_path(client().get_experiment(experiment).artifact_location)  # refused before it runs
    created = client().create_run(experiment, tags=all_tags, run_name=name)
    return _described(created.info, config, machine or {})


def _described(info: RunInfo, config: TrainConfig, machine: Mapping[str, str]) -> Run:
    params = [Param(key, value) for key, value in {**config.to_params(), **machine}.items()]
    client().log_batch(info.run_id, params=params)
    run = Run(info.run_id, info.artifact_uri)
    run.write_text("config.yaml", config.to_yaml())
    run.write_json("environment.json", {**environment(), **machine})
    return run


def reopen_run(run_id: str) -> tuple[Run, TrainConfig]:
    """Return a run that ended or was killed, to be written on, with the config it was made with.

    Its status stays as it is until `Run.reopen`. One whose process died before its files were
    written has what the store holds of it; where that is not its parameters, it is closed.

    Raises ``ValueError`` when there is no such run, when it is archived, when its files are gone,
    when it was not made by Segscope, and when nothing of it was kept.
    """
    found = active_run(run_id)
    info, ours = found.info, found.data.tags.get("segscope.kind") == "run"
    local = local_path(info.artifact_uri)
    has_begun = bool(found.data.metrics)
    if ours and has_begun and local is not None and not local.exists():
        raise ValueError(f"run: the files of {run_id} are gone: there is no {local}")
    run = Run(info.run_id, info.artifact_uri)
    run.fetch()
    path = run.folder / "config.yaml"
    if path.is_file():
        config = from_yaml(path, stored=True)
        _check_config(config, found.data.params, path)
        return run, config
    if ours and not has_begun and found.data.params:
        return run, from_params(true_params(found.data.params, found.data.tags))
    if run.is_remote:
        shutil.rmtree(run.folder)
    if ours and not has_begun:
        finish_run(run_id, "failed", "its process died before its settings were kept")
        raise ValueError(
            f"run: nothing of {run_id} was kept, for its process died as it began; it is closed: "
            "start a new one"
        )
    where = "its files are not all here: resume it where they are"
    why = where if ours else "it was not written by Segscope"
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


@dataclass
class Ending:
    """How a run ends, unless something is raised: see `closing`."""

    outcome: str = "completed"
    reason: str | None = None


@contextmanager
def closing(run: Run) -> Iterator[Ending]:
    """Close ``run`` whatever happens: as its `Ending` says, or as interrupted, or as failed."""
    ending = Ending()
    is_over = False
    with ExitStack() as stack:
        try:
            stack.enter_context(run.beating)
            yield ending
            is_over = True
            run.finish(ending.outcome, ending.reason)
        except BaseException as error:
            outcome, reason = ended_by(error)
            if is_over and outcome != "interrupted":
                raise  # The store does not take how the run ended; nor would it take this.
            go_on = f"{GO_ON}trainer resume {run.id}"
            if outcome == "interrupted":
                reason += f"; {go_on}"
            if system_fault(error):
                error.add_note(go_on)
                # What refused that may refuse this: the run's process is gone then, and it dead.
                with unless_refused():
                    run.finish(outcome, reason)
                raise
            run.finish(outcome, reason)
            if outcome == "interrupted":
                logger.info(reason)
            raise


def ended_by(error: BaseException) -> tuple[str, str]:
    """Return the outcome, and the reason, of a run that an exception ends.

    The frames that an interruption came through are emptied: a cursor among them would hold the
    store's write lock, and whoever closes the run would find the database locked.
    """
    if isinstance(error, KeyboardInterrupt):
        traceback.clear_frames(error.__traceback__)
        return "interrupted", f"interrupted by {error}" if str(error) else "interrupted"
    if fault := system_fault(error):
        return "interrupted", fault
    return "failed", without_passwords(f"{type(error).__name__}: {error}")


@contextmanager
def log_file(run: Run) -> Iterator[None]:
    """Write the trainer's log lines to the run's ``log.txt`` too, appending after a resume."""
    handler = _LogFile(run.folder / "log.txt", encoding="utf-8")
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    trainer_logger = logging.getLogger("trainer")
    trainer_logger.addHandler(handler)
    level = trainer_logger.level
    trainer_logger.setLevel(logging.INFO)  # Called as a library, nobody has asked for it yet.
    try:
        yield
    finally:
        trainer_logger.setLevel(level)
        trainer_logger.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A run's log, which is no reason to end it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Leave a line out that the system refuses: what the run needs comes up against it too."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, whose last line may find no room."""
        with suppress(OSError):
            super().close()


def _default_name(config: TrainConfig) -> str:
    told = config.values()
    shown = {"lr": "lr", "batch_size": "batch", "kernel_size": "kernel", "seed": "seed"}
    return " ".join([config.model, *(f"{s} {told[n]:.9g}" for n, s in shown.items() if n in told)])


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
