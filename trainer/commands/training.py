"""``trainer fit``, ``classify``, ``lr-find``, ``resume`` and ``recipes``: train one run."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional

from trainer.classification.config import ClassifyConfig
from trainer.command_line import DONE, FAILURE, Answer, parse, print_json
from trainer.config import TrainConfig
from trainer.config.flags import config_of, first_flags, parse_run, refuse_settings
from trainer.config.parsing import from_mapping, from_yaml
from trainer.config.recipes import RECIPES, recipe
from trainer.printing import say
from trainer.wording import counted

if TYPE_CHECKING:
    from trainer.training.fitting import FitResult


@dataclass(frozen=True, kw_only=True)
class FromFile:
    """What a run's own flags change."""

    config: Path | None = None
    """Start from a YAML file of field: value lines."""


@dataclass(frozen=True, kw_only=True)
class Start(FromFile):
    """What a run's own flags change, or a recipe."""

    recipe: Annotated[str | None, RECIPES] = None
    """Start from a named configuration."""


@dataclass(frozen=True, kw_only=True)
class Seeds(Answer):
    """How often a run is repeated."""

    seeds: int = 1
    """Repeat the run with this many seeds, counted up from seed."""


@dataclass(frozen=True, kw_only=True)
class Fit(Start, Seeds):
    """Train one run; with no option at all, the demo recipe on the built-in data."""


@dataclass(frozen=True, kw_only=True)
class Classify(FromFile, Seeds):
    """Train a classifier of whole images: an encoder, the mean over the image, a linear layer.

    With --init-from it is the encoder of that model; else it is trained from scratch.
    """


@dataclass(frozen=True, kw_only=True)
class Begun(FromFile):
    """What says which network a classifier has, where --model does not."""

    init_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class LrFind(Start, Answer):
    """Try learning rates that grow at each step of a training, and suggest one."""

    steps: int = 100
    """How many rates to try, one a step."""
    lowest: float = 1e-7
    """The first rate."""
    highest: float = 10.0
    """The last one, unless training diverges before."""


@dataclass(frozen=True, kw_only=True)
class Recipes(Answer):
    """List the named configurations, and what each sets."""


@dataclass(frozen=True, kw_only=True)
class Resume(Answer):
    """Go on where a run stopped, in the same run."""

    run_id: Positional[Annotated[str, "RUN"]]
    """The run: its id, the beginning of it, its name, or last."""
    epochs: int | None = None
    """Raise the number of epochs to this."""


def fit(args: list[str]) -> int:
    """Train one run; with no option at all, the demo on the built-in data."""
    base = _base_config(args)
    command = parse_run(Fit, prog="trainer fit", args=args, base=base)
    return _train(config_of(command), command)


def classify(args: list[str]) -> int:
    """Train a classifier of whole images, on a trained encoder or from scratch."""
    command = parse_run(Classify, prog="trainer classify", args=args, base=_classifier(args))
    return _train(config_of(command, ClassifyConfig), command)


def lr_find(args: list[str]) -> int:
    """Find a learning rate: a short training at rates that grow."""
    command = parse_run(LrFind, prog="trainer lr-find", args=args, base=_base_config(args))
    config = config_of(command)
    from trainer.training.range_test import range_test

    found = range_test(
        config,
        steps=command.steps,
        lowest=command.lowest,
        highest=command.highest,
        progress=sys.stderr.isatty(),
    )
    if command.json:
        print_json(found.to_json())
        return DONE
    suggested = found.suggested
    for words, rate in (
        ("steepest descent", suggested.steepest),
        ("a tenth of the lowest loss's", suggested.below_minimum),
    ):
        say(f"{words:<30}{'unknown' if rate is None else f'--lr {rate:.2g}'}")
    if suggested.note:
        say(suggested.note)
    say(found.run_id)
    return DONE


