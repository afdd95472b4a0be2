"""Bars on a terminal, and nothing anywhere else."""

import io
import sys

import pytest

from trainer.progress import Progress


class Tty(io.StringIO):
    """What looks like a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.mark.parametrize("is_terminal", [True, False])
def test_how_far_it_is_shows_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    stream = Tty() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    progress = Progress()
    assert list(progress.watch(range(5), "epoch 1/3")) == [0, 1, 2, 3, 4]
    progress.beside = "  about 12 min left"
    assert list(progress.watch(iter("ab"), "epoch 2/3")) == ["a", "b"]
    shown = stream.getvalue()
    assert ("epoch 1/3" in shown, "epoch 2/3  about 12 min left" in shown) == (is_terminal,) * 2
    assert bool(shown) == is_terminal


def test_what_is_turned_off_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := Tty())
    assert list(Progress(enabled=False).watch(range(3), "epoch")) == [0, 1, 2]
    assert stream.getvalue() == ""
