"""Send what runs have left on this machine because their server did not answer."""

import logging
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from trainer.tracking.delivery import SILENT
from trainer.tracking.outbox import waiting_runs
from trainer.tracking.places import staging
from trainer.tracking.sending import Sending
from trainer.wording import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Synced:
    """How many records of a run were sent, how many are left, and why they are."""

    run_id: str
    sent: int = 0
    left: int = 0
    why: str | None = None


def sync(run_ids: Iterable[str]) -> Iterator[Synced]:
    """Send what waits of each run; once the server does not answer no other is tried.

    Raises ``ValueError`` where the store cannot be reached to begin with.
    """
    silent = False
    for run_id in run_ids:
        told = _sync(run_id, tries=not silent)
        silent |= told.why == SILENT
        yield told


def sync_others(run_id: str) -> None:
    """Begin to send, beside everything else, what other runs than this have left."""
    others = [other for other in waiting_runs() if other != run_id]
    if others:
        threading.Thread(target=_sync_quietly, args=(others,), daemon=True).start()


def _sync(run_id: str, *, tries: bool) -> Synced:
    sending = Sending(run_id)
    with sending.outbox.locked() as ours:
        if not ours:
            return Synced(run_id=run_id, why="another process writes it")
        try:
            before = len(sending.outbox)
        except ValueError as error:
            return Synced(run_id=run_id, why=str(error))
        ends = sending.outbox.ends()
        why = sending.settle() if tries else SILENT
        if why is None and ends:
            shutil.rmtree(staging(run_id), ignore_errors=True)
        left = len(sending.outbox)
    return Synced(run_id=run_id, sent=before - left, left=left, why=why)


def _sync_quietly(run_ids: list[str]) -> None:
    with suppress(ValueError):
        for done in sync(run_ids):
            if done.sent:
                sent = counted(done.sent, "record is", "records are")
                logger.info("%s sent that run %s had left", sent, done.run_id)