def resume(args: list[str]) -> int:
    """Go on where a run stopped, in the same run."""
    refuse_settings(args, Resume, "a run", "trainer fit")
    command = parse(Resume, prog="trainer resume", args=args)
    from trainer.tracking.naming import run_named
    from trainer.training.fitting import resume as resume_one

    result = resume_one(run_named(command.run_id), epochs=command.epochs)
    if command.json:
        print_json(result.to_json())
    else:
        say(result.run_id)
    return FAILURE if result.outcome == "failed" else DONE


def recipes(args: list[str]) -> int:
    """List the named configurations."""
    command = parse(Recipes, prog="trainer recipes", args=args)
    if command.json:
        print_json(
            {name: {"about": r.about, "values": dict(r.values)} for name, r in RECIPES.items()}
        )
        return DONE
    for name, named in RECIPES.items():
        say(f"{name:<16}{named.about}")
        say(f"{'':<16}{'  '.join(f'{k}={_shown(v)}' for k, v in named.values.items())}")
    return DONE


def _train(config: TrainConfig, command: Seeds) -> int:
    if command.seeds < 1:
        raise ValueError(f"seeds: {command.seeds} must be at least 1")
    from trainer.training.fitting import fit as train_one

    results: list[FitResult] = []
    for seed in range(config.seed, config.seed + command.seeds):
        if command.seeds > 1:
            say(f"seed {seed}, {len(results) + 1} of {command.seeds}", file=sys.stderr)
        try:
            result = train_one(config.replace(seed=seed), progress=sys.stderr.isatty())
        except KeyboardInterrupt:
            _tell_others(seed, config.seed + command.seeds)
            raise
        results.append(result)
        config = config.replace(**result.found)
        if not command.json:
            say(result.run_id)
    if command.seeds > 1:
        say(*_concluded(config.monitor, results), file=sys.stderr)
    if command.json:
        values = [result.to_json() for result in results]
        print_json(values[0] if command.seeds == 1 else values)
    return FAILURE if any(result.outcome == "failed" for result in results) else DONE


def _tell_others(seed: int, end: int) -> None:
    """Say how the repeats are begun that a Ctrl-C left out; how the run goes on is said of it."""
    if (rest := end - seed - 1) > 0:
        seeds = ("--seed", str(seed + 1), "--seeds", str(rest))
        again = shlex.join(["trainer", *sys.argv[1:], *seeds])
        say(f"{counted(rest, 'other seed')} not begun; begin with: {again}", file=sys.stderr)


def _concluded(monitor: str, results: Sequence["FitResult"]) -> list[str]:
    """Say how far apart repeats came out, and what that allows to conclude."""
    from trainer.analysis.seeds import conclusion

    best = {r.run_id: r.best for r in results if r.outcome != "failed" and r.best}
    scores = [scored[monitor.replace("/", "_")] for scored in best.values()]
    lines = [f"best {monitor} {line}" for line in conclusion(scores)]
    if failed := len(results) - len(best):
        lines.append(f"{counted(failed, 'run')} of {len(results)} failed, and count for nothing")
    if len(best) > 1:
        first = next(iter(best))
        lines.append(f"against another configuration: trainer compare {first} RUN_ID --all-seeds")
    return lines


def _classifier(args: list[str]) -> TrainConfig:
    """Return the configuration that the flags change: a file's, or the defaults.

    Where a model is begun with, the network is that model's.
    """
    begun = first_flags(Begun, args) or Begun()
    base: TrainConfig = ClassifyConfig()
    if begun.config is not None:
        base = from_yaml(begun.config, base)
    if begun.init_from is None:
        return base
    from trainer.training.transfer import architecture_of

    return from_mapping(architecture_of(begun.init_from), base)


def _base_config(args: list[str]) -> TrainConfig:
    """Return the configuration that the flags change: a recipe's, a file's, or the defaults."""
    if not args:
        return recipe("demo")
    start = first_flags(Start, args) or Start()
    if start.recipe and start.config:
        raise ValueError("recipe: give either --recipe or --config, not both")
    if start.recipe:
        return recipe(start.recipe)
    return from_yaml(start.config) if start.config else TrainConfig()


def _shown(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
