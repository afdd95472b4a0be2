"""What a report is made of: configurations, their labels, verdicts and what forbids them."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from sweeps.reporting import facts as module
from sweeps.reporting.facts import Facts, gather
from sweeps.reporting.markdown import markdown
from sweeps.reporting.words import conclusions
from sweeps.search import carry_out
from sweeps.spec import SweepSpec
from sweeps.study import create, load
from sweeps.summary import TrialRow
from trainer.evaluation.results import which_is_better

MakeSpec = Callable[..., SweepSpec]


def test_the_verdict_is_that_of_compare(facts: Facts) -> None:
    high, low = facts.configurations
    assert (high.label, low.label) == ("lr 0.03", "lr 1e-06")
    sides = {c.label: c.run_ids for c in (high, low)}
    (expected,) = which_is_better(sides, score="dice").pairs
    (found,) = facts.pairs
    assert found == expected.better_first()
    assert found.seeds == (2, 2) and found.sample.groups is not None
    told = conclusions(facts)
    is_open = not found.distinguishable
    assert (found.sentence + "." in told.may) is not is_open
    assert any(line.startswith(found.sentence) for line in told.may_not) is is_open
    assert facts.summary.selection in told.may_not


def test_with_one_seed_nothing_is_concluded_of_configurations(facts: Facts) -> None:
    alone = tuple(replace(c, run_ids=c.run_ids[:1]) for c in facts.configurations)
    pairs, untold = module._verdicts(alone, "dice")
    assert not untold
    told = conclusions(replace(facts, configurations=alone, pairs=pairs))
    assert told.may == []
    assert told.may_not[0].startswith("With one seed on a side, of the configurations nothing")


def test_runs_on_other_images_get_no_verdict_but_the_reason(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("image size: they differ")

    monkeypatch.setattr(module, "which_is_better", refuse)
    pairs, untold = module._verdicts(facts.configurations, "dice")
    told = conclusions(replace(facts, pairs=pairs, untold=untold))
    assert (told.may, told.may_not[0]) == ([], "No verdict: image size: they differ.")


def test_a_sweep_whose_runs_are_gone_is_still_told(pretend: ModuleType, spec: MakeSpec) -> None:
    carry_out(create(spec(trials=2), None), fit=pretend.fit)
    found = gather(load("test", None, reading=True))
    assert (found.configurations, found.winner) == ((), None)
    assert "No verdict: there are no two configurations" in markdown(found)
    assert "| complete |" in markdown(found)


def test_labels_tell_what_differs_and_are_unique() -> None:
    def trial(number: int, **params: object) -> TrialRow:
        usual = {"state": "complete", "value": 0.5, "run_id": None, "epochs": 1, "reason": None}
        return TrialRow(number=number, params=params, scores=[], seconds=None, **usual)  # type: ignore[arg-type]

    same = [trial(0, lr=1e-3, depth=2), trial(1, lr=1e-4, depth=2)]
    assert module._labels(same) == ["lr 0.001", "lr 0.0001"]
    near = [trial(0, lr=1.0001e-3), trial(1, lr=1.0002e-3)]
    assert module._labels(near) == ["lr 0.001 (trial 0)", "lr 0.001 (trial 1)"]
    assert module._labels([trial(4, lr=1e-3, depth=2)]) == ["lr 0.001, depth 2"]
    conditional = [trial(0, optimizer="adam"), trial(1, optimizer="sgd", momentum=0.9)]
    assert module._labels(conditional) == ["optimizer adam", "optimizer sgd, momentum 0.9"]


def test_of_many_configurations_the_best_get_verdicts_and_that_is_said(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    high, low = facts.configurations
    third = replace(low, label="third", trial=replace(low.trial, number=9, value=0.0))
    monkeypatch.setattr(module, "MOST_COMPARED", 2)
    pairs, untold = module._verdicts((third, low, high), "dice")
    assert [{pair.a, pair.b} for pair in pairs] == [{high.label, low.label}]
    told = conclusions(replace(facts, pairs=pairs, untold=untold))
    assert "Verdicts are between the 2 best of 3." in told.may_not
