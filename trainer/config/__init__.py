"""One training run, told by flat names: what every run reads, and what its components read.

The text beneath a field is its help on the command line; the field's name is the flag, the
YAML key and the MLflow parameter. The settings of a component (a model, an optimiser, …) stand
beside its line in `trainer.catalogue` and `trainer.models`. Nothing here imports torch.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, Self

import yaml

from trainer.analysis.score_table import monitors, of_average
from trainer.catalogue import DEVICE, EVAL_PRECISIONS, PRECISIONS
from trainer.catalogue.data import NORMALISATIONS
from trainer.config.batches import asked_for
from trainer.config.formats import FORMAT, FORMAT_1
from trainer.config.reading import Reading
from trainer.config.roles import ROLES, role_of
from trainer.names import check
from trainer.other_words import unknown_setting
from trainer.settings import Role, Settings, require

# What may differ between two runs of one configuration: repeats of it form a seed group.
NOT_HYPERPARAMETERS = frozenset(
    {
        "seed",
        "experiment",
        "run_name",
        "device",
        "deterministic",
        "activation_checkpointing",
        "workers",
        "cache",
        "cache_limit_gib",
        "samples",
    }
)

# What a run's parameters tell beside its configuration: what it was trained with, and on.
MACHINE_PARAMS = ("train_dtype", "processor", "threads")

FREEZES = ("none", "encoder")

# What came later, as all runs of before had it: there it makes no other seed group.
CAME_LATER = {
    "eval_precision": "float32",
    "images": None,
    "masks": None,
    "combine": None,
    "mask_values": None,
    "threshold": None,
    "split_file": None,
    "schedule_factor": 0.5,
    "schedule_patience": 3,
    "channels": 3,
    "value_range": None,
    "norm": "batch",
    "dropout": 0.0,
    "level_widths": None,
    "upsampling": "transpose",
    "decoder_norm": "same",
    "label_smoothing": 0.0,
    "decay_norms": True,
    "nesterov": False,
    "warmup_epochs": 0,
    "init_from": None,
    "freeze": "none",
    "encoder_lr": None,
    "accumulate": 1,
    "ema_decay": None,
}


@dataclass(frozen=True, kw_only=True)
class DataFields(Reading):
    """Which images a run sees, and how they are prepared."""

    group = "data"

    data: Annotated[str | None, "PATH"] = None
    """Folder with images and masks, of a classifier with classes; left out, the turntable."""
    geometry: str = "resize"
    """How an image becomes what the network sees."""
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
    normalisation: Annotated[str, NORMALISATIONS] = "dataset"
    """Mean and standard deviation to normalise by."""
    augment: Annotated[str, "NAME|PATH"] = "none"
    """Augmentation preset, or a YAML file with a serialised albumentations pipeline."""
    workers: int = 0
    """Processes that load images; 0 loads in the training process."""


@dataclass(frozen=True, kw_only=True)
class ModelFields:
    """Which network a run trains, and what it begins with."""

    group = "model"

    model: str = "unet"
    """Architecture."""
    init_from: Annotated[str | None, "MODEL"] = None
    """Run, registered model or model folder whose weights to begin with, where they fit."""
    freeze: Annotated[str, FREEZES] = "none"
    """What is not to learn: none, or the network's encoder."""
    encoder_lr: float | None = None
    """Learning rate of the encoder; left out, it is lr."""


@dataclass(frozen=True, kw_only=True)
class LearningFields:
    """How the network learns, and what the best of it is."""

    group = "learning"

    loss: Annotated[str, "NAME"] = "auto"
    """Loss, or a sum such as 0.5*bce+dice; auto is bce for two classes, else cross-entropy."""
    optimizer: str = "adam"
    """Optimiser."""
    gradient_clip: float | None = None
    """Largest norm of the gradient; left out, it is not clipped."""
    schedule: str = "constant"
    """How the learning rate moves."""
    warmup_epochs: int = 0
    """Epochs over which the learning rate first rises to what the schedule says."""
    batch_size: Annotated[int | str, "N|auto|auto:N"] = 16
    """Images at once: a number, auto for as many as fit, or auto:64 for so many to a step."""
    accumulate: int = 1
    """Batches whose gradients are added up before a step."""
    ema_decay: float | None = None
    """Decay of the average of the weights, as 0.999, scored too; left out, there is none."""
    epochs: int = 10
    """Passes over the training images, at most."""
    patience: int | None = None
    """Epochs without a better score before the run stops early; left out, it never does."""
    monitor: Annotated[str, monitors()] = "val/dice"
    """Validation score that chooses the best checkpoint and ends the run early."""
    boundary_iou: bool = False
    """Compute boundary IoU too, at the end of the run."""
    seed: int = 0
    """Seed of the weights, the order of the images and the augmentation."""


@dataclass(frozen=True, kw_only=True)
class MachineFields:
    """Where a run computes, and in which arithmetic."""

    group = "machine"

    device: Annotated[str, DEVICE] = "auto"
    """Where to train."""
    activation_checkpointing: bool = False
    """Compute activations again on the way back, level by level: less memory, same numbers."""
    precision: Annotated[str, PRECISIONS] = "auto"
    """Arithmetic of training; auto is bfloat16 where the hardware has it."""
    deterministic: bool = False
    """Compute only with what gives the same result each time; slower on a GPU."""
    eval_precision: Annotated[str, EVAL_PRECISIONS] = "float32"
    """Arithmetic of every score and of the model in use."""


