"""``trainer list``: every name that a setting may have, from the tables that the settings have."""

import json

import pytest

from trainer.cli import COMMANDS
from trainer.commands.naming import KINDS, list_names
from trainer.config import TrainConfig
from trainer.options import ASK, Asked

Captured = pytest.CaptureFixture[str]


def listed(capsys: Captured, *words: str) -> str:
    assert list_names(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lists_what_its_flag_takes(kind: str, capsys: Captured) -> None:
    flag = KINDS[kind][0]
    rows = json.loads(listed(capsys, kind, "--json"))
    names = [row["name"] for row in rows]
    with pytest.raises(Asked) as asked:
        COMMANDS["fit"]([ASK])
    taken = next(option.names for option in asked.value.options if option.flag == flag)
    assert set(names) == set(taken) - {"auto"} | ({"auto"} & set(names))
    text = listed(capsys, kind)
    for row in rows:
        assert row["about"]
        assert f"{row['name']} " in text
        assert row["about"] in text


def test_settings_stand_with_what_has_them(capsys: Captured) -> None:
    rows = {row["name"]: row for row in json.loads(listed(capsys, "optimizers", "--json"))}
    for name, row in rows.items():
        assert row["settings"] == vars(TrainConfig(optimizer=name).settings("optimizer"))
    assert "nesterov=false" in listed(capsys, "optimizers")
    assert "image_size=160x240" in listed(capsys, "geometries")


def test_without_a_kind_the_kinds_are_listed(capsys: Captured) -> None:
    assert [row["name"] for row in json.loads(listed(capsys, "--json"))] == list(KINDS)
    lines = listed(capsys).splitlines()
    assert [line.split()[:2] for line in lines] == [[k, flag] for k, (flag, _) in KINDS.items()]


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown kind 'loses' \(did you mean 'losses'\?\)"):
        list_names(["loses"])
