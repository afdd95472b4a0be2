"""``trainer register``, ``promote`` and ``pull``: the model registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from trainer.command_line import DONE, Answer, parse, print_json
from trainer.printing import say


@dataclass(frozen=True, kw_only=True)
class Register(Answer):
    """Register the best checkpoint of a run."""

    run_id: Positional[Annotated[str, "RUN"]]
    """The run: its id, the beginning of it, its name, or last."""
    name: Annotated[str, "NAME"]
    """Name of the registered model."""
    alias: Annotated[str | None, "NAME"] = None
    """Alias that shall point at the new version, such as champion."""


@dataclass(frozen=True, kw_only=True)
class Promote(Answer):
    """Point an alias at a version of a registered model."""

    name: Positional[str]
    """Name of the registered model."""
    version: Positional[str]
    """Number of the version."""
    alias: Annotated[str, "NAME"] = "champion"
    """The alias."""


@dataclass(frozen=True, kw_only=True)
class Pull(Answer):
    """Copy a registered model into a folder."""

    model: Positional[str]
    """models:/NAME@ALIAS, models:/NAME/VERSION, or NAME for its champion."""
    out: Path
    """The new folder."""


def register(args: list[str]) -> int:
    """Register the best checkpoint of a run."""
    command = parse(Register, prog="trainer register", args=args)
    from trainer.prediction import registry
    from trainer.tracking.naming import run_named

    made = registry.register(run_named(command.run_id), command.name, alias=command.alias)
    _print_version(made, command.json)
    return DONE


def promote(args: list[str]) -> int:
    """Point an alias at a version of a registered model."""
    command = parse(Promote, prog="trainer promote", args=args)
    from trainer.prediction import registry

    _print_version(
        registry.promote(command.name, command.version, alias=command.alias), command.json
    )
    return DONE


def pull(args: list[str]) -> int:
    """Copy a registered model into a folder."""
    command = parse(Pull, prog="trainer pull", args=args)
    from trainer.prediction import registry

    model = registry.version_named(command.model)
    folder = registry.pull(model, command.out)
    if command.json:
        print_json({"model": model, "folder": str(folder)})
    else:
        say(folder)
    return DONE


def _print_version(version: object, as_json: bool) -> None:
    from trainer.prediction.registry import ModelVersion

    assert isinstance(version, ModelVersion)
    if as_json:
        print_json(vars(version) | {"uri": version.uri})
    else:
        say(" ".join([version.uri, *(f"@{alias}" for alias in version.aliases)]))
