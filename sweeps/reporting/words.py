"""What a sweep's report says in sentences: what may be concluded, what fell, how it was made."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sweeps.reporting.facts import Configuration, Facts
from sweeps.reporting.outcome import test_line
from sweeps.spec import SweepSpec, with_changes
from sweeps.spec_reading import PRESETS, read_spec
from sweeps.view import describe
from trainer import __version__
from trainer.analysis.verdict import ONE_SEED, Comparison
from trainer.run_files import read_run_file
from trainer.tracking.artifacts import artifact_path, state_of
from trainer.wording import counted


@dataclass(frozen=True, kw_only=True)
class Conclusions:
    """Sentences on what may be concluded of the configurations, and what may not."""

    may: list[str]
    may_not: list[str]


def conclusions(facts: Facts) -> Conclusions:
    """Return what the verdicts allow, and what they, the seeds and the choice forbid.

    Of the pairs that are not told apart, those with the best configuration are said one by one.
    """
    told = [pair for pair in facts.pairs if pair.answers and pair.distinguishable and pair.tells]
    open_pairs = [pair for pair in facts.pairs if pair not in told]
    may = [pair.sentence + "." for pair in told]
    may_not = [f"{facts.untold}." if facts.pairs else f"No verdict: {facts.untold}."]
    of_models = [pair for pair in open_pairs if pair.tells and not pair.answers]
    if of_models:
        differ = sum(pair.distinguishable for pair in of_models)
        may_not.append(
            f"With one seed on a side, {ONE_SEED.replace('--seeds 3', 'seeds: 3')}. Of "
            f"{counted(len(of_models), 'pair')} of models, {differ} differ on these images."
        )
    rest = [pair for pair in open_pairs if pair not in of_models]
    best = facts.winner.label if facts.winner else None
    with_best = [pair for pair in rest if best in (pair.a, pair.b)]
    may_not += [_open(pair) for pair in with_best]
    if others := len(rest) - len(with_best):
        may_not.append(f"{counted(others, 'other pair')} cannot be told apart either.")
    may_not += [facts.summary.selection, "" if facts.test else test_line({})]
    notes = dict.fromkeys(note for pair in facts.pairs for note in pair.notes)
    may_not += [f"{note[0].upper()}{note[1:]}." for note in notes]
    return Conclusions(may=may, may_not=[line for line in may_not if line.strip(".")])


def _open(pair: Comparison) -> str:
    plan = f"; {pair.plans()[-1]}" if pair.is_open else ""
    return f"{pair.sentence}{plan}."


def best_line(facts: Facts) -> str:
    """Return the best trial in one line, or that none is complete."""
    best = facts.summary.best
    if best is None or best.value is None:
        return "No trial has been completed."
    return (
        f"Best: {best.value:.4f}, trial {best.number}, run {best.run_id}: {describe(best.params)}."
    )


def score_line(spec: SweepSpec) -> str:
    """Return what a trial is scored by and how the trials were chosen."""
    seeds = f", mean of {spec.seeds} seeds" if spec.seeds > 1 else ""
    return (
        f"Score: best {spec.metric} of a run{seeds}. Sampler {spec.sampler.name}, pruner "
        f"{spec.pruner.name}, {counted(spec.config.epochs, 'epoch')} at most."
    )


def findings(facts: Facts) -> Iterator[tuple[Configuration, str, list[str]]]:
    """Yield each run with what its diagnosis says, one sentence each, where it says something."""
    for configuration in facts.configurations:
        for run_id in configuration.run_ids:
            told = run_file(facts, run_id, "diagnoses.json")
            if told:
                yield configuration, run_id, [f"{f['rule']}: {f['message']}." for f in told]


def run_file(facts: Facts, run_id: str, path: str) -> Any:
    """Return what a JSON file of a run holds; None where there is none, or it cannot be read."""
    row: Any = facts.runs.loc[run_id]
    try:
        found = artifact_path(run_id, row["artifact_uri"], path, version=state_of(row["ended"]))
        return None if found is None else read_run_file(found)
    except ValueError:
        return None


def how_made(facts: Facts) -> list[tuple[str, str]]:
    """Return what it takes to make the runs again: command, data, code, versions, machine."""
    known = facts.runs
    first = next(iter(known.index), None)
    environment = (first and run_file(facts, first, "environment.json")) or {}
    data = (first and run_file(facts, first, "dataset.json")) or {}
    packages = ", ".join(f"{n} {v}" for n, v in dict(environment.get("packages", {})).items())
    began, ended = (known[c].dropna() for c in ("started", "ended"))
    told = [
        ("Runs by", command(facts.spec)),
        ("Data", ", ".join(_distinct(facts, "data"))),
        ("Layout", str(data.get("layout", ""))),
        ("Digest of the data", ", ".join(_distinct(facts, "tags.segscope.data_digest"))),
        ("Commit", ", ".join(_distinct(facts, "tags.segscope.git_commit"))),
        ("Segscope", ", ".join(_distinct(facts, "tags.segscope.version"))),
        ("Python and packages", f"Python {environment['python']}, {packages}" if packages else ""),
        ("Arithmetic", ", ".join(_distinct(facts, "params.train_dtype"))),
        ("Processor", ", ".join(_distinct(facts, "params.processor"))),
        ("Trained", f"{began.min():%Y-%m-%d %H:%M} to {ended.max():%Y-%m-%d %H:%M} UTC")
        if len(began) and len(ended)
        else ("Trained", ""),
        ("Report", f"sweeps report {facts.spec.name} of Segscope {__version__}"),
    ]
    return [(name, value) for name, value in told if value]


def command(spec: SweepSpec) -> str:
    """Return the command that begins such a sweep: a preset with flags, else a file of the spec."""
    for preset in PRESETS:
        base = read_spec(preset)
        mine, usual = spec.config.plain() | spec.beside, base.config.plain() | base.beside
        changed = {n: v for n, v in mine.items() if n not in spec.space and v != usual.get(n, ...)}
        try:
            same = read_spec(preset, overrides=changed)
        except ValueError:
            continue  # It searches what is fixed here, or the other way round.
        if not with_changes(same, name=spec.name).difference(spec):
            words = ["sweeps", "run", preset, *_flags(changed)]
            words += ["--name", spec.name] * (spec.name != preset)
            words += ["--trials", str(spec.trials)] * (spec.trials != base.trials)
            return shlex.join(words)
    return "sweeps run SPEC.yaml, the spec below"


def _flags(values: dict[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            parts = value if isinstance(value, list | tuple) else [value]
            words += [f"--{flag}", *("None" if part is None else str(part) for part in parts)]
    return words


def _distinct(facts: Facts, column: str) -> list[str]:
    if column not in facts.runs:
        return []
    return [str(value) for value in dict.fromkeys(facts.runs[column].dropna())]
