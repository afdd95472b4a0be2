"""``trainer evaluate``: how a model, or a folder of masks, does on a data set."""

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional

from trainer import names
from trainer.catalogue import DEVICE
from trainer.command_line import DONE, Tabular, check_folder, parse, print_json
from trainer.config.reading import READING, Reading
from trainer.printing import say
from trainer.progress import Progress
from trainer.run_files import read_run_file
from trainer.wording import measured

if TYPE_CHECKING:
    from trainer.data.collection import Collection, Fault
    from trainer.evaluation.evaluation import Evaluation
    from trainer.tables import Table

SPLITS = ("train", "val", "test", "all")


@dataclass(frozen=True, kw_only=True)
class Evaluate(Reading, Tabular):
    """Score a model, or masks that another tool wrote, image by image at the images' own size."""

    model: Positional[str | None] = None
    """A run (id, beginning of it, name, last), a registered model's name for its champion,
    models:/NAME@ALIAS, models:/NAME/VERSION, or a pulled folder."""
    predictions: Path | None = None
    """Folder of masks named as the images, instead of a model."""
    coding: Annotated[str | None, "own|indices|binary"] = None
    """How those masks code classes: own (as the data set's), indices, binary (0 and 255); left
    out, what all of them fit, the data set's own first."""
    data: Path | None = None
    """Folder with images and masks; left out, the data that the run was trained on."""
    split: Annotated[str | None, SPLITS] = None
    """Which images; left out, every split that there is."""
    skip_faulty: bool = False
    """Leave faulty pairs out, and log which, instead of refusing the data."""
    boundary_iou: bool = False
    """Compute boundary IoU too."""
    out: Path | None = None
    """Folder for the scores per image and the confusion matrix of each split."""
    device: Annotated[str, DEVICE] = "auto"
    """Where to run."""


def evaluate(args: list[str]) -> int:
    """Score a model, or a folder of masks, on a data set."""
    command = parse(Evaluate, prog="trainer evaluate", args=args)
    if (command.model is None) == (command.predictions is None):
        raise ValueError("model: give either a model or --predictions DIR")
    if command.coding is not None and command.predictions is None:
        raise ValueError("coding: it is of --predictions; a model needs none")
    if command.split is not None:
        names.check("split", command.split, SPLITS)
    if command.out is not None:
        check_folder("out", command.out)
    from trainer.prediction.registry import resolve_model

    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        folder = None if command.model is None else resolve_model(command.model, Path(scratch))
        precision = None if folder is None else _precision(folder)
        found = _assess(command, folder)
    if command.out is not None:
        for evaluation in found:
            evaluation.write(command.out / evaluation.split)
    if command.form == "json":
        print_json(_as_json(found) | ({"precision": precision} if precision else {}))
    else:
        from trainer.tables import tell

        tell(_table(found, command.form), command.form, _said(found))
    return DONE


def _precision(folder: Path) -> str:
    """Return what the model computes in; tell it, and whether its own scores are of the same."""
    from trainer.prediction.model_folder import read_model_config

    precision = read_model_config(folder).precision
    origin = _origin(folder)
    scored = origin.get("scored_in")
    other = ""
    if origin and scored is None:
        other = "; which arithmetic its recorded scores are of is unknown"
    elif origin and scored != precision:
        other = f"; its recorded scores are of {scored}"
    say(f"masks computed in {precision}{other}", file=sys.stderr)
    return precision


def _assess(command: Evaluate, folder: Path | None) -> list["Evaluation"]:
    from trainer.evaluation.assess import assess, masks_of_model
    from trainer.evaluation.predictions import CODINGS, masks_in_folder
    from trainer.network.device import choose_device

    collection, left_out = _collection(command, folder)
    splits = _splits(command, collection, folder, left_out)
    if folder is not None:
        mask_of = masks_of_model(folder, collection, str(choose_device(command.device)))
    else:
        assert command.predictions is not None
        mask_of, coding = masks_in_folder(command.predictions, collection, coding=command.coding)
        say(f"predictions: masks read {CODINGS[coding]} ({coding})", file=sys.stderr)
    progress = Progress()
    pairs = {pair.name: pair for pair in collection.pairs}

    def assessed(split: str, members: Sequence[str]) -> "Evaluation":
        return assess(
            mask_of,
            [pairs[name] for name in members],
            collection,
            split=split,
            boundary=command.boundary_iou,
            watch=lambda items: progress.watch(items, split),
        )

    return [assessed(split, members) for split, members in splits.items()]


def _collection(command: Evaluate, folder: Path | None) -> tuple["Collection", tuple[str, ...]]:
    """Return the pairs to score, and the names of those left out because of a fault."""
    from trainer.data.checking.faults import all_faults, examine
    from trainer.data.checking.screening import screen
    from trainer.data.layouts import open_collection

    root, reading = command.data, command
    if root is None:
        origin = _origin(folder)
        if not origin.get("root"):
            raise ValueError("data: give the folder of images and masks with --data")
        root = Path(origin["root"])
        # As the run read it, but for what this command says itself.
        unsaid = [name for name in READING if getattr(command, name) == getattr(Reading, name)]
        stored = {n: _as_given(value) for n, value in origin.get("reading", {}).items()}
        reading = replace(command, **{name: stored[name] for name in unsaid if name in stored})
    collection = open_collection(root, reading)
    faults: Sequence[Fault] = collection.faults
    if command.skip_faulty:
        watch = partial(Progress().watch, label="reading")
        faults = all_faults(collection, examine(collection, progress=watch))
    return screen(collection, faults, skip_faulty=command.skip_faulty)


