"""Configurations, sweep specs and augmentations that are rubbish, and what YAML makes of words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweeps.space import combinations
from sweeps.spec_reading import read_spec
from tests.reliability.rubbish import as_yaml, assert_right, bounded, documents
from trainer.config import TrainConfig
from trainer.config.parsing import from_mapping, from_yaml
from trainer.config.reading import Reading
from trainer.data.augment import build_augmentation
from trainer.data.layouts.said import table_of
from trainer.settings import Settings
from trainer.yaml_files import parse_yaml

SPEC: dict[str, Any] = {
    "name": "s",
    "fixed": {"image_size": [32, 48], "base_channels": 4},
    "epochs": 3,
    "space": {
        "lr": {"low": 1e-5, "high": 1e-2, "log": True},
        "batch_size": {"low": 4, "high": 16, "step": 4},
        "optimizer": ["adam", "sgd"],
        "momentum": {"low": 0.1, "high": 0.9, "step": 0.1},
    },
    "first": [{"lr": 1e-3}],
    "sampler": {"name": "tpe", "seed": 0},
    "pruner": "median",
    "trials": 8,
}
PIPELINE = {
    "transform": {
        "__class_fullname__": "Compose",
        "transforms": [
            {"__class_fullname__": "HorizontalFlip", "p": 0.5},
            {
                "__class_fullname__": "OneOf",
                "p": 0.5,
                "transforms": [{"__class_fullname__": "GaussianBlur", "p": 1.0}],
            },
        ],
        "p": 1.0,
    }
}
READERS: dict[str, tuple[Any, Callable[[Path], object]]] = {
    "config.yaml": (yaml.safe_load(TrainConfig().to_yaml()), from_yaml),
    "spec.yaml": (SPEC, lambda path: combinations(read_spec(str(path)).space)),
    "pipeline.yaml": (PIPELINE, lambda path: build_augmentation(str(path), Settings())),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_people_write(tmp_path: Path, name: str) -> None:
    sound, read = READERS[name]
    (tmp_path / name).write_bytes(as_yaml(sound))
    read(tmp_path / name)
    assert_right(documents(sound, name, as_yaml), tmp_path / name, read)


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
@pytest.mark.parametrize(
    "space",
    [
        "seed: {low: 0, high: 4294967295}",
        "batch_size: {low: 1, high: 999999999999999999999999}",
        "lr: {low: 1e-4, high: 1, step: 1e-12}",
    ],
)
def test_no_range_is_built_value_by_value(tmp_path: Path, space: str, sampler: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"space: {{{space}}}\nsampler: {sampler}\n")
    with bounded():
        if sampler == "grid":
            with pytest.raises(ValueError, match="grid needs a space of choices or steps, of at m"):
                read_spec(str(path))
        else:
            assert read_spec(str(path)).total == 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trials: 1.0e+300", "must lie in 1 to 1,000,000"),
        ("seeds: 1000000000", "must lie in 1 to 1,000"),
        (f"name: {'x' * 3000}", "at most 200 characters"),
        ("description: {a: 1}", "description: {'a': 1} is not text"),
    ],
)
def test_a_spec_has_bounds(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"space: {{lr: [0.1]}}\n{line}\n")
    with pytest.raises(ValueError, match=r"spec\.yaml") as refused:
        read_spec(str(path))
    assert said in str(refused.value)


@given(st.from_regex(r"[0-9][0-9:._eExXoO]{0,7}[0-9]", fullmatch=True))
def test_a_word_is_kept_as_it_is_written(word: str) -> None:
    """A number is one only where it reads the same to everybody."""
    read = parse_yaml(f"a: {word}", "it")["a"]
    if isinstance(read, int):
        assert word == str(read) or (word.startswith("0x") and read == int(word, 16))
    elif isinstance(read, float):
        assert read == float(word)
    else:
        assert read == word


@pytest.mark.parametrize("word", ["010", "12:30", "1:30:00", "1_000", "0b11", "190:20:30.15"])
def test_what_yaml_1_1_changes_stays_a_word(word: str) -> None:
    assert parse_yaml(f"name: {word}", "it") == {"name": word}
    # Python's own yaml quotes such a word, so that what a run stored reads the same.
    assert parse_yaml(yaml.safe_dump({"name": word}), "it") == {"name": word}


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=8)))
def test_what_yaml_writes_is_read_back(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump({"a": value}), "it") == {"a": value}


def test_mask_values_may_be_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text('mask_values: {0: background, "1,255": my car, 7: void}\n')
    config = from_yaml(tmp_path / "c.yaml")
    written = Reading(mask_values='0=background "1,255=my car" 7=void')
    assert table_of(tmp_path, config) == table_of(tmp_path, written)
    with pytest.raises(ValueError, match="mask_values: 0: None is no name of a class"):
        from_mapping({"mask_values": {0: None}})


def repeated(first: str, each: str) -> str:
    """Return nine lines, each of which names the one before ten times by its alias."""
    lines = [f"a0: &a0 {first}"]
    for n in range(1, 10):
        lines.append(f"a{n}: &a{n} {each}".replace("TEN", ", ".join([f"*a{n - 1}"] * 10)))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (repeated("[x, y]", "[TEN]"), "more than 1,000,000 values"),
        (repeated("{x: 1}", "{y: [TEN]}"), "more than 1,000,000 values"),
        (repeated("{x: 1, y: 2}", "{<<: [TEN]}"), "more than 1,000,000 values"),
        ("a: &a [*a]", "it holds itself"),
        ("a: &a {b: *a}", "it holds itself"),
        ("a: &a {<<: *a}", "it holds itself"),
        ("&a [b, {c: *a}]", "it holds itself"),
    ],
)
def test_aliases_stand_for_so_much_and_no_more(text: str, said: str) -> None:
    with bounded(), pytest.raises(ValueError, match=f"^it: is not valid YAML: line .*{said}$"):
        parse_yaml(text, "it")


def test_aliases_and_merges_are_read() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]"
    one = {"x": 1, "y": [2]}
    assert parse_yaml(text, "it") == {"a": one, "b": {"x": 3, "y": [2]}, "c": [one, one]}
