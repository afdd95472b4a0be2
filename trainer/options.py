"""What may be given to a command: a dataclass of options, as it is parsed, shown and completed.

A field says in an ``Annotated`` what its type does not: the word that stands for its value in the
help ("PATH"), or the names that are its values, as a tuple or a table. The text beneath it is its
help. The class that declares it, or a `Group`, names the group that it is shown in.
"""

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import OmitArgPrefixes, Positional, Suppress, arg

# Names are shown in place of a value where they take no more room; else after the help's text.
_ROOM = 44
_WORDS = {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}


# A word that no command line holds: a command to which it is given says what its options are.
ASK = "--\0"


class Asked(Exception):
    """The answer to `ASK`."""

    def __init__(self, options: "Sequence[Option]") -> None:
        super().__init__("asked for the options")
        self.options = options


@dataclass(frozen=True)
class Group:
    """The group of options that a field is shown in, where the class that declares it says none."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Option:
    """One field of a command's options. ``default`` is ``MISSING`` where it must be given."""

    name: str
    kind: Any
    """Its type, without None."""
    optional: bool
    """Whether it may be None."""
    default: Any
    about: str
    group: str
    told: tuple[Any, ...]
    """What stands in its ``Annotated``."""

    @property
    def flag(self) -> str:
        """As it is given; of one that is given by its place alone, this is no flag."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_positional(self) -> bool:
        """Whether it is given by its place."""
        return Positional in self.told

    @property
    def is_several(self) -> bool:
        """Whether it holds as many values as are given."""
        return get_origin(self.kind) is tuple and get_args(self.kind)[-1] is ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names that its value may be; of an open one (a sum of losses, a file) not all."""
        tables = [each for each in self.told if isinstance(each, tuple | Mapping)]
        literal = get_args(self.kind) if get_origin(self.kind) is Literal else ()
        return tuple(map(str, tables[0] if tables else literal))

    @property
    def word(self) -> str | None:
        """What stands for its value in the help; None of a switch."""
        word = self._word()
        if not self.is_positional or word is None:
            return word
        if self.is_several:
            word = f"{word.removesuffix('S')}…"
        return word if self.default is MISSING else f"[{word}]"

    def _word(self) -> str | None:
        if said := [each for each in self.told if isinstance(each, str)]:
            return said[0]
        if self.is_positional:
            return self.name.replace("_", "-").upper()
        if self._names_fit():
            return "{" + ",".join(self.names) + "}"
        if self.names:
            return "NAME"
        if self.kind is bool:
            return None
        if get_origin(self.kind) is tuple:
            return " ".join("…" if of is ... else _WORDS[of] for of in get_args(self.kind))
        return _WORDS.get(self.kind, "TEXT")

    def _names_fit(self) -> bool:
        return 0 < len(",".join(self.names)) <= _ROOM

    def annotated(self) -> Any:
        """Return its type as tyro shows and parses it."""
        listed = self.names and not (self.word or "").startswith("{")
        names = f" One of {', '.join(self.names)}." if listed else ""
        quiet = self.default is None or self.default is False or self.default in ((), "")
        shown = arg(
            help=self.about + names,
            metavar=self.word,
            help_behavior_hint="(required)" if self.default is MISSING else "" if quiet else None,
        )
        ours = (str, tuple, Mapping, Group)
        theirs = (each for each in self.told if not isinstance(each, ours))
        kind = self.kind | None if self.optional else self.kind
        return Annotated[(kind, shown, *theirs)]


def options_of(kind: type) -> tuple[Option, ...]:
    """Return the options of a dataclass, without those that are suppressed."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for each in fields(kind):
        hint = hints[each.name]
        told = getattr(hint, "__metadata__", ())
        kinds = _kinds(get_args(hint)[0] if told else hint)
        if Suppress not in told:
            declaring = [c for c in kind.__mro__ if each.name in inspect.get_annotations(c)]
            groups = [one.name for one in told if isinstance(one, Group)]
            groups.append(vars(declaring[-1]).get("group", ""))
            found.append(
                Option(
                    name=each.name,
                    kind=reduce(or_, [one for one in kinds if one is not NoneType]),
                    optional=NoneType in kinds,
                    default=each.default,
                    about=next(filter(None, (_text(c, each.name) for c in declaring)), ""),
                    group=groups[0],
                    told=told,
                )
            )
    return tuple(found)


def in_groups(kind: type, options: Sequence[Option]) -> type:
    """Return a dataclass of ``options`` in their groups, each a field; `flat` is its inverse."""
    own: list[Any] = []
    groups: dict[str, list[Any]] = {}
    for option in options:
        to = groups.setdefault(option.group, []) if _is_grouped(option) else own
        to.append((option.name, option.annotated(), field(default=option.default)))
    for name, its in groups.items():
        inner = make_dataclass(name, its, kw_only=True)
        own.append((f"in_{name}", Annotated[inner, arg(name=name), OmitArgPrefixes]))
    return make_dataclass(kind.__name__, own, kw_only=True, namespace={"__doc__": kind.__doc__})


def flat(parsed: Any, options: Sequence[Option]) -> dict[str, Any]:
    """Return the values of ``options``, parsed in their groups, by name."""
    return {
        option.name: getattr(
            getattr(parsed, f"in_{option.group}") if _is_grouped(option) else parsed, option.name
        )
        for option in options
    }


def _is_grouped(option: Option) -> bool:
    return bool(option.group) and not option.is_positional


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)


def _text(kind: type, name: str) -> str:
    """Return the text beneath a field, in the class that declares it; "" where there is none."""
    return _texts(kind.__module__).get((kind.__name__, name), "")


@cache
def _texts(module: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    with suppress(KeyError, OSError, TypeError):
        tree = ast.parse(inspect.getsource(sys.modules[module]))
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for line, text in pairwise(kind.body):
                match line, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                        value=ast.Constant(value=str(about))
                    ):
                        found[kind.name, name] = " ".join(about.split())
    return found
