"""One pass over the files of a data set, in parallel and in order.

Threads, not processes: Pillow decodes and resizes outside the interpreter's lock, and nothing has
to be sent back from another process.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
# Wraps an iteration to show how far it is, as `trainer.progress.Progress.watch` does.
Watch = Callable[[Iterable[Any]], Iterable[Any]]


def each_in_order(
    read: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    threads: int | None = None,
    watch: Watch | None = None,
) -> Iterator[Result]:
    """Yield what ``read`` returns of every item, in their order; what it raises is raised.

    Only a few results wait at a time, so that memory stays bounded where whoever takes them is
    slower. ``threads`` left out is one for each core that this process may use. ``watch`` wraps
    the iteration over the items.
    """
    count = threads or available_cores()
    pool = ThreadPoolExecutor(count, thread_name_prefix="read")
    upcoming = iter(items)
    waiting: deque[Future[Result]] = deque()
    try:
        for _ in watch(items) if watch else items:
            for item in islice(upcoming, 3 * count - len(waiting)):
                waiting.append(pool.submit(read, item))
            yield waiting.popleft().result()
    finally:
        # Whoever interrupts must not wait for thousands of files.
        pool.shutdown(cancel_futures=True)


def available_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
