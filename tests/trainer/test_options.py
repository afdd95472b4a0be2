"""What may be given to a command: how its help shows it, and the values that come of it."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import pytest
from tyro.conf import Positional

from trainer.command_line import parse
from trainer.config import General, TrainConfig, field_names
from trainer.config.roles import ROLES
from trainer.options import ASK, Asked, Option, options_of

SIZES = ("small", "large")
GROUPS = {"data", "model", "learning", "machine", "recording"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of something."""

    group = "shape"

    size: Annotated[str, SIZES] = "small"
    """How large."""
    colour: Annotated[str | None, {f"colour-number-{n}": "" for n in range(9)}] = None
    """Which colour."""


@dataclass(frozen=True, kw_only=True)
class Options(Shape):
    """Some options."""

    target: Positional[Path]
    """Where to."""
    others: Positional[tuple[Path, ...]]
    """Whatever else."""
    kind: Literal["a", "b"] | None = None
    """Of which kind."""
    number: int = 0
    """How many."""
    share: float | None = 0.5
    """Which part."""
    pattern: Annotated[str | None, "REGEX"] = None
    """What matches."""


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        parse(Options, prog="tool", args=["--help"])
    return capsys.readouterr().out


def test_values_stand_for_themselves_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    help_text = shown(capsys)
    assert "TARGET OTHER…" in help_text.splitlines()[0]
    for flag in (
        "--size {small,large}",
        "--colour NAME",
        "--kind {a,b}",
        "--number N",
        "--share NUMBER",
        "--pattern REGEX",
    ):
        assert f"{flag} " in help_text
    assert "shape options" in help_text
    flowing = " ".join(help_text.replace("│", " ").split())
    assert "Which colour. One of colour-number-0, colour-number-1," in flowing
    assert "(default: 0)" in flowing
    assert flowing.count("(required)") == 2
    assert "None" not in help_text
    assert "STR" not in help_text


def test_values_come_out_of_their_groups() -> None:
    words = "a b c --size large --kind b --share None --colour colour-number-3"
    assert parse(Options, prog="tool", args=words.split()) == Options(
        target=Path("a"),
        others=(Path("b"), Path("c")),
        size="large",
        colour="colour-number-3",
        kind="b",
        share=None,
    )


def commands() -> dict[str, Callable[[list[str]], int]]:
    found = {}
    for program in ("trainer", "sweeps"):
        table = importlib.import_module(f"{program}.cli").COMMANDS
        found |= {f"{program} {name}": command for name, command in table.items()}
    return found | {"dashboard": importlib.import_module("dashboard.cli")._serve}


def options(command: str, *words: str) -> dict[str, Option]:
    with pytest.raises(Asked) as asked:
        commands()[command]([*words, ASK])
    return {option.name: option for option in asked.value.options}


@pytest.mark.parametrize("command", commands())
def test_every_option_has_its_text_and_a_word_that_says_what_it_is(command: str) -> None:
    for option in options(command).values():
        assert option.about.endswith("."), option
        assert option.word != "TEXT", option
        assert option.word is not None or option.kind is bool, option


@pytest.mark.parametrize("command", commands())
def test_no_help_shows_a_type_of_python(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands()[command](["--help"])
    text = capsys.readouterr().out
    assert not [word for word in ("None", "STR", "INT", "FLOAT", "BOOL") if word in text.split()]
    assert "examples:" in text


def test_the_names_of_every_role_are_those_of_its_table() -> None:
    found = options("trainer fit")
    for role in ROLES:
        names = found[role.field].names
        assert names == (() if role.field in ("folds", "patience") else tuple(role.table))


def test_a_setting_is_in_the_group_of_the_field_that_names_its_component() -> None:
    words = ["--optimizer", "sgd", "--folds", "2", "--patience", "2"]
    found = options("trainer fit", *words)
    assert {found[name].group for name in field_names() if name in found} == GROUPS
    for role in ROLES:
        for name in set(role.names()) & set(found):
            assert found[name].group == found[role.field].group, name
    assert found["seeds"].group == ""


def test_the_fields_of_a_run_are_in_the_order_of_their_groups() -> None:
    groups = [options_of(General)[i].group for i in range(len(fields(General)))]
    assert list(dict.fromkeys(groups)) == ["data", "model", "learning", "machine", "recording"]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)
    assert next(iter(TrainConfig().values())) == "layout"


def test_a_class_made_while_running_has_no_text() -> None:
    name = "a_module_without_source"
    made = type("Made", (), {"__annotations__": {"x": int}, "x": 1, "__module__": name})
    assert name not in sys.modules
    (option,) = options_of(dataclass(made))
    assert (option.about, option.kind, option.default) == ("", int, 1)
