"""``trainer models``: what there is to train, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from trainer.command_line import DONE, Answer, print_json
from trainer.config import TrainConfig, as_param, reads
from trainer.config.flags import named_field, parse_run
from trainer.models import MODELS
from trainer.printing import Terminal, say


@dataclass(frozen=True, kw_only=True)
class Models(Answer):
    """List the architectures, their settings, and what they cost; any field of a run may be given.

    One that an architecture does not have leaves it as it is. With --model there is that one alone.
    """

    num_classes: int = 2
    """Classes that are told apart, the background among them."""


def models(args: list[str]) -> int:
    """List the architectures, their settings and what they cost."""
    searched = {"model": list(MODELS)}
    command = parse_run(
        Models, prog="trainer models", args=args, base=TrainConfig(), searched=searched
    )
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
    table = Table(box=None, pad_edge=False)
    for heading in ("", "learnt", "statistics", "GFLOP"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_column("")
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['trainable']:,}",
            f"{row['buffers']:,}",
            f"{row['flops'] / 1e9:.1f}",
            row["description"],
        )
    Terminal().print(table)
    height, width = rows[0]["image_size"]
    say(f"GFLOP: of the convolutions of one image of {height} x {width}, forwards")
    if len(rows) == 1:
        for name, value in rows[0]["settings"].items():
            shown = as_param(tuple(value) if isinstance(value, list) else value)
            say(f"--{name.replace('_', '-')} {shown}")