def _as_given(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _splits(
    command: Evaluate, collection: "Collection", folder: Path | None, left_out: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Return the names of each split: as the run split them, as published, or all as one."""
    everything = [pair.name for pair in collection.pairs]
    if command.split == "all":
        return {"all": everything}
    known = set(everything)
    # Of the run's own data a file may be gone since; of other data all names must be there.
    may_lack = command.skip_faulty and command.data is None
    stored = {
        split: [n for n in members if n not in left_out and (n in known or not may_lack)]
        for split, members in _origin(folder).get("split", {}).items()
    }
    splits: dict[str, Sequence[str]]
    gone = [name for members in stored.values() for name in members if name not in known]
    if gone and command.data is None:
        raise ValueError(
            f"data: of the run's images {len(gone)} are not in {collection.root} any more, such as "
            f"{gone[0]}; leave them out with --skip-faulty"
        )
    if stored and not gone:
        splits = {split: members for split, members in stored.items() if members}
    else:
        official: dict[str, list[str]] = {}
        for pair in collection.pairs:
            if pair.split is not None:
                official.setdefault(pair.split, []).append(pair.name)
        splits = {**official} or {"all": everything}
        if len(gone) < sum(map(len, stored.values())):
            say("what the model was trained on may be among these images", file=sys.stderr)
    if command.split is None:
        return splits
    if command.split not in splits:
        raise ValueError(f"split: the data has no {command.split}; it has {', '.join(splits)}")
    return {command.split: splits[command.split]}


def _origin(folder: Path | None) -> dict[str, Any]:
    """Return where a model's data lay and how it was split, if its folder says so."""
    path = None if folder is None else folder / "origin.json"
    if path is None or not path.is_file():
        return {}
    origin: dict[str, Any] = read_run_file(path)
    return origin


def _as_json(found: Sequence["Evaluation"]) -> dict[str, Any]:
    values = {evaluation.split: evaluation.to_json() for evaluation in found}
    headline = next(split for split in ("test", "val", "all", "train") if split in values)
    return {"split": headline, **values[headline], "splits": values}


def _table(found: Sequence["Evaluation"], form: str) -> "Table":
    """Return a row a score and a column a split, with its interval where one is known."""
    from trainer.tables import Column, Table

    labels = [*found[0].scores(), *(f"iou {name}" for name in found[0].classes)]
    columns = []
    for evaluation in found:
        title = f"{evaluation.split} ({evaluation.sample})"
        values = [*evaluation.scores().values()]
        values += [of_class["iou"] for of_class in evaluation.per_class().values()]
        known = _intervals(evaluation)
        bounds = [known.get(label, (math.nan, math.nan)) for label in labels]
        if form == "csv":
            lower, upper = zip(*bounds, strict=True)
            columns += [
                Column(name=title, values=values),
                Column(name=f"{title}, 95 % from", values=lower),
                Column(name=f"{title}, 95 % to", values=upper),
            ]
        else:
            columns.append(Column(name=title, values=values, shown=_shown(values, bounds)))
    return Table(index="", labels=labels, columns=columns)


def _intervals(evaluation: "Evaluation") -> dict[str, tuple[float, float]]:
    """Return the bounds of each score that is defined; none of fewer groups than can tell."""
    from trainer.analysis.bootstrap import FEWEST_UNITS

    scores = evaluation.scores()
    return {
        key: (interval.low, interval.high)
        for key, interval in evaluation.intervals().items()
        if math.isfinite(scores.get(key, math.nan)) and evaluation.sample.units >= FEWEST_UNITS
    }


def _shown(values: Sequence[float], bounds: Sequence[tuple[float, float]]) -> list[str]:
    return [
        measured(value) + (f" [{measured(low)}, {measured(high)}]" if math.isfinite(low) else "")
        for value, (low, high) in zip(values, bounds, strict=True)
    ]


def _said(found: Sequence["Evaluation"]) -> list[str]:
    """Return what stands beneath the table: why there is no interval, and the worst images."""
    from trainer.analysis.bootstrap import FEWEST_UNITS

    said = []
    for evaluation in found:
        if evaluation.sample.units < FEWEST_UNITS:
            said.append(
                f"{evaluation.split}: no interval, which takes {FEWEST_UNITS} "
                f"{evaluation.sample.unit}; here: {evaluation.sample}"
            )
        worst = [f"{evaluation.images[i]} {score:.4f}" for i, score in evaluation.worst(5)]
        if worst:
            said.append(f"worst of {evaluation.split}: {', '.join(worst)}")
    return said
