"""Flags, one-line errors and exit codes that the three commands share."""

import errno
import io
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trainer import command_line
from trainer.command_line import dispatch, finite, guarded, log_to_stderr, parse, print_json

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Some options."""

    out: Path
    """Where to."""
    number: int = 1
    """How many."""
    size: tuple[int, int] = (2, 3)
    """How large."""
    loud: bool = False
    """Whether to shout."""

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"number: {self.number} must be at least 1")


def options(*args: str) -> Options:
    return parse(Options, prog="tool", args=args)


def test_flags_fill_the_dataclass() -> None:
    assert options("--out", "x", "--size", "4", "5", "--loud") == Options(
        out=Path("x"), size=(4, 5), loud=True
    )
    assert options("--out=x", "--number=3").number == 3
    assert not options("--out", "x", "--no-loud").loud


MISTAKES = [
    ((), "--out"),
    (("--out",), "--out"),
    (("--out", "x", "--number", "many"), "--number"),
    (("--out", "x", "--number", "0"), "number: 0 must be at least 1"),
    (("--out", "x", "--size", "4"), "--size"),
    (("--out", "x", "--size", "4", "b"), "--size"),
    (("--out", "x", "surplus"), "unexpected argument 'surplus'; see tool --help"),
    (("--out", "x", "--numbr", "2"), "unknown option '--numbr' (did you mean '--number'?)"),
    (("--out", "x", "--numbr=2"), "unknown option '--numbr' (did you mean '--number'?)"),
    (("--out", "x", "-q"), "unknown option '-q'"),
]


@pytest.mark.parametrize(("args", "said"), MISTAKES, ids=lambda value: " ".join(value))
def test_a_mistake_is_one_line_that_names_the_flag(
    args: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        options(*args)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert not set(message) & set("╭╮╰╯│─")
    assert capsys.readouterr() == ("", "")  # the line is the only thing to be shown, by `guarded`


def test_so_it_is_where_the_terminal_has_no_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    with pytest.raises(ValueError) as caught:
        options("--out", "x", "--number", "many")
    assert str(caught.value).startswith("Error parsing --number: ")
    assert "---" not in str(caught.value)
    with pytest.raises(ValueError) as caught:
        options("--out")
    assert str(caught.value).endswith("Expected 1 values.")


def test_an_unknown_flag_like_none_lists_the_known_ones_where_these_are_few() -> None:
    with pytest.raises(ValueError) as caught:
        options("--out", "x", "--wrong")
    known = str(caught.value).split("known: ")[1].split(", ")
    assert known == ["--loud", "--number", "--out", "--size"]


def test_help_goes_to_stdout_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        options("--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr()
    assert "How many." in shown.out
    assert shown.err == ""


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


SMALLER = "make the batches, the images or the model smaller"


def test_exit_codes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tool", "do", "my file"])
    assert guarded("tool", lambda: 0) == 0
    assert guarded("tool", lambda: 1) == 1
    assert capsys.readouterr() == ("", "")
    assert guarded("tool", raising(ValueError("lr: -1 must be\n  positive"))) == 2
    assert capsys.readouterr() == ("", "tool: lr: -1 must be positive\n")
    assert guarded("tool", raising(KeyboardInterrupt())) == 130
    again = "tool: interrupted; begin again with: tool do 'my file'\n"
    assert capsys.readouterr() == ("", again)
    interruption = KeyboardInterrupt()
    for note in ("go on with: one", "else", "go on with: the whole"):
        interruption.add_note(note)
    assert guarded("tool", raising(interruption)) == 130
    assert capsys.readouterr() == ("", "tool: interrupted; go on with: the whole\n")
    with pytest.raises(RuntimeError):
        guarded("tool", raising(RuntimeError("ours")))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "mlruns"),
            "mlruns: Permission denied; it may not be read or written as who you are",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device; make room there",
        ),
        (
            OSError(errno.ELOOP, "Too many levels", "a.png"),
            "a.png: Too many levels of symbolic links; its links lead in a circle",
        ),
        (MemoryError(), f"out of memory; {SMALLER}"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), f"out of memory; {SMALLER}"),
        (ValueError("x" * 5000), f"{'x' * 494} … {'x' * 500}"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded("tool", raising(error)) == 2
    assert capsys.readouterr().err == f"tool: {said}\n"
    with pytest.raises(FileNotFoundError):
        guarded("tool", raising(FileNotFoundError(errno.ENOENT, "a slip of ours", "x")))


def test_a_developer_may_see_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGSCOPE_DEBUG", "1")
    with pytest.raises(ValueError, match="lr"):
        guarded("tool", raising(ValueError("lr")))


def train(args: list[str]) -> int:
    """Train something.

    At length.
    """
    print(*args)
    return 0


def test_dispatch_runs_what_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["tool", *words])
        return dispatch("tool", "A tool.", {"train": train})

    monkeypatch.setattr(command_line, "log_to_stderr", lambda: None)
    assert run("train", "a", "b") == 0
    assert capsys.readouterr().out == "a b\n"
    assert run("--help") == 0
    assert "train  Train something.\n" in capsys.readouterr().out
    assert run() == 2
    assert "usage: tool COMMAND" in capsys.readouterr().out
    assert run("trian") == 2
    assert capsys.readouterr().err == (
        "tool: unknown command 'trian' (did you mean 'train'?); known: train\n"
    )


def test_numbers_that_json_does_not_have_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    value = {
        "nan": math.nan,
        "list": [1.5, -math.inf, {"x": np.float64("nan")}],
        "tuple": (np.float32("inf"), np.float32(0.5), np.int64(3)),
        "text": "ü",
        "path": Path("a/b"),
        "none": None,
        "true": True,
    }
    print_json(value)
    shown = capsys.readouterr().out

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(shown, parse_constant=refuse) == {
        "nan": None,
        "list": [1.5, None, {"x": None}],
        "tuple": [None, 0.5, 3],
        "text": "ü",
        "path": "a/b",
        "none": None,
        "true": True,
    }
    assert "ü" in shown
    assert finite({"a": [1.0, 2]}) == {"a": [1.0, 2]}


def test_log_lines_are_plain_and_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    log_to_stderr()  # twice, and still one line each
    logging.getLogger("trainer.training.loop").info("epoch 1")
    assert capsys.readouterr() == ("", "epoch 1\n")


def command(*words: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        **options,
    )


REAL_MISTAKES = [
    ("trainer", "fit", "--lr", "-1"),
    ("trainer", "fit", "--recipe"),
    ("trainer", "fit", "--recipe", "nonsense"),
    ("trainer", "fit", "--config", "nowhere.yaml"),
    ("trainer", "fit", "--recipe", "demo", "--config", "x.yaml"),
    ("trainer", "fit", "--learning-rate", "1"),
    ("trainer", "nonsense"),
    ("trainer", "predict"),
]


@pytest.mark.parametrize("words", REAL_MISTAKES, ids=" ".join)
def test_the_real_commands_mistakes(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("trainer: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) > len("trainer: \n")


def test_our_own_failure_is_1_with_its_traceback() -> None:
    code = (
        "import sys; from trainer.command_line import guarded; "
        "sys.exit(guarded('tool', lambda: 1 // 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("words", [("--help",), ("fit", "--help"), ("models",)], ids=" ".join)
def test_a_reader_that_leaves_is_no_failure(words: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_help_is_there_before_one_has_wondered() -> None:
    """Measured 0.35 s on a quiet machine; torch alone would be 1 s, on any."""
    took = []
    for _ in range(2):
        started = time.perf_counter()
        assert command("trainer", "fit", "--help").returncode == 0
        took.append(time.perf_counter() - started)
    assert min(took) < 5
