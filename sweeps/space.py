"""The dimensions of a search: what a field of the config may be set to.

Nothing here imports optuna: a space is checked against `TrainConfig` before anything starts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trainer.config import TrainConfig, field_names
from trainer.config.parsing import by_field, from_mapping
from trainer.config.roles import ROLES, role_of
from trainer.names import unknown
from trainer.other_words import unknown_setting
from trainer.settings import Role, require, typed

# Set for every trial by the sweep itself, so that searching them would mean nothing.
NOT_SEARCHED = ("experiment", "run_name", "monitor")
RANGE_KEYS = ("low", "high", "log", "step")
# A range of whole numbers is tried value by value up to this many, else at its ends alone.
MAX_TRIED = 1000
# Larger spaces count as endless: no sweep gets through them, so none needs their list.
MAX_COMBINATIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class Choices:
    """One of a few values; a size such as ``(160, 240)`` is a value too."""

    values: tuple[Any, ...]

    def count(self) -> int:
        """Return how many values there are."""
        return len(self.values)

    def labels(self) -> list[Any]:
        """Return each value as a study stores it: a size reads ``160x240``."""
        return [label(value) for value in self.values]

    def value_of(self, label: Any) -> Any:
        """Return the value that a study stores as ``label``."""
        return self.values[self.labels().index(label)]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def to_mapping(self) -> dict[str, Any]:
        """Return the dimension as a spec file writes it."""
        return {"choices": [list(v) if isinstance(v, tuple) else v for v in self.values]}

    def __str__(self) -> str:
        return ", ".join(str(each) for each in self.labels())


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``log`` draws their logarithm evenly."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def count(self) -> int | None:
        """Return how many values there are; None where there are infinitely many."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return int(_steps(self.low, self.high, self.step)) + 1

    def labels(self) -> list[Any]:
        """Return every value in order; ask `count` first, for they may be many."""
        count = self.count()
        assert count is not None, "endless"
        if self.step is None:
            return [self.low]
        if self.whole:
            return [int(self.low) + i * int(self.step) for i in range(count)]
        return [float(Decimal(str(self.low)) + i * Decimal(str(self.step))) for i in range(count)]

    def value_of(self, label: Any) -> Any:
        """Return the number that a study stores as ``label``: the same."""
        return label

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or _steps(self.low, value, self.step) % 1 == 0

    def to_mapping(self) -> dict[str, Any]:
        """Return the dimension as a spec file writes it."""
        written: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            written["log"] = True
        elif self.step is not None:
            written["step"] = self.step
        return written

    def __str__(self) -> str:
        scale = ", log" if self.log else f", step {self.step:g}" if self.step else ""
        return f"{self.low:g} to {self.high:g}{scale}"


Dimension = Choices | Range
Space = dict[str, Dimension]
# What each role that is searched may be.
Components = dict[str, tuple[Any, ...]]


def read_space(written: Any, base: TrainConfig) -> Space:
    """Return the dimensions of a spec's ``space``, each tried as a config on top of ``base``.

    A setting may be searched where some of the searched components have it. Raises ``ValueError``
    naming the key when a field is unknown, none of the components has it, a range is malformed,
    or a value that the search could draw is refused by `TrainConfig`.
    """
    if not isinstance(written, Mapping) or not written:
        raise ValueError("space: name at least one field, such as lr: {low: 1e-5, high: 1e-2}")
    searched = searched_components(written, base)
    known = [name for name in field_names() if name not in NOT_SEARCHED]
    space: Space = {}
    for name, what in by_field(written).items():
        if name not in known:
            error = unknown_setting("field", name, known, see="trainer fit --help")
            raise ValueError(f"space: {error}")
        try:
            having = with_component(base, searched, name)
        except ValueError as error:
            raise ValueError(f"space: {error}") from error
        space[name] = _read_dimension(name, what, having)
    return space


def searched_components(written: Any, base: TrainConfig) -> Components:
    """Return `components` of a spec's ``space``, of which nothing else has been read yet."""
    roles = {role.field for role in ROLES}
    named = by_field(written) if isinstance(written, Mapping) else {}
    return components(
        {n: _read_dimension(n, what, base) for n, what in named.items() if n in roles}
    )


def components(space: Space) -> Components:
    """Return what each role that is searched may be: of a range of numbers, its low end."""
    return {
        role.field: dimension.values if isinstance(dimension, Choices) else (dimension.low,)
        for role in ROLES
        if (dimension := space.get(role.field)) is not None
    }


def with_component(base: TrainConfig, searched: Components, name: str) -> TrainConfig:
    """Return ``base`` with a component that has ``name``: where it is searched, the first.

    Raises ``ValueError`` saying who has it where none of the components has.
    """
    role = role_of(name)
    if role is None:
        return base
    values = searched.get(role.field, (getattr(base, role.field),))
    for value in values:
        if name in role.settings(value).names():
            return base.replace(**{role.field: value})
    raise role.refusal(name, values[0])


def conditions(space: Space) -> dict[str, Role]:
    """Return the settings of ``space`` that hang on what is drawn for a role: name → role."""
    found = {name: role_of(name) for name in space}
    return {name: role for name, role in found.items() if role is not None and role.field in space}


