"""Write docs/commands.md: every command, what it prints when it is run, and its options.

    .venv/bin/python scripts/commands.py

Runs the examples below, in this order, on pictures that it draws and one store for all, in a
folder of its own. `tests/test_docs_commands.py` compares what it writes with what is in the docs.
"""

import contextlib
import io
import logging
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
PROGRAMS = ("trainer", "sweeps", "dashboard")
TINY = "--image-size 32 48 --base-channels 8 --depth 2 --epochs 4 --batch-size 2 --lr 0.01"
# As typed; RUN_ID and OTHER_ID stand for the runs that the first two have begun.
EXAMPLES = (
    "trainer data photos",
    f"trainer fit --data photos {TINY}",
    f"trainer fit --data photos {TINY} --seed 1",
    "trainer resume RUN_ID --epochs 5",
    f"trainer lr-find --data photos {TINY} --steps 12",
    "trainer runs",
    "trainer evaluate RUN_ID --split val",
    "trainer compare RUN_ID OTHER_ID",
    "trainer stability RUN_ID OTHER_ID",
    "trainer register RUN_ID --name blobs --alias champion",
    "trainer promote blobs 1 --alias candidate",
    "trainer pull models:/blobs@champion --out blobs",
    "trainer predict blobs photos/images/00.png photos/images/01.png --out masks --overlay",
    "trainer sync",
    f"trainer classify --data kinds {TINY}",
    "trainer list losses",
    "trainer recipes",
    "trainer models",
    f"sweeps run lr-only --data photos {TINY.replace(' --lr 0.01', '')} --trials 3 --name first",
    "sweeps status",
    "sweeps resume first --trials 4",
    "sweeps best first",
    "sweeps report first --table configurations",
    "sweeps presets",
)
# What is not run here, and why.
NOT_RUN = {
    "dashboard": "serves the pages of the current store until Ctrl-C",
    "sweeps repair": "mends a journal that is damaged, and keeps it as it was beside",
}
LONGEST = 24  # lines of an example's output


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        PAGE.write_text(page(Path(folder)), encoding="utf-8")


