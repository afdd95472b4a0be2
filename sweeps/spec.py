"""What a sweep searches and how: a YAML file or a preset, checked before anything starts.

Nothing here imports optuna or torch.
"""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sweeps.space import (
    Components,
    Space,
    combinations,
    components,
    conditions,
    read_space,
    searched_components,
    setting,
    with_component,
)
from trainer.analysis.score_table import monitors
from trainer.config import (
    FORMAT,
    ROLES,
    TrainConfig,
    check_format,
    from_mapping,
    is_format_1,
    role_of,
)
from trainer.names import check, unknown
from trainer.recipes import recipe

# To add a preset, put its file into presets/ and one line here.
PRESETS = {
    "demo": "demo.yaml",
    "lr-batch-kernel": "lr-batch-kernel.yaml",
    "lr-only": "lr-only.yaml",
    "width-depth": "width-depth.yaml",
}
# Each name is built in `sweeps.samplers` and `sweeps.pruners`.
SAMPLERS = ("tpe", "random", "grid", "gp")
PRUNERS = ("median", "percentile", "none")

KEYS = (
    "format",
    "name",
    "description",
    "recipe",
    "fixed",
    "epochs",
    "space",
    "first",
    "sampler",
    "pruner",
    "metric",
    "trials",
    "seeds",
    "timeout",
)
# What two parts of one sweep may differ in: how far it goes and what it is called.
MAY_CHANGE = ("trials", "timeout", "description")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SamplerSpec:
    """How the next setting is chosen."""

    name: str = "tpe"
    seed: int = 0
    startup_trials: int | None = None
    """Trials drawn at random before the sampler learns; left out, a third, from 4 to 10."""

    def __post_init__(self) -> None:
        check("sampler", self.name, SAMPLERS)
        _require("sampler.seed", self.seed, 0 <= self.seed < 2**32, "must lie in 0 to 2**32 - 1")
        startup = self.startup_trials
        if startup is not None:
            _require("sampler.startup_trials", startup, startup >= 1, "must be at least 1")


