"""What a model folder holds, checked before a network is built: somebody else may have made it.

``config.json`` is read by one schema of types, ranges and tables of names, and
``model.safetensors`` by its header first, which must be that of the network that the
configuration tells. Every fault is one ``ValueError`` that names file and field. This file
travels inside every registered model, beside `predictor`.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ..models import LARGEST, MODELS, build_model
from ..names import check
from ..network.arithmetic import DTYPES, FLOAT32

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# 2 says what the model computes in; models of before have none, and compute in float32. 3 says
# which values of an image become black and white; those of before go by the type of the values.
FORMATS = (1, 2, 3)
# Names of `trainer.catalogue`, which stays at home.
GEOMETRIES = ("resize", "pad", "random-crop", "five-crop")
# What 255 classes with long names take, many times over.
MOST_BYTES = 2**20
INT32 = 2**31 - 1
FLOAT64 = sys.float_info.max
# More bands than any camera has.
CHANNELS = 10_000

Reading = Callable[[str, Any], Any]


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
    path = folder / CONFIG
    try:
        given = _read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"model: {folder} is no model folder: cannot read {CONFIG}") from error
    try:
        if isinstance(given, dict) and "format" in given:
            _check_format(given["format"])  # first: a later one has fields of its own
        return _config(SCHEMA("", given))
    except ValueError as error:
        raise ValueError(f"model: {path}: {error}") from error


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


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise ValueError("is not a file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES} bytes")
    return json.loads(content)


def _config(read: dict[str, Any]) -> ModelConfig:
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


def _refused(where: str, value: Any, wanted: str) -> ValueError:
    return ValueError(f"{where or 'its content'}: {shortened(value)} is not {wanted}")


def _text(where: str, value: Any, most: int = 1000) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise _refused(where, value, f"a text of 1 to {most:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, which no output takes
        raise _refused(where, value, "text in Unicode") from None
    return value


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refused(where, value, "true or false")
    return value


def _whole(low: int = -INT32, high: int = INT32) -> Reading:
    def read(where: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _refused(where, value, f"a whole number from {low} to {high}")
        return value

    return read


def _number(low: float, high: float, *, above: bool = False) -> Reading:
    def read(where: str, value: Any) -> float:
        # NaN lies nowhere, so it is refused too.
        inside = type(value) in (int, float) and low <= value <= high
        if not inside or (above and value == low):
            raise _refused(where, value, f"a number {'above' if above else 'from'} {low} to {high}")
        return float(value)

    return read


def _one_of(names: Iterable[Any]) -> Reading:
    def read(where: str, value: Any) -> str:
        name = _text(where, value)
        check(where, name, names)
        return name

    return read


def _check_format(value: Any) -> None:
    if type(value) is not int or value not in FORMATS:
        reads = f"{FORMATS[0]} to {FORMATS[-1]}"
        raise ValueError(f"has format {shortened(value)}; this version reads {reads}")


def _list(one: Reading, least: int, most: int) -> Reading:
    def read(where: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            length = str(least) if least == most else f"{least} to {most}"
            raise _refused(where, value, f"a list of {length}")
        return tuple(one(f"{where}[{place}]", item) for place, item in enumerate(value))

    return read


def _or_null(one: Reading) -> Reading:
    return lambda where, value: None if value is None else one(where, value)


def _record(required: Mapping[str, Reading], optional: Mapping[str, Reading]) -> Reading:
    kinds = {**required, **optional}

    def read(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refused(where, value, "a JSON object")
        prefix = f"{where}: " if where else ""
        if missing := sorted(set(required) - set(value)):
            raise ValueError(f"{prefix}lacks {', '.join(missing)}")
        if strange := sorted(set(value) - set(kinds)):
            raise ValueError(
                f"{prefix}has {shortened(strange[0])}, which is not one of {', '.join(kinds)}"
            )
        return {n: kinds[n](f"{where}.{n}" if where else n, one) for n, one in value.items()}

    return read


# By the type that a field of an architecture's settings has.
KINDS: dict[Any, Reading] = {
    int: _whole(),
    float: _number(-INT32, INT32),
    bool: _flag,
    # Long enough for the configuration of an encoder, written out.
    str: partial(_text, most=100_000),
    tuple[int, ...] | None: _or_null(_list(_whole(1), 1, 100)),
}


def _architecture(where: str, value: Any) -> dict[str, Any]:
    whole = {"name": _one_of(MODELS), "settings": lambda _, given: given}
    named: dict[str, Any] = _record(whole, {})(where, value)
    component = MODELS[named["name"]].settings
    # What its settings are checked by may need more than their types: it says so itself.
    hints = {name: KINDS[get_type_hints(component)[name]] for name in component.names()}
    place = f"{where}.settings"
    read = _record({"out_channels": _whole(1, 255)}, {"in_channels": _whole(1, CHANNELS), **hints})
    named["settings"] = read(place, named["settings"])
    try:
        component(**{n: setting for n, setting in named["settings"].items() if n in hints})
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return named


SCHEMA = _record(
    {
        "format": _whole(),
        "model": _architecture,
        "classes": _list(
            _record({"name": _text, "colour": _list(_whole(0, 255), 3, 3)}, {}), 2, 255
        ),
        "image_size": _or_null(_list(_whole(1, LARGEST), 2, 2)),
        "geometry": _one_of(GEOMETRIES),
        "mean": _list(_number(0, 1), 1, CHANNELS),
        "std": _list(_number(0, 1, above=True), 1, CHANNELS),
    },
    {
        "precision": _one_of(DTYPES),
        "value_range": _or_null(_list(_number(-FLOAT64, FLOAT64), 2, 2)),
    },
)