def read_by(space: Space, labels: Mapping[str, Any]) -> list[str]:
    """Return the fields of ``space`` that a trial of these stored parameters reads.

    A setting is one of them while nothing is known of the component that it hangs on.
    """
    hanging = conditions(space)
    return [name for name in space if _is_read(name, hanging.get(name), space, labels)]


def combinations(space: Space) -> list[dict[str, Any]] | None:
    """Return every setting of ``space`` as a study stores it; None when it is endless.

    A field that hangs on a component multiplies the combinations of those that have it alone.
    """
    hanging = conditions(space)
    known: list[dict[str, Any]] = [{}]
    for name in sorted(space, key=lambda name: name in hanging):
        count = space[name].count()
        read = [_is_read(name, hanging.get(name), space, each) for each in known]
        if count is None or sum(count if each else 1 for each in read) > MAX_COMBINATIONS:
            return None
        labels = space[name].labels()
        known = [
            {**combination, **drawn}
            for combination, is_read in zip(known, read, strict=True)
            for drawn in ([{name: value} for value in labels] if is_read else [{}])
        ]
    return known


def setting(space: Space, labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config fields that a trial's stored parameters stand for, those that it reads."""
    return {name: space[name].value_of(labels[name]) for name in read_by(space, labels)}


def label(value: Any) -> Any:
    """Return ``value`` as a study stores it: a size reads ``160x240``."""
    return "x".join(str(side) for side in value) if isinstance(value, tuple | list) else value


def _is_read(name: str, role: Role | None, space: Space, labels: Mapping[str, Any]) -> bool:
    if role is None or role.field not in labels:
        return True
    component = space[role.field].value_of(labels[role.field])
    return name in role.settings(component).names()


def _read_dimension(name: str, written: Any, base: TrainConfig) -> Dimension:
    if isinstance(written, Mapping) and "choices" in written:
        if extra := [key for key in written if key != "choices"]:
            raise ValueError(f"space.{name}: choices stand alone; remove {extra[0]!r}")
        return _read_choices(name, written["choices"], base)
    if isinstance(written, list):
        return _read_choices(name, written, base)
    if isinstance(written, Mapping):
        return _read_range(name, written, base)
    raise ValueError(
        f"space.{name}: {written!r} is neither a list of choices nor {{low: …, high: …}}; "
        "a field that stays the same belongs under fixed"
    )


def _read_choices(name: str, written: Any, base: TrainConfig) -> Choices:
    if not isinstance(written, list) or not written:
        raise ValueError(f"space.{name}.choices: give a list with at least one value")
    values = tuple(_tried(name, "choices", value, base) for value in written)
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"space.{name}.choices: {label(twice)} stands there twice")
    return Choices(values=values)


def _read_range(name: str, written: Mapping[str, Any], base: TrainConfig) -> Range:
    for key in written:
        if key not in RANGE_KEYS:
            raise ValueError(f"space.{name}: {unknown('key', str(key), (*RANGE_KEYS, 'choices'))}")
    if missing := [key for key in ("low", "high") if key not in written]:
        raise ValueError(f"space.{name}: {missing[0]} is missing")
    low, high = (_tried(name, end, written[end], base) for end in ("low", "high"))
    if isinstance(low, bool) or not isinstance(low, int | float):
        raise ValueError(f"space.{name}: a range needs a field that is a number; give choices")
    whole, step = isinstance(low, int), written.get("step")
    log = typed(f"space.{name}.log", written.get("log", False), bool)
    if low > high:
        raise ValueError(f"space.{name}: low {low:g} is above high {high:g}")
    if log and (low <= 0 or step is not None):
        cure = "needs a low above 0" if low <= 0 else "does not go with step; remove one"
        raise ValueError(f"space.{name}.log: a logarithmic range {cure}")
    if step is not None:
        step = _read_step(name, step, low, high, whole)
    elif whole:
        step = 1
    found = Range(low=low, high=high, log=log, step=step, whole=whole)
    _try_inside(name, found, base)
    return found


def _read_step(name: str, written: Any, low: float, high: float, whole: bool) -> float:
    step: float = typed(f"space.{name}.step", written, int if whole else float)
    require(f"space.{name}.step", written, 0 < step < math.inf, "must be above 0")
    if _steps(low, high, step) % 1:
        raise ValueError(f"space.{name}: steps of {step:g} from low {low:g} miss high {high:g}")
    return step


def _steps(low: float, high: float, step: float) -> Decimal:
    # Decimal: in binary, (0.3 - 0.1) / 0.1 is not 2.
    return (Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step))


def _tried(name: str, key: str, value: Any, base: TrainConfig) -> Any:
    """Return ``value`` as the field ``name`` holds it, having made a config of it."""
    try:
        return from_mapping({name: value}, base).values()[name]
    except ValueError as error:
        raise ValueError(f"space.{name}.{key}: {error}") from error


def _try_inside(name: str, found: Range, base: TrainConfig) -> None:
    if not found.whole or found.high - found.low > MAX_TRIED:
        return
    for value in found.labels():
        try:
            from_mapping({name: value}, base)
        except ValueError as error:
            raise ValueError(
                f"space.{name}: the range holds what is refused ({error}); give step or choices"
            ) from error
