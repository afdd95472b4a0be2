"""Write one run: what is told of it through its outbox, files first to the local disk."""

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.config import TrainConfig
from trainer.files import replacing_folder, write_json, write_text
from trainer.run_files import read_run_file
from trainer.tracking.artifacts import download
from trainer.tracking.client import client
from trainer.tracking.environment import environment
from trainer.tracking.heartbeat import Beating
from trainer.tracking.outbox import record
from trainer.tracking.places import local_path, staging
from trainer.tracking.records import CHANGED_PARAM, true_params
from trainer.tracking.runs import ending, summaries, tagging
from trainer.tracking.sending import Sending

logger = logging.getLogger(__name__)

LOG = "log.txt"
UPLOAD_SECONDS = 180.0


class Run:
    """A run that is being written.

    What is told of it is a record in its outbox first, which `sending` sends: a store that does
    not answer neither stops nor ends a training. ``folder`` holds its files under their artifact
    paths. On a local store it is the artifact folder itself; otherwise it lies under ``staging/``
    and `publish` gives what is new to the outbox.
    """

    def __init__(self, run_id: str, artifact_uri: str, *, latest: int = 0) -> None:
        """Write a run that has no time after ``latest``, in ms since 1970."""
        self.id = run_id
        self._latest = latest
        local = local_path(artifact_uri)
        self.sending = Sending(run_id, alive=True)
        self.beating = Beating(run_id, on_silence=self.sending.missed)
        self.is_remote = local is None
        self.folder = local or staging(run_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._published: dict[Path, tuple[int, int]] = {}
        self._published_at = time.monotonic()

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write an epoch's metrics in one batch; ``epoch`` counts from 1."""
        self.sending.put(*summaries(metrics, epoch, at=self._now()))
        due = time.monotonic() - self._published_at > UPLOAD_SECONDS
        # Of a file that waits no second state is kept: they would fill the disk.
        if self.is_remote and due and not self.sending.outbox.files.exists():
            self.publish()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; long values are cut to what every backend takes."""
        self.sending.put(record(tags=tagging(tags)))

    def write_text(self, path: str, text: str) -> None:
        """Put a text file into the run's folder, all of it or nothing."""
        write_text(self.folder / path, text)

    def write_json(self, path: str, value: Any) -> None:
        """Put a JSON file into the run's folder, all of it or nothing."""
        write_json(self.folder / path, value, indent=2)

    def read_json(self, path: str) -> Any:
        """Return a JSON file of the run's folder; ``ValueError`` when it is damaged or missing."""
        if not (self.folder / path).exists():
            raise ValueError(f"run: {self.id} has no {path}")
        return read_run_file(self.folder / path)

    def reopen(self) -> None:
        """Mark the run as running again, once the store has what waited of it.

        Raises ``ValueError`` where the store does not take that.
        """
        why = self.sending.settle()
        if why is not None:
            raise ValueError(f"run: {self.id} cannot go on: what waits of it is not sent: {why}")
        known = client().get_run(self.id)
        times = [metric.timestamp for metric in known.data.to_proto().metrics]
        self._latest = max(known.info.start_time, *times, self._latest)
        blank = {"segscope.outcome": "", "segscope.reason": ""}
        self.sending.put(record(tags=blank, status="RUNNING"))

    def note_resumed(self, epoch: int, config: TrainConfig, machine: Mapping[str, str]) -> None:
        """Add to ``environment.json`` that, and with what, the run goes on after ``epoch``.

        Parameters that it was begun without, by an earlier version, are set from here on. The
        number of epochs may have become another, which a tag tells; the run is then a repeat of
        others of so many epochs.
        """
        data = client().get_run(self.id).data
        known = data.params
        if true_params(known, data.tags).get("epochs") != str(config.epochs):
            changed = {f"{CHANGED_PARAM}epochs": str(config.epochs)}
            self.set_tags(changed | {"segscope.seed_group": config.seed_group()})
        if missing := {key: value for key, value in machine.items() if key not in known}:
            self.sending.put(record(params=missing))
        begun = (self.folder / "environment.json").exists()
        try:
            noted = self.read_json("environment.json") if begun else {**environment(), **machine}
        except ValueError as error:
            logger.warning("%s; it is written anew", error)
            noted = {}
        again = {"after_epoch": epoch, **environment(), **machine}
        noted["resumed"] = [*noted.get("resumed", ()), again]
        self.write_json("environment.json", noted)

    def publish(self) -> None:
        """Give what is new or changed in the folder to a remote store; nothing to a local one."""
        if not self.is_remote:
            return
        notes = []
        for path in sorted(p for p in self.folder.rglob("*") if self._is_artifact(p)):
            state = _state(path)
            if self._published.get(path) != state:
                inside = path.relative_to(self.folder).as_posix()
                kept = self.sending.outbox.keep(path, grows=inside == LOG)
                notes.append(record(artifact=inside, kept=kept))
                self._published[path] = state
        self.sending.put(*notes)
        self._published_at = time.monotonic()

    def fetch(self) -> None:
        """Bring a remote run's files here, unless it was killed here: what it left is newer."""
        if not self.is_remote or any(self.folder.iterdir()):
            return
        with replacing_folder(self.folder) as partial:
            download(self.id, "", partial)
        self._published = {p: _state(p) for p in self.folder.rglob("*") if self._is_artifact(p)}

    def finish(self, outcome: str, reason: str | None = None) -> None:
        """Close the run with one of `OUTCOMES`; a remote store gets the files first.

        What a store that does not answer has not got then, `trainer.tracking.syncing` sends.
        """
        self.publish()
        self.beating.stop()
        self.sending.put(ending(outcome, reason, at=self._now()))
        if self.sending.end() and self.is_remote:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _now(self) -> int:
        """Return the time in ms, later than any that the run has.

        Of two values of an epoch the later one counts, and clocks are set back.
        """
        self._latest = max(int(time.time() * 1000), self._latest + 1)
        return self._latest

    def _is_artifact(self, path: Path) -> bool:
        # What is half-written has a name, or lies in a folder, that starts with a dot.
        inside = path.relative_to(self.folder).parts
        return path.is_file() and not any(part.startswith(".") for part in inside)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
