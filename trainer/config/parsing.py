"""A configuration from what was written down: plain values, a file, the parameters of a run."""

import logging
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from trainer.config import General, TrainConfig, as_param, field_names, unread
from trainer.config.formats import check_format, is_format_1
from trainer.config.roles import ROLES, role_of
from trainer.other_words import unknown_setting
from trainer.settings import is_given, typed
from trainer.yaml_files import read_yaml

logger = logging.getLogger(__name__)


def from_mapping(
    values: Mapping[str, Any], base: TrainConfig | None = None, *, leave_out: bool = False
) -> TrainConfig:
    """Return a config from plain values, such as parsed YAML or a sweep's suggestion.

    Numbers may be given as text ("1e-4", which YAML 1.1 reads as a string). Raises
    ``ValueError`` naming the field when it is unknown or of the wrong type, or when none of the
    components has it; with ``leave_out`` such a setting is left out, as what format 1 wrote
    must be.
    """
    given = by_field(values)
    base = base or TrainConfig()
    for name in given:
        if name not in field_names():
            raise unknown_setting("field", name, field_names(), see="trainer fit --help")
    plain = {name: typed(name, _as_text(name, v), _hint(name)) for name, v in given.items()}
    dropped = unread(base.values() | plain) if leave_out else []
    return base.replace(**{name: value for name, value in plain.items() if name not in dropped})


def _as_text(name: str, value: Any) -> Any:
    """Return ``mask_values`` as its flag takes it, also where YAML has a mapping of them."""
    if name != "mask_values" or not isinstance(value, Mapping):
        return value
    for values, meaning in value.items():
        if not isinstance(meaning, str) or not meaning:
            raise ValueError(f"mask_values: {values}: {meaning!r} is no name of a class")
    return shlex.join(f"{values}={meaning}" for values, meaning in value.items())


def by_field(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the fields' names, of which ``batch-size`` and ``batch_size`` are one."""
    named: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name in named:
            raise ValueError(f"{name}: it is given twice, with - and with _; remove one")
        named[name] = value
    return named


def from_yaml(path: Path, base: TrainConfig | None = None, *, stored: bool = False) -> TrainConfig:
    """Read a config file; ``ValueError`` when `read_yaml` refuses it, or it has a bad field.

    What format 1 wrote whole names settings that its components do not have; they are left out,
    and a line of the log says which unless the file is one that a run ``stored``.
    """
    values = read_yaml(path)
    try:
        check_format(values.pop("format", None))
        whole = is_format_1(values)
        if whole and not stored and (names := unread(values)):
            logger.warning("%s is of an earlier version; not read: %s", path, ", ".join(names))
        return from_mapping(values, base, leave_out=stored or whole)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def from_params(params: Mapping[str, str], base: TrainConfig | None = None) -> TrainConfig:
    """Return the configuration that wrote these with `TrainConfig.to_params`; others are left out.

    What they do not say is as in ``base``.

    Raises ``ValueError`` naming the field whose text is no value of it.
    """
    known = field_names()
    ours = {name: _from_param(text, _hint(name)) for name, text in params.items() if name in known}
    return from_mapping(ours, base, leave_out=True)


def default_params(params: Mapping[str, str]) -> dict[str, str]:
    """Return the default of everything that a run with these stored parameters reads.

    A component that is not known here, as of another program's run, has no settings.
    """
    defaults: dict[str, str] = {}
    for name in (field.name for field in fields(General)):
        defaults[name] = as_param(getattr(General, name))
        for role in (role for role in ROLES if role.field == name):
            text = params.get(name, defaults[name])
            value = None if role.keys is is_given and text == "none" else text
            if role.knows(value):
                settings = vars(role.settings(value)())
                defaults |= {setting: as_param(v) for setting, v in settings.items()}
    return defaults


def scored_in(params: Mapping[str, str]) -> str | None:
    """Return the arithmetic of a run's scores, from its parameters; None where it is not known.

    Runs of before it was recorded have been scored as their machine chose.
    """
    return params.get("eval_precision")


def _from_param(text: str, hint: Any) -> Any:
    kinds = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if text == as_param(None) and type(None) in kinds:
        return None
    return re.split("x| to ", text) if any(get_origin(kind) is tuple for kind in kinds) else text


def _hint(name: str) -> Any:
    """Return the type of a field, or of a setting as one of the components has it."""
    role = role_of(name)
    if role is None:
        return get_type_hints(General)[name]
    kind = next(one.settings for one in role.table.values() if name in one.settings.names())
    return get_type_hints(kind)[name]
