"""The sign of life that a run's writer leaves in the store, for readers on other machines."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trainer.store import Unreachable
from trainer.tracking.client import check_answers, client

logger = logging.getLogger(__name__)

HEARTBEAT = "segscope.heartbeat"
BEAT_SECONDS = 30.0
# A server that does not answer must not hold up a run's end for long.
LAST_BEAT_SECONDS = 10.0
_LATEST = 1 << 42  # of the year 2109; what is beyond it is no time


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Who writes a run, and when it last said so; ``time`` in ms since 1970 by its own clock."""

    host: str
    pid: int
    time: int


def beat() -> str:
    """Return the tag's value for this process at this moment."""
    now = Heartbeat(host=socket.gethostname(), pid=os.getpid(), time=int(time.time() * 1000))
    return json.dumps(asdict(now))


def read_beat(tag: object) -> Heartbeat | None:
    """Return what a tag says; None where it is missing or not what `beat` wrote."""
    try:
        said = json.loads(tag) if isinstance(tag, str) else {}
        found = Heartbeat(host=str(said["host"]), pid=int(said["pid"]), time=int(said["time"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return found if 0 <= found.time < _LATEST else None


class Beating:
    """Beats for a run, at once and every `BEAT_SECONDS`, while used as a context.

    A store that does not take it is told of once and ends nothing. A server that does not answer
    has ``on_silence`` called, each time. `stop` may come earlier.
    """

    def __init__(self, run_id: str, *, on_silence: Callable[[], None] = lambda: None) -> None:
        self._run_id = run_id
        self._on_silence = on_silence
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it has been used as a context."""
        return self._thread is not None

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._go_on, args=(client(),), daemon=True)
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Beat no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(LAST_BEAT_SECONDS)

    def _go_on(self, api: MlflowClient) -> None:
        told = False
        while True:
            refusal = self._beat(api)
            if refusal and not told:
                logger.warning("heartbeat: the store does not take it: %s", refusal)
            told |= bool(refusal)
            if self._over.wait(BEAT_SECONDS):
                return

    def _beat(self, api: MlflowClient) -> str:
        """Beat once and return why the store did not take it, though it is there."""
        refusal = ""
        try:
            check_answers(api.tracking_uri)
            try:
                api.set_tag(self._run_id, HEARTBEAT, beat())
            except (MlflowException, SQLAlchemyError, OSError) as error:
                refusal = _line(error)
                check_answers(api.tracking_uri)
        except Unreachable:
            self._on_silence()
            return ""
        return refusal


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
