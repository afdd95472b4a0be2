"""The ``sweeps`` command: search over configurations, look at searches, go on with them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional

from sweeps.space import components
from sweeps.spec import SweepSpec, with_changes
from sweeps.spec_reading import PRESETS, read_spec
from trainer.command_line import DONE, FAILURE, Answer, Form, Tabular, dispatch, parse, print_json
from trainer.config import TrainConfig, field_names
from trainer.config.flags import named_field, parse_run, refuse_settings
from trainer.interruption import end_like_ctrl_c
from trainer.options import ASK
from trainer.printing import say
from trainer.store import Unreachable
from trainer.wording import counted

if TYPE_CHECKING:
    from sweeps.study import Sweep
    from sweeps.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Stored(Answer):
    """Where the study of a sweep is kept."""

    storage: Annotated[str | None, "URL"] = None
    """URL of a database for the study; left out, SEGSCOPE_STORAGE, or where the store knows the
    sweep, else the journal beside the store."""


@dataclass(frozen=True, kw_only=True)
class Run(Stored):
    """Search the space of SPEC; any field of a run's configuration may be fixed beside it."""

    spec: Positional[Annotated[str, PRESETS]]
    """YAML file, or the name of a preset."""
    trials: int | None = None
    """Trials that finish the sweep; left out, as many as the spec says."""
    timeout: float | None = None
    """Seconds after which no new trial starts."""
    name: Annotated[str | None, "NAME"] = None
    """Name of the sweep; left out, the spec's."""
    workers: int = 1
    """Processes that run trials side by side."""


@dataclass(frozen=True, kw_only=True)
class Resume(Stored):
    """Go on with a sweep that was stopped, or with more trials."""

    name: Positional[str]
    """The sweep."""
    trials: int | None = None
    """Raise the number of trials to this."""
    timeout: float | None = None
    """Seconds after which no new trial starts."""
    workers: int = 1
    """Processes that run trials side by side."""


@dataclass(frozen=True, kw_only=True)
class Look(Stored):
    """Look at a sweep."""

    name: Positional[str]
    """The sweep."""


@dataclass(frozen=True, kw_only=True)
class Report(Look, Tabular):
    """Write what a sweep came to, as Markdown unless told otherwise."""

    table: Literal["configurations", "epochs", "verdicts"] | None = None
    """One table alone: configuration by metric, epoch by configuration, or every pair; a terminal,
    CSV and LaTeX take one, configurations unless told otherwise."""
    format: Form = "markdown"
    """How it is written: markdown, one table for a terminal, as csv (remarks as comments, #) or in
    latex (it needs the package booktabs), or json."""
    html: Path | None = None
    """File to write the whole report to, as a page that opens and prints without a network."""


@dataclass(frozen=True, kw_only=True)
class Status(Stored):
    """Say how one sweep stands, or all of them."""

    name: Positional[str | None] = None
    """The sweep; left out, all."""


@dataclass(frozen=True, kw_only=True)
class List(Answer):
    """List the presets."""


@dataclass(frozen=True, kw_only=True)
class Repair(Answer):
    """Mend a journal that is damaged, and keep it as it was beside."""


def run(args: list[str]) -> int:
    """Search a space: a preset's name or a YAML file, then any option of a run to fix."""
    spec, command = _read_run(args)
    from sweeps.search import start
    from sweeps.storages import default_told, located, told
    from sweeps.workers import quiet_trainer

    quiet_trainer()
    storage = located(spec.name, told(command.storage), reading=False)
    if storage is None and (line := default_told()):
        say(line, file=sys.stderr)
    return _told(start(spec, storage, workers=command.workers), storage, command)


def resume(args: list[str]) -> int:
    """Go on with a sweep that was stopped, or with more trials."""
    refuse_settings(args, Resume, "a sweep", "sweeps run SPEC --name NAME")
    command = parse(Resume, prog="sweeps resume", args=args)
    from sweeps.search import carry_out
    from sweeps.storages import located
    from sweeps.study import change, load
    from sweeps.workers import quiet_trainer

    quiet_trainer()
    storage = located(command.name, command.storage, reading=False)
    sweep = change(load(command.name, storage), trials=command.trials, timeout=command.timeout)
    return _told(carry_out(sweep, workers=command.workers), storage, command)


def status(args: list[str]) -> int:
    """Say how one sweep stands, or all of them."""
    command = parse(Status, prog="sweeps status", args=args)
    from sweeps.summary import summarise

    looked_at = [_look(command.name, command.storage)] if command.name else _all(command.storage)
    found = [summarise(sweep) for sweep in looked_at]
    if command.json:
        values = [one.to_json() | _standing(one) for one in found]
        print_json(values[0] if command.name else values)
    elif not found:
        say("no sweeps here yet; start one with: sweeps run lr-batch-kernel")
    else:
        say(*map(_status_line, found))
    return DONE


def best(args: list[str]) -> int:
    """Print the run id of a sweep's best trial."""
    command = parse(Look, prog="sweeps best", args=args)
    from sweeps.summary import summarise
    from sweeps.view import describe

    summary = summarise(_look(command.name, command.storage))
    if summary.best is None or summary.best.value is None:
        raise ValueError(
            f"sweep: {command.name!r} has no completed trial ({summary.pruned} pruned, "
            f"{summary.failed} failed); see sweeps report {command.name}"
        )
    if command.json:
        print_json(summary.to_json())
    else:
        say(f"{summary.best.value:.4f}  {describe(summary.best.params)}", file=sys.stderr)
        say(summary.best.run_id)
    return DONE


