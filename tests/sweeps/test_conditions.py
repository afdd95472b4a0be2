"""A setting that some of the searched components have is searched where it is read."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps import reading
from sweeps.reading import ENOUGH
from sweeps.search import carry_out
from sweeps.space import combinations, read_by
from sweeps.spec import SweepSpec
from sweeps.spec_reading import from_plain
from sweeps.study import create, load
from sweeps.summary import rows
from sweeps.trials import COMPLETE, Parameter, trials_table
from trainer.config import TrainConfig
from trainer.config.formats import FORMAT, FORMAT_1

MakeSpec = Callable[..., SweepSpec]
SPACE: dict[str, Any] = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "momentum": [0.5, 0.8],
    "lr": [1e-3, 1e-2],
}


def test_combinations_multiply_by_what_is_read_alone() -> None:
    found = combinations(from_plain({"space": SPACE}).space)
    assert found is not None
    assert len(found) == 2 * (1 + 2 + 2)
    assert all(("momentum" in each) == (each["optimizer"] != "adam") for each in found)
    assert from_plain({"space": SPACE, "trials": 40}).total == 10


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe", "gp"])
@pytest.mark.parametrize("endless", [False, True])
def test_a_condition_holds_in_every_trial(
    pretend: ModuleType, spec: MakeSpec, sampler: str, endless: bool
) -> None:
    if endless and sampler == "grid":
        pytest.skip("a grid needs a finite space")
    space = SPACE | ({"lr": {"low": 1e-5, "high": 1e-1, "log": True}} if endless else {})
    seen: list[TrainConfig] = []

    def fit(config: TrainConfig, **options: Any) -> Any:
        seen.append(config)
        return pretend.fit(config, on_epoch=options["on_epoch"])

    sweep = create(spec(space=space, sampler=sampler, trials=14, pruner="none"), None)
    carry_out(sweep, fit=fit)
    drawn = [trial.params for trial in sweep.trials()]
    assert len(drawn) == (14 if endless else 10)
    assert {each["optimizer"] for each in drawn} == set(SPACE["optimizer"])
    for params, config, row in zip(drawn, seen, rows(sweep), strict=True):
        assert ("momentum" in params) == (params["optimizer"] != "adam")
        assert {name: config.values()[name] for name in params} == params == row.params
        assert ("momentum" in config.values()) == ("momentum" in params)
    if not endless:
        assert len({tuple(sorted(each.items(), key=str)) for each in drawn}) == 10


def test_a_field_may_be_left_out_in_some_trials() -> None:
    space = from_plain({"space": {"patience": [None, 3], "min_delta": [0.1, 0.2]}}).space
    assert combinations(space) == [
        {"patience": None},
        {"patience": 3, "min_delta": 0.1},
        {"patience": 3, "min_delta": 0.2},
    ]


def test_what_is_fixed_for_some_components_is_read_by_them() -> None:
    spec = from_plain({"space": {"optimizer": ["adam", "sgd"]}, "fixed": {"momentum": 0.3}})
    assert "momentum" not in spec.config_of({"optimizer": "adam"}).values()
    assert spec.config_of({"optimizer": "sgd"}).momentum == 0.3
    assert from_plain(spec.to_mapping()) == spec
    of_recipe = {"recipe": "carvana-tenth", "space": {"optimizer": ["adam", "rmsprop"]}}
    assert from_plain(of_recipe).beside == {"momentum": 0.999}


def test_an_override_is_fixed_for_those_that_read_it() -> None:
    spec = from_plain({"space": {"optimizer": ["adam", "sgd"]}}, overrides={"momentum": 0.3})
    assert spec.config_of({"optimizer": "sgd"}).momentum == 0.3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"space": {"momentum": [0.1]}}, "space: momentum: adam has none; sgd and rmsprop have"),
        (
            {"space": {"optimizer": ["adam", "adamw"], "momentum": [0.1]}},
            "space: momentum: adam has none",
        ),
        ({"space": {"lr": [0.1]}, "fixed": {"momentum": 0.1}}, "fixed: momentum: adam has none"),
        ({"space": {"lr": [0.1]}, "fixed": {"min_delta": 0.1}}, "fixed: min_delta: it goes with"),
        (
            {"space": SPACE, "first": [{"optimizer": "adam", "momentum": 0.5}]},
            "first[0]: momentum: adam has none",
        ),
        ({"space": {"lr": [0.1]}, "format": 3}, "format: 3 is not known here"),
    ],
)
def test_what_nothing_reads_is_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        from_plain(written)
    assert str(refused.value).startswith(said)


def test_a_spec_that_an_earlier_version_fixed_whole_is_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fixed = {name: value for name, value in FORMAT_1.items() if name != "lr"}
    written = {"space": {"lr": [0.1, 0.2], "optimizer": ["adam", "rmsprop"]}, "fixed": fixed}
    spec = from_plain(written, stored=True)
    assert (spec.beside, caplog.records) == ({"momentum": 0.9}, [])
    assert from_plain(written) == spec
    (line,) = caplog.records
    assert line.message.endswith("not read: fold, augment_probability, min_delta")
    assert spec.to_mapping()["format"] == FORMAT


def test_a_study_keeps_conditions(pretend: ModuleType, spec: MakeSpec) -> None:
    first = [{"optimizer": "sgd", "momentum": 0.8}, {"optimizer": "adam"}]
    sweep = create(spec(space=SPACE, first=first, trials=3, pruner="none"), None)
    carry_out(sweep, fit=pretend.fit)
    again = load("test", None)
    assert again.spec == sweep.spec
    found = [trial.params for trial in again.trials()]
    assert (found[0]["momentum"], "momentum" in found[1]) == (0.8, False)
    assert read_by(again.spec.space, found[1]) == ["optimizer", "lr"]


def test_what_some_trials_lack_has_no_importance(store: Path) -> None:
    space = [Parameter(name="lr"), Parameter(name="momentum"), Parameter(name="depth")]
    lacking: list[dict[str, Any]] = [{"momentum": 0.1}, {"depth": 2}]
    drawn = [{"lr": 0.01 * n, **lacking[n % 2]} for n in range(40)]
    said = [{"number": n, "state": COMPLETE, "value": n / 40} for n in range(40)]
    begun = [{**each, "params": params} for each, params in zip(said, drawn, strict=True)]
    table = trials_table(begun, [each.name for each in space])
    for evaluator in ENOUGH:
        found = reading.importances(
            table, space, "value", higher_is_better=True, evaluator=evaluator
        )
        assert found == {"lr": 1.0}
