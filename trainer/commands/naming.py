"""``trainer list``: the names that a setting may have, and what each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import Positional

from trainer.catalogue.data import AUGMENTATIONS, CACHES, GEOMETRIES, LAYOUTS, NORMALISATIONS
from trainer.catalogue.losses import CLASS_WEIGHTS, LOSSES
from trainer.catalogue.optimizers import OPTIMIZERS
from trainer.catalogue.schedules import SCHEDULES
from trainer.command_line import DONE, Answer, parse, print_json
from trainer.config import as_param
from trainer.config.recipes import RECIPES, Recipe
from trainer.models import MODELS
from trainer.models.architectures import NORMS, UPSAMPLINGS
from trainer.names import check, imported
from trainer.printing import say
from trainer.settings import Component

# What is listed, with the flag that takes the names.
KINDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "models": ("--model", MODELS),
    "losses": ("--loss", LOSSES),
    "optimizers": ("--optimizer", OPTIMIZERS),
    "schedules": ("--schedule", SCHEDULES),
    "augmentations": ("--augment", AUGMENTATIONS),
    "geometries": ("--geometry", GEOMETRIES),
    "layouts": ("--layout", LAYOUTS),
    "caches": ("--cache", CACHES),
    "normalisations": ("--normalisation", NORMALISATIONS),
    "class-weights": ("--class-weights", CLASS_WEIGHTS),
    "norms": ("--norm", NORMS),
    "upsamplings": ("--upsampling", UPSAMPLINGS),
    "recipes": ("--recipe", RECIPES),
}


@dataclass(frozen=True, kw_only=True)
class List(Answer):
    """List the names that a setting may have, what each is, and the settings that it has."""

    kind: Positional[Annotated[str | None, KINDS, "KIND"]] = None
    """What is to be listed; left out, the kinds are."""


def list_names(args: list[str]) -> int:
    """List what there is of a kind: models, losses, optimizers, layouts and so on."""
    command = parse(List, prog="trainer list", args=args)
    if command.kind is not None:
        check("kind", command.kind, KINDS)
        rows = [_row(name, one) for name, one in KINDS[command.kind][1].items()]
    else:
        rows = [_of_kind(kind) for kind in KINDS]
    if command.json:
        print_json(rows)
        return DONE
    width = max(len(row["name"]) for row in rows) + 2
    for row in rows:
        say(f"{row['name']:<{width}}{row['about']}".rstrip())
        if settings := row.get("settings"):
            told = "  ".join(f"{name}={as_param(value)}" for name, value in settings.items())
            say(f"{'':<{width}}{told}")
    return DONE


def _of_kind(kind: str) -> dict[str, Any]:
    flag, table = KINDS[kind]
    return {"name": kind, "about": f"{flag} {', '.join(table)}"}


def _row(name: str, one: Any) -> dict[str, Any]:
    """Return what is told of a line of a table: of a layout's place, what the layout looks for."""
    if isinstance(one, Component):
        return {"name": name, "about": one.about, "settings": vars(one.settings())}
    if isinstance(one, Recipe):
        return {"name": name, "about": one.about, "settings": dict(one.values)}
    return {"name": name, "about": imported(one).looks_for if one.endswith(":LAYOUT") else one}
