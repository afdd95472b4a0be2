"""Every hyperparameter once: its type, default, help text and validation.

The text beneath a field is its help on the command line; the field's name is the flag, the
YAML key and the MLflow parameter. Nothing here imports torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from trainer.analysis.score_table import monitors
from trainer.catalogue import (
    AUGMENTATIONS,
    CLASS_WEIGHTS,
    EVAL_PRECISIONS,
    GEOMETRIES,
    LAYOUTS,
    LOSSES,
    NORMALISATIONS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
)
from trainer.models import MODELS
from trainer.names import check, unknown

# What may differ between two runs of one configuration: repeats of it form a seed group.
NOT_HYPERPARAMETERS = frozenset(
    {"seed", "experiment", "run_name", "device", "workers", "cache", "cache_limit_gib", "samples"}
)

CAME_LATER = {"eval_precision": "float32", "images": None, "masks": None}
# What a run's parameters tell beside its configuration: what it was trained with, and on.
MACHINE_PARAMS = ("train_dtype", "processor", "threads")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. Raises ``ValueError`` naming the field, its value and the cure."""

    data: str | None = None
    """Folder with images and masks; left out, the built-in turntable is used."""
    layout: str = "auto"
    """How the folder is laid out; auto finds out."""
    images: str | None = None
    """Folder below data that holds the images, where names do not tell; * is any name."""
    masks: str | None = None
    """Folder below data that holds the masks, where names do not tell; * is any name."""
    image_size: tuple[int, int] = (160, 240)
    """Height, then width, that the network sees, in pixels."""
    geometry: str = "resize"
    """How an image becomes image-size: resize, pad, random-crop or five-crop."""
    fraction: float = 1.0
    """Share of the training images to use, above 0 and up to 1."""
    val_fraction: float = 0.15
    """Share of the groups kept for validation where the data has no split of its own."""
    test_fraction: float = 0.15
    """Share of the groups kept for the final test where the data has no split of its own."""
    split_seed: int = 0
    """Seed of the split; apart from seed, so that repeats see the same images."""
    folds: int | None = None
    """Number of cross-validation folds; left out, there is one split."""
    fold: int = 0
    """Which fold validates, counted from 0."""
    group_by: str | None = None
    """Regular expression whose first group names what must not be split, such as a patient."""
    trimap_border: str = "void"
    """What a trimap's border is: void (not counted) or class (a third class)."""
    skip_faulty: bool = False
    """Leave faulty pairs out, and log which, instead of refusing the data."""
    cache: str = "disk"
    """Where decoded images are kept: disk (memory map), ram or off."""
    cache_limit_gib: float = 10.0
    """Size that the cache on disk may reach before the oldest entries go, in GiB."""
    normalisation: str = "dataset"
    """Mean and standard deviation to normalise by: dataset, imagenet or none."""
    augment: str = "none"
    """Augmentation preset, or a YAML file with a serialised albumentations pipeline."""
    augment_probability: float = 0.5
    """Probability of each augmentation of the preset, from 0 to 1."""
    workers: int = 0
    """Processes that load images; 0 loads in the training process."""

    model: str = "unet"
    """Architecture."""
    kernel_size: int = 3
    """Side of the convolution kernels; odd."""
    base_channels: int = 32
    """Channels of the first level; each level down doubles them. The paper has 64."""
    depth: int = 4
    """Number of times the resolution is halved. The paper has 4."""

    loss: str = "auto"
    """Loss; auto is bce for two classes and cross-entropy for more."""
    class_weights: str = "none"
    """Weights of the classes in the loss, from their share of the training pixels."""
    optimizer: str = "adam"
    """Optimiser."""
    lr: float = 1e-3
    """Learning rate."""
    momentum: float = 0.9
    """Momentum of sgd and rmsprop."""
    weight_decay: float = 0.0
    """L2 penalty on the weights; decoupled with adamw."""
    gradient_clip: float | None = None
    """Largest norm of the gradient; left out, it is not clipped."""
    schedule: str = "constant"
    """How the learning rate moves: constant, cosine or plateau."""
    batch_size: int = 16
    """Images a step."""
    epochs: int = 10
    """Passes over the training images, at most."""
    patience: int | None = None
    """Epochs without a better score before the run stops early; left out, it never does."""
    min_delta: float = 0.0
    """How much better a score must be to count for patience."""
    monitor: str = "val/dice"
    """Validation score that chooses the best checkpoint and ends the run early."""
    boundary_iou: bool = False
    """Compute boundary IoU too, at the end of the run."""

    seed: int = 0
    """Seed of the weights, the order of the images and the augmentation."""
    device: str = "auto"
    """Where to train: auto, cpu, cuda or cuda:N."""
    precision: str = "auto"
    """Arithmetic of training: float32, bfloat16, or auto for bfloat16 where the hardware has it."""
    eval_precision: str = "float32"
    """Arithmetic of every score and of the model in use: float32 or bfloat16."""
    samples: int = 6
    """Number of validation images whose prediction is stored at every epoch."""
    experiment: str = "segscope"
    """MLflow experiment."""
    run_name: str | None = None
    """Name of the run; left out, it tells model, lr, batch size, kernel size and seed."""

    def __post_init__(self) -> None:
        _check_names(self)
        _check_ranges(self)

    def to_params(self) -> dict[str, str]:
        """Return the flat parameters as MLflow stores them; a size reads ``160x240``."""
        return {name: _as_param(value) for name, value in asdict(self).items()}

    def to_yaml(self) -> str:
        """Return the whole configuration as YAML that `from_yaml` reads back."""
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return yaml.safe_dump(plain, sort_keys=False)

    def seed_group(self) -> str:
        """Return the hash that all repeats of this configuration with other seeds share."""
        essence = {k: v for k, v in asdict(self).items() if k not in NOT_HYPERPARAMETERS}
        # A field that came later counts where it is not what all runs of before it had.
        for name, before in CAME_LATER.items():
            if essence[name] == before:
                del essence[name]
        return hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()[:12]

    def replace(self, **changes: Any) -> "TrainConfig":
        """Return a copy with some fields changed; raises ``ValueError`` for an unknown field."""
        return replace(self, **_known_fields(changes))


