"""A sweep's spec from a YAML file, a preset's name, or what a study has stored."""

import logging
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from sweeps.space import (
    Components,
    Space,
    components,
    conditions,
    read_space,
    searched_components,
    with_component,
)
from sweeps.spec import PrunerSpec, SamplerSpec, SweepSpec
from trainer.analysis.score_table import monitors
from trainer.config import TrainConfig
from trainer.config.formats import check_format, is_format_1
from trainer.config.parsing import by_field, from_mapping
from trainer.config.recipes import recipe
from trainer.config.roles import ROLES, role_of
from trainer.files import read_text
from trainer.names import check, unknown
from trainer.settings import typed
from trainer.yaml_files import parse_yaml

# To add a preset, put its file into presets/ and one line here.
PRESET_FOLDER = files("sweeps") / "presets"
PRESETS = (
    "demo",
    "lr-only",
    "lr-batch-kernel",
    "width-depth",
    "report-0-grid",
    "report-1",
    "report-2-attempts",
    "report-3-models",
    "report-3-optimisers",
    "report-3-losses",
    "report-3-sizes",
    "report-4-sizes",
    "report-4-patience",
    "report-4-augmentation",
)
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
T = TypeVar("T")

logger = logging.getLogger(__name__)


def read_spec(spec: str, *, overrides: Mapping[str, Any] | None = None) -> SweepSpec:
    """Return the spec of a preset's name or a YAML file, with some fields fixed on top.

    ``overrides`` holds config fields by name. Raises ``ValueError`` with one line that names the
    file and the key.
    """
    path = Path(spec)
    if spec in PRESETS:
        source, text = f"preset {spec}", (PRESET_FOLDER / f"{spec}.yaml").read_text("utf-8")
    elif path.suffix in (".yaml", ".yml") or path.is_file():
        source, text = spec, read_text(path)
    else:
        raise unknown("preset", spec, PRESETS)
    written = parse_yaml(text, source)
    try:
        return from_plain(written, default_name=path.stem, overrides=overrides)
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
        description=" ".join(typed("description", written.get("description") or "", str).split()),
        config=_at_defaults(config, space),
        beside={name: value for name, value in beside.items() if name not in space},
        space=space,
        first=_read_first(written.get("first") or [], space, config),
        sampler=_read_part("sampler", SamplerSpec, written.get("sampler")),
        pruner=_read_part("pruner", PrunerSpec, written.get("pruner")),
        trials=typed("trials", written.get("trials", 20), int),
        seeds=typed("seeds", written.get("seeds", 1), int),
        timeout=typed("timeout", written.get("timeout"), float | None),
    )


def _fixed(
    written: Mapping[str, Any], overrides: Mapping[str, Any], *, stored: bool
) -> tuple[TrainConfig, dict[str, Any]]:
    """Return what all trials share, and what only those of some searched components read."""
    config = recipe(str(written["recipe"])) if written.get("recipe") else TrainConfig()
    fixed, space = _read_fixed(written), written.get("space")
    searched = searched_components(space, config)
    named = by_field(space) if isinstance(space, Mapping) else {}
    if overlap := sorted(named.keys() & fixed.keys()):
        raise ValueError(f"fixed.{overlap[0]}: the space searches it; remove one")
    if stored or is_format_1(named | fixed):
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
    fixed = by_field(fixed)
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
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise ValueError(f"{key}: {unknown('key', str(name), hints)}")
    return kind(**{n: typed(f"{key}.{n}", v, hints[n]) for n, v in values.items() if v is not None})