def page(folder: Path) -> str:
    """Return the page; the examples are run in ``folder``, which is the working directory."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    draw(folder)
    printed = run_examples(folder)
    shared = options("trainer fit")
    parts = [
        "# Commands",
        "Every command with an example, what that prints, and its options; written by "
        "`scripts/commands.py`, which runs them all on 24 drawn pictures of 32 x 48 pixels. "
        "Results go to stdout, all else to stderr: both are shown. `photos` is a folder of "
        "`images` and `masks`; `RUN_ID` is the id of a run, as `trainer runs` lists them.",
    ]
    for program, name, summary in commands():
        called = f"{program} {name}".strip()
        parts.append(f"## {called}")
        parts.append(f"It {NOT_RUN[called]}." if called in NOT_RUN else summary)
        parts += [block(example, text) for example, text in printed if is_of(example, called)]
        parts.append(listed(options(called), {} if called == "trainer fit" else shared))
        if called == "trainer fit":
            parts.append(settings())
    return "\n\n".join(part for part in parts if part) + "\n"


def commands() -> list[tuple[str, str, str]]:
    """Return program, name (empty of a program that is one command) and summary of each command."""
    found = []
    for program in PROGRAMS:
        table: Mapping[str, Callable[..., int]] = getattr(
            import_module(f"{program}.cli"), "COMMANDS", {}
        )
        found += [(program, n, (c.__doc__ or "").splitlines()[0]) for n, c in table.items()]
        if not table:
            found.append((program, "", "Serve the dashboard of the current store."))
    return found


def is_of(example: str, command: str) -> bool:
    """Return whether an example is one of a command."""
    return shlex.split(example)[: len(command.split())] == command.split()


def run_examples(folder: Path) -> list[tuple[str, str]]:
    """Return each example with what it printed, addresses of ``folder`` made relative."""
    ids: list[str] = []
    printed = []
    for example in EXAMPLES:
        words = example
        for name, run_id in zip(("RUN_ID", "OTHER_ID"), ids, strict=False):
            words = words.replace(name, run_id)
        code, text = call(*shlex.split(words))
        if code:
            raise SystemExit(f"{example} ended with {code}:\n{text}")
        if example.startswith("trainer fit"):
            from trainer.tracking import find_runs

            ids += [run.info.run_id for run in find_runs("") if run.info.run_id not in ids]
        for name, run_id in zip(("RUN_ID", "OTHER_ID"), ids, strict=False):
            text = text.replace(run_id, name)
        printed.append(
            (example, text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", ""))
        )
    return printed


def call(*words: str) -> tuple[int, str]:
    """Return the exit code of a command that is run in this process, and all that it said."""
    said = io.StringIO()
    before = sys.argv
    sys.argv = list(words)
    try:
        # A help breaks its lines within words too, so that another width reads otherwise.
        with (
            patch.dict(os.environ, COLUMNS="100"),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            code = import_module(f"{words[0]}.cli").main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before
        for program in PROGRAMS:
            logging.getLogger(program).handlers.clear()
    return code, said.getvalue()


def options(command: str) -> dict[str, str]:
    """Return the options of a command, as its parser tells them: the flag, and its help."""
    _, text = call(*command.split(), "--help")
    return dict(entries(text))


def entries(help_text: str) -> Iterator[tuple[str, str]]:
    """Yield each option that a help lists, with what it says of it.

    A line that begins an option has it two places from the left, what goes on is deeper.
    """
    said: list[str] = []
    for line in [*help_text.splitlines(), ""]:
        begins = re.match(r"[│ ] (--?[a-zA-Z].*?)[ │]*$", line)
        goes_on = re.match(r"[│ ] {3,}(\S.*?)[ │]*$", line)
        if goes_on and said:
            said.append(goes_on[1])
            continue
        if said:
            flags, _, text = "  ".join(said).partition("  ")
            text = re.sub(r"\s+", " ", text).strip()
            yield re.sub(r"-h, |, --no-[\w-]+|\{None\}\|", "", flags), text
        said = [begins[1]] if begins else []


def listed(own: Mapping[str, str], shared: Mapping[str, str]) -> str:
    """Return options as a list; of a command that trains, those that ``shared`` has not."""
    trains = len(own.keys() & shared.keys()) > 30
    known = shared if trains else {}
    shown = [f"- `{flag}`: {text}" for flag, text in own.items() if known.get(flag) != text]
    if trains:
        shown.append("- every other option of [trainer fit](#trainer-fit)")
    return "\n".join(line for line in shown if not line.startswith("- `--help`"))


def settings() -> str:
    """Return the options that only some of what is chosen by name has, with what has them."""
    from trainer.config.roles import ROLES

    rows = [
        f"- `--{name.replace('_', '-')}`: beside `{role.hint(name)}`"
        for role in ROLES
        for name in role.names()
    ]
    return "\n".join(["Settings of what is chosen by name:", "", *rows])


def block(example: str, printed: str) -> str:
    """Return an example and its output as a fenced block; a long output is cut."""
    lines = [line.rstrip() for line in printed.splitlines()]
    if len(lines) > LONGEST:
        lines = [*lines[:LONGEST], "…"]
    return "\n".join(["```console", f"$ {example}", *lines, "```"])


def draw(folder: Path) -> None:
    """Draw bright ellipses on dark ground and their masks, and the same in two classes."""
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[:32, :48]
    for name in ("photos/images", "photos/masks", "kinds/round", "kinds/flat"):
        (folder / name).mkdir(parents=True)
    for number in range(24):
        flat = number % 2
        middle = random.uniform([12, 16], [20, 32])
        radii = np.array([4.0, 12.0]) if flat else np.array([8.0, 8.0])
        inside = ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2 < 1
        pixels = random.normal(70, 12, (32, 48, 3)) + inside[..., None] * random.uniform(60, 120)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"photos/images/{number:02}.png")
        image.save(folder / f"kinds/{'flat' if flat else 'round'}/{number:02}.png")
        Image.fromarray(inside.astype(np.uint8) * 255).save(
            folder / f"photos/masks/{number:02}.png"
        )


if __name__ == "__main__":
    main()
