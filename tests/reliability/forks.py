"""Work in processes of their own that need not load anything: they are forked."""

import os
import traceback
from collections.abc import Callable


def begin(work: Callable[[], object]) -> int:
    """Begin some work in a process of its own, which ends with 0 where it goes well.

    Where it returns a number, with that. Returns the id of the process.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            done = work()
            code = done if isinstance(done, int) else 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return child


def end_of(child: int) -> int:
    """Wait for a process and return how it ended, below 0 by a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child(work: Callable[[], object]) -> int:
    """Do some work in a process of its own and return how it ended."""
    return end_of(begin(work))
