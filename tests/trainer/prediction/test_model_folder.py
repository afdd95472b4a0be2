"""A model folder that somebody sent: whatever is wrong is one line that names file and field."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.reliability.rubbish import bounded
from tests.trainer.model_folders import model_folder
from trainer import catalogue
from trainer.catalogue.data import GEOMETRIES
from trainer.network.arithmetic import DTYPES
from trainer.prediction import model_folder as module
from trainer.prediction.model_folder import load_network, read_model_config

DELETED = object()
COLOURS = [{"name": f"c{i}", "colour": [i, i, i]} for i in range(300)]


def edited(folder: Path, where: str, value: Any) -> Path:
    """Set the field of ``config.json`` that a path such as ``model.settings.depth`` names."""
    path = folder / "config.json"
    config = at = json.loads(path.read_text())
    *above, last = where.split(".")
    for name in above:
        at = at[int(name) if isinstance(at, list) else name]
    if value is DELETED:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    path.write_text(json.dumps(config))
    return folder


DAMAGES: list[tuple[str, Any, str]] = [
    *((name, DELETED, f"lacks {name}") for name in ("model", "classes", "mean", "std", "geometry")),
    ("image_size", DELETED, "lacks image_size"),
    ("model.name", DELETED, "model: lacks name"),
    ("model.settings", DELETED, "model: lacks settings"),
    ("model.settings.out_channels", DELETED, "model.settings: lacks out_channels"),
    ("classes.0.colour", DELETED, r"classes\[0\]: lacks colour"),
    ("classes.1.name", DELETED, r"classes\[1\]: lacks name"),
    ("learning", 1, "has 'learning', which is not one of format, model"),
    ("model.settings.width", 8, "model.settings: has 'width', which is not one of out_channels"),
    ("classes.0.html", "<b>", r"classes\[0\]: has 'html', which is not one of"),
    ("format", "1", "has format '1'; this version reads 1 to 3"),
    ("format", True, "has format True"),
    ("format", [1], r"has format \[1\]"),
    ("model", "unet", "model: 'unet' is not a JSON object"),
    ("model.name", "vnet", "unknown model.name 'vnet'.*; known: .*unet"),
    ("model.name", {}, "model.name: {} is not a text"),
    ("model.settings", None, "model.settings: None is not a JSON object"),
    (
        "model.settings.base_channels",
        "8",
        "model.settings.base_channels: '8' is not a",
    ),
    ("model.settings.base_channels", -1, "model.settings: base_channels: -1 must be at least 1"),
    (
        "model.settings.base_channels",
        True,
        "model.settings.base_channels: True is not a whole number",
    ),
    (
        "model.settings.base_channels",
        10**400,
        "model.settings.base_channels: .* is not a",
    ),
    ("model.settings.depth", 1.5, "model.settings.depth: 1.5 is not a whole"),
    ("model.settings.depth", -3, "model.settings: depth: -3 must lie in 1 to 8"),
    ("model.settings.depth", 40, "model.settings: depth: 40 must lie in 1 to 8"),
    ("model.settings.kernel_size", 10001, "model.settings: kernel_size: 10001 must lie in 1 to 15"),
    ("model.settings.kernel_size", 4, "model.settings: kernel_size: 4 must be odd"),
    (
        "model.settings.out_channels",
        0,
        "model.settings.out_channels: 0 is not a whole number from 1 to 255",
    ),
    ("model.settings.in_channels", 4, "mean: has 3 numbers for 4 channels"),
    ("model.settings.in_channels", 0, "model.settings.in_channels: 0 is not a whole number"),
    ("value_range", [1, 1], "value_range: 1.0 is not below 1.0"),
    ("value_range", [0], r"value_range: \[0\] is not a list of 2"),
    ("value_range", [0, math.inf], r"value_range\[1\]: inf is not a number"),
    ("classes", "ab", "classes: 'ab' is not a list of 2 to 255"),
    ("classes", COLOURS[:1], "classes: .* is not a list of 2 to 255"),
    ("classes", COLOURS, "classes: .* is not a list of 2 to 255"),
    ("classes", COLOURS[:3], "classes: there are 3, but model.settings.out_channels 4"),
    ("classes", COLOURS[:5], "classes: there are 5, but model.settings.out_channels 4"),
    ("classes.1.name", 7, r"classes\[1\].name: 7 is not a text"),
    ("classes.1.name", "", r"classes\[1\].name: '' is not a text"),
    ("classes.1.name", "\ud800", r"classes\[1\].name: .* is not text in Unicode"),
    ("classes.2.colour", ['0)"><img src=x>', 0, 0], r"classes\[2\].colour\[0\]: .* is not a whole"),
    ("classes.2.colour", [0, 0, 256], r"classes\[2\].colour\[2\]: 256 is not a whole number"),
    ("classes.2.colour", [0, 0], r"classes\[2\].colour: \[0, 0\] is not a list of 3"),
    ("image_size", None, "image_size: is missing, and geometry resize needs one"),
    ("image_size", [5], r"image_size: \[5\] is not a list of 2"),
    ("image_size", ["a", "b"], r"image_size\[0\]: 'a' is not a whole number"),
    ("image_size", [0, 9], r"image_size\[0\]: 0 is not a whole number"),
    ("image_size", [60000, 60000], "image_size: 60000 x 60000 is above 16,777,216 pixels"),
    ("geometry", "crop", "unknown geometry 'crop'.*; known: five-crop, pad"),
    ("geometry", None, "geometry: None is not a text"),
    ("mean", [0.5, 0.5], "mean: has 2 numbers for 3 channels"),
    ("mean", math.nan, "mean: nan is not a list"),
    ("mean.1", math.nan, r"mean\[1\]: nan is not a number from 0 to 1"),
    ("mean.1", 127, r"mean\[1\]: 127 is not a number from 0 to 1"),
    ("mean.0", "0.5", r"mean\[0\]: '0.5' is not a number"),
    ("std", [0, 0, 0], r"std\[0\]: 0 is not a number above 0 to 1"),
    ("std.2", math.inf, r"std\[2\]: inf is not a number above 0 to 1"),
    ("std.2", -0.1, r"std\[2\]: -0.1 is not a number above 0 to 1"),
    ("precision", "float64", "unknown precision 'float64'"),
]


@pytest.mark.parametrize(("where", "value", "said"), DAMAGES)
def test_a_field_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, value: Any, said: str
) -> None:
    folder = edited(model_folder(tmp_path, out_channels=4), where, value)
    monkeypatch.setattr(module, "build_model", None)  # nothing may be built
    with pytest.raises(ValueError, match=f"^model: .*config.json: {said}") as caught:
        read_model_config(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        b" " * 2**21,
    ],
    ids=["empty", "no text", "cut off", "deep list", "deep object", "long number", "long"],
)
def test_what_is_no_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    folder = model_folder(tmp_path)
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"^model: .*config\.json: (is|has) "):
        read_model_config(folder)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = sorted({where for where, value, _ in DAMAGES if where != "learning"})


@given(where=st.sampled_from(FIELDS), value=ANY_JSON)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_field_is_read_or_refused_in_a_line(
    tmp_path: Path, where: str, value: Any
) -> None:
    folder = edited(model_folder(tmp_path, out_channels=4), where, value)
    try:
        config = read_model_config(folder)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert len(config.classes) == len(config.colours) == 4
        assert all(0 <= mean <= 1 for mean in config.mean)
        assert all(0 < std <= 1 for std in config.std)


def without_one(weights: dict[str, torch.Tensor]) -> None:
    del weights["last.bias"]


def with_one_more(weights: dict[str, torch.Tensor]) -> None:
    weights["first.9.weight"] = torch.zeros(3)


def of_another_shape(weights: dict[str, torch.Tensor]) -> None:
    weights["last.bias"] = torch.zeros(7)


def doubles(weights: dict[str, torch.Tensor]) -> None:
    weights["last.bias"] = weights["last.bias"].double()


def nan(weights: dict[str, torch.Tensor]) -> None:
    weights["last.bias"][0] = math.nan


def infinite(weights: dict[str, torch.Tensor]) -> None:
    weights["last.weight"][0] = math.inf


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_one, "it lacks last.bias of the network that config.json tells"),
        (with_one_more, "'first.9.weight' is not of the network that config.json tells"),
        (of_another_shape, r"last.bias is \[7\], where .* config.json tells has \[4\]"),
        (doubles, "last.bias is torch.float64, not torch.float32"),
        (nan, "last.bias holds what is no number"),
        (infinite, "last.weight holds what is no number"),
    ],
)
def test_weights_of_another_network_are_named(
    tmp_path: Path, damage: Callable[[dict[str, torch.Tensor]], None], said: str
) -> None:
    folder = model_folder(tmp_path, out_channels=4)
    weights = load_file(folder / "model.safetensors")
    damage(weights)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match=rf"^model: cannot load .*model.safetensors: {said}"):
        load_network(folder, read_model_config(folder))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 64,
        (10).to_bytes(8, "little") + b"{}        ",
        b"\x80\x04\x95",
    ],
    ids=["empty", "short", "long header", "no tensors", "pickle"],
)
def test_weights_that_are_none_are_named(tmp_path: Path, content: bytes) -> None:
    folder = model_folder(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"^model: cannot load .*model\.safetensors: .") as caught:
        load_network(folder, read_model_config(folder))
    assert "\n" not in str(caught.value)


def test_a_network_computes_what_it_was_saved_with(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, out_channels=4)
    network = load_network(folder, read_model_config(folder))
    for name, tensor in load_file(folder / "model.safetensors").items():
        assert torch.equal(network.state_dict()[name], tensor), name


def test_the_schema_knows_the_names_of_the_catalogue() -> None:
    assert tuple(GEOMETRIES) == module.GEOMETRIES
    assert set(catalogue.EVAL_PRECISIONS) == set(DTYPES)


def test_whatever_settings_an_architecture_has_can_be_read() -> None:
    """A field of a kind that the schema does not know would fail only where a model is opened."""
    from trainer.models import MODELS

    for name, component in MODELS.items():
        given = {"name": name, "settings": {"out_channels": 1, **vars(component.settings())}}
        assert module._architecture("model", json.loads(json.dumps(given))) == given


def with_backbone(folder: Path, backbone: str, *, pretrained: bool = False) -> Path:
    settings = {"out_channels": 4, "backbone": backbone, "pretrained": pretrained}
    model = {"name": "backbone-unet", "settings": settings}
    return edited(model_folder(folder, out_channels=4), "model", model)


@pytest.mark.parametrize(
    ("backbone", "pretrained"),
    [
        ("microsoft/resnet-50", False),
        ("microsoft/resnet-50", True),
        ("https://example.com/x", False),
        ("/etc", False),
        ("..", False),
        (' {"model_type": "resnet"}', False),
        ('{"model_type": "resnet"}', True),
    ],
)
def test_nothing_beside_the_folder_is_asked_for(
    tmp_path: Path, backbone: str, pretrained: bool
) -> None:
    """Who sent a model must not learn by it who opens it."""
    folder = with_backbone(tmp_path, backbone, pretrained=pretrained)
    said = r"config.json: model.settings: .* lies elsewhere"
    with pytest.raises(ValueError, match=said) as caught:
        read_model_config(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depths": [20_000, 2, 2, 2]}, "it has fewer weights than the network"),
        ({"depths": [10**7, 2, 2, 2]}, "neither a folder"),
        ({"num_labels": 10**9}, "neither a folder"),
        ({"hidden_sizes": [-(10**9), 8, 8, 8]}, "neither a folder"),
        ({"hidden_sizes": [10**400, 8, 8, 8]}, "neither a folder"),
        ({"model_type": "convnext", "num_stages": 10**7}, "neither a folder"),
        ({"model_type": "convnext", "num_stages": 99}, "cannot be built: .*out of range"),
        ({"model_type": "bit", "num_groups": 0}, "cannot be built: .*zero"),
    ],
)
def test_no_encoder_is_built_that_the_weights_do_not_hold(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    pytest.importorskip("transformers.models.resnet.modeling_resnet")  # which takes seconds, once
    written = {"model_type": "resnet", "depths": [2, 2, 2, 2], "hidden_sizes": [8, 8, 8, 8]}
    folder = with_backbone(tmp_path, json.dumps(written | changes))
    with bounded(), pytest.raises(ValueError, match=f"^model: cannot load .*{said}") as caught:
        load_network(folder, read_model_config(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
