"""A run that is cut off at any instant of its life has ended, and one process writes it."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from mlflow import MlflowClient

from trainer.config import TrainConfig
from trainer.tracking import beginning, closing, find_runs, get_run, held, starting
from trainer.tracking import run as run_module
from trainer.tracking.heartbeat import Beating

NAMES = ("holding", "beginning", "run", "closing")
SAVING = {
    sys.modules[f"trainer.tracking.{name}"].__file__ for name in ("runs", "outbox", "sending")
}
OURS = {sys.modules[f"trainer.tracking.{name}"].__file__ for name in NAMES}


class Interrupting:
    """Is Ctrl-C at the n-th line that runs in the modules of a run's life."""

    def __init__(self, at: int) -> None:
        self.lines = 0
        self._at = at

    def __call__(self, frame: FrameType, what: str, _: Any) -> "Callable[..., Any] | None":
        if frame.f_code.co_filename not in OURS:
            return None
        if what == "line":
            self.lines += 1
            if self.lines == self._at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def live(interrupting: Interrupting) -> None:
    """Begin a run and end it."""
    before = sys.gettrace()
    sys.settrace(interrupting)
    try:
        with starting(TrainConfig()) as run, closing(run):
            pass
    finally:
        sys.settrace(before)


def test_a_run_that_is_interrupted_at_any_line_does_not_stay_running(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What runs is what it does to the store and to files; the sign of life is another test's.
    monkeypatch.setattr(Beating, "_go_on", lambda *_: None)
    monkeypatch.setattr(beginning, "environment", dict)
    monkeypatch.setattr(beginning, "git_commit", str)
    whole = Interrupting(at=0)
    live(whole)
    assert whole.lines > 50
    for at in range(1, whole.lines + 1):
        with pytest.raises(KeyboardInterrupt):
            live(Interrupting(at))
        left = find_runs("attributes.status = 'RUNNING'")
        assert not left, f"interrupted at line {at} of {whole.lines}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [True, False])
def test_no_second_interruption_cuts_into_the_closing(
    number: signal.Signals, begun: bool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = []

    def interrupted(frame: FrameType, what: str, _: Any) -> None:
        if frame.f_code.co_filename in SAVING and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            came.append(frame.f_code.co_name)
            signal.raise_signal(number)

    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    before = sys.gettrace()
    try:
        with pytest.raises(KeyboardInterrupt), starting(TrainConfig()) as run:
            sys.settrace(interrupted)
            if begun:
                with closing(run):
                    raise KeyboardInterrupt
            raise KeyboardInterrupt
    finally:
        sys.settrace(before)
        signal.signal(signal.SIGTERM, handler)
    assert {"ending", "put"} <= set(came)
    assert get_run(run.id).data.tags["segscope.outcome"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_is_closed_that_the_store_has_and_nobody_knows_of(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MlflowClient.create_run

    def interrupted(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise KeyboardInterrupt("SIGTERM")

    monkeypatch.setattr(MlflowClient, "create_run", interrupted)
    with pytest.raises(KeyboardInterrupt), starting(TrainConfig()):
        pass
    (run,) = find_runs("")
    assert run.info.status == "KILLED"
    assert run.data.tags["segscope.outcome"] == "interrupted"
    assert run.data.tags["segscope.reason"] == "interrupted by SIGTERM"


def test_a_run_that_the_disk_had_no_room_for_goes_on_later(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "write_json", full)
    with pytest.raises(OSError, match="No space"), starting(TrainConfig()):
        pass
    (run,) = find_runs("")
    assert run.info.status == "KILLED"
    assert "No space left" in run.data.tags["segscope.reason"]


def test_an_interruption_at_the_very_end_is_told(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run_module.Run.publish

    def interrupted(run: run_module.Run) -> None:
        monkeypatch.setattr(run_module.Run, "publish", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module.Run, "publish", interrupted)
    with pytest.raises(KeyboardInterrupt), starting(TrainConfig()) as run, closing(run):
        pass
    assert get_run(run.id).data.tags["segscope.outcome"] == "interrupted"


def test_who_holds_a_run_keeps_others_off(store: Path) -> None:
    refused = pytest.raises(ValueError, match="is being trained by another process")
    with starting(TrainConfig()) as run, refused, held(run.id):
        pass
    with held(run.id):
        pass
