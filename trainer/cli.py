"""The ``trainer`` command: train, evaluate and use one model."""

import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from trainer.command_line import DONE, FAILURE, dispatch, parse, print_json
from trainer.config import TrainConfig, from_yaml
from trainer.recipes import RECIPES, recipe


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Train one run; with no option at all, the demo recipe on the built-in data."""

    recipe: str | None = None
    """Start from a named configuration; see trainer recipes."""
    config: Path | None = None
    """Start from a YAML file of field: value lines."""
    seeds: int = 1
    """Repeat the run with this many seeds, counted up from seed."""
    json: bool = False
    """Print the result as one JSON value."""
    settings: OmitArgPrefixes[TrainConfig] = field(default_factory=TrainConfig)


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on where a run stopped, in the same run."""

    run_id: Positional[str]
    """The run."""
    epochs: int | None = None
    """Raise the number of epochs to this."""
    json: bool = False
    """Print the result as one JSON value."""


@dataclass(frozen=True, kw_only=True)
class Register:
    """Register the best checkpoint of a run."""

    run_id: Positional[str]
    """The run."""
    name: str
    """Name of the registered model."""
    alias: str | None = None
    """Alias that shall point at the new version, such as champion."""
    json: bool = False
    """Print the result as one JSON value."""


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Point an alias at a version of a registered model."""

    name: Positional[str]
    """Name of the registered model."""
    version: Positional[str]
    """Number of the version."""
    alias: str = "champion"
    """The alias."""
    json: bool = False
    """Print the result as one JSON value."""


@dataclass(frozen=True, kw_only=True)
class Pull:
    """Copy a registered model into a folder."""

    model: Positional[str]
    """models:/NAME@ALIAS or models:/NAME/VERSION."""
    out: Path
    """The new folder."""
    json: bool = False
    """Print the result as one JSON value."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Write the masks of images of any size."""

    model: Positional[str]
    """A run id, models:/NAME@ALIAS, models:/NAME/VERSION, or a pulled folder."""
    images: Positional[tuple[Path, ...]]
    """Image files."""
    out: Path
    """Folder for the masks, palette PNGs of the images' sizes."""
    overlay: bool = False
    """Write each image with its mask drawn over it, too."""
    device: str = "auto"
    """Where to run: auto, cpu, cuda or cuda:N."""
    json: bool = False
    """Print the result as one JSON value."""


def fit(args: list[str]) -> int:
    """Train one run; with no option at all, the demo on the built-in data."""
    base = _base_config(args)
    command = parse(Fit, prog="trainer fit", args=args, default=Fit(settings=base))
    if command.seeds < 1:
        raise ValueError(f"seeds: {command.seeds} must be at least 1")
    from trainer.fitting import fit as train_one

    results = []
    for seed in range(command.settings.seed, command.settings.seed + command.seeds):
        result = train_one(command.settings.replace(seed=seed), progress=sys.stderr.isatty())
        results.append(result)
        if not command.json:
            print(result.run_id)
    if command.json:
        values = [result.to_json() for result in results]
        print_json(values[0] if command.seeds == 1 else values)
    return FAILURE if any(result.outcome == "failed" for result in results) else DONE


def resume(args: list[str]) -> int:
    """Go on where a run stopped, in the same run."""
    command = parse(Resume, prog="trainer resume", args=args)
    from trainer.fitting import resume as resume_one

    result = resume_one(command.run_id, epochs=command.epochs)
    if command.json:
        print_json(result.to_json())
    else:
        print(result.run_id)
    return FAILURE if result.outcome == "failed" else DONE


def register(args: list[str]) -> int:
    """Register the best checkpoint of a run."""
    command = parse(Register, prog="trainer register", args=args)
    from trainer import registry

    made = registry.register(command.run_id, command.name, alias=command.alias)
    _print_version(made, command.json)
    return DONE


def promote(args: list[str]) -> int:
    """Point an alias at a version of a registered model."""
    command = parse(Promote, prog="trainer promote", args=args)
    from trainer import registry

    _print_version(
        registry.promote(command.name, command.version, alias=command.alias), command.json
    )
    return DONE


def pull(args: list[str]) -> int:
    """Copy a registered model into a folder."""
    command = parse(Pull, prog="trainer pull", args=args)
    from trainer import registry

    folder = registry.pull(command.model, command.out)
    if command.json:
        print_json({"model": command.model, "folder": str(folder)})
    else:
        print(folder)
    return DONE


def predict(args: list[str]) -> int:
    """Write the masks of images of any size."""
    command = parse(Predict, prog="trainer predict", args=args)
    if not command.images:
        raise ValueError("images: give at least one image file")
    from trainer.prediction import predict_files
    from trainer.registry import resolve_model

    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        written = predict_files(
            resolve_model(command.model, Path(scratch)),
            command.images,
            command.out,
            overlay=command.overlay,
            device=command.device,
        )
    if command.json:
        print_json([{"image": str(image), "mask": str(mask)} for image, mask in written])
    else:
        print("\n".join(str(mask) for _, mask in written))
    return DONE


def recipes(args: list[str]) -> int:
    """List the named configurations."""
    parse(_Nothing, prog="trainer recipes", args=args)
    for name, values in RECIPES.items():
        print(f"{name:<16}{'  '.join(f'{k}={_shown(v)}' for k, v in values.items())}")
    return DONE


def models(args: list[str]) -> int:
    """List the architectures."""
    parse(_Nothing, prog="trainer models", args=args)
    from trainer.models import MODELS

    print("\n".join(MODELS))
    return DONE


COMMANDS = {
    "fit": fit,
    "resume": resume,
    "register": register,
    "promote": promote,
    "pull": pull,
    "predict": predict,
    "recipes": recipes,
    "models": models,
}


def main() -> int:
    """Run the command line and return the exit code."""
    # A terminated run is closed as an interrupted one is: marked, with its last epoch safe.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return dispatch("trainer", "Train segmentation models and use them.", COMMANDS)


@dataclass(frozen=True)
class _Nothing:
    """No options."""


@dataclass(frozen=True, kw_only=True)
class _Start:
    recipe: str | None = None
    config: Path | None = None


def _base_config(args: list[str]) -> TrainConfig:
    """Return the configuration that the flags change: a recipe's, a file's, or the defaults."""
    if not args:
        return recipe("demo")
    start, _ = tyro.cli(
        _Start,
        args=[a for a in args if a not in ("-h", "--help")],
        return_unknown_args=True,
        console_outputs=False,
    )
    if start.recipe and start.config:
        raise ValueError("recipe: give either --recipe or --config, not both")
    if start.recipe:
        return recipe(start.recipe)
    return from_yaml(start.config) if start.config else TrainConfig()


def _print_version(version: object, as_json: bool) -> None:
    from trainer.registry import ModelVersion

    assert isinstance(version, ModelVersion)
    if as_json:
        print_json(vars(version) | {"uri": version.uri})
    else:
        print(" ".join([version.uri, *(f"@{alias}" for alias in version.aliases)]))


def _shown(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
