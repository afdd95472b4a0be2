"""The house is as its papers say: packaging, README, what nothing may do."""

import ast
import re
import shlex
import sys
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from trainer import __version__

ROOT = Path(__file__).parent.parent
PROGRAMS = ("trainer", "sweeps", "dashboard")
PACKAGES = (*PROGRAMS, "turntable")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Where a package is imported by another name than it is installed by. OpenCV has several builds
# and comes with albumentations.
INSTALLED_AS = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "cv2": "albumentations",
}
# Imported by `segscope_model`, a folder inside a registered model, and by nothing else.
SHIPPED_AS = "segscope_model"


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in requirements}


def imported(path: Path) -> set[str]:
    """Return the packages that a file imports anywhere, as they are installed."""
    roots = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            roots.add(node.module.split(".")[0])
    foreign = roots - set(sys.stdlib_module_names) - {*PACKAGES, "tests", SHIPPED_AS}
    return {INSTALLED_AS.get(root, root).lower() for root in foreign}


def test_what_is_imported_is_declared() -> None:
    declared = names(project()["project"]["dependencies"])
    extras = project()["project"]["optional-dependencies"]
    optional = names([line for name, lines in extras.items() if name != "dev" for line in lines])
    for path in SOURCES:
        missing = imported(path) - declared - optional
        assert not missing, f"{path.relative_to(ROOT)} imports {missing}"


def test_what_the_tests_import_is_declared() -> None:
    extras = project()["project"]["optional-dependencies"]
    optional = [line for lines in extras.values() for line in lines]
    declared = names([*project()["project"]["dependencies"], *optional])
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    for path in (ROOT / "tests").rglob("*.py"):
        missing = imported(path) - declared - own
        assert not missing, f"{path.relative_to(ROOT)} imports {missing}"


def test_every_dependency_is_pinned_where_it_is_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    extras = project()["project"]["optional-dependencies"]
    wanted = names([*project()["project"]["dependencies"], *extras["dev"]])
    assert {name.replace("_", "-") for name in wanted} <= pinned


def test_torchvision_is_no_dependency() -> None:
    assert not [path for path in SOURCES if "torchvision" in imported(path)]


def test_the_version_is_said_once() -> None:
    assert project()["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "trainer.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_command_is_a_folder(command: str) -> None:
    module, function = project()["project"]["scripts"][command].split(":")
    assert module == f"{command}.cli"
    assert callable(getattr(import_module(module), function))
    assert (ROOT / command / "__main__.py").is_file()


def test_nothing_unpickles() -> None:
    """A pickle executes what it holds, and models come from elsewhere."""
    picklers = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                assert not picklers & {alias.name for alias in node.names}, where
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in picklers, where
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("torch", "load"), where
            elif isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle" or not ast.literal_eval(node.value), where


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if tree_of(path).body and not ast.get_docstring(tree_of(path))
    ]
    assert not silent


def test_no_module_of_odds_and_ends() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def blocks() -> list[str]:
    """Return the README's code blocks that are in no language."""
    fences = re.findall(r"^```(.*)\n((?:(?!```).*\n)*)```$", README, re.MULTILINE)
    return [text for language, text in fences if not language]


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    local = [link for link in links if "://" not in link]
    assert local
    assert not [link for link in local if not (ROOT / link).exists()]


def test_the_tree_of_the_readme_is_there() -> None:
    tree = next(block for block in blocks() if block.startswith("trainer/"))
    folder = ROOT
    for line in tree.splitlines():
        named = line.split("  ")[0] if not line.startswith(" ") else ""
        if named:
            folder = ROOT / named
            assert folder.is_dir(), named
        for file in re.findall(r"\b[a-z_]+\.py\b", line):
            assert (folder / file).is_file(), f"{folder.name}/{file}"
        for inner in re.findall(r"^  ([a-z_]+)/", line):
            assert (folder / inner).is_dir(), f"{folder.name}/{inner}"
    missing = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    assert missing <= set(re.findall(r"^([a-z_]+)/", tree, re.MULTILINE))


def readme_commands() -> list[list[str]]:
    lines = [line for block in blocks() for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if line.split("  ")[0].strip()]
    return [w for w in words if w and w[0] in PROGRAMS]


@pytest.mark.parametrize("words", readme_commands(), ids=" ".join)
def test_the_readmes_commands_and_flags_exist(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    program = import_module(f"{words[0]}.cli")
    flags = [word for word in words if word.startswith("--")]
    if len(words) == 1:
        return
    command = program.COMMANDS[words[1]]
    with pytest.raises(SystemExit):
        command(["--help"])
    shown = capsys.readouterr().out
    assert not [flag for flag in flags if flag not in shown]


def test_the_readme_names_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    quoted = "\n".join([*blocks(), *re.findall(r"`[^`\n]+`", README)])
    named = set(re.findall(r"\bmake ([a-z-]+)\b", quoted))
    assert {"demo", "test", "setup"} <= named <= targets
