"""One training run, told by flat names: what every run reads, and what its components read.

The text beneath a field is its help on the command line; the field's name is the flag, the
YAML key and the MLflow parameter. The settings of a component (a model, an optimiser, …) stand
beside its line in `trainer.catalogue` and `trainer.models`. Nothing here imports torch.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from trainer.analysis.score_table import monitors
from trainer.catalogue import (
    AUGMENTATIONS,
    CACHES,
    EVAL_PRECISIONS,
    FOLDS,
    GEOMETRIES,
    LOSSES,
    NORMALISATIONS,
    OPTIMIZERS,
    PATIENCE,
    PRECISIONS,
    SCHEDULES,
)
from trainer.models import MODELS
from trainer.names import check, unknown
from trainer.reading import Reading
from trainer.settings import Role, Settings, is_given, require, typed

logger = logging.getLogger(__name__)

# What may differ between two runs of one configuration: repeats of it form a seed group.
NOT_HYPERPARAMETERS = frozenset(
    {"seed", "experiment", "run_name", "device", "workers", "cache", "cache_limit_gib", "samples"}
)

# What a run's parameters tell beside its configuration: what it was trained with, and on.
MACHINE_PARAMS = ("train_dtype", "processor", "threads")

FORMAT = 2
# Format 1 was one flat class: every run had all of these, read or not, and these were the defaults.
FORMAT_1: dict[str, Any] = {
    "image_size": [160, 240],
    "fold": 0,
    "cache_limit_gib": 10.0,
    "augment_probability": 0.5,
    "kernel_size": 3,
    "base_channels": 32,
    "depth": 4,
    "class_weights": "none",
    "lr": 1e-3,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "min_delta": 0.0,
}
# What came later, as all runs of before had it: there it makes no other seed group.
CAME_LATER = {
    "eval_precision": "float32",
    "images": None,
    "masks": None,
    "mask_values": None,
    "threshold": None,
    "split_file": None,
    "schedule_factor": 0.5,
    "schedule_patience": 3,
}


def _preset(augment: object) -> str:
    # A file holds its own probabilities, and has no more settings than no augmentation.
    return "none" if str(augment).endswith((".yaml", ".yml")) else str(augment)


ROLES = (
    Role(field="geometry", table=GEOMETRIES),
    Role(field="folds", table=FOLDS, key=is_given),
    Role(field="cache", table=CACHES),
    Role(field="augment", table=AUGMENTATIONS, key=_preset),
    Role(field="model", table=MODELS),
    Role(field="loss", table=LOSSES),
    Role(field="optimizer", table=OPTIMIZERS),
    Role(field="schedule", table=SCHEDULES),
    Role(field="patience", table=PATIENCE, key=is_given),
)


@dataclass(frozen=True, kw_only=True)
class General(Reading):
    """What every run reads. Raises ``ValueError`` naming the field, its value and the cure."""

    data: str | None = None
    """Folder with images and masks; left out, the built-in turntable is used."""
    geometry: str = "resize"
    """How an image becomes what the network sees: resize, pad, random-crop or five-crop."""
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
    skip_faulty: bool = False
    """Leave faulty pairs out, and log which, instead of refusing the data."""
    cache: str = "disk"
    """Where decoded images are kept: disk (memory map), ram or off."""
    normalisation: str = "dataset"
    """Mean and standard deviation to normalise by: dataset, imagenet or none."""
    augment: str = "none"
    """Augmentation preset, or a YAML file with a serialised albumentations pipeline."""
    workers: int = 0
    """Processes that load images; 0 loads in the training process."""

    model: str = "unet"
    """Architecture."""

    loss: str = "auto"
    """Loss; auto is bce for two classes and cross-entropy for more."""
    optimizer: str = "adam"
    """Optimiser."""
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


@dataclass(frozen=True, init=False)
class TrainConfig(General):
    """One training run: the fields of `General` and the settings of the components they name.

    It is made from flat names, ``TrainConfig(optimizer="sgd", momentum=0.8)``, and read by them,
    ``config.momentum``; ``config.settings("optimizer")`` is what builds a component. Raises
    ``ValueError`` for a setting that none of the components has, saying who has it.
    """

    parts: tuple[Settings, ...]
    """The settings of each of `ROLES`."""

    def __init__(self, **values: Any) -> None:
        general = {name: values.pop(name) for name in _GENERAL if name in values}
        super().__init__(**general)
        parts = []
        for role in ROLES:
            kind = role.settings(getattr(self, role.field))
            parts.append(kind(**{n: values.pop(n) for n in kind.names() if n in values}))
        object.__setattr__(self, "parts", tuple(parts))
        for name in values:
            raise _refusal(name, self.values())
        _check_together(self)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name != "parts":  # Asked for while it is copied.
            for part in self.parts:
                if name in part.names():
                    return getattr(part, name)
            if role_of(name) is not None:
                raise AttributeError(str(_refusal(name, self.values())))
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def settings(self, role: str) -> Any:
        """Return the settings of the component that the field ``role`` names."""
        return self.parts[[each.field for each in ROLES].index(role)]

    def values(self) -> dict[str, Any]:
        """Return everything that the run reads by its flat name, settings beside their role."""
        flat: dict[str, Any] = {}
        for name in _GENERAL:
            flat[name] = getattr(self, name)
            for role, part in zip(ROLES, self.parts, strict=True):
                if role.field == name:
                    flat |= vars(part)
        return flat

    def plain(self) -> dict[str, Any]:
        """Return `values` as YAML and JSON hold them: a size is a list."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in self.values().items()}

    def to_params(self) -> dict[str, str]:
        """Return the flat parameters as MLflow stores them; a size reads ``160x240``."""
        return {name: _as_param(value) for name, value in self.values().items()}

    def to_yaml(self) -> str:
        """Return the whole configuration as YAML that `from_yaml` reads back."""
        return yaml.safe_dump({"format": FORMAT, **self.plain()}, sort_keys=False)

    def seed_group(self) -> str:
        """Return the hash that all repeats of this configuration with other seeds share.

        It tells apart what is read and nothing else. What is not is there as format 1 had it by
        default, so that a run of then and a repeat of it are one group.
        """
        read = {k: v for k, v in self.plain().items() if k not in CAME_LATER or CAME_LATER[k] != v}
        essence = {k: v for k, v in (FORMAT_1 | read).items() if k not in NOT_HYPERPARAMETERS}
        return hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()[:12]

    def replace(self, **changes: Any) -> "TrainConfig":
        """Return a copy with some fields changed.

        Settings that another component has too are kept, those that it has not are dropped.
        Raises ``ValueError`` for a field that is unknown, or a change that nothing reads.
        """
        before = self.values()
        kept = {name: before[name] for name in before if reads(before | changes, name)}
        return TrainConfig(**kept | changes)


