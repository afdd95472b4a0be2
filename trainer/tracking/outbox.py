"""What is to be written to a run of the store, on this machine's disk until the store has it.

One JSON object a line, a record or that one was sent; a line is synced before anything is sent, so
that what is on the disk is what counts. The file is there as long as something waits. It may have
come with a folder that somebody else made: no file outside of the outbox is sent or removed for it.
"""

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from filelock import FileLock, Timeout

from trainer.files import link_or_copy
from trainer.store import local_folder

Record = dict[str, Any]

SUFFIX = ".jsonl"
# As `Outbox.keep` names a file, and MLflow a run.
KEPT, RUN = r"[0-9a-f]{16}/[^/]+", r"\w[\w-]*"
# Longer than another one needs to look whether something waits.
LOCK_SECONDS = 1.0


def record(**what: Any) -> Record:
    """Return a record with an id of its own; see `trainer.tracking.delivery.deliver`."""
    return {"id": token_hex(8), **what}


def outbox_folder(uri: str | None = None) -> Path:
    """Return the folder of the outboxes of the store at ``uri``, the current one when left out."""
    return local_folder(uri) / "outbox"


def waiting_runs() -> list[str]:
    """Return the ids of the runs of which something waits on this machine, whatever their store."""
    names = (path.stem for path in outbox_folder().glob(f"*{SUFFIX}"))
    return sorted(name for name in names if re.fullmatch(RUN, name))


class Outbox:
    """The records of one run that the store has not got yet, in order.

    Its folder ``files`` keeps the files that records name, as they were then. One process at a time
    uses an outbox: see `locked`. What another one left is read at the first use. Raises
    ``ValueError`` for a file that is damaged elsewhere than in its last line.
    """

    def __init__(self, run_id: str, uri: str | None = None) -> None:
        self.path = outbox_folder(uri) / f"{run_id}{SUFFIX}"
        self.files = self.path.with_suffix("")
        self._place = local_folder(uri).resolve() / "outbox" / run_id
        self._guard = threading.RLock()
        self._known: list[Record] | None = None

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other processes from it; yields whether no other has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def __len__(self) -> int:
        """Return how many records wait."""
        with self._guard:
            return len(self._records())

    def first(self) -> Record | None:
        """Return the record that waits longest; None where none does."""
        with self._guard:
            return next(iter(self._records()), None)

    def ends(self) -> bool:
        """Return whether the end of the run is among what waits."""
        with self._guard:
            return any("end" in waiting for waiting in self._records())

    def put(self, *records: Record) -> None:
        """Append records; they are on the disk when this returns, or none of them is kept."""
        with self._guard:
            known = self._records()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append([*records], synced=True)
            known.extend(records)

    def keep(self, source: Path, *, grows: bool) -> str:
        """Keep a file as it is at this moment for a record; return its path in `files`.

        The bytes are shared where links work, but for a file that ``grows`` where it stands.
        """
        kept = Path(token_hex(8)) / source.name
        (self.files / kept).parent.mkdir(parents=True)
        if grows:
            shutil.copy2(source, self.files / kept)
        else:
            link_or_copy(source, self.files / kept)
        return kept.as_posix()

    def kept(self, what: Record) -> Path:
        """Return the file kept for a record; ``ValueError`` where a link leads elsewhere."""
        path: Path = self.files / what["kept"]
        if path.resolve() != self._place / what["kept"]:
            raise ValueError(f"{path} is a link, which is not followed")
        return path

    def sent(self, done: Record) -> None:
        """Take the oldest record, which the store has got, out of those that wait."""
        with self._guard:
            known = self._records()
            assert known[0] is done, "records are sent in order"
            known.pop(0)
            if "kept" in done:
                shutil.rmtree(self.kept(done).parent, ignore_errors=True)
            if not any("kept" in left for left in known):
                shutil.rmtree(self.files, ignore_errors=True)
            if known:
                with suppress(OSError):  # It would be sent again, which is sending it once.
                    self._append([{"sent": done["id"]}], synced=False)
            else:
                self.path.unlink(missing_ok=True)

    def _records(self) -> list[Record]:
        if self._known is None:
            data = self.path.read_bytes() if self.path.exists() else b""
            self._known = waiting_in(data, str(self.path))
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(self.path, whole)
        return self._known

    def _append(self, lines: list[Record], *, synced: bool) -> None:
        before = self.path.stat().st_size if self.path.exists() else 0
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        try:
            with self.path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                if synced:
                    os.fsync(file.fileno())
        except BaseException:
            # A full disk, or Ctrl-C: half a line must not stand before the next one.
            if self.path.exists():
                os.truncate(self.path, before)
            raise


def waiting_in(data: bytes, name: str) -> list[Record]:
    """Return the records of an outbox's bytes that were not sent, in order.

    A last line without its end was being written when the process was killed: it is left out.
    """
    waiting: dict[str, Record] = {}
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            found = json.loads(line)
            if "sent" in found:
                del waiting[found["sent"]]
            else:
                waiting[found["id"]] = found
                if "kept" in found and not re.fullmatch(KEPT, found["kept"]):
                    raise ValueError("it leads out of the outbox")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"outbox: line {number} of {name} is damaged; move the file away to go on without "
                "what is not sent yet"
            ) from error
    return list(waiting.values())
