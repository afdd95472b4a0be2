"""Whole sweeps with pretended training: real studies, a real store."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from optuna.trial import TrialState

from sweeps.claims import claim
from sweeps.presence import present
from sweeps.reporting.facts import gather
from sweeps.reporting.markdown import markdown
from sweeps.reporting.outcome import importance
from sweeps.search import carry_out, start
from sweeps.space import Choices
from sweeps.spec import SweepSpec
from sweeps.study import change, create, load
from sweeps.summary import rows, summarise
from trainer import tracking
from trainer.config import TrainConfig
from trainer.store import Unreachable
from trainer.training.fitting import FitResult

MakeSpec = Callable[..., SweepSpec]


def test_a_sweep_runs_its_trials_and_says_which_was_best(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    sweep = create(spec(pruner="none", trials=12), None)
    summary = carry_out(sweep, fit=pretend.fit)
    assert (summary.complete, summary.pruned, summary.failed) == (12, 0, 0)
    assert (summary.epochs_trained, summary.epochs_saved) == (48, 0)
    expected = {
        t.number: max(pretend.scores(sweep.spec.config.replace(lr=t.params["lr"])))
        for t in sweep.trials()
    }
    assert {t.number: t.value for t in sweep.trials()} == pytest.approx(expected)
    assert summary.best is not None
    assert summary.best.value == max(expected.values())
    written = summary.to_json()
    told = ["study", "trials", "best", "epochs_trained", "epochs_saved", "selection"]
    assert list(written) == told
    assert written["trials"] == {"complete": 12, "pruned": 0, "failed": 0}
    assert list(written["best"]) == ["run_id", "value", "params"]
    json.dumps(written)


def test_the_parent_run_holds_the_sweep(pretend: ModuleType, spec: MakeSpec, store: Path) -> None:
    seen: list[dict[str, Any]] = []

    def fit(config: TrainConfig, **options: Any) -> FitResult:
        seen.append({"run_name": config.run_name, **options})
        result: FitResult = pretend.fit(config, on_epoch=options["on_epoch"])
        return result

    sweep = create(spec(trials=3, description="A test."), None)
    summary = carry_out(sweep, fit=fit)
    (parent,) = tracking.find_runs("tags.`segscope.sweep` = 'test'")
    assert parent.info.run_id == sweep.parent_run_id
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["segscope.kind"] == "sweep"
    assert parent.data.tags["segscope.outcome"] == "completed"
    assert parent.data.params["space.lr"] == "1e-05 to 0.1, log"
    assert parent.data.metrics["trials/complete"] == 3
    assert summary.best is not None
    assert parent.data.metrics["best/val_dice"] == pytest.approx(summary.best.value)
    kept = tracking.download(parent.info.run_id, "sweep.yaml", store / "copy")
    assert "low: 1.0e-05" in kept.read_text()
    assert [call["tags"]["segscope.trial"] for call in seen] == ["0", "1", "2"]
    assert {call["tags"]["segscope.sweep"] for call in seen} == {"test"}
    assert {call["parent_run_id"] for call in seen} == {parent.info.run_id}
    assert [call["run_name"] for call in seen] == ["test 0", "test 1", "test 2"]


def test_pruned_trials_keep_their_reason_and_save_epochs(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    good = [{"lr": lr} for lr in (1e-3, 1.1e-3, 0.9e-3)]
    sweep = create(spec(first=[*good, {"lr": 1e-5}], trials=4, epochs=10), None)
    summary = carry_out(sweep, fit=pretend.fit)
    assert (summary.complete, summary.pruned) == (3, 1)
    # Pruned after epoch 3 of 10: one of warm-up, two below the median.
    assert (summary.epochs_trained, summary.epochs_saved) == (33, 7)
    pruned = next(r for r in rows(sweep) if r.state == "pruned")
    assert (pruned.params, pruned.epochs) == ({"lr": 1e-5}, 3)
    assert pruned.run_id
    assert "after epoch 3 is below the median" in str(pruned.reason)


@pytest.mark.parametrize(("seeds", "state", "epochs"), [(1, "complete", 3), (2, "pruned", 3)])
def test_after_the_last_epoch_only_repeats_are_pruned(
    pretend: ModuleType, spec: MakeSpec, seeds: int, state: str, epochs: int
) -> None:
    first = [{"lr": lr} for lr in (1e-3, 1.1e-3, 0.9e-3, 1e-5)]
    sweep = create(spec(first=first, trials=4, epochs=3, seeds=seeds), None)
    carry_out(sweep, fit=pretend.fit)
    worst = next(row for row in rows(sweep) if row.params == {"lr": 1e-5})
    assert (worst.state, worst.epochs) == (state, epochs)


def test_failed_trials_are_kept_and_the_sweep_goes_on(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        curve = [0.1, math.nan] if config.lr > 1e-3 else [0.5] * config.epochs
        result: FitResult = pretend.follow(curve, options["on_epoch"])
        return result

    sweep = create(spec(first=[{"lr": 1e-2}, {"lr": 1e-4}], trials=2), None)
    summary = carry_out(sweep, fit=fit)
    assert (summary.complete, summary.failed) == (1, 1)
    failed = rows(sweep)[0]
    assert (failed.state, failed.reason) == ("failed", "train/loss is nan in epoch 2")
    assert failed.run_id
    assert summary.epochs_saved == 0


def test_repeats_have_the_batch_size_that_the_first_one_found(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    asked: list[tuple[int | str, int]] = []

    def fit(config: TrainConfig, **options: Any) -> FitResult:
        asked.append((config.batch_size, config.accumulate))
        result: FitResult = pretend.follow([0.5] * config.epochs, options["on_epoch"])
        found = {"batch_size": 4, "accumulate": 2} if config.batch_size == "auto:8" else {}
        return replace(result, found=found)

    sweep = create(spec(fixed={"batch_size": "auto:8"}, trials=2, seeds=2), None)
    assert carry_out(sweep, fit=fit).complete == 2
    assert asked == [("auto:8", 1), (4, 2)] * 2


def test_all_trials_begin_with_the_model_that_was_meant_as_the_sweep_began(
    pretend: ModuleType, spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.search._data_digest", lambda _: "digest")
    first = tracking.start_run(TrainConfig()).id
    begun_with = []

    def fit(config: TrainConfig, **how: Any) -> Any:
        begun_with.append(config.init_from)
        tracking.start_run(config)
        return pretend.fit(config, **how)

    fixed = spec(trials=3)
    fixed = replace(fixed, config=fixed.config.replace(init_from="last"))
    start(fixed, None, fit=fit)
    assert begun_with == [first] * 3
    searched = replace(fixed, name="searched", space={"init_from": Choices(values=(first, "last"))})
    with pytest.raises(ValueError, match=r"space\.init_from: write \w{32} for 'last'"):
        start(searched, None, fit=fit)


def test_early_stopping_counts_as_saved(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        result: FitResult = pretend.follow([0.5, 0.5], options["on_epoch"])
        return FitResult(run_id=result.run_id, outcome="early-stopped", epochs=2, best=result.best)

    summary = carry_out(create(spec(trials=2, epochs=10), None), fit=fit)
    assert (summary.complete, summary.epochs_trained, summary.epochs_saved) == (2, 4, 16)


def test_a_sweep_whose_trials_all_fail_says_so(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        result: FitResult = pretend.follow([math.nan], options["on_epoch"])
        return result

    sweep = create(spec(trials=3), None)
    summary = carry_out(sweep, fit=fit)
    assert summary.best is None
    assert (summary.failed, summary.complete) == (3, 0)
    assert summary.to_json()["best"] is None
    assert "No trial has been completed." in markdown(gather(sweep))
    assert tracking.get_run(str(sweep.parent_run_id)).info.status == "FAILED"


def test_scores_that_never_are_numbers_fail_the_trial(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        options["on_epoch"](1, {"val/dice": math.nan})
        best = {"epoch": 0, "val_dice": math.nan, "val_miou": math.nan}
        return FitResult(run_id="r", outcome="completed", epochs=1, best=best)

    sweep = create(spec(trials=1), None)
    assert carry_out(sweep, fit=fit).failed == 1
    assert rows(sweep)[0].reason == "no epoch had a val/dice"


def test_seeds_are_repeated_and_their_mean_is_the_score(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    seeds: list[int] = []

    def fit(config: TrainConfig, **options: Any) -> FitResult:
        seeds.append(config.seed)
        result: FitResult = pretend.fit(config, on_epoch=options["on_epoch"])
        return result

    sweep = create(spec(trials=2, seeds=3, fixed={"seed": 5}), None)
    summary = carry_out(sweep, fit=fit)
    assert seeds == [5, 6, 7, 5, 6, 7]
    assert summary.epochs_trained == 24
    for row in rows(sweep):
        assert len(row.scores) == 3
        assert row.value == pytest.approx(sum(row.scores) / 3)
    trial = sweep.trials()[0]
    # The run to register is the best of the three: here that of the highest seed.
    assert trial.user_attrs["run_id"] == trial.user_attrs["run_ids"][2]


def test_it_goes_on_where_it_was_and_with_more_trials(pretend: ModuleType, spec: MakeSpec) -> None:
    calls: list[float] = []

    def fit(config: TrainConfig, **options: Any) -> FitResult:
        calls.append(config.lr)
        if len(calls) == 3:
            raise KeyboardInterrupt
        result: FitResult = pretend.fit(config, on_epoch=options["on_epoch"])
        return result

    sweep = create(spec(trials=4, pruner="none"), None)
    with pytest.raises(KeyboardInterrupt):
        carry_out(sweep, fit=fit)
    parent = sweep.parent_run_id
    assert tracking.get_run(str(parent)).data.tags["segscope.outcome"] == "interrupted"
    summary = carry_out(create(spec(trials=4, pruner="none"), None), fit=fit)
    assert (summary.complete, summary.failed) == (4, 0)
    # The setting that was cut short came first, and only what was missing was run.
    assert calls[3] == calls[2]
    assert len(calls) == 5
    assert [r.state for r in rows(sweep)].count("cut short") == 1
    again = load("test", None)
    assert again.parent_run_id == parent
    assert tracking.get_run(str(parent)).data.tags["segscope.outcome"] == "completed"
    assert carry_out(again, fit=fit) == summary
    assert len(calls) == 5
    more = carry_out(change(again, trials=6), fit=fit)
    assert (more.complete, len(calls)) == (6, 7)
    assert load("test", None).spec.trials == 6


def test_another_spec_does_not_mix_into_a_sweep(pretend: ModuleType, spec: MakeSpec) -> None:
    carry_out(create(spec(trials=1), None), fit=pretend.fit)
    with pytest.raises(ValueError, match=r"fixed\.batch_size is 16 there and 2 here.*--name"):
        create(spec(trials=1, fixed={"batch_size": 2}), None)


def test_a_corrected_spec_takes_the_place_of_one_that_came_to_nothing(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    with pytest.raises(ValueError, match="nothing there"):
        carry_out(create(spec(fixed={"batch_size": 8}), None), fit=pretend.fit_that_refuses)
    summary = carry_out(create(spec(trials=1), None), fit=pretend.fit)
    assert summary.complete == 1


def test_a_mistake_of_one_setting_fails_that_trial_alone(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        if config.lr > 1e-3:
            raise ValueError("depth: too deep for this size")
        if config.lr < 1e-4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: tried …")
        result: FitResult = pretend.fit(config, on_epoch=options["on_epoch"])
        return result

    first = [{"lr": 5e-4}, {"lr": 1e-2}, {"lr": 1e-5}]
    sweep = create(spec(first=first, trials=3), None)
    summary = carry_out(sweep, fit=fit)
    assert (summary.complete, summary.failed) == (1, 2)
    reasons = [str(r.reason) for r in rows(sweep)[1:]]
    assert reasons[0] == "depth: too deep for this size"
    assert reasons[1].startswith("out of memory (RuntimeError")


def test_a_server_that_is_away_as_a_trial_begins_costs_no_setting(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    calls: list[float] = []

    def fit(config: TrainConfig, **options: Any) -> FitResult:
        calls.append(config.lr)
        if len(calls) == 2:
            raise Unreachable("store: the tracking server cannot be reached")
        result: FitResult = pretend.fit(config, on_epoch=options["on_epoch"])
        return result

    sweep = create(spec(trials=3, pruner="none"), None)
    with pytest.raises(Unreachable):
        carry_out(sweep, fit=fit)
    summary = carry_out(sweep, fit=fit)
    assert (summary.complete, summary.failed) == (3, 0)
    assert calls[1] in calls[2:]


def test_our_own_failure_is_not_hidden(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        raise TypeError("a bug")

    sweep = create(spec(), None)
    with pytest.raises(TypeError, match="a bug"):
        carry_out(sweep, fit=fit)
    assert rows(sweep)[0].reason == "TypeError: a bug"
    assert tracking.get_run(str(sweep.parent_run_id)).info.status == "FAILED"


def test_a_timeout_begins_no_new_trial(pretend: ModuleType, spec: MakeSpec) -> None:
    summary = carry_out(create(spec(timeout=1e-6), None), fit=pretend.fit)
    assert summary.finished == 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "gp"])
def test_no_combination_of_a_finite_space_comes_twice(
    pretend: ModuleType, spec: MakeSpec, sampler: str
) -> None:
    space = {"kernel_size": [3, 5], "batch_size": [4, 8, 16], "image_size": [[32, 48], [64, 96]]}
    sweep = create(spec(space=space, trials=40, sampler=sampler, pruner="none"), None)
    summary = carry_out(sweep, fit=pretend.fit)
    assert summary.complete == summary.total == 12
    settings = {tuple(sorted(t.params.items())) for t in sweep.trials()}
    assert len(settings) == 12
    assert summary.best is not None
    assert summary.best.params["image_size"] in [(32, 48), (64, 96)]


def test_tpe_learns_where_random_does_not(pretend: ModuleType, spec: MakeSpec) -> None:
    def median_value(sampler: str) -> float:
        made = create(spec(name=sampler, sampler=sampler, trials=40, pruner="none"), None)
        carry_out(made, fit=pretend.fit)
        late = sorted(t.value or 0.0 for t in made.trials()[-20:])
        return late[10]

    assert median_value("tpe") > median_value("random") + 0.05


def test_the_same_seed_draws_the_same_settings(pretend: ModuleType, spec: MakeSpec) -> None:
    def drawn(name: str, seed: int) -> list[float]:
        sweep = create(
            spec(name=name, sampler={"name": "tpe", "seed": seed}, trials=8, pruner="none"), None
        )
        carry_out(sweep, fit=pretend.fit)
        return [t.params["lr"] for t in sweep.trials()]

    assert drawn("a", 1) == drawn("b", 1) != drawn("c", 2)


def test_importance_needs_enough_trials_and_finds_the_field(
    pretend: ModuleType, spec: MakeSpec
) -> None:
    space = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}, "kernel_size": [3, 5]}
    sweep = create(spec(space=space, trials=5, pruner="none", epochs=1), None)
    carry_out(sweep, fit=pretend.fit)
    assert importance(sweep) == ("fANOVA", None)
    assert "fANOVA needs 6 completed trials; it has 5." in markdown(gather(sweep))
    for trials, usual in ((19, "fANOVA"), (40, "PED-ANOVA")):
        more = change(sweep, trials=trials)
        carry_out(more, fit=pretend.fit)
        evaluator, found = importance(more)
        assert evaluator == usual and found is not None
        assert found["lr"] > 0.8 > found["kernel_size"]
        assert f"| Field | Importance ({usual}, n = {trials}) |" in markdown(gather(more))


def test_importance_of_scores_that_are_all_the_same(pretend: ModuleType, spec: MakeSpec) -> None:
    def fit(config: TrainConfig, **options: Any) -> FitResult:
        result: FitResult = pretend.follow([0.5], options["on_epoch"])
        return result

    sweep = create(spec(trials=6, pruner="none"), None)
    carry_out(sweep, fit=fit)
    assert importance(sweep) == ("fANOVA", None)
    assert "fANOVA finds nothing: the completed trials do not differ." in markdown(gather(sweep))


def test_fewer_trials_than_are_done_are_refused(pretend: ModuleType, spec: MakeSpec) -> None:
    sweep = create(spec(trials=3, pruner="none"), None)
    carry_out(sweep, fit=pretend.fit)
    with pytest.raises(ValueError, match="trials: 2 is below the 3 that test has done"):
        change(sweep, trials=2)
    with pytest.raises(ValueError, match="trials: 2 is below the 3"):
        create(spec(trials=2, pruner="none"), None)
    assert load("test", None).spec.trials == 3
    assert carry_out(change(sweep, trials=3), fit=pretend.fit).finished == 3


def test_a_database_holds_a_sweep_as_the_journal_does(
    pretend: ModuleType, spec: MakeSpec, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    summary = carry_out(create(spec(trials=3), url), fit=pretend.fit)
    assert summary.finished == 3
    assert summarise(load("test", url)) == summary
    with pytest.raises(ValueError, match="there is no 'test'"):
        load("test", None)


def test_a_claim_of_a_finished_sweep_is_none(pretend: ModuleType, spec: MakeSpec) -> None:
    sweep = create(spec(trials=2), None)
    carry_out(sweep, fit=pretend.fit)
    with present() as presence:
        assert claim(sweep, presence) == (None, [])
    assert len(sweep.trials(TrialState.RUNNING)) == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("studies.db", "storage: 'studies.db' is not a URL"),
        ("postgresql://me:secret@host/db", r"postgresql://me:\*\*\*@host/db: name the driver"),
        ("sqlite:////nowhere/at/all.db", "storage: cannot open sqlite:////nowhere/at/all.db"),
        ("sqlite:////nowhere?/all.db", r"sqlite:////nowhere\?/all.db: write %3F"),
        ("nosuch://x", "storage: cannot open nosuch://x"),
    ],
)
def test_a_storage_that_cannot_be_opened(store: Path, url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load("test", url)


def test_an_unknown_sweep_lists_the_known(pretend: ModuleType, spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="start one with sweeps run"):
        load("test", None)
    create(spec(), None)
    with pytest.raises(ValueError, match=r"unknown sweep 'tst' \(did you mean 'test'\?\)"):
        load("tst", None)
