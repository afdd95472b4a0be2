"""The thread that sends a run's outbox, in order, and what is told when it cannot."""

import logging
import threading

from trainer.store import Unreachable, sqlite_path
from trainer.tracking.client import check_answers, client
from trainer.tracking.delivery import SILENT, NotSent, deliver
from trainer.tracking.outbox import Outbox, Record
from trainer.wording import counted

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class Sending:
    """Sends what is put into a run's outbox, from a thread that lives while something waits.

    Whoever puts something waits for a database file of this machine, and for no server. That the
    store does not take a record is told once, and once that it does again; it is tried every
    `RETRY_SECONDS`. ``alive`` says that the run is being written, see `deliver`. Without it, and
    after `end`, nothing is tried beyond a `settle`: the run is then another one's to write.
    """

    def __init__(self, run_id: str, *, alive: bool = False) -> None:
        self.outbox = Outbox(run_id)
        self._run_id = run_id
        self._alive = alive
        self._api = client()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._round = 0  # Whoever settles begins one: a try of before does not count for it.
        self._failed_in = -1
        self._why = SILENT
        self._told = False
        self._ends = False

    def put(self, *records: Record) -> None:
        """Put records on the disk, and send them; ``OSError`` where the disk does not take them."""
        if not records:
            return
        self.outbox.put(*records)
        self._start()
        if sqlite_path(self._api.tracking_uri) is not None:
            self.settle()

    def settle(self) -> str | None:
        """Wait until all is sent; return why not, once one more try has failed.

        A server that takes long over a file is waited for as long as it answers.
        """
        with self._changed:
            self._round += 1
            self._changed.notify_all()
        self._start()
        try:
            return self._settled()
        finally:
            if self._ends or not self._alive:
                self._dismiss()

    def end(self) -> bool:
        """Settle for the last time; return whether all is sent, and tell how to send the rest."""
        self._ends = True
        why = self.settle()
        if why is not None:
            waiting = counted(len(self.outbox), "record is", "records are")
            logger.warning(
                "run %s: %s; %s not sent yet; send them with: trainer sync %s",
                *(self._run_id, why, waiting, self._run_id),
            )
        return why is None

    def missed(self, why: str = SILENT) -> None:
        """Tell once why what waits is not sent, if anything does."""
        waiting = len(self.outbox)
        with self._changed:
            self._why = why
            tells = waiting > 0 and self._alive and not (self._told or self._ends)
            self._told |= tells
        if tells:
            count = counted(waiting, "record waits", "records wait")
            logger.warning("%s; training goes on, and %s", why, count)

    def _settled(self) -> str | None:
        while True:
            with self._changed:
                if self._changed.wait_for(self._is_settled, timeout=RETRY_SECONDS):
                    return self._why if len(self.outbox) else None
            try:
                check_answers(self._api.tracking_uri)
            except Unreachable:
                self.missed()
                return SILENT

    def _is_settled(self) -> bool:
        return self._thread is None or self._failed_in == self._round

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and len(self.outbox):
                self._thread = threading.Thread(target=self._send, daemon=True)
                self._thread.start()

    def _dismiss(self) -> None:
        """Let the thread end, and what it has under way count as not sent: it is sent again."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def _is_dismissed(self) -> bool:
        return self._thread is not threading.current_thread()

    def _send(self) -> None:
        try:
            while (what := self._next()) is not None:
                begun_in = self._round
                try:
                    deliver(self._api, self._run_id, what, self.outbox, alive=self._alive)
                except NotSent as error:
                    self._pause(begun_in, str(error))
                else:
                    with self._changed:
                        if not self._is_dismissed():
                            self.outbox.sent(what)
        finally:
            with self._changed:
                if not self._is_dismissed():
                    self._thread = None
                self._changed.notify_all()

    def _pause(self, begun_in: int, why: str) -> None:
        with self._changed:
            if self._is_dismissed():
                return
            self.missed(why)
            self._failed_in = begun_in
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._round > begun_in or self._is_dismissed(), RETRY_SECONDS
            )

    def _next(self) -> Record | None:
        with self._changed:
            if self._is_dismissed():
                return None
            what = self.outbox.first()
            if what is None:
                self._thread = None  # Who puts something from here on starts another one.
                if self._told:
                    logger.warning("the store answers again, and has all that waited")
                self._told = False
        return what


def post(run_id: str, *records: Record) -> None:
    """Write records to a run that nobody is writing, behind what waits of it.

    What is not sent is told once the run's end is among it. Raises ``ValueError`` where another
    process sends what waits.
    """
    sending = Sending(run_id)
    with sending.outbox.locked() as ours:
        if not ours:
            raise ValueError(f"run: another process sends what waits of {run_id}")
        sending.put(*records)
        settle = sending.end if sending.outbox.ends() else sending.settle
        settle()
