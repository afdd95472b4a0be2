"""The configuration: help, validation, YAML, parameters, seed groups."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainer.config import NOT_HYPERPARAMETERS, TrainConfig, field_names, reads
from trainer.config.formats import FORMAT
from trainer.config.parsing import from_mapping, from_params, from_yaml
from trainer.config.roles import role_of

NAMES = field_names()

# One other, valid value of every field: no field may be forgotten by what is tested below.
OTHER: dict[str, Any] = {
    "data": "somewhere",
    "layout": "folders",
    "mask_values": "0=ground 1=tree",
    "threshold": 3,
    "split_file": "split.csv",
    "images": "photos",
    "masks": "*/labels",
    "combine": "union",
    "image_size": (31, 47),
    "geometry": "five-crop",
    "fraction": 0.1,
    "val_fraction": 0.2,
    "test_fraction": 0.0,
    "split_seed": 3,
    "folds": 5,
    "fold": 2,
    "group_by": r"(p\d+)_",
    "trimap_border": "class",
    "channels": 4,
    "value_range": (-0.5, 4095.0),
    "skip_faulty": True,
    "cache": "disk",
    "cache_limit_gib": 1.5,
    "normalisation": "none",
    "augment": "flips",
    "augment_probability": 0.2,
    "activation_checkpointing": True,
    "workers": 2,
    "model": "unet",
    "init_from": "models:/cars@champion",
    "freeze": "encoder",
    "encoder_lr": 1e-5,
    "kernel_size": 5,
    "base_channels": 64,
    "depth": 2,
    "norm": "group",
    "dropout": 0.2,
    "level_widths": (1, 3, 2),
    "upsampling": "nearest",
    "decoder_norm": "none",
    "deep_supervision": True,
    "fc_channels": 16,
    "encoder_depth": 18,
    "backbone": "some/folder",
    "pretrained": True,
    "loss": "cross-entropy",
    "class_weights": "inverse",
    "label_smoothing": 0.1,
    "focal_gamma": 1.0,
    "tversky_beta": 0.6,
    "optimizer": "rmsprop",
    "lr": 1e-5,
    "momentum": 0.999,
    "weight_decay": 1e-8,
    "decay_norms": False,
    "nesterov": True,
    "gradient_clip": 1.0,
    "schedule": "plateau",
    "schedule_factor": 0.1,
    "schedule_patience": 7,
    "schedule_every": 2,
    "schedule_power": 2.0,
    "schedule_decay": 0.01,
    "warmup_epochs": 1,
    "accumulate": 2,
    "ema_decay": 0.99,
    "batch_size": 1,
    "epochs": 3,
    "patience": 4,
    "min_delta": 0.001,
    "monitor": "val/miou",
    "boundary_iou": True,
    "seed": 7,
    "device": "cpu",
    "deterministic": True,
    "precision": "float32",
    "eval_precision": "bfloat16",
    "samples": 0,
    "experiment": "study",
    "run_name": "the first",
}


# What cannot be said beside another of them.
APART = {"threshold", "freeze"}


def owner(name: str) -> dict[str, Any]:
    """Return the field, and its value, of a component that has the setting ``name``."""
    role = role_of(name)
    if role is None:
        return {}
    value = OTHER[role.field]
    beside = {"pretrained": {"backbone": "some/folder"}}.get(name, {})
    return {role.field: value if reads(OTHER, name) else role.having(name)[0], **beside}


def other(name: str) -> TrainConfig:
    """Return a config with another value of one field, and who has it."""
    return TrainConfig(**owner(name), **{name: OTHER[name]})


def all_other() -> TrainConfig:
    """Return a config with other values of all that its components have."""
    together = OTHER.keys() - APART
    return TrainConfig(**{name: OTHER[name] for name in together if reads(OTHER, name)})


def without(name: str) -> TrainConfig:
    """Return the config that `other` differs from in ``name`` alone."""
    return TrainConfig(**owner(name))


def test_the_table_of_other_values_names_every_field() -> None:
    assert sorted(OTHER) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_yaml_brings_every_field_back(name: str, tmp_path: Path) -> None:
    given = other(name)
    path = tmp_path / "config.yaml"
    path.write_text(given.to_yaml(), encoding="utf-8")
    assert from_yaml(path) == given
    assert yaml.safe_load(path.read_text()) == {"format": FORMAT, **given.plain()}


def test_yaml_brings_all_fields_back_together(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(all_other().to_yaml(), encoding="utf-8")
    assert from_yaml(path) == all_other()


def test_yaml_changes_a_base(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("batch-size: 2\nlr: 1e-4\n", encoding="utf-8")
    changed = from_yaml(path, TrainConfig(epochs=3))
    assert (changed.batch_size, changed.lr, changed.epochs) == (2, 1e-4, 3)


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"lr": "1e-4"}, "lr", 1e-4),  # what YAML 1.1 makes of 1e-4 without a dot
        ({"lr": 1}, "lr", 1.0),
        ({"batch_size": "8"}, "batch_size", 8),
        ({"batch_size": 8.0}, "batch_size", 8),
        ({"batch-size": 8}, "batch_size", 8),
        ({"batch_size": "auto"}, "batch_size", "auto"),
        ({"batch_size": "auto:64"}, "batch_size", "auto:64"),
        ({"image_size": [80, 120]}, "image_size", (80, 120)),
        ({"image_size": ["80", 120.0]}, "image_size", (80, 120)),
        ({"image_size": "80x120"}, "image_size", (80, 120)),
        ({"value_range": ["-1", 4095]}, "value_range", (-1.0, 4095.0)),
        ({"patience": None}, "patience", None),
        ({"gradient_clip": "0.5"}, "gradient_clip", 0.5),
        ({"data": 7}, "data", "7"),
    ],
)
def test_plain_values_get_their_type(values: dict[str, Any], name: str, expected: object) -> None:
    value = getattr(from_mapping(values), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": "fast"}, "lr: 'fast' is not a number"),
        ({"lr": None}, "lr: None is not a number"),
        ({"lr": True}, "lr: True is not a number"),
        ({"epochs": 2.5}, "epochs: 2.5 is not a whole number"),
        ({"epochs": float("inf")}, "epochs: inf is not a whole number"),
        ({"epochs": [1]}, "epochs: [1] is not a whole number"),
        ({"skip_faulty": "maybe"}, "skip_faulty: 'maybe' is not true or false"),
        ({"skip_faulty": "yEs"}, "skip_faulty: 'yEs' is not true or false"),
        ({"model": ["unet"]}, "model: ['unet'] is not text"),
        ({"image_size": [80]}, "image_size: [80] is not two whole numbers"),
        ({"image_size": "80x"}, "image_size: '80x' is not two whole numbers"),
        ({"image_size": 80}, "image_size: 80 is not two whole numbers, as [160, 240] or 160x240"),
        ({"value_range": [0]}, "value_range: [0] is not two numbers"),
        ({"value_range": "0 255"}, "value_range: '0 255' is not two numbers"),
        ({"image_size": [80, 2.5]}, "image_size: [80, 2.5] is not two whole numbers"),
    ],
)
def test_a_wrong_type_names_field_and_value(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_mapping(values)
    assert message in str(caught.value)


def test_an_unknown_field_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError) as caught:
        from_mapping({"learning-rate": 1e-3, "batchsize": 2})
    assert str(caught.value) == "unknown field 'learning_rate' (did you mean 'lr'?)"
    with pytest.raises(ValueError, match="did you mean 'batch_size'"):
        TrainConfig().replace(batchsize=2)


# field(s), and what the message must say beside the field's name and value
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"image_size": (4, 240)}, "at least 8 8"),
    ({"image_size": (-160, 240)}, "at least 8 8"),
    ({"image_size": (16, 16)}, r"too small for unet as it is set; give 17 or more"),
    ({"channels": 0}, "at least 1"),
    ({"value_range": (9.0, 9.0)}, "the lower one first"),
    ({"value_range": (0.0, float("inf"))}, "two numbers"),
    ({"value_range": (float("nan"), 1.0)}, "two numbers"),
    ({"normalisation": "imagenet", "channels": 1}, "there are 1; give dataset or none"),
    ({"fraction": 0.0}, "above 0"),
    ({"fraction": 1.5}, "at most 1"),
    ({"val_fraction": 0.0}, "between 0 and 1"),
    ({"val_fraction": 1.0}, "between 0 and 1"),
    ({"test_fraction": -0.1}, "at least 0"),
    ({"test_fraction": 1.0}, "below 1"),
    ({"val_fraction": 0.6, "test_fraction": 0.4}, "nothing to train on"),
    ({"folds": 1}, "at least 2"),
    ({"fold": 5, "folds": 5}, "below folds"),
    ({"fold": -1, "folds": 5}, "below folds"),
    ({"cache_limit_gib": 0.0}, "above 0"),
    ({"augment_probability": 1.1}, "0 to 1"),
    ({"schedule_factor": 1.0}, "between 0 and 1"),
    ({"schedule_patience": -1}, "at least 0"),
    ({"workers": -1}, "at least 0"),
    ({"kernel_size": 4}, "odd"),
    ({"kernel_size": 17}, "1 to 15"),
    ({"kernel_size": -1}, "1 to 15"),
    ({"base_channels": 0}, "at least 1"),
    ({"depth": 0}, "1 to 8"),
    ({"depth": 9}, "1 to 8"),
    ({"lr": -1e-3}, "positive"),
    ({"lr": 0.0}, "positive"),
    ({"lr": float("nan")}, "positive"),
    ({"lr": float("inf")}, "positive"),
    ({"momentum": 1.0}, "below 1"),
    ({"weight_decay": -1.0}, "at least 0"),
    ({"weight_decay": float("inf")}, "at least 0"),
    ({"gradient_clip": 0.0}, "above 0"),
    ({"gradient_clip": float("nan")}, "above 0"),
    ({"batch_size": 0}, "at least 1"),
    ({"batch_size": "all"}, "is no whole number; give one, auto for as many"),
    ({"batch_size": "auto:"}, "is no whole number"),
    ({"batch_size": "auto:0"}, "is no whole number"),
    ({"batch_size": "2.5"}, "is no whole number"),
    ({"accumulate": 0}, "at least 1"),
    ({"accumulate": 2, "batch_size": "auto:8"}, "is found where batch_size is auto:8"),
    ({"epochs": 0}, "at least 1"),
    ({"patience": 0}, "at least 1"),
    ({"min_delta": -0.1}, "at least 0"),
    ({"min_delta": float("nan")}, "at least 0"),
    ({"seed": -1}, "0 to 2**32 - 1"),
    ({"seed": 2**32}, "0 to 2**32 - 1"),
    ({"split_seed": -1}, "0 to 2**32 - 1"),
    ({"samples": -1}, "at least 0"),
    ({"experiment": "  "}, "give a name"),
]


@pytest.mark.parametrize(("values", "cure"), OUT_OF_RANGE, ids=lambda v: str(v))
def test_a_value_out_of_range_names_field_value_and_cure(values: dict[str, Any], cure: str) -> None:
    name, value = next(iter(values.items()))
    role = role_of(name)
    with pytest.raises(ValueError) as caught:
        from_mapping(values, None if role is None else other(role.field))
    message = str(caught.value)
    assert message.startswith(f"{name}: {value}")
    assert cure in message
    assert "\n" not in message


NAMED = {
    "model": "model",
    "loss": "loss",
    "optimizer": "optimizer",
    "layout": "layout",
    "geometry": "geometry",
    "normalisation": "normalisation",
    "class_weights": "class_weights",
    "schedule": "schedule",
    "precision": "precision",
    "eval_precision": "eval_precision",
    "monitor": "monitor",
    "cache": "cache",
    "trimap_border": "trimap_border",
    "augment": "augment",
}


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_choice_lists_the_known_ones(name: str) -> None:
    default = str(getattr(TrainConfig(), name))
    with pytest.raises(ValueError, match=rf"unknown {name} 'nonsense'.*; known: ") as caught:
        from_mapping({name: "nonsense"})
    assert default in str(caught.value)


def test_an_augmentation_may_be_a_file() -> None:
    assert TrainConfig(augment="mine.yaml").augment == "mine.yaml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"lr: -1\n", "lr: -1.0 must be a positive number"),
        (b"ema_decay: 1\n", "ema_decay: 1.0 must lie between 0 and 1, or be left out"),
        (b"monitor: val/ema/dice\n", "is of averaged weights; give ema_decay, such as 0.999"),
        (b"batch-size: 1\nbatch_size: 2\n", "batch_size: it is given twice"),
        (b"learning_rate: 1\n", "unknown field 'learning_rate'"),
    ],
)
def test_a_bad_file_is_one_line_with_its_path(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        from_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_params_are_flat_text_for_every_field() -> None:
    params = all_other().to_params()
    assert list(params) == list(all_other().values())
    assert sorted(params) == sorted(name for name in NAMES if reads(OTHER, name))
    assert params["level_widths"] == "1x3x2"
    assert all(isinstance(value, str) and value for value in params.values())
    assert params["image_size"] == "31x47"
    assert params["value_range"] == "-0.5 to 4095.0"
    assert params["skip_faulty"] == "true"
    assert params["lr"] == "1e-05"
    assert TrainConfig().to_params()["patience"] == "none"


@pytest.mark.parametrize("name", NAMES)
def test_params_bring_every_field_back(name: str) -> None:
    for config in (other(name), without(name), all_other()):
        machine = {"processor": "some", "threads": "2"}
        assert from_params(config.to_params() | machine) == config


def test_a_param_that_is_no_value_names_its_field() -> None:
    for params, named in [({"lr": "fast"}, "lr: 'fast'"), ({"image_size": "wide"}, "image_size: ")]:
        with pytest.raises(ValueError, match=f"^{named}"):
            from_params(params)


@pytest.mark.parametrize("name", sorted(NOT_HYPERPARAMETERS))
def test_repeats_share_a_seed_group(name: str) -> None:
    assert other(name).seed_group() == without(name).seed_group()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in {*NOT_HYPERPARAMETERS, "model"}])
def test_another_hyperparameter_is_another_seed_group(name: str) -> None:
    assert other(name).seed_group() != without(name).seed_group()


def test_a_seed_group_hangs_on_the_values_alone() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", TrainConfig().seed_group())
    assert from_mapping({"lr": 1}).seed_group() == from_mapping({"lr": "1.0"}).seed_group()


def test_what_follows_from_another_setting_is_recorded_as_it_is_and_need_not_be_said() -> None:
    small = TrainConfig(model="unet-small")
    assert (small.depth, small.base_channels) == (2, 64)
    assert small.replace(level_widths=(1, 2, 4, 4)).depth == 3
    assert small.replace(model="unet").depth == 2
    with pytest.raises(ValueError, match="depth: 3 is told by level_widths; leave it out"):
        TrainConfig(model="unet-small", depth=3)
