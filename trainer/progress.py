"""Progress on stderr: a bar while batches pass, nothing left behind."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from trainer.printing import Terminal

T = TypeVar("T")


class Progress:
    """Show how far an iteration is; silent when turned off or when stderr is no terminal.

    ``beside`` stands behind each label: how far that is which the iteration is a part of.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.beside = ""
        self._enabled = enabled and sys.stderr.isatty()

    def watch(self, items: Iterable[T], label: str) -> Iterator[T]:
        """Yield ``items`` while a bar shows how many have passed."""
        if not self._enabled:
            yield from items
            return
        total = len(items) if isinstance(items, Sized) else None
        with _bars() as bars:
            task = bars.add_task(f"{label}{self.beside}", total=total)
            for item in items:
                yield item
                bars.advance(task)

    @contextlib.contextmanager
    def counter(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Yield what is to be called with the number of things done so far, and of all."""
        if not self._enabled:
            yield lambda _done, _total: None
            return
        with _bars() as bars:
            task = bars.add_task(label, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)


def _bars() -> Bars:
    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Terminal(stderr=True),
        # Of what takes minutes each, as of what takes none.
        speed_estimate_period=3600,
        transient=True,
    )
