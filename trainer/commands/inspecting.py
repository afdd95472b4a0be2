"""``trainer data``: what a folder holds, and what is wrong with it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional

from trainer.catalogue.data import AUGMENTATIONS, Preset
from trainer.command_line import DONE, Answer, parse, print_json
from trainer.config.reading import Reading
from trainer.printing import Terminal, say
from trainer.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Data(Reading, Answer):
    """Tell what is in a folder: layout, pairs, classes, splits, and every fault."""

    path: Positional[Path]
    """Folder with images and masks."""
    write: Path | None = None
    """Write the pairs as they were read to this .csv, and a classes.yaml beside, to correct."""
    sheet: Path | None = None
    """Write a contact sheet of images with their masks to this file."""
    augment: Annotated[str, AUGMENTATIONS] = "light"
    """Augmentation that the sheet's last row shows."""


def data(args: list[str]) -> int:
    """Tell what is in a folder: layout, pairs, classes, splits, and every fault."""
    command = parse(Data, prog="trainer data", args=args)
    from trainer.data.checking.inspection import inspect

    progress = Progress()
    found = inspect(
        command.path,
        command,
        progress=lambda items: progress.watch(items, "reading"),
    )
    if command.write is not None:
        from trainer.data.checking.writing import write_pairs

        for path in write_pairs(found.collection, command.write):
            say(f"wrote {path}", file=sys.stderr)
    if command.sheet is not None:
        from trainer.data.checking.sheet import write_sheet

        write_sheet(found.collection, command.sheet, augmentation=_augmentation(command.augment))
    if command.json:
        print_json(found.to_json())
    else:
        found.print(Terminal(markup=True))
    return DONE


def _augmentation(name: str) -> Callable[..., Any] | None:
    if name == "none":
        return None
    from trainer.data.augment import build_augmentation

    augment = build_augmentation(name, Preset(augment_probability=1.0))
    return lambda image, target, seed: augment(image, target, (seed,))
