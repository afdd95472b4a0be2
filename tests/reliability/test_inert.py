"""Names that a terminal, a page, a spreadsheet or a Markdown table would obey are shown, inert."""

import ast
import io
import json
import logging
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.table import Table

from sweeps.cli import main as sweeps
from tests.test_old_store import IMAGES, RUNS, copied
from trainer import exports
from trainer.cli import main as trainer
from trainer.command_line import guarded, print_json
from trainer.printing import LineFormatter, Terminal, inert, say

ROOT = Path(__file__).parents[2]
# To the alarm, to clear the screen, a title, a link, C1's control sequence, a forged line, text
# that runs backwards, half a character; and Rich's own markup.
HOSTILE = (
    "a\x07\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example\x1b\\click\x9b31m\r\n"
    "trainer: all is well\u2028\u202eb\x7f [bold red]c[/] [link=http://evil.example]d[/link]"
)
# Of JSON, of our tables and of Rich's own layout; colours are off where stdout is no terminal.
ALLOWED = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]*")


def obeyed(text: str) -> list[str]:
    return sorted({c for c in text if not ALLOWED.fullmatch(c)})


# The shell


def test_inert_keeps_what_is_read() -> None:
    said = "Größe 10 % – 北京 🚗 'x' [0.1, 0.2] \\"
    assert inert(said) == said
    assert not obeyed(inert(HOSTILE))
    assert "\n" not in inert(HOSTILE)
    assert inert(HOSTILE + "\udcff").isprintable()


def test_nothing_prints_around_the_edge() -> None:
    """Commands print through `say` and `Terminal`; logs to the terminal have their formatter."""
    around = []
    files = [*(ROOT / "trainer").rglob("*.py"), *(ROOT / "sweeps").rglob("*.py")]
    own = {ROOT / "trainer/printing.py", ROOT / "trainer/command_line.py"}
    for path in sorted(set(files) - own):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                *("print", "Console", "rich.print", "logging.Formatter"),
                *("sys.stdout.write", "sys.stderr.write"),
            ):
                around.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert around == []


def test_every_way_to_print_is_inert(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    Terminal().print(table)
    Terminal(stderr=True).print(HOSTILE)
    print_json({HOSTILE: [HOSTILE]})

    def mistaken() -> int:
        raise ValueError(HOSTILE)

    guarded("trainer", mistaken)
    said = capsys.readouterr()
    assert not obeyed(said.out) and not obeyed(said.err)
    assert "[bold red]c[/]" in said.out, "its markup was obeyed"


def test_json_still_says_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE, "city": "北京"})
    said = capsys.readouterr().out
    assert json.loads(said) == {"name": HOSTILE, "city": "北京"}
    assert "北京" in said


def test_a_log_line_is_one_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "read %s", "args": (HOSTILE,)}))
    assert stream.getvalue().count("\n") == 1
    assert not obeyed(stream.getvalue())


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what calls a command on a store whose names are hostile, and returns all it says."""
    folder = copied(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
    hostile_store(folder)

    def call(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", list(words))
        assert {"trainer": trainer, "sweeps": sweeps}[words[0]]() == code
        said = capsys.readouterr()
        return said.out + said.err

    return call


def hostile_store(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET name = ?", (HOSTILE,))
        database.execute("UPDATE experiments SET name = name || ?", (HOSTILE,))
        database.execute(
            "UPDATE tags SET value = ? WHERE key IN (?, ?)",
            (HOSTILE, "segscope.outcome", "segscope.reason"),
        )
    name = json.dumps(HOSTILE)[1:-1]
    for path in folder.rglob("dataset.json"):
        path.write_text(path.read_text("utf-8").replace('"car"', f'"{name}"'))
    image = folder / IMAGES[0]
    image.rename(image.with_name(f"{inert(HOSTILE).replace('/', '')}\x1b[2J\n.png"))
    journal = folder / "mlruns" / "optuna.journal"
    text = journal.read_text("utf-8").replace('"description": "', f'"description": "{name}')
    journal.write_text(text, "utf-8")


COMMANDS: list[tuple[str, ...]] = [
    ("trainer", "runs", "--limit", "0"),
    ("trainer", "stability", RUNS["seed 0"]),
    ("trainer", "compare", RUNS["seed 0"], RUNS["momentum"]),
    ("trainer", "data", "cars"),
    ("sweeps", "status"),
    ("sweeps", "best", "rates"),
    ("sweeps", "report", "rates"),
]


OF_RESULTS = [
    *(("trainer", name) for name in ("runs", "stability", "compare")),
    ("sweeps", "report"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_prints_hostile_names_inert(
    told: Callable[..., str], words: tuple[str, ...]
) -> None:
    forms = ("table", "csv", "markdown", "latex") if words[:2] in OF_RESULTS else ()
    for form in ((), ("--json",), *(("--format", each) for each in forms)):
        said = told(*words, *form)
        assert said and not obeyed(said)
        assert not said.startswith("trainer: all is well") and "\ntrainer: all" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("trainer", "runs", "--experiment", HOSTILE + "x"),
        ("trainer", "evaluate", HOSTILE),
        ("trainer", HOSTILE),
        ("trainer", "fit", "--data", HOSTILE.replace("/", "")),
        ("trainer", "fit", f"--{HOSTILE}", "1"),
        ("sweeps", "best", HOSTILE),
        ("sweeps", "run", HOSTILE),
    ],
    ids=lambda words: " ".join(words[:2]).replace(HOSTILE, "HOSTILE"),
)
def test_an_error_repeats_hostile_words_inert(
    told: Callable[..., str], words: tuple[str, ...]
) -> None:
    said = told(*words, code=2)
    assert not obeyed(said)
    assert said.count("\n") == 1


# Exported files

FORMULAS = ["=1+1", "+1", "-1+1", "@A(1)", "\t=1", "\r=1", "a\r=1", "\n=1", "\uff1d1", "\uff20A(1)"]


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("levels", [1, 2])
def test_no_cell_of_a_csv_is_a_formula(text: str, levels: int) -> None:
    names = [f"{text}{level}" for level in range(levels)]
    table = pd.DataFrame({**{name: [text] for name in names}, text: [text], "best": [-0.5]})
    written = exports.csv(table.set_index(names))
    cells: Any = pd.read_csv(io.StringIO(written), header=None, dtype=str, keep_default_na=False)
    assert all(c == "-0.5" or not c.startswith(exports._FORMULA) for c in cells.to_numpy().ravel())
    assert written.count("\r") == 0, "it begins a row to some readers"


def test_a_markdown_table_keeps_its_rows_and_shows_links_as_they_are() -> None:
    text = "a|b\n| c | <img src=x> [d](http://evil.example) ![e](f) `g` \\"
    table = pd.DataFrame({text: [text, "x"]}, index=pd.Index([text, "y"], name=text))
    lines = exports.markdown(table).split("\n")
    assert len(lines) == 4
    for line in lines:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
        assert not re.search(r"(?<!\\)[<`\[]", line.replace("\\\\", ""))


def test_a_latex_table_keeps_its_rows() -> None:
    text = "a & b \\\\ \n\n \\input{/etc/passwd} $x$ 100% #1 ~ ^"
    lines = exports.latex(pd.DataFrame({text: [text]}, index=[text])).split("\n")
    assert len(lines) == 7
    for line in (lines[2], lines[4]):
        assert "\\input" not in line
        assert len(re.findall(r"(?<!\\)&", line)) == 1
        assert not re.search(r"(?<!\\)[$%#]", line)
