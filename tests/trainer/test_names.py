"""Names in explicit tables: looked up, checked, and listed when unknown."""

import math

import pytest

from trainer import catalogue
from trainer.models import MODELS
from trainer.names import check, load, unknown

TABLE = {"sqrt": "math:sqrt", "floor": "math:floor"}


def test_an_entry_is_imported() -> None:
    assert load("function", "sqrt", TABLE) is math.sqrt


def test_a_relative_entry_is_imported_from_its_package() -> None:
    assert load("thing", "check", {"check": ".names:check"}, "trainer") is check


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


@pytest.mark.parametrize("table", ["LOSSES", "OPTIMIZERS", "SCHEDULES", "LAYOUTS"])
def test_every_entry_of_the_catalogue_can_be_imported(table: str) -> None:
    for name in getattr(catalogue, table):
        assert load(table, name, getattr(catalogue, table)) is not None


def test_every_architecture_can_be_imported() -> None:
    for name in MODELS:
        assert callable(load("model", name, MODELS, "trainer.models"))
