"""What ends a command as Ctrl-C does, and what no second one of them cuts into."""

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Iterator
from types import FrameType

# Windows has no hang-up.
_NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_like_ctrl_c() -> None:
    """Let a SIGTERM or a SIGHUP raise ``KeyboardInterrupt``, with its name; in the main thread.

    Only the first does: a second one must not cut into the saving. What is ignored, as ``nohup``
    has it with a hang-up, stays ignored.
    """
    for number in _NUMBERS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Let no second interruption cut into what stands inside, such as the closing of a run.

    Nor a loader that died, for each of which torch raises by a signal, at whatever line the process
    is. What comes meanwhile is not heard of afterwards either.
    """
    unheard = dict.fromkeys((signal.SIGINT, *_NUMBERS), signal.SIG_IGN)
    if hasattr(signal, "SIGCHLD"):
        unheard[signal.SIGCHLD] = signal.SIG_DFL  # To ignore it would lose how children ended.
    if threading.current_thread() is not threading.main_thread():
        unheard = {}
    before = {number: signal.signal(number, how) for number, how in unheard.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    for again in _NUMBERS:
        signal.signal(again, signal.SIG_IGN)
    _leave_closed_terminal()
    raise KeyboardInterrupt(signal.Signals(number).name)


def _leave_closed_terminal() -> None:
    # Each write to it would fail from here on, and an error on the way out hides what it was.
    for stream in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
