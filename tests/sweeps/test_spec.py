"""What a spec means, and what is refused with which words."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweeps.space import Choices, Range, combinations
from sweeps.spec_reading import KEYS, PRESETS, from_plain, read_spec

LR = {"lr": {"low": 1e-5, "high": 1e-2, "log": True}}


def test_a_full_spec_is_read(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(
        """
        fixed: {base-channels: 8, image_size: [32, 48]}
        epochs: 3
        metric: val/miou
        space:
          lr: {low: 1e-5, high: 1e-2, log: true}
          kernel-size: {low: 3, high: 7, step: 2}
          image_size: [[32, 48], [64, 96]]
          gradient_clip: [null, 1.0]
        first: [{lr: 1e-3, kernel_size: 5}]
        sampler: {name: tpe, seed: 3}
        pruner: none
        trials: 9
        seeds: 2
        timeout: 60
        """.replace("image_size: [32, 48]}", "seed: 4}")
    )
    spec = read_spec(str(path))
    assert spec.name == "search"
    # YAML 1.1 reads 1e-5, which has no dot, as text.
    assert spec.space["lr"] == Range(low=1e-5, high=1e-2, log=True)
    assert spec.space["kernel_size"] == Range(low=3, high=7, step=2, whole=True)
    assert spec.space["image_size"] == Choices(values=((32, 48), (64, 96)))
    assert spec.space["gradient_clip"] == Choices(values=(None, 1.0))
    assert (spec.config.base_channels, spec.config.seed, spec.config.epochs) == (8, 4, 3)
    assert spec.metric == spec.config.monitor == "val/miou"
    assert spec.first == ({"lr": 1e-3, "kernel_size": 5},)
    assert (spec.sampler.name, spec.sampler.seed, spec.pruner.name) == ("tpe", 3, "none")
    assert (spec.trials, spec.seeds, spec.timeout) == (9, 2, 60.0)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_survives_being_stored(name: str) -> None:
    spec = read_spec(name)
    assert spec.name == name
    assert spec.description
    stored = yaml.safe_load(yaml.safe_dump(spec.to_mapping()))
    assert from_plain(stored) == spec
    assert spec.difference(from_plain(stored)) is None


def test_every_preset_file_is_listed() -> None:
    folder = Path(__file__).parents[2] / "sweeps" / "presets"
    assert sorted(PRESETS) == sorted(path.stem for path in folder.iterdir())


def test_combinations_of_choices_and_steps() -> None:
    space = from_plain(
        {
            "fixed": {"patience": 2},
            "space": {"kernel_size": [3, 5], "min_delta": {"low": 0.1, "high": 0.3, "step": 0.1}},
        }
    ).space
    found = combinations(space)
    assert found is not None
    assert [tuple(c.values()) for c in found] == [
        (3, 0.1),
        (3, 0.2),
        (3, 0.3),
        (5, 0.1),
        (5, 0.2),
        (5, 0.3),
    ]
    assert combinations(from_plain({"space": LR}).space) is None


def test_a_finite_space_ends_after_its_combinations() -> None:
    space = {"kernel_size": [3, 5], "batch_size": [4, 8, 16]}
    assert from_plain({"space": space, "trials": 40}).total == 6
    assert from_plain({"space": space, "trials": 4}).total == 4
    assert from_plain({"space": LR, "trials": 40}).total == 40


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "space: name at least one field"),
        ({"space": LR, "trails": 3}, "unknown key 'trails' (did you mean 'trials'?)"),
        ({"space": {"learning_rate": [1e-3]}}, "space: unknown field 'learning_rate'"),
        ({"space": {"experiment": ["a", "b"]}}, "space: unknown field 'experiment'"),
        ({"space": {"lr": {"low": -1, "high": 1}}}, "space.lr.low: lr: -1.0 must be a positive"),
        ({"space": {"lr": {"low": 1e-3, "high": 1e-4}}}, "space.lr: low 0.001 is above high"),
        ({"space": {"lr": {"low": 1e-3}}}, "space.lr: high is missing"),
        ({"space": {"lr": {"low": 1e-3, "hi": 1}}}, "space.lr: unknown key 'hi'"),
        ({"space": {"lr": {"low": "x", "high": 1}}}, "space.lr.low: lr: 'x' is not"),
        ({"space": {"weight_decay": {"low": 0, "high": 0.9, "log": True}}}, "needs a low above 0"),
        ({"space": {"lr": {"low": 1, "high": 2, "log": True, "step": 1}}}, "does not go with step"),
        ({"space": {"lr": {"low": 1, "high": 2, "step": 0.3}}}, "miss high 2"),
        ({"space": {"lr": {"low": 1, "high": 2, "step": 0}}}, "space.lr.step: 0 must be above 0"),
        ({"space": {"batch_size": {"low": 1, "high": 9, "step": 0.5}}}, "is not a whole number"),
        ({"space": {"kernel_size": {"low": 3, "high": 7}}}, "kernel_size: 4 must be odd"),
        ({"space": {"model": {"low": 1, "high": 2}}}, "space.model.low: unknown model '1'"),
        ({"space": {"model": ["unet", "unett"]}}, "space.model.choices: unknown model 'unett'"),
        ({"space": {"lr": [1e-3, 0.001]}}, "space.lr.choices: 0.001 stands there twice"),
        ({"space": {"lr": []}}, "space.lr.choices: give a list with at least one value"),
        ({"space": {"lr": 1e-3}}, "belongs under fixed"),
        ({"space": LR, "fixed": {"lr": 1}}, "fixed.lr: the space searches it"),
        ({"space": LR, "fixed": {"batch_size": 0}}, "fixed: batch_size: 0 must be at least 1"),
        ({"space": LR, "fixed": {"batchsize": 1}}, "fixed: unknown field 'batchsize'"),
        ({"space": LR, "epochs": 3, "fixed": {"epochs": 3}}, "fixed.epochs: epochs says it"),
        ({"space": LR, "metric": "val/loss"}, "unknown metric 'val/loss'"),
        ({"space": LR, "recipe": "none-such"}, "unknown recipe 'none-such'"),
        ({"space": LR, "sampler": "bayes"}, "unknown sampler 'bayes'"),
        ({"space": LR, "sampler": {"startup": 1}}, "sampler: unknown key 'startup'"),
        ({"space": LR, "sampler": "grid"}, "grid needs a space of choices or steps"),
        ({"space": LR, "pruner": {"name": "median", "patience": -1}}, "pruner.patience: -1"),
        ({"space": LR, "trials": 0}, "trials: 0 must lie in 1 to 1,000,000"),
        ({"space": LR, "trials": 2.5}, "trials: 2.5 is not a whole number"),
        ({"space": LR, "trials": "many"}, "trials: 'many' is not a whole number"),
        ({"space": LR, "timeout": 0}, "timeout: 0.0 must be above 0"),
        ({"space": {"seed": [1, 2]}, "seeds": 2}, "seeds: the space searches seed already"),
        ({"space": LR, "name": "a b'c"}, 'name: "a b\'c" may hold letters'),
        ({"space": LR, "first": [{"lr": 1.0}]}, "first[0].lr: 1.0 is not in the space"),
        ({"space": LR, "first": [{"depth": 1}]}, "first[0]: unknown field 'depth'"),
    ],
)
def test_a_mistake_is_named_with_its_key(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        from_plain(written)


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("space: {lr: [0]}")
    with pytest.raises(ValueError, match=r"bad\.yaml: space\.lr\.choices: lr: 0\.0 must be"):
        read_spec(str(path))
    path.write_text("space: {batch-size: [1], batch_size: [2]}")
    with pytest.raises(ValueError, match=r"bad\.yaml: batch_size: it is given twice"):
        read_spec(str(path))


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'lr-bach-kernel'.*known: demo, lr-batch"):
        read_spec("lr-bach-kernel")


def test_flags_fix_fields_that_the_space_does_not_search() -> None:
    assert read_spec("lr-only", overrides={"epochs": 2}).config.epochs == 2
    with pytest.raises(ValueError, match="lr: it is searched"):
        read_spec("lr-only", overrides={"lr": 1e-3})


def test_the_documentation_shows_a_valid_spec_and_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    block, of_components = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert "momentum" in from_plain(yaml.safe_load(of_components)).space
    spec = from_plain(yaml.safe_load(block))
    assert spec.first == ({"lr": 1e-3, "depth": 4},)
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == set(KEYS)
