"""``trainer models``: what there is to train and what it costs, or what is registered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.command_line import DONE, Answer, print_json
from trainer.config import TrainConfig, as_param, reads
from trainer.config.flags import named_field, parse_run
from trainer.models import MODELS
from trainer.printing import say
from trainer.wording import MISSING, measured, moment

if TYPE_CHECKING:
    from trainer.prediction.registry import ModelVersion
    from trainer.tables import Table


@dataclass(frozen=True, kw_only=True)
class Models(Answer):
    """List the architectures, their settings, and what they cost; any field of a run may be given.

    One that an architecture does not have leaves it as it is. With --model there is that one alone.
    """

    num_classes: int = 2
    """Classes that are told apart, the background among them."""
    registered: bool = False
    """List the models of the registry instead: every version, the newest of each model first."""


def models(args: list[str]) -> int:
    """List the architectures, their settings and what they cost."""
    searched = {"model": list(MODELS)}
    command = parse_run(
        Models, prog="trainer models", args=args, base=TrainConfig(), searched=searched
    )
    if command.registered:
        return _registered(args, command.json)
    if not 2 <= command.num_classes <= 255:
        raise ValueError(f"num_classes: {command.num_classes} must lie in 2 to 255")
    given = {name: value for name, value in vars(command).items() if name in _named(args)}
    names = [given.pop("model")] if "model" in given else list(MODELS)
    given.pop("num_classes", None)
    rows = [_row(name, given, command.num_classes) for name in names]
    if command.json:
        print_json(rows)
    else:
        _print(rows)
    return DONE


def _registered(args: list[str], as_json: bool) -> int:
    if _named(args) - {"registered"}:
        raise ValueError("registered: it lists the registry; leave the other options out")
    from trainer.prediction.registry import list_models

    versions = [version for model in list_models().values() for version in model]
    if as_json:
        print_json([vars(version) | {"uri": version.uri} for version in versions])
    elif not versions:
        say("no registered models yet; trainer register RUN --name NAME makes one")
    else:
        from trainer.tables import print_table

        print_table(_versions_table(versions))
    return DONE


def _versions_table(versions: Sequence["ModelVersion"]) -> "Table":
    from trainer.tables import Column, Table

    columns = [
        Column(name="Version", values=[version.version for version in versions]),
        Column(name="Aliases", values=[", ".join(version.aliases) for version in versions]),
        Column(name="Score", values=[_score(version) for version in versions]),
        Column(name="Run", values=[(version.run_id or MISSING)[:8] for version in versions]),
        Column(name="Date", values=[moment(version.created) for version in versions]),
    ]
    return Table(index="Model", labels=[version.name for version in versions], columns=columns)


def _score(version: "ModelVersion") -> str:
    """Return the score of a version that counts most: on test images before those that chose it."""
    for tag in ("test.dice", "best.val_dice"):
        try:
            return f"{measured(float(version.tags[tag]))} {tag.removeprefix('best.')}"
        except (KeyError, ValueError):
            continue
    return MISSING


def _named(args: list[str]) -> set[str]:
    return {named_field(word) for word in args} - {"", "json"}


def _row(name: str, given: Mapping[str, Any], num_classes: int) -> dict[str, Any]:
    from trainer.network.cost import cost
    from trainer.network.losses import build_loss

    chosen = {"model": name, **given}
    config = TrainConfig(**{key: value for key, value in chosen.items() if reads(chosen, key)})
    loss = build_loss(config.loss, config.settings("loss"), num_classes, lambda _: None)
    settings = vars(config.settings("model"))
    size = config.image_size if "image_size" in config.values() else (160, 240)
    channels = {"in_channels": config.channels, "out_channels": loss.out_channels}
    counted = cost(name, {**channels, **settings}, size)
    return {
        "name": name,
        "description": MODELS[name].about,
        **vars(counted),
        "image_size": list(size),
        **channels,
        "settings": {key: config.plain()[key] for key in settings},
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from trainer.tables import Column, Table, print_table

    columns = [
        Column(name="learnt", values=[row["trainable"] for row in rows]),
        Column(name="statistics", values=[row["buffers"] for row in rows]),
        Column(name="GFLOP", values=[row["flops"] / 1e9 for row in rows], decimals=1),
        Column(name="", values=[row["description"] for row in rows]),
    ]
    print_table(Table(index="", labels=[row["name"] for row in rows], columns=columns))
    height, width = rows[0]["image_size"]
    say(f"GFLOP: of the convolutions of one image of {height} x {width}, forwards")
    if len(rows) == 1:
        for name, value in rows[0]["settings"].items():
            shown = as_param(tuple(value) if isinstance(value, list) else value)
            say(f"--{name.replace('_', '-')} {shown}")
