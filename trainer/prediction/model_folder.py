"""What a model folder holds, checked before a network is built: somebody else may have made it.

``config.json`` is read by one schema of types, ranges and tables of names, and
``model.safetensors`` by its header first, which must be that of the network that the
configuration tells. Every fault is one ``ValueError`` that names file and field. This file
travels inside every registered model, beside `predictor`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from reprlib import repr as shortened
from threading import get_ident
from typing import Any, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..models import LARGEST, MODELS, build_model
from ..network.arithmetic import DTYPES, FLOAT32
from ..schema import (
    FLOAT64,
    INT32,
    Reading,
    anything,
    flag,
    list_of,
    number,
    one_of,
    or_null,
    read_json,
    record,
    text,
    whole,
)

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# 2 says what the model computes in; models of before have none, and compute in float32. 3 says
# which values of an image become black and white; those of before go by the type of the values.
FORMATS = (1, 2, 3)
# Names of `trainer.catalogue`, which stays at home.
GEOMETRIES = ("resize", "pad", "random-crop", "five-crop")
# What 255 classes with long names take, many times over.
MOST_BYTES = 2**20
# More bands than any camera has.
CHANNELS = 10_000
# A network may make parameters that it replaces, and a damaged file lack some that are then named.
SPARE = 1000


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What ``config.json`` of a model folder says.

    ``settings`` are the keywords of `build_model`; ``colours`` are red, green and blue, 0 to 255,
    of each class; ``image_size`` is height, then width, None where images keep their own; ``mean``
    and ``std`` are those of each channel for values from 0 to 1; ``value_range`` the values of an
    image file that become 0 and 255, None where their type tells.
    """

    architecture: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...]
    image_size: tuple[int, int] | None
    geometry: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    precision: str
    value_range: tuple[float, float] | None

    @property
    def channels(self) -> int:
        """How many an image has; of a model that does not say, 3."""
        return int(self.settings.get("in_channels", 3))


def read_model_config(folder: Path) -> ModelConfig:
    """Return what ``config.json`` of a model folder says.

    Raises ``ValueError``, naming file and field, when it is missing, damaged or says what cannot
    be: nothing has been built or allocated by then.
    """
    if not (folder / CONFIG).is_file():
        raise ValueError(f"model: {folder} is no model folder: it has no {CONFIG}")
    try:
        config: ModelConfig = read_json(folder / CONFIG, _config, most=MOST_BYTES)
    except ValueError as error:
        raise ValueError(f"model: {error}") from error
    return config