@dataclass(frozen=True, kw_only=True)
class RecordingFields:
    """What is kept of a run, and where."""

    group = "recording"

    samples: int = 6
    """Number of validation images whose prediction is stored at every epoch."""
    experiment: Annotated[str, "NAME"] = "segscope"
    """MLflow experiment."""
    run_name: Annotated[str | None, "NAME"] = None
    """Name of the run; left out, it tells model, lr, batch size, kernel size and seed."""


# The last base's fields come first.
@dataclass(frozen=True, kw_only=True)
class General(RecordingFields, MachineFields, LearningFields, ModelFields, DataFields):
    """What every run reads. Raises ``ValueError`` naming the field, its value and the cure."""

    @property
    def images_at_once(self) -> int:
        """The batch size of a run, which has been found where it was to be found."""
        assert isinstance(self.batch_size, int), self.batch_size
        return self.batch_size

    def __post_init__(self) -> None:
        if self.value_range is not None:  # So that 0 and 0.0 are one parameter.
            low, high = self.value_range
            object.__setattr__(self, "value_range", (float(low), float(high)))
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
    kind: ClassVar[str] = "run"
    """The tag ``segscope.kind`` of its runs."""

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

    def __reduce__(self) -> Any:
        # By its values: the settings of several components at once are of a class made here.
        return _again, (type(self), self.values())

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
        return {name: as_param(value) for name, value in self.values().items()}

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

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed.

        Settings that another component has too are kept, those that it has not are dropped.
        Raises ``ValueError`` for a field that is unknown, or a change that nothing reads.
        """
        before = self.values()
        follow = {
            name for part in self.parts for name, of in part.told_by().items() if of in changes
        }
        names = [n for n in before if reads(before | changes, n) and n not in follow]
        kept = {name: before[name] for name in names}
        return type(self)(**kept | changes)


def _again(kind: type[TrainConfig], values: Mapping[str, Any]) -> TrainConfig:
    return kind(**values)


_GENERAL = tuple(field.name for field in fields(General))


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


def group_of(name: str) -> str:
    """Return the group of a field of `General`: what the class that declares it is of."""
    *_, declaring = (kind for kind in General.__mro__ if name in get_annotations(kind))
    return str(vars(declaring)["group"])


def _component(values: Mapping[str, Any], role: Role) -> Any:
    return values.get(role.field, getattr(General, role.field))


def _refusal(name: str, values: Mapping[str, Any]) -> ValueError:
    """Return the error for a name that a run of ``values`` does not have."""
    role = role_of(name)
    if role is None:
        return unknown_setting("field", name, field_names(), see="trainer fit --help")
    return role.refusal(name, _component(values, role))


def as_param(value: Any) -> str:
    """Return a value as MLflow stores it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        is_size = all(isinstance(side, int) for side in value)
        return ("x" if is_size else " to ").join(str(side) for side in value)
    return str(value)


def _check_names(config: General) -> None:
    for role in ROLES:
        role.settings(getattr(config, role.field))
    config.check_reading()
    check("normalisation", config.normalisation, NORMALISATIONS)
    check("precision", config.precision, PRECISIONS)
    check("eval_precision", config.eval_precision, EVAL_PRECISIONS)
    check("freeze", config.freeze, FREEZES)
    check("monitor", config.monitor, monitors())
    fits = config.normalisation != "imagenet" or config.channels == 3
    cure = f"is of 3 channels and there are {config.channels}; give dataset or none"
    require("normalisation", config.normalisation, fits, cure)


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
    _check_batches(config)
    rate = config.encoder_lr
    need(
        "encoder_lr", rate is None or 0 < rate < math.inf, "must be a positive number, or left out"
    )
    moves = rate is None or config.freeze == "none"
    need("encoder_lr", moves, "does nothing where freeze is encoder; leave one out")
    decay = config.ema_decay
    need("ema_decay", decay is None or 0 < decay < 1, "must lie between 0 and 1, or be left out")
    averages = decay is not None or not of_average(config.monitor)
    need("monitor", averages, "is of averaged weights; give ema_decay, such as 0.999")
    below = 0 <= config.warmup_epochs <= config.epochs
    need("warmup_epochs", below, "must be at least 0 and at most epochs")
    need("epochs", config.epochs >= 1, "must be at least 1")
    need("patience", config.patience is None or config.patience >= 1, "must be at least 1")
    need("seed", 0 <= config.seed < 2**32, "must lie in 0 to 2**32 - 1")
    need("split_seed", 0 <= config.split_seed < 2**32, "must lie in 0 to 2**32 - 1")
    need("samples", config.samples >= 0, "must be at least 0")
    need("experiment", bool(config.experiment.strip()), "is empty; give a name")


def _check_batches(config: General) -> None:
    batch, adds_up = config.batch_size, config.accumulate
    require("accumulate", adds_up, adds_up >= 1, "must be at least 1")
    if isinstance(batch, int):
        require("batch_size", batch, batch >= 1, "must be at least 1")
    elif asked_for(batch) is not None:
        cure = f"is found where batch_size is {batch}; leave it at 1"
        require("accumulate", adds_up, adds_up == 1, cure)


def _check_together(config: TrainConfig) -> None:
    """Check what two components, or a component and a field, make of each other."""
    if config.folds is not None:
        below = 0 <= config.fold < config.folds
        require("fold", config.fold, below, "must be below folds, counted from 0")
    if "image_size" in config.values():
        least = config.settings("model").least_size
        cure = f"is too small for {config.model} as it is set; give {least} or more"
        require("image_size", config.image_size, max(config.image_size) >= least, cure)