def report(args: list[str]) -> int:
    """Write what a sweep came to: tables, verdicts, what may be concluded, its trials."""
    command = parse(Report, prog="sweeps report", args=args)
    from sweeps.reporting.facts import gather
    from sweeps.reporting.forms import concluded, in_json, in_text
    from sweeps.reporting.tables import TABLES
    from trainer.tables import tell

    facts = gather(_look(command.name, command.storage))
    if command.html is not None:
        from sweeps.reporting.page import html
        from trainer.files import write_text

        try:
            write_text(command.html, html(facts))
        except OSError as error:
            told = f"html: {command.html} cannot be written: {error.strerror}; give another file"
            raise ValueError(told) from error
        say(f"written: {command.html}", file=sys.stderr)
    elif command.form == "json":
        print_json(in_json(facts) | _standing(facts.summary))
    elif command.form == "table":
        tell(TABLES[command.table or "configurations"](facts), "table", concluded(facts))
    else:
        say(*in_text(facts, command.form, command.table).removesuffix("\n").split("\n"))
    return DONE


def repair(args: list[str]) -> int:
    """Mend a journal that is damaged, and keep it as it was beside."""
    command = parse(Repair, prog="sweeps repair", args=args)
    from sweeps.journal import repair as mend
    from sweeps.reading import journal

    if not journal().is_file():
        raise ValueError(f"store: there is no journal of sweeps, {journal()}")
    done = mend(journal())
    if command.json:
        print_json({"journal": str(journal()), "done": done})
    else:
        say(done)
    return DONE


def presets(args: list[str]) -> int:
    """List the presets."""
    command = parse(List, prog="sweeps presets", args=args)
    found = {name: read_spec(name) for name in PRESETS}
    if command.json:
        print_json({name: spec.to_mapping() for name, spec in found.items()})
        return DONE
    width = max(map(len, found)) + 2
    for name, spec in found.items():
        say(f"{name:<{width}}{spec.description}")
        for searched, dimension in spec.space.items():
            say(f"{'':<{width}}{searched}: {dimension}")
    return DONE


COMMANDS = {
    "run": run,
    "resume": resume,
    "status": status,
    "best": best,
    "report": report,
    "repair": repair,
    "presets": presets,
}


def main() -> int:
    """Run the command line and return the exit code."""
    end_like_ctrl_c()
    return dispatch("sweeps", "Search over configurations of training runs.", COMMANDS)


def _read_run(args: list[str]) -> tuple[SweepSpec, Run]:
    """Return the spec with what the flags fix on top, and the flags."""
    asked = {"-h", "--help", ASK} & set(args)
    if not args or (args[0].startswith("-") and not asked):
        raise ValueError("spec: name a preset or a YAML file first: sweeps run lr-batch-kernel …")
    if args[0].startswith("-"):
        parse_run(Run, prog="sweeps run", args=[*asked], base=TrainConfig())
    base = read_spec(args[0])
    searched = components(base.space)
    command = parse_run(Run, prog="sweeps run", args=args, base=base.config, searched=searched)
    given = {named_field(word) for word in args[1:]} - {"workers"}
    fixed = {name: getattr(command, name) for name in field_names() if name in given}
    spec = read_spec(args[0], overrides=fixed)
    changed = with_changes(spec, name=command.name, trials=command.trials, timeout=command.timeout)
    return changed, command


def _look(name: str, storage: str | None) -> "Sweep":
    """Return a sweep to be read, from wherever its study is kept."""
    from sweeps.storages import located
    from sweeps.study import load

    return load(name, located(name, storage), reading=True)


def _all(storage: str | None) -> list["Sweep"]:
    """Return every sweep of a storage, else of all that are known; says what cannot be read."""
    from sweeps.reading import storages
    from sweeps.storages import checked, others
    from sweeps.study import load, load_all

    if storage is not None:
        return load_all(storage)
    found = [sweep for known in storages() for sweep in load_all(known)]
    try:
        elsewhere = others()
    except Unreachable as error:
        say(f"{error}; these are the sweeps that are known without it", file=sys.stderr)
        return found
    for name, noted in elsewhere:
        try:
            found.append(load(name, checked(name, noted), reading=True))
        except ValueError as error:
            say(str(error), file=sys.stderr)
    return found


def _told(summary: "Summary", storage: str | None, command: Run | Resume) -> int:
    from sweeps.reporting.outcome import on_test
    from sweeps.study import load

    scores = on_test(load(summary.study, storage, reading=True))
    if command.json:
        print_json(summary.to_json() | {"test": scores})
    else:
        _print_result(summary, scores)
    return FAILURE if summary.best is None else DONE


def _print_result(summary: "Summary", scores: dict[str, float]) -> None:
    from sweeps.reporting.outcome import count_line, test_line
    from sweeps.view import describe

    if summary.best is None or summary.best.value is None:
        say(f"no trial was completed; see sweeps report {summary.study}")
    else:
        found = summary.best
        say(f"best {summary.metric} {found.value:.4f}  {describe(found.params)}")
        say(f"run {found.run_id}")
        say(summary.selection)
        say(test_line(scores))
    say(count_line(summary))


def _standing(summary: "Summary") -> dict[str, Any]:
    return {"total": summary.total, "running": summary.running, "states": summary.counts}


def _status_line(summary: "Summary") -> str:
    value = summary.best.value if summary.best else None
    score = "no best yet" if value is None else f"best {summary.metric} {value:.4f}"
    trials = f"{summary.finished}/{counted(summary.total, 'trial')} ({summary.counted})"
    return f"{summary.study:<22}  {trials}  {score}"