def load_network(folder: Path, config: ModelConfig) -> nn.Module:
    """Return the trained network of a model folder.

    The weights' names and shapes are compared with those of the configured network before it
    takes any memory. Raises ``ValueError`` when they are missing, damaged, not finite, or of
    another network.
    """
    path = folder / WEIGHTS
    try:
        if not path.is_file():
            raise ValueError("is not a file")
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        with _at_most(len(shapes) + SPARE):
            expected = _expected(config)
        _compare(shapes, {name: tuple(tensor.shape) for name, tensor in expected.items()})
        weights = load_file(path)
        for name, tensor in weights.items():
            if tensor.dtype != expected[name].dtype:
                raise ValueError(f"{name} is {tensor.dtype}, not {expected[name].dtype}")
            if not torch.isfinite(tensor).all():
                raise ValueError(f"{name} holds what is no number (NaN or infinite)")
    except (OSError, SafetensorError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"model: cannot load {path}: {reason}") from error
    network: nn.Module = build_model(config.architecture, **config.settings)
    network.load_state_dict(weights)
    return network


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Stop this thread from building a network of more parameters: layers cost time, if no memory.

    Raises ``ValueError`` in the midst of it.
    """
    ours, counted = get_ident(), count(1)

    def check(*_: Any) -> None:
        if get_ident() == ours and next(counted) > parameters:
            raise ValueError(f"it has fewer weights than the network that {CONFIG} tells")

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()


def _expected(config: ModelConfig) -> Mapping[str, Tensor]:
    try:
        with torch.device("meta"):  # shapes alone, however large
            network: nn.Module = build_model(config.architecture, **config.settings)
    except (RuntimeError, OverflowError) as error:
        raise ValueError(f"{CONFIG} asks for a network that is too large to be") from error
    return network.state_dict()


def _compare(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name in expected:
        if name not in found:
            raise ValueError(f"it lacks {name} of the network that {CONFIG} tells")
    for name, shape in found.items():
        if name not in expected:
            raise ValueError(f"{shortened(name)} is not of the network that {CONFIG} tells")
        if shape != expected[name]:
            raise ValueError(
                f"{name} is {list(shape)}, where the network that {CONFIG} tells has "
                f"{list(expected[name])}"
            )


def _config(where: str, given: Any) -> ModelConfig:
    if isinstance(given, dict) and "format" in given:
        _check_format(given["format"])  # first: a later one has fields of its own
    read = SCHEMA(where, given)
    classes, size, settings = read["classes"], read["image_size"], read["model"]["settings"]
    outputs, channels = settings["out_channels"], settings.get("in_channels", 3)
    if len(classes) != max(outputs, 2):
        raise ValueError(
            f"classes: there are {len(classes)}, but model.settings.out_channels {outputs} "
            f"stands for {max(outputs, 2)}"
        )
    for name in ("mean", "std"):
        if len(read[name]) != channels:
            raise ValueError(f"{name}: has {len(read[name])} numbers for {channels} channels")
    if size is None and read["geometry"] == "resize":
        raise ValueError("image_size: is missing, and geometry resize needs one")
    if size is not None and size[0] * size[1] > LARGEST:
        raise ValueError(f"image_size: {size[0]} x {size[1]} is above {LARGEST:,} pixels")
    low, high = read.get("value_range") or (0, 1)
    if low >= high:
        raise ValueError(f"value_range: {low} is not below {high}")
    return ModelConfig(
        architecture=read["model"]["name"],
        settings=settings,
        classes=tuple(one["name"] for one in classes),
        colours=tuple(one["colour"] for one in classes),
        image_size=size,
        geometry=read["geometry"],
        mean=read["mean"],
        std=read["std"],
        precision=read.get("precision", FLOAT32),
        value_range=read.get("value_range"),
    )


def _check_format(value: Any) -> None:
    if type(value) is not int or value not in FORMATS:
        reads = f"{FORMATS[0]} to {FORMATS[-1]}"
        raise ValueError(f"has format {shortened(value)}; this version reads {reads}")


# By the type that a field of an architecture's settings has.
KINDS: dict[Any, Reading] = {
    int: whole(),
    float: number(-INT32, INT32),
    bool: flag,
    # Long enough for the configuration of an encoder, written out.
    str: partial(text, most=100_000),
    tuple[int, ...] | None: or_null(list_of(whole(1), 1, 100)),
}


def _architecture(where: str, value: Any) -> dict[str, Any]:
    parts = {"name": one_of(MODELS), "settings": anything}
    named: dict[str, Any] = record(parts, {})(where, value)
    component = MODELS[named["name"]].settings
    # What its settings are checked by may need more than their types: it says so itself.
    hints = {name: KINDS[get_type_hints(component)[name]] for name in component.names()}
    place = f"{where}.settings"
    read = record({"out_channels": whole(1, 255)}, {"in_channels": whole(1, CHANNELS), **hints})
    named["settings"] = read(place, named["settings"])
    try:
        chosen: Any = component(
            **{n: setting for n, setting in named["settings"].items() if n in hints}
        )
        # Nothing but the folder is read: who made it must not learn who opens it.
        if chosen.elsewhere is not None:
            raise ValueError(
                f"{shortened(chosen.elsewhere)} lies elsewhere; it must be written out"
            )
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return named


SCHEMA = record(
    {
        "format": whole(),
        "model": _architecture,
        "classes": list_of(
            record({"name": text, "colour": list_of(whole(0, 255), 3, 3)}, {}), 2, 255
        ),
        "image_size": or_null(list_of(whole(1, LARGEST), 2, 2)),
        "geometry": one_of(GEOMETRIES),
        "mean": list_of(number(0, 1), 1, CHANNELS),
        "std": list_of(number(0, 1, above=True), 1, CHANNELS),
    },
    {
        "precision": one_of(DTYPES),
        "value_range": or_null(list_of(number(-FLOAT64, FLOAT64), 2, 2)),
    },
)
