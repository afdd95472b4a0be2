"""The flags of a run: those of every run, and of the components that the other flags choose."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields, make_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.conf import Suppress

from trainer.command_line import parse
from trainer.config import General, TrainConfig, field_names, group_of
from trainer.config.roles import ROLES, role_of
from trainer.options import Group, flat, in_groups, options_of
from trainer.other_words import OTHER_WORDS
from trainer.settings import is_given, most_particular

T = TypeVar("T")


def first_flags(kind: type[T], args: Sequence[str]) -> T | None:
    """Return ``kind``, a dataclass, filled from those of the flags that are its own.

    None where one is malformed: the whole command's parser meets the same mistake, and names it.
    """
    shown = [word for word in args if word not in ("-h", "--help")]
    options = options_of(kind)
    first: Any
    # A value of the wrong type is printed all the same.
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        first, _ = tyro.cli(
            in_groups(kind, options), args=shown, return_unknown_args=True, console_outputs=False
        )
        return kind(**flat(first, options))
    return None


def parse_run(
    own: type[T],
    *,
    prog: str,
    args: Sequence[str],
    base: TrainConfig,
    searched: Mapping[str, Sequence[Any]] | None = None,
) -> T:
    """Return the options ``own``, a dataclass, with the fields and settings of a run beside them.

    What no flag says is as in ``base``. ``searched`` holds the components, by role, that some
    runs of a search have: their settings are flags too. Raises ``ValueError`` as `parse` does,
    and for a setting that no component has which is chosen or searched, saying who has it.
    """
    values = base.values() | _chosen(base, args)
    named = {role: [values[role.field], *(searched or {}).get(role.field, ())] for role in ROLES}
    kinds = [role.settings(value) for role in ROLES for value in named[role]]
    known = {name for kind in kinds for name in kind.names()}
    for name in map(named_field, args):
        if (role := role_of(name)) is not None and name not in known:
            raise role.refusal(name, values[role.field])
    defaults = {name: value for kind in kinds for name, value in vars(kind()).items()}
    parts = (*most_particular(kinds), General)
    hints = {name: _shown(name, hint) for part in parts for name, hint in _hints(part).items()}
    default = {**vars(General()), **defaults, **values}
    hints |= {name: Annotated[hints[name], Suppress] for name in vars(General()).keys() - values}
    shown = hints.keys() - {field.name for field in fields(own)}  # type: ignore[arg-type]
    together = make_dataclass(
        own.__name__,
        [(name, hints[name], default[name]) for name in sorted(shown)],
        bases=(own, *parts),
        # Checked as a whole, by the configuration that is made of it.
        namespace={"__post_init__": lambda _: None, "__doc__": own.__doc__},
        frozen=True,
        kw_only=True,
    )
    others = {n: role.hint(n) for role in ROLES for n in role.names() if n not in known}
    closing = [f"--{name.replace('_', '-')}: with {hint}" for name, hint in others.items()]
    parsed: T = parse(together, prog=prog, args=args, closing="\n".join(closing))
    return parsed


def config_of(command: object, kind: type[TrainConfig] = TrainConfig) -> TrainConfig:
    """Return the configuration that parsed options hold beside their own."""
    known = field_names()
    return kind(**{name: value for name, value in vars(command).items() if name in known})


def named_field(word: str) -> str:
    """Return the field that a flag sets; of another word, something that is no field's name."""
    name = word.split("=")[0].removeprefix("--").removeprefix("no-")
    return name.replace("-", "_") if word.startswith("--") else ""


def refuse_settings(args: Sequence[str], own: type, begun: str, cure: str) -> None:
    """Raise ``ValueError`` where a setting is given to a command that goes on with what was begun.

    ``own`` has the command's own options, ``begun`` is what it goes on with, ``cure`` what begins
    another one.
    """
    mine = {option.name for option in options_of(own)}
    for name in map(named_field, args):
        setting = OTHER_WORDS.get(name, name)
        if setting in field_names() and name not in mine:
            raise ValueError(
                f"{setting}: {begun} goes on with the settings that it began with, so that it "
                f"stays one; begin another: {cure} --{setting.replace('_', '-')} …"
            )


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _shown(name: str, hint: Any) -> Any:
    """Return the type of a field with what its role says of it: its names, a setting's group."""
    if names := [tuple(r.table) for r in ROLES if r.field == name and r.keys is not is_given]:
        return Annotated[hint, names[0]]
    role = role_of(name)
    return hint if role is None else Annotated[hint, Group(group_of(role.field))]


def _chosen(base: TrainConfig, args: Sequence[str]) -> dict[str, Any]:
    hints = get_type_hints(General)
    asked = [(r.field, hints[r.field], getattr(base, r.field)) for r in ROLES]
    chosen = first_flags(make_dataclass("Chosen", asked), args)
    return {} if chosen is None else vars(chosen)
