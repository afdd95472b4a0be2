"""Settings belong to what reads them: components, their settings, and the roles they play.

A component is one of a table of names (an optimiser, a model, …). Its settings are a frozen
dataclass beside its line in that table; the text beneath a field is its help. A role is a field
of the configuration that names a component. Nothing here imports torch; this file travels inside
every registered model, whose table of architectures needs it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Any, get_args

from .names import check, imported

# The words that YAML 1.1 has for a bool.
WORDS = {
    form: word in ("yes", "on", "true")
    for word in ("yes", "on", "true", "no", "off", "false")
    for form in (word, word.capitalize(), word.upper())
}
GIVEN, LEFT_OUT = "given", "left out"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """No settings: those of a component that reads none, and the base of all others.

    A subclass checks itself in ``__post_init__``, by `require`.
    """

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the settings, in their order."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def told_by(cls) -> Mapping[str, str]:
        """Return the settings that follow from another one once that is given, and from which."""
        return {}


@dataclass(frozen=True)
class Component:
    """A line of a table: the component's settings, what builds it, and a line about it.

    ``place`` is ``"module:attribute"``.
    """

    settings: type[Settings] = Settings
    place: str = ""
    about: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Role:
    """A field of the configuration that names components of ``table``, nearly always one.

    ``keys`` tells which names in the table a value of the field stands for, where it is not one.
    """

    field: str
    table: Mapping[str, Component]
    keys: Callable[[Any], tuple[str, ...]] = lambda value: (str(value),)

    def settings(self, value: Any) -> type[Settings]:
        """Return the settings of what ``value`` names; ``ValueError`` when it names nothing."""
        for key in (keys := self.keys(value)):
            check(self.field, key, self.table)
        return together(tuple(self.table[key].settings for key in keys))

    def knows(self, value: Any) -> bool:
        """Return whether ``value`` names what is in the table."""
        try:
            return all(key in self.table for key in self.keys(value))
        except ValueError:
            return False

    def having(self, name: str) -> list[str]:
        """Return the components that have the setting ``name``."""
        return [key for key, one in self.table.items() if name in one.settings.names()]

    def names(self) -> list[str]:
        """Return the settings that any of the components has, each once."""
        return list(dict.fromkeys(n for one in self.table.values() for n in one.settings.names()))

    def refusal(self, name: str, value: Any) -> ValueError:
        """Return the error for a setting that what ``value`` names has not: it says who has it."""
        *others, last = self.having(name)
        if last == GIVEN:
            return ValueError(f"{name}: it goes with {self.field}; give {self.field} too")
        who = f"{', '.join(others)} and {last} have" if others else f"{last} has"
        chosen = f"{self.field} none" if value == "none" else value
        return ValueError(f"{name}: {chosen} has none; {who}")

    def hint(self, name: str) -> str:
        """Return the flag beside which the setting ``name`` can be given."""
        flag, (*others, last) = f"--{self.field.replace('_', '-')}", self.having(name)
        if last == GIVEN:
            return flag
        return f"{flag} {', '.join(others)} or {last}" if others else f"{flag} {last}"


def load(kind: str, name: str, table: Mapping[str, Component], package: str | None = None) -> Any:
    """Import and return what builds the component ``name`` of ``table``.

    A place that starts with a dot is relative to ``package``. Raises ``ValueError`` listing the
    known names when there is no such component.
    """
    check(kind, name, table)
    return imported(table[name].place, package)


def switch(settings: type[Settings]) -> dict[str, Component]:
    """Return the table of a field that, once given, has settings of its own."""
    return {LEFT_OUT: Component(), GIVEN: Component(settings)}


def is_given(value: Any) -> tuple[str, ...]:
    """Return the `Role.keys` of a field with a `switch`."""
    return (LEFT_OUT if value is None else GIVEN,)


@cache
def together(kinds: tuple[type[Settings], ...]) -> type[Settings]:
    """Return settings that are all of ``kinds`` at once, and check themselves as each does."""
    once = most_particular(kinds)
    if len(once) == 1:
        return once[0]

    def check_each(self: Settings) -> None:
        for kind in once:
            kind(**{name: getattr(self, name) for name in kind.names()})

    space = {"__post_init__": check_each, "__doc__": "Of several components."}
    return dataclass(frozen=True, kw_only=True)(type("Together", tuple(once), space))


def most_particular(kinds: Iterable[type[Settings]]) -> list[type[Settings]]:
    """Return each class once, without those that another one extends."""
    once = list(dict.fromkeys(kinds))
    return [a for a in once if not any(a is not b and issubclass(b, a) for b in once)]


def require(name: str, value: object, condition: bool, cure: str) -> None:
    """Raise ``ValueError`` naming the setting, its value and the cure unless ``condition``."""
    if not condition:
        raise ValueError(f"{name}: {value} {cure}")


def typed(name: str, value: Any, hint: Any) -> Any:
    """Return a plain value, such as parsed YAML has, as the type ``hint``.

    Numbers may be given as text, and bools as `WORDS`; of several types the first one that fits is
    meant. Raises ``ValueError`` naming the field and the value.
    """
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and type(None) in kinds:
        return None
    *others, kind = (k for k in kinds if k is not type(None))
    for other in others:
        with suppress(ValueError):
            return typed(name, value, other)
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value in WORDS:
                return WORDS[value]
        elif kind is str:
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                return str(value)
        elif kind is int:
            if not isinstance(value, bool) and float(value) == int(float(value)):
                return int(float(value))
        elif kind is float:
            if not isinstance(value, bool):
                return float(value)
        elif kind == tuple[int, int] and isinstance(value, str) and "x" in value:
            return typed(name, value.split("x"), kind)
        elif isinstance(value, list | tuple) and len(value) in _lengths(kind, value):
            return tuple(typed(name, one, get_args(kind)[0]) for one in value)
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    several = {
        tuple[int, int]: "two whole numbers, as [160, 240] or 160x240",
        tuple[float, float]: "two numbers",
        tuple[int, ...]: "a list of whole numbers",
    }
    raise ValueError(f"{name}: {value!r} is not {(wanted | several)[kind]}")


def _lengths(kind: Any, value: Sequence[Any]) -> tuple[int, ...]:
    """Return how many items a tuple of the type ``kind`` may have."""
    of = get_args(kind)
    return (len(value),) if of[-1] is ... else (len(of),)
