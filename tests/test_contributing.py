"""What the papers tell a contributor is so: files that are there, tables that names come from."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from trainer.config import TrainConfig
from trainer.config.roles import ROLES

ROOT = Path(__file__).parent.parent
ROOMS = ("trainer", "sweeps", "dashboard", "turntable", "tests", "docs", "benchmarks", "scripts")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

# The field of the configuration that names one.
FIELDS = {
    "model": "model",
    "loss": "loss",
    "optimiser": "optimizer",
    "schedule": "schedule",
    "layout": "layout",
    "augmentation": "augment",
}


def files_named(text: str) -> list[str]:
    """Return the files and folders of ours that a text names in backticks or links."""
    named = re.findall(r"`([^`\s]+)`|\]\(([^)#\s]+)", text)
    names = [quoted or link for quoted, link in named]
    return [name for name in names if name.split("/")[0] in ROOMS and "/" in name]


def rows() -> dict[str, tuple[str, str, str]]:
    """Return what to write, the line and the test of each kind that can be added."""
    section = CONTRIBUTING.split("## To add one")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    table = {kind.strip(): (write, line, test) for kind, write, line, test in cells}
    table.pop("To add a")
    return table


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_only_files_that_exist_are_named(name: str) -> None:
    named = files_named((ROOT / name).read_text(encoding="utf-8"))
    assert len(named) >= 9
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_nine_files_to_read_are_modules_in_an_order() -> None:
    section = README.split("## Reading the code")[1].split("\n## ")[0]
    steps = re.findall(r"^(\d)\. `([^`]+)`", section, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, 10))
    paths = [path for _, path in steps]
    assert len(set(paths)) == 9
    for path in paths:
        assert path.endswith(".py") and (ROOT / path).is_file(), path
    assert {path.split("/")[0] for path in paths} == {"trainer", "sweeps", "dashboard"}


def test_every_kind_says_what_to_write_where_its_line_is_and_where_its_test() -> None:
    assert set(rows()) == {*FIELDS, "score", "page", "preset of a sweep"}
    for kind, (write, line, test) in rows().items():
        assert files_named(write), kind
        assert files_named(line) or files_named(write), kind
        assert [path for path in files_named(test) if path.startswith("tests/")], kind


@pytest.mark.parametrize("kind", FIELDS)
def test_a_components_name_comes_from_the_table_that_is_named(kind: str) -> None:
    """An unknown name is answered with the known ones: those of the table, and ``auto``."""
    line = rows()[kind][1]
    named = re.match(r" *`([A-Z_]+)` in `([^`]+)`", line)
    assert named is not None, line
    module = named[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    table = getattr(import_module(module), named[1])
    with pytest.raises(ValueError, match="unknown") as error:
        TrainConfig(**{FIELDS[kind]: "no-such-name"})
    known = set(str(error.value).rpartition("known: ")[2].split(", "))
    assert table and set(table) <= known <= {*table, "auto"}


@pytest.mark.parametrize("kind", ["model", "loss", "optimiser", "page"])
def test_a_table_of_tests_is_where_it_is_said_to_be(kind: str) -> None:
    named = re.search(r"`(\w+)` in `(tests/[^`]+)`", rows()[kind][2])
    assert named is not None
    source = (ROOT / named[2]).read_text(encoding="utf-8")
    assert re.search(rf"^(class {named[1]}\b|{named[1]}\b.*=)", source, re.MULTILINE)


def test_the_pages_of_the_router_are_the_folders_with_a_page() -> None:
    assert "`PAGES` in `dashboard/app.py`" in rows()["page"][1]
    source = (ROOT / "dashboard" / "app.py").read_text(encoding="utf-8")
    routed = re.findall(r'page\("(\w+)"', source.split("PAGES = {")[1].split("\n}")[0])
    folders = [path.parent.name for path in (ROOT / "dashboard").glob("*/page.py")]
    assert sorted(routed) == sorted(folders)


def test_the_words_are_defined_once_each() -> None:
    section = CONTRIBUTING.split("## The words")[1].split("\n## ")[0]
    defined = re.findall(r"^- \*\*(\w+)\*\*:", section, re.MULTILINE)
    assert sorted(defined) == ["pair", "run", "split", "target", "trial", "void"]


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)\b", CONTRIBUTING))
    assert {"setup", "check", "test"} <= named <= set(re.findall(r"^([a-z-]+):", makefile, re.M))


@pytest.mark.parametrize("name", ["models", "losses", "optimizers", "schedules"])
def test_the_training_document_has_a_row_for_every_name(name: str) -> None:
    """And each says what `trainer.settings.Component.about` says, at more length."""
    module = "trainer.models" if name == "models" else f"trainer.catalogue.{name}"
    table = getattr(import_module(module), name.upper())
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    flag = {"models": "model", "losses": "loss"}.get(name, name.removesuffix("s"))
    rows = text.split(f"| `--{flag}` |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE)
    assert sorted(named) == sorted(table)


def test_every_component_that_is_built_says_what_it_is() -> None:
    for role in ROLES:
        for key, component in role.table.items():
            if component.place or role.field == "geometry":
                assert 5 < len(component.about) < 90, key
                assert not component.about.endswith("."), key
