"""Names in explicit tables: looked up, checked, and listed when unknown."""

import math

import pytest

from trainer.catalogue.data import LAYOUTS
from trainer.config.roles import ROLES
from trainer.names import check, imported, unknown
from trainer.settings import Component, Role, load

TABLE = {"sqrt": Component(place="math:sqrt"), "floor": Component(place="math:floor")}


def test_an_entry_is_imported() -> None:
    assert load("function", "sqrt", TABLE) is math.sqrt


def test_a_relative_entry_is_imported_from_its_package() -> None:
    assert load("thing", "check", {"check": Component(place=".names:check")}, "trainer") is check


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ValueError) as caught:
        load("function", "sqr", TABLE)
    assert str(caught.value) == (
        "unknown function 'sqr' (did you mean 'sqrt'?); known: floor, sqrt"
    )


def test_nothing_near_gives_no_hint() -> None:
    assert str(unknown("loss", "zzz", ["bce"])) == "unknown loss 'zzz'; known: bce"


def test_check_takes_any_collection_of_names() -> None:
    check("cache", "ram", ["disk", "ram"])
    check("cache", "ram", (name for name in ("disk", "ram")))
    with pytest.raises(ValueError, match="unknown cache"):
        check("cache", "tape", ("disk", "ram"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_can_be_imported(name: str) -> None:
    assert imported(LAYOUTS[name]) is not None


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.field)
def test_every_component_that_is_built_can_be_imported(role: Role) -> None:
    for name, component in role.table.items():
        if component.place:
            assert callable(load(role.field, name, role.table, "trainer.models"))
