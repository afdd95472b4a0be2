"""What the three commands share: flags from dataclasses, one-line errors, exit codes.

Exit codes: 0 done, 2 the user's mistake (one line, no traceback), 1 our failure (with its
traceback), 130 interrupted.
"""

import contextlib
import io
import json
import logging
import math
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import tyro

from trainer.completion import completion
from trainer.examples import shown_examples
from trainer.extras import missing
from trainer.faults import how_to_go_on, is_out_of_memory, system_fault
from trainer.names import check
from trainer.options import ASK, Asked, flat, in_groups, options_of
from trainer.printing import LineFormatter, inert, say
from trainer.store import without_passwords
from trainer.words import in_parts, sizes_apart, surplus

T = TypeVar("T")
Command = Callable[[list[str]], int]

DONE, FAILURE, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130
# Somebody may have written a book where a number belongs.
_LONGEST = 1000
_BOX = "╭╮╰╯│─+| "


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command with a result answers with."""

    json: bool = False
    """Print the result as one JSON value."""


Form = Literal["table", "csv", "markdown", "latex", "json"]


@dataclass(frozen=True, kw_only=True)
class Tabular(Answer):
    """What a command of results answers with."""

    format: Form = "table"
    """How the result is written: a table for a terminal, csv with numbers in full and remarks as
    comments (#), markdown, latex (it needs the package booktabs), or json."""

    @property
    def form(self) -> Form:
        """The format, which --json says too."""
        return "json" if self.json else self.format


def parse(kind: type[T], *, prog: str, args: Sequence[str], closing: str = "") -> T:
    """Return ``kind``, a dataclass, filled from the flags.

    Prints the help, ``closing`` at its end, and exits when asked to. Raises ``ValueError`` with
    one line for a flag that is unknown (naming the nearest one), lacks its value, or has a bad
    one.
    """
    options = options_of(kind)
    if ASK in args:
        raise Asked(options)
    printed = io.StringIO()
    parsed: Any
    try:
        with contextlib.redirect_stderr(printed):
            parsed, rest = tyro.cli(
                in_groups(kind, options),
                prog=prog,
                args=sizes_apart(args, options),
                return_unknown_args=True,
            )
    except SystemExit as stop:
        if not stop.code:
            say(*shown_examples(prog), *closing.splitlines())
            raise
        raise ValueError(_one_line(printed.getvalue())) from None
    if rest:
        raise ValueError(surplus(rest, options, prog))
    return kind(**flat(parsed, options))


def dispatch(prog: str, description: str, commands: Mapping[str, Command]) -> int:
    """Run the command that the first argument names and return the process's exit code."""
    arguments = sys.argv[1:]
    sys.excepthook = _print_traceback
    if not arguments or arguments[0] in ("-h", "--help"):
        guarded(prog, lambda: _show(_overview(prog, description, commands)))
        return DONE if arguments else USER_MISTAKE
    if arguments == ["--version"]:
        return guarded(prog, show_versions)
    if arguments[0] == "completion":
        return complete(prog, commands, arguments[1:])
    return guarded(prog, lambda: _run_named(commands, arguments))


def complete(prog: str, commands: Mapping[str, Command] | Command, args: list[str]) -> int:
    """Print the script that completes ``prog`` in a shell; see `trainer.completion`."""
    return guarded(prog, lambda: _show(completion(prog, commands, args)))


def guarded(prog: str, command: Callable[[], int]) -> int:
    """Run ``command``; a ``ValueError`` becomes one line on stderr and exit code 2.

    So does what the system refuses, as a full disk (see `trainer.faults`), and more memory than
    there is. ``SEGSCOPE_DEBUG=1`` shows the traceback of such an error too.
    """
    try:
        return _flushed(command)
    except KeyboardInterrupt as error:
        again = f"begin again with: {shlex.join([prog, *sys.argv[1:]])}"
        say(f"{prog}: interrupted; {how_to_go_on(error) or again}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return DONE  # Whoever read our output has left.
    except Exception as error:
        told = _mistake(error)
        if told is None or os.environ.get("SEGSCOPE_DEBUG"):
            raise
        line = f"{prog}: {' '.join(told.split())}"
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
        say(line, file=sys.stderr)
        return USER_MISTAKE


def _mistake(error: Exception) -> str | None:
    """Return what is to be told of an error without its traceback; None of a failure of ours."""
    if isinstance(error, ValueError):
        return str(error)
    if is_out_of_memory(error):
        return "out of memory; make the batches, the images or the model smaller"
    return system_fault(error) or missing(error)


def check_folder(name: str, path: Path) -> None:
    """Raise ``ValueError`` when something that is no folder stands where one will be written."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{name}: {path} is a file; give a folder")


def print_json(value: Any) -> None:
    """Print one JSON value to stdout; numbers that are not finite become null.

    Letters stay readable; what a terminal would obey is written as JSON escapes.
    """
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, default=str)
    print("\n".join(map(_escaped, text.split("\n"))))


def finite(value: Any) -> Any:
    """Return ``value`` with every number that is not finite replaced by None, for JSON."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if callable(getattr(value, "item", None)):
        value = value.item()  # A scalar of numpy or torch, which would else be printed as text.
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _escaped(line: str) -> str:
    if inert(line) == line:
        return line
    return "".join(c if inert(c) == c else json.dumps(c)[1:-1] for c in line)


def log_to_stderr() -> None:
    """Send our packages' log lines to stderr, as plain text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(message)s"))
    for name in ("trainer", "sweeps", "dashboard"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]
        logger.propagate = False


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write(without_passwords("".join(lines)))


def show_versions() -> int:
    """Print what ``--version`` says, for any of the commands."""
    from trainer.versions import versions

    say(*versions().splitlines())
    return DONE


def _show(text: str) -> int:
    print(text)
    return DONE


def _flushed(command: Callable[[], int]) -> int:
    # Where the reader of our output has left, or where its disk is full, that shows here and not
    # after the last line of ours.
    try:
        return command()
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            # Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def _run_named(commands: Mapping[str, Command], arguments: list[str]) -> int:
    check("command", arguments[0], commands)
    log_to_stderr()
    try:
        return commands[arguments[0]](arguments[1:])
    except ValueError as error:
        # A path that the shell has divided is refused in as many ways as there are commands.
        if told := in_parts(arguments[1:]):
            raise ValueError(told) from error
        raise


def _overview(prog: str, description: str, commands: Mapping[str, Command]) -> str:
    width = max(len(name) for name in commands) + 2
    lines = [
        f"  {name:<{width}}{(command.__doc__ or '').strip().splitlines()[0]}"
        for name, command in commands.items()
    ]
    closing = (
        f"{prog} COMMAND --help lists a command's options; {prog} --version says what runs here.\n"
        f"{prog} completion bash prints what completes these words in a shell; or zsh, fish."
    )
    return "\n".join([f"usage: {prog} COMMAND …", "", description, "", *lines, "", closing])


def _one_line(box: str) -> str:
    """Return what a framed error message says, up to its first rule, without the frame."""
    said: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip(_BOX)
        if text.strip("-"):  # Where the terminal has no frames, rules are of hyphens.
            said.append(text)
        elif said:
            break
    message = " ".join(said)
    # Our own validation already names the field: drop "Error parsing Options: ".
    before, _, after = message.partition(": ")
    return after if before.startswith("Error parsing ") and "--" not in before else message