_GENERAL = tuple(field.name for field in fields(General))


def role_of(name: str) -> Role | None:
    """Return the role whose components have a setting ``name``; None for a general field."""
    return next((role for role in ROLES if name in role.names()), None)


def reads(values: Mapping[str, Any], name: str) -> bool:
    """Return whether a run of ``values``, flat names, reads ``name``; what is unknown, it may.

    ``values`` names its components; where it does not, they are those of the defaults.
    """
    role = role_of(name)
    return role is None or name in role.settings(_component(values, role)).names()


def unread(values: Mapping[str, Any]) -> list[str]:
    """Return those of the flat names in ``values`` that its own components do not have."""
    return [name for name in values if not reads(values, name)]


def field_names() -> list[str]:
    """Return the names of all fields, and of all settings that any component has."""
    return [*_GENERAL, *(name for role in ROLES for name in role.names())]


def _component(values: Mapping[str, Any], role: Role) -> Any:
    return values.get(role.field, getattr(General, role.field))


def _refusal(name: str, values: Mapping[str, Any]) -> ValueError:
    """Return the error for a name that a run of ``values`` does not have."""
    role = role_of(name)
    if role is None:
        return unknown("field", name, field_names())
    return role.refusal(name, _component(values, role))


def default_params(params: Mapping[str, str]) -> dict[str, str]:
    """Return the default of everything that a run with these stored parameters reads.

    A component that is not known here, as of another program's run, has no settings.
    """
    defaults: dict[str, str] = {}
    for name in _GENERAL:
        defaults[name] = _as_param(getattr(General, name))
        for role in (role for role in ROLES if role.field == name):
            text = params.get(name, defaults[name])
            value = None if role.key is is_given and text == "none" else text
            if role.key(value) in role.table:
                settings = vars(role.settings(value)())
                defaults |= {setting: _as_param(v) for setting, v in settings.items()}
    return defaults


def scored_in(params: Mapping[str, str]) -> str | None:
    """Return the arithmetic of a run's scores, from its parameters; None where it is not known.

    Runs of before it was recorded have been scored as their machine chose.
    """
    return params.get("eval_precision")


