"""What the documents say is there: options, commands, files, figures, variables."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from dashboard.cli import Serve
from dashboard.settings import UPLOAD_MIB
from sweeps import presence
from sweeps.reading import ENOUGH, FANOVA, PED_ANOVA
from trainer.config import field_names
from trainer.extras import EXTRAS

commands = import_module("scripts.commands")
ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
# Options of other programs that a page tells to call.
FOREIGN = {
    "--upgrade", "--backend-store-uri", "--artifacts-destination", "--host", "--app-name",
    "--run-id", "--user", "--hypothesis-seed", "--create-namespace", "--serve-artifacts",
    "--constraint", "--default-artifact-root", "--allowed-hosts", "--experiment-id", "--no-deps",
}  # fmt: skip
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def flags() -> dict[str, set[str]]:
    """Return the options of each command, by its parser."""
    found = {}
    for program, name, _ in commands.commands():
        called = f"{program} {name}".strip()
        _, said = commands.call(*called.split(), "--help")
        found[called] = set(FLAG.findall(said))
    return found


def settings() -> set[str]:
    return {f"--{name.replace('_', '-')}" for name in field_names()}


def of_benchmarks() -> set[str]:
    """Return the options of the programs that are run by hand, tests among them."""
    programs = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    return {flag for path in programs for flag in re.findall(r"\"(--[a-z-]+)\"", text_of(path))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_option_is_named_that_is_not_there(page: Path) -> None:
    known = set().union(*flags().values()) | settings() | FOREIGN | of_benchmarks()
    known |= {f"--no-{flag[2:]}" for flag in known}
    strangers = {flag for flag in FLAG.findall(text_of(page)) if flag not in known}
    assert not strangers


def test_every_option_stands_in_a_document() -> None:
    said = set(FLAG.findall("\n".join(map(text_of, PAGES))))
    wanted = set().union(*flags().values()) | settings()
    missing = {flag for flag in wanted if flag not in said and not flag.startswith("--no-")}
    assert missing <= {"--help"}, "run scripts/commands.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_is_named_that_is_not_there(page: Path) -> None:
    for program in ("trainer", "sweeps"):
        known = import_module(f"{program}.cli").COMMANDS
        # As it is called: at the start of a line or behind a backtick, an = or a prompt.
        pattern = rf"(?:^|`|\$ |\$\(){program} ([a-z][a-z-]*)"
        called = set(re.findall(pattern, text_of(page), re.MULTILINE))
        assert not {name for name in called if name not in (*known, "completion")}


def messages() -> dict[str, str]:
    """Return what our sources may say, each constant by where it stands."""
    return {
        f"{path.relative_to(ROOT)}:{node.lineno}:{node.col_offset}": node.value
        for room in ("trainer", "sweeps", "dashboard")
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_message_names_an_option_that_is_not_there() -> None:
    known = set().union(*flags().values()) | settings()
    known |= {f"--no-{flag[2:]}" for flag in known} | {"--no-"}
    # Of git and of MLflow.
    known |= {"--short", "--porcelain", "--untracked-files", "--run-id", "--upgrade", "--server"}
    said = {(at, flag) for at, text in messages().items() for flag in FLAG.findall(text)}
    assert len(said) > 100
    assert {(at, flag) for at, flag in said if flag not in known} == set()


def test_no_message_names_a_command_that_is_not_there() -> None:
    pattern = re.compile(r"(?:^|: |`|or |run )(trainer|sweeps) ([a-z][a-z-]*)")
    said = {(at, *called) for at, text in messages().items() for called in pattern.findall(text)}
    known = {name: import_module(f"{name}.cli").COMMANDS for name in ("trainer", "sweeps")}
    assert len(said) > 40
    strangers = {(at, program, name) for at, program, name in said if name not in known[program]}
    assert {name for _, _, name in strangers} <= {"completion"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_is_linked_that_is_not_there(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]+))?\)", text_of(page)):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), f"{link}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_file_of_ours_is_named_that_is_not_there(page: Path) -> None:
    rooms = "trainer|sweeps|dashboard|turntable|tests|docs|benchmarks|scripts"
    for named in re.findall(rf"(?:{rooms})/[\w./]+\.(?:py|md|yaml|toml)", text_of(page)):
        assert (ROOT / named).exists() or (ROOT / "docs" / named).exists(), named


def test_every_page_is_reached_from_the_readme() -> None:
    linked = re.findall(r"\]\((docs/[\w-]+\.md)", text_of(ROOT / "README.md"))
    pages = {f"docs/{page.name}" for page in PAGES if page.parent == ROOT / "docs"}
    assert pages - set(linked) <= {"docs/turntable.md"}


@pytest.mark.parametrize(
    ("page", "sentence", "figure"),
    [
        ("serving.md", r"at most (\d+) MiB each", UPLOAD_MIB),
        ("serving.md", r"client_max_body_size (\d+)m", UPLOAD_MIB + 1),
        ("serving.md", r"--port (\d+)`", Serve().port),
        ("dashboard.md", r"http://127.0.0.1:(\d+)", Serve().port),
        ("team.md", r"heard of every (\d+) s", presence.BEAT_SECONDS),
        ("team.md", r"gone after (\d+) s", presence.SILENT_SECONDS),
        ("sweeps.md", r"PED-ANOVA's from (\d+) completed", ENOUGH[PED_ANOVA]),
        ("sweeps.md", r"From (\d+) on it is fANOVA's", ENOUGH[FANOVA]),
    ],
)
def test_a_figure_is_that_of_the_code(page: str, sentence: str, figure: int) -> None:
    said = re.findall(sentence, text_of(ROOT / "docs" / page))
    assert said and {int(number) for number in said} == {figure}


def test_every_variable_of_the_environment_is_explained() -> None:
    """Those that a user sets; what only tests and one process after another know is not."""
    sources = [
        p for room in ("trainer", "sweeps", "dashboard") for p in (ROOT / room).rglob("*.py")
    ]
    read = set(re.findall(r"\bSEGSCOPE_[A-Z_]+", "\n".join(map(text_of, sources))))
    passed_on = {name for name in read if name.startswith("SEGSCOPE_DASHBOARD_")}
    said = set(re.findall(r"\bSEGSCOPE_[A-Z_]+", "\n".join(map(text_of, PAGES))))
    assert read - passed_on <= said
    known = "\n".join(
        text_of(p) for room in ("tests", "scripts") for p in (ROOT / room).rglob("*.py")
    )
    assert {name for name in said if name not in read and name not in known} == set()


def test_every_extra_is_explained() -> None:
    said = set(re.findall(r"segscope\[(\w+)\]", "\n".join(map(text_of, PAGES))))
    assert said == set(EXTRAS.values())