@dataclass(frozen=True, kw_only=True)
class PrunerSpec:
    """When a trial is given up: see `sweeps.pruners`."""

    name: str = "median"
    startup_trials: int = 3
    """Trials that must be complete before any is pruned."""
    warmup_epochs: int = 1
    """Epochs at the start of a trial that are never judged."""
    patience: int = 1
    """Further epochs in a row that must be as bad before the trial is pruned."""
    keep: float = 50.0
    """With percentile: share of the complete trials, from the best, to be among, in percent."""

    def __post_init__(self) -> None:
        check("pruner", self.name, PRUNERS)
        for name in ("startup_trials", "warmup_epochs", "patience"):
            lowest = 1 if name == "startup_trials" else 0
            value = getattr(self, name)
            _require(f"pruner.{name}", value, value >= lowest, f"must be at least {lowest}")
        _require("pruner.keep", self.keep, 0 < self.keep < 100, "must lie between 0 and 100")


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """One sweep. ``config`` holds what every trial shares; ``space`` what they differ in.

    Where components are searched, ``config`` has the first of each, and ``beside`` the fixed
    settings that only others of them have.
    """

    name: str
    space: Space
    config: TrainConfig = field(default_factory=TrainConfig)
    beside: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    first: tuple[dict[str, Any], ...] = ()
    """Settings, complete or in part, to try before the sampler decides."""
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    pruner: PrunerSpec = field(default_factory=PrunerSpec)
    trials: int = 20
    seeds: int = 1
    """Runs of each setting, with seeds counted on from the config's; the score is their mean."""
    timeout: float | None = None
    """Seconds after which no new trial starts; left out, none."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name: {self.name!r} may hold letters, digits, '.', '_' and '-', and starts "
                "with a letter or digit"
            )
        _require("trials", self.trials, self.trials >= 1, "must be at least 1")
        _require("seeds", self.seeds, self.seeds >= 1, "must be at least 1")
        if self.timeout is not None:
            _require("timeout", self.timeout, 0 < self.timeout < math.inf, "must be above 0")
        if self.seeds > 1 and "seed" in self.space:
            raise ValueError("seeds: the space searches seed already; remove one")
        if self.sampler.name == "grid" and combinations(self.space) is None:
            raise ValueError(
                "sampler: grid needs a space of choices or steps, of at most 10,000 combinations"
            )

    @property
    def metric(self) -> str:
        """The score: its best epoch's value is what a trial is judged by, higher is better."""
        return self.config.monitor

    @property
    def total(self) -> int:
        """Trials that finish the sweep; a finite space has no more than its combinations."""
        known = combinations(self.space)
        return self.trials if known is None else min(self.trials, len(known))

    def config_of(self, params: Mapping[str, Any]) -> TrainConfig:
        """Return the configuration of a trial with these stored parameters."""
        drawn = setting(self.space, params)
        return from_mapping({**self.beside, **drawn}, self.config, leave_out=True)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values that `from_plain` reads back, whatever the defaults are then."""
        fixed = self.config.plain() | self.beside
        return {
            "format": FORMAT,
            "name": self.name,
            "description": self.description,
            "fixed": {k: v for k, v in fixed.items() if k not in self.space},
            "space": {name: dimension.to_mapping() for name, dimension in self.space.items()},
            "first": [dict(setting) for setting in self.first],
            "sampler": asdict(self.sampler),
            "pruner": asdict(self.pruner),
            "trials": self.trials,
            "seeds": self.seeds,
            "timeout": self.timeout,
        }

    def difference(self, other: "SweepSpec") -> str | None:
        """Return the first thing that makes ``other`` a different sweep, in words; else None."""
        mine, theirs = _flat(self.to_mapping()), _flat(other.to_mapping())
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in MAY_CHANGE and mine.get(key) != theirs.get(key):
                return f"{key} is {mine.get(key)!r} there and {theirs.get(key)!r} here"
        return None


def read_spec(spec: str, *, overrides: Mapping[str, Any] | None = None) -> SweepSpec:
    """Return the spec of a preset's name or a YAML file, with some fields fixed on top.

    ``overrides`` holds config fields by name. Raises ``ValueError`` with one line that names the
    file and the key.
    """
    if spec in PRESETS:
        source, default = f"preset {spec}", spec
        text = (files("sweeps") / "presets" / PRESETS[spec]).read_text(encoding="utf-8")
    else:
        path = Path(spec)
        source, default = str(path), path.stem
        if path.suffix not in (".yaml", ".yml") and not path.is_file():
            raise unknown("preset", spec, PRESETS)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ValueError(f"spec: cannot read {path}: {reason}") from error
    try:
        return from_plain(_parse(text), default_name=default, overrides=overrides or {})
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def from_plain(
    written: Mapping[str, Any],
    *,
    default_name: str = "sweep",
    overrides: Mapping[str, Any] | None = None,
    stored: bool = False,
) -> SweepSpec:
    """Return the spec that plain values describe. Raises ``ValueError`` naming the key.

    ``stored`` are those of a study: what an earlier version fixed and nothing reads is left out.
    """
    for key in written:
        if key not in KEYS:
            raise unknown("key", str(key), KEYS)
    check_format(written.get("format"))
    config, beside = _fixed(written, overrides or {}, stored=stored)
    space = read_space(written.get("space"), config)
    if overlap := sorted(space.keys() & (overrides or {}).keys()):
        raise ValueError(f"{overlap[0]}: it is searched; leave it out, or remove it from the space")
    return SweepSpec(
        name=str(written.get("name") or default_name),
        description=" ".join(str(written.get("description") or "").split()),
        config=_at_defaults(config, space),
        beside={name: value for name, value in beside.items() if name not in space},
        space=space,
        first=_read_first(written.get("first") or [], space, config),
        sampler=_read_part("sampler", SamplerSpec, written.get("sampler")),
        pruner=_read_part("pruner", PrunerSpec, written.get("pruner")),
        trials=_whole("trials", written.get("trials", 20)),
        seeds=_whole("seeds", written.get("seeds", 1)),
        timeout=_number("timeout", timeout)
        if (timeout := written.get("timeout")) is not None
        else None,
    )


def _parse(text: str) -> Mapping[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"it is not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise ValueError("a spec holds 'key: value' lines, such as space: …")
    return values


def _fixed(
    written: Mapping[str, Any], overrides: Mapping[str, Any], *, stored: bool
) -> tuple[TrainConfig, dict[str, Any]]:
    """Return what all trials share, and what only those of some searched components read."""
    config = recipe(str(written["recipe"])) if written.get("recipe") else TrainConfig()
    fixed, space = _read_fixed(written), written.get("space")
    searched = searched_components(space, config)
    named = {str(name).replace("-", "_") for name in space} if isinstance(space, Mapping) else set()
    if overlap := sorted(named & fixed.keys()):
        raise ValueError(f"fixed.{overlap[0]}: the space searches it; remove one")
    if stored or is_format_1(dict.fromkeys(named) | fixed):
        fixed = _read_somewhere(fixed, config, searched, silent=stored)
    beside: dict[str, Any] = {}
    for label, values in (("fixed: ", fixed), ("", overrides)):
        hanging = [n for n in values if (role := role_of(n)) is not None and role.field in searched]
        try:
            config = from_mapping({n: v for n, v in values.items() if n not in hanging}, config)
            for name in hanging:
                having = with_component(config, searched, name)
                beside[name] = from_mapping({name: values[name]}, having).values()[name]
        except ValueError as error:
            raise ValueError(f"{label}{error}") from error
    for key, choices in searched.items():
        for choice in choices:
            beside = vars(config.replace(**{key: choice}).settings(key)) | beside
    config = config.replace(**{role: choices[0] for role, choices in searched.items()})
    own = {name: value for name, value in beside.items() if name in config.values()}
    return config.replace(**own), {n: v for n, v in beside.items() if n not in own}


def _read_fixed(written: Mapping[str, Any]) -> dict[str, Any]:
    fixed = written.get("fixed") or {}
    if not isinstance(fixed, Mapping):
        raise ValueError("fixed: give 'field: value' lines")
    fixed = {str(name).replace("-", "_"): value for name, value in fixed.items()}
    for name in ("epochs", "metric"):
        value, known = written.get(name), "monitor" if name == "metric" else name
        if value is not None:
            if known in fixed:
                raise ValueError(f"fixed.{known}: {name} says it already; remove one")
            fixed[known] = value
    if (metric := fixed.get("monitor")) is not None:
        check("metric", str(metric), monitors())
    return fixed


def _read_somewhere(
    fixed: dict[str, Any], config: TrainConfig, searched: Components, *, silent: bool
) -> dict[str, Any]:
    """Return of what an earlier version fixed whole that which a component has."""
    chosen = config.replace(**{r.field: fixed[r.field] for r in ROLES if r.field in fixed})

    def is_read(name: str) -> bool:
        role = role_of(name)
        values = searched.get(role.field, (getattr(chosen, role.field),)) if role else ()
        return role is None or any(name in role.settings(value).names() for value in values)

    left_out = [name for name in fixed if not is_read(name)]
    if left_out and not silent:
        logger.warning("the spec is of an earlier version; not read: %s", ", ".join(left_out))
    return {name: value for name, value in fixed.items() if name not in left_out}


def _at_defaults(config: TrainConfig, space: Space) -> TrainConfig:
    """Return ``config`` with what is searched as it is by default, whatever a recipe says of it."""
    defaults = TrainConfig(**{role.field: getattr(config, role.field) for role in ROLES}).values()
    return config.replace(**{name: defaults[name] for name in space if name in defaults})


def _read_first(written: Any, space: Space, config: TrainConfig) -> tuple[dict[str, Any], ...]:
    if not isinstance(written, list) or not all(isinstance(item, Mapping) for item in written):
        raise ValueError("first: give a list of settings, such as - {lr: 1e-3}")
    settings = []
    for position, item in enumerate(written):
        plain: dict[str, Any] = {}
        for name, value in item.items():
            if name not in space:
                raise ValueError(f"first[{position}]: {unknown('field', str(name), space)}")
            role = conditions(space).get(name)
            searched = components(space)
            if role is not None and role.field in item:
                searched[role.field] = (item[role.field],)
            try:
                having = with_component(config, searched, name)
                typed = from_mapping({name: value}, having).values()[name]
            except ValueError as error:
                raise ValueError(f"first[{position}]: {error}") from error
            if typed not in space[name]:
                raise ValueError(f"first[{position}].{name}: {value} is not in the space")
            plain[name] = list(typed) if isinstance(typed, tuple) else typed
        settings.append(plain)
    return tuple(settings)


def _read_part(key: str, kind: type[T], written: Any) -> T:
    """Return a `SamplerSpec` or `PrunerSpec` from its name alone or its fields."""
    values = {"name": written} if isinstance(written, str) else written or {}
    if not isinstance(values, Mapping):
        raise ValueError(f"{key}: give a name, or its fields as 'field: value' lines")
    known = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{key}: {unknown('key', str(name), known)}")
        label = f"{key}.{name}"
        if name == "name":
            typed[name] = str(value)
        elif value is not None:
            typed[name] = _number(label, value) if name == "keep" else _whole(label, value)
    return kind(**typed)


def _whole(key: str, value: Any) -> int:
    number = _number(key, value)
    if number != int(number):
        raise ValueError(f"{key}: {value!r} is not a whole number")
    return int(number)


def _number(key: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{key}: {value!r} is not a number")
    return number


def _require(name: str, value: object, condition: bool, cure: str) -> None:
    if not condition:
        raise ValueError(f"{name}: {value} {cure}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and not prefix.startswith("space."):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def with_changes(spec: SweepSpec, **changes: Any) -> SweepSpec:
    """Return ``spec`` with its name, number of trials or timeout changed, where not None."""
    return replace(spec, **{key: value for key, value in changes.items() if value is not None})