def from_mapping(
    values: Mapping[str, Any], base: TrainConfig | None = None, *, leave_out: bool = False
) -> TrainConfig:
    """Return a config from plain values, such as parsed YAML or a sweep's suggestion.

    Numbers may be given as text ("1e-4", which YAML 1.1 reads as a string). Raises
    ``ValueError`` naming the field when it is unknown or of the wrong type, or when none of the
    components has it; with ``leave_out`` such a setting is left out, as what format 1 wrote
    must be.
    """
    given = {name.replace("-", "_"): value for name, value in values.items()}
    base = base or TrainConfig()
    for name in given:
        if name not in field_names():
            raise unknown("field", name, field_names())
    plain = {name: typed(name, value, _hint(name)) for name, value in given.items()}
    dropped = unread(base.values() | plain) if leave_out else []
    return base.replace(**{name: value for name, value in plain.items() if name not in dropped})


def from_yaml(path: Path, base: TrainConfig | None = None, *, stored: bool = False) -> TrainConfig:
    """Read a config file; ``ValueError`` when it is missing, not YAML, or has a bad field.

    What format 1 wrote whole names settings that its components do not have; they are left out,
    and a line of the log says which unless the file is one that a run ``stored``.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"config: {path} is not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise ValueError(f"config: {path} must hold 'field: value' lines")
    values = {str(name): value for name, value in values.items()}
    try:
        check_format(values.pop("format", None))
        whole = is_format_1(values)
        if whole and not stored and (names := unread(values)):
            logger.warning("%s is of an earlier version; not read: %s", path, ", ".join(names))
        return from_mapping(values, base, leave_out=stored or whole)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def is_format_1(values: Mapping[str, Any]) -> bool:
    """Return whether flat ``values`` were written whole by format 1: they name every setting."""
    return values.keys() >= FORMAT_1.keys()


def check_format(written: Any) -> None:
    """Raise ``ValueError`` for a format that a later version wrote; None is of before."""
    if written is not None and (type(written) is not int or not 1 <= written <= FORMAT):
        raise ValueError(f"format: {written!r} is not known here; this version reads 1 to {FORMAT}")


def _hint(name: str) -> Any:
    """Return the type of a field, or of a setting as one of the components has it."""
    role = role_of(name)
    if role is None:
        return get_type_hints(General)[name]
    kind = next(one.settings for one in role.table.values() if name in one.settings.names())
    return get_type_hints(kind)[name]


def _as_param(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "x".join(str(side) for side in value)
    return str(value)


def _check_names(config: General) -> None:
    for role in ROLES:
        role.settings(getattr(config, role.field))
    config.check_reading()
    check("normalisation", config.normalisation, NORMALISATIONS)
    check("precision", config.precision, PRECISIONS)
    check("eval_precision", config.eval_precision, EVAL_PRECISIONS)
    check("monitor", config.monitor, monitors())


def _check_ranges(config: General) -> None:
    def need(name: str, condition: bool, cure: str) -> None:
        require(name, getattr(config, name), condition, cure)

    need("fraction", 0 < config.fraction <= 1, "must be above 0 and at most 1")
    need("val_fraction", 0 < config.val_fraction < 1, "must lie between 0 and 1")
    need("test_fraction", 0 <= config.test_fraction < 1, "must be at least 0 and below 1")
    total = config.val_fraction + config.test_fraction
    need("val_fraction", total < 1, "and test_fraction together leave nothing to train on")
    need("folds", config.folds is None or config.folds >= 2, "must be at least 2")
    need("workers", config.workers >= 0, "must be at least 0")
    clip = config.gradient_clip
    need("gradient_clip", clip is None or clip > 0, "must be above 0, or left out")
    need("batch_size", config.batch_size >= 1, "must be at least 1")
    need("epochs", config.epochs >= 1, "must be at least 1")
    need("patience", config.patience is None or config.patience >= 1, "must be at least 1")
    need("seed", 0 <= config.seed < 2**32, "must lie in 0 to 2**32 - 1")
    need("split_seed", 0 <= config.split_seed < 2**32, "must lie in 0 to 2**32 - 1")
    need("samples", config.samples >= 0, "must be at least 0")
    need("experiment", bool(config.experiment.strip()), "is empty; give a name")


def _check_together(config: TrainConfig) -> None:
    """Check what two components, or a component and a field, make of each other."""
    if config.folds is not None:
        below = 0 <= config.fold < config.folds
        require("fold", config.fold, below, "must be below folds, counted from 0")
    if "image_size" in config.values():
        least = config.settings("model").least_size
        cure = f"is too small for {config.model} as it is set; give {least} or more"
        require("image_size", config.image_size, max(config.image_size) >= least, cure)