def scored_in(params: Mapping[str, str]) -> str | None:
    """Return the arithmetic of a run's scores, from its parameters; None where it is not known.

    Runs of before it was recorded have been scored as their machine chose.
    """
    return params.get("eval_precision")


def from_mapping(values: dict[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """Return a config from plain values, such as parsed YAML or a sweep's suggestion.

    Numbers may be given as text ("1e-4", which YAML 1.1 reads as a string). Raises
    ``ValueError`` naming the field when it is unknown or of the wrong type.
    """
    hints = get_type_hints(TrainConfig)
    known = _known_fields({name.replace("-", "_"): value for name, value in values.items()})
    typed = {name: _coerce(name, value, hints[name]) for name, value in known.items()}
    return replace(base or TrainConfig(), **typed)


def from_yaml(path: Path, base: TrainConfig | None = None) -> TrainConfig:
    """Read a config file; ``ValueError`` when it is missing, not YAML, or has a bad field."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"config: {path} is not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise ValueError(f"config: {path} must hold 'field: value' lines")
    try:
        return from_mapping({str(name): value for name, value in values.items()}, base)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _known_fields(values: dict[str, Any]) -> dict[str, Any]:
    names = [field.name for field in fields(TrainConfig)]
    for name in values:
        if name not in names:
            raise unknown("field", name, names)
    return values


def _coerce(name: str, value: Any, hint: Any) -> Any:
    kinds = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if value is None and type(None) in kinds:
        return None
    kind = next(k for k in kinds if k is not type(None))
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
        elif kind is str:
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return str(value)
        elif kind is int:
            if not isinstance(value, bool) and float(value) == int(float(value)):
                return int(float(value))
        elif kind is float:
            if not isinstance(value, bool):
                return float(value)
        elif isinstance(value, list | tuple) and len(value) == 2:
            return tuple(_coerce(name, side, int) for side in value)
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    raise ValueError(f"{name}: {value!r} is not {wanted.get(kind, 'two whole numbers')}")


def _as_param(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "x".join(str(side) for side in value)
    return str(value)


def _check_names(config: TrainConfig) -> None:
    check("model", config.model, MODELS)
    check("loss", config.loss, ["auto", *LOSSES])
    check("optimizer", config.optimizer, OPTIMIZERS)
    check("layout", config.layout, ["auto", *LAYOUTS])
    check("geometry", config.geometry, GEOMETRIES)
    check("normalisation", config.normalisation, NORMALISATIONS)
    check("class_weights", config.class_weights, CLASS_WEIGHTS)
    check("schedule", config.schedule, SCHEDULES)
    check("precision", config.precision, PRECISIONS)
    check("eval_precision", config.eval_precision, EVAL_PRECISIONS)
    check("monitor", config.monitor, monitors())
    check("cache", config.cache, ["disk", "ram", "off"])
    check("trimap_border", config.trimap_border, ["void", "class"])
    if not config.augment.endswith((".yaml", ".yml")):
        check("augment", config.augment, AUGMENTATIONS)


def _check_ranges(config: TrainConfig) -> None:
    def require(name: str, condition: bool, cure: str) -> None:
        if not condition:
            raise ValueError(f"{name}: {getattr(config, name)} {cure}")

    height, width = config.image_size
    require("image_size", height >= 8 and width >= 8, "is too small; give at least 8 8")
    require("fraction", 0 < config.fraction <= 1, "must be above 0 and at most 1")
    require("val_fraction", 0 < config.val_fraction < 1, "must lie between 0 and 1")
    require("test_fraction", 0 <= config.test_fraction < 1, "must be at least 0 and below 1")
    total = config.val_fraction + config.test_fraction
    require("val_fraction", total < 1, "and test_fraction together leave nothing to train on")
    require("folds", config.folds is None or config.folds >= 2, "must be at least 2")
    require("fold", 0 <= config.fold < (config.folds or 1), "must be below folds, counted from 0")
    require("cache_limit_gib", config.cache_limit_gib > 0, "must be above 0")
    require("augment_probability", 0 <= config.augment_probability <= 1, "must lie in 0 to 1")
    require("workers", config.workers >= 0, "must be at least 0")
    require("kernel_size", config.kernel_size % 2 == 1, "must be odd, so that sizes stay")
    require("kernel_size", 1 <= config.kernel_size <= 15, "must lie in 1 to 15")
    require("base_channels", config.base_channels >= 1, "must be at least 1")
    require("depth", 1 <= config.depth <= 8, "must lie in 1 to 8")
    # A single pixel of a single image has no spread that a batch could be normalised by.
    least = 2**config.depth + 1
    cure = f"leaves one pixel after depth {config.depth}; give {least} or more, or a smaller depth"
    require("image_size", max(height, width) >= least, cure)
    require("lr", 0 < config.lr < float("inf"), "must be a positive number, such as 1e-3")
    require("momentum", 0 <= config.momentum < 1, "must be at least 0 and below 1")
    require("weight_decay", 0 <= config.weight_decay < float("inf"), "must be at least 0")
    clip = config.gradient_clip
    require("gradient_clip", clip is None or clip > 0, "must be above 0, or left out")
    require("batch_size", config.batch_size >= 1, "must be at least 1")
    require("epochs", config.epochs >= 1, "must be at least 1")
    require("patience", config.patience is None or config.patience >= 1, "must be at least 1")
    require("min_delta", 0 <= config.min_delta < 1, "must be at least 0 and below 1")
    require("seed", 0 <= config.seed < 2**32, "must lie in 0 to 2**32 - 1")
    require("split_seed", 0 <= config.split_seed < 2**32, "must lie in 0 to 2**32 - 1")
    require("samples", config.samples >= 0, "must be at least 0")
    require("experiment", bool(config.experiment.strip()), "is empty; give a name")
