"""A run, written to a real store: a local one, and a server."""

import _thread
import json
import logging
import math
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from trainer import tracking
from trainer.config import TrainConfig
from trainer.tracking import (
    OUTCOMES,
    Run,
    closing,
    download,
    find_runs,
    finish,
    get_run,
    log_file,
    log_files,
    log_summary,
    metric_key,
    reopen_parent,
    reopen_run,
    set_tags,
    start_parent,
    start_run,
    starting,
)
from trainer.tracking import run as run_module
from trainer.tracking.client import client
from trainer.tracking.environment import environment, git_commit
from trainer.tracking.records import true_params


def history(run_id: str, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client().get_metric_history(run_id, key)]


class Requests:
    """Counts what a test asks MLflow to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name in names:
            counted = self._counted(name, getattr(MlflowClient, name))
            monkeypatch.setattr(MlflowClient, name, counted)

    def _counted(self, name: str, real: Any) -> Any:
        def call(api: MlflowClient, *args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args))
            return real(api, *args, **kwargs)

        return call


def test_a_run_has_its_parameters_tags_and_files(store: Path) -> None:
    config = TrainConfig(data="photos", lr=1e-4, experiment="cars")
    run = start_run(config, tags={"segscope.sweep": "first"})
    record = get_run(run.id)
    assert record.data.params == config.to_params()
    assert record.info.status == "RUNNING"
    assert client().get_experiment(record.info.experiment_id).name == "cars"
    tags = record.data.tags
    assert tags["segscope.seed_group"] == config.seed_group()
    assert tags["segscope.data"] == "photos"
    assert tags["segscope.sweep"] == "first"
    assert tags["segscope.kind"] == "run"
    assert record.info.run_name == tags["mlflow.runName"]
    assert "0.0001" in record.info.run_name
    assert run.folder == store / "artifacts" / "cars" / run.id / "artifacts"
    assert not run.is_remote
    assert {path.name for path in run.folder.iterdir()} == {"config.yaml", "environment.json"}
    assert (run.folder / "config.yaml").read_text() == config.to_yaml()


def test_a_name_may_be_given(store: Path) -> None:
    run = start_run(TrainConfig(run_name="the first"))
    assert get_run(run.id).info.run_name == "the first"


def test_a_child_knows_its_parent(store: Path) -> None:
    parent = start_parent("sweep", experiment="e", tags={"a": "b"}, params={"trials": "6"})
    child = start_run(TrainConfig(experiment="e"), parent_run_id=parent)
    assert [r.info.run_id for r in find_runs(f"tags.mlflow.parentRunId = '{parent}'")] == [child.id]
    assert get_run(parent).data.params == {"trials": "6"}
    assert get_run(parent).data.tags["a"] == "b"


def test_an_epoch_is_one_request(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start_run(TrainConfig())
    requests = Requests(monkeypatch, "log_batch", "log_metric", "set_tag", "log_artifact")
    metrics = {f"val/iou/class {i}": i / 400 for i in range(400)}
    run.log_epoch(1, metrics)
    assert [name for name, _ in requests.calls] == ["log_batch"]
    assert get_run(run.id).data.metrics == metrics
    assert history(run.id, "val/iou/class 7") == [(1, 7 / 400)]


def test_more_than_mlflow_takes_at_once_is_divided(store: Path) -> None:
    run = start_run(TrainConfig())
    run.log_epoch(2, {f"m{i}": float(i) for i in range(2345)})
    assert len(get_run(run.id).data.metrics) == 2345


def test_steps_are_epochs_and_no_value_lies(store: Path) -> None:
    run = start_run(TrainConfig())
    for epoch, value in enumerate([0.5, math.nan, math.inf, -math.inf], 1):
        run.log_epoch(epoch, {"val/loss": value})
    (first, *others) = history(run.id, "val/loss")
    assert first == (1, 0.5)
    assert [step for step, _ in others] == [2, 3, 4]
    assert all(math.isnan(value) for _, value in others)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("val/dice", "val/dice"),
        ("val/iou/traffic light", "val/iou/traffic light"),
        ("val/iou/straße", "val/iou/straße"),
        ("val/iou/car+van (old)", "val/iou/car_van _old_"),
        ("val/iou/a/b", "val/iou/a/b"),
        ("val/iou/a/", "val/iou/a/_"),
        ("val/iou/", "val/iou/_"),
        ("val/iou/.", "val/iou/_"),
        ("val/iou/../x", "val/iou/_/x"),
        ("val/iou/a//b", "val/iou/a/_/b"),
        ("val/iou/two\nlines", "val/iou/two_lines"),
        ("v" * 300, "v" * 250),
        ("v" * 249 + "/x", "v" * 249),
    ],
)
def test_mlflow_takes_every_metric_key(key: str, expected: str, store: Path) -> None:
    assert metric_key(key) == expected
    run = start_run(TrainConfig())
    run.log_epoch(1, {key: 0.25})
    assert get_run(run.id).data.metrics == {metric_key(key): 0.25}


def test_long_tags_are_cut(store: Path) -> None:
    run = start_run(TrainConfig())
    run.set_tags({"segscope.reason": "x" * 20_000, "empty": ""})
    tags = get_run(run.id).data.tags
    assert tags["segscope.reason"] == "x" * 5000
    assert tags["empty"] == ""


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_a_status_and_a_tag(outcome: str, store: Path) -> None:
    run = start_run(TrainConfig())
    run.finish(outcome, "because")
    record = get_run(run.id)
    assert record.info.status == OUTCOMES[outcome]
    assert record.info.end_time is not None
    assert record.data.tags["segscope.outcome"] == outcome
    assert record.data.tags["segscope.reason"] == "because"
    assert (run.folder / "config.yaml").is_file()  # a local store's files stay


def test_statuses_are_those_of_the_store_contract() -> None:
    assert OUTCOMES == {
        "completed": "FINISHED",
        "early-stopped": "FINISHED",
        "pruned": "KILLED",
        "interrupted": "KILLED",
        "failed": "FAILED",
    }


def ended(run: Run) -> tuple[str, str, str]:
    record = get_run(run.id)
    tags = record.data.tags
    return record.info.status, tags["segscope.outcome"], tags["segscope.reason"]


def test_closing_says_completed_unless_told(store: Path) -> None:
    run = start_run(TrainConfig())
    with closing(run):
        pass
    assert ended(run) == ("FINISHED", "completed", "")
    run = start_run(TrainConfig())
    with closing(run) as ending:
        ending.outcome, ending.reason = "pruned", "worse than the median"
    assert ended(run) == ("KILLED", "pruned", "worse than the median")


def test_closing_keeps_what_was_raised(store: Path) -> None:
    run = start_run(TrainConfig())
    with pytest.raises(ZeroDivisionError), closing(run):
        run.log_epoch(1, {"val/dice": 0.5})
        1 // 0  # noqa: B018
    status, outcome, reason = ended(run)
    assert (status, outcome) == ("FAILED", "failed")
    assert reason.startswith("ZeroDivisionError: ")
    assert history(run.id, "val/dice") == [(1, 0.5)]


def test_closing_an_interrupted_run_says_how_to_go_on(store: Path) -> None:
    run = start_run(TrainConfig())
    with pytest.raises(KeyboardInterrupt), closing(run) as ending:
        ending.outcome = "completed"
        raise KeyboardInterrupt
    status, outcome, reason = ended(run)
    assert (status, outcome) == ("KILLED", "interrupted")
    assert f"trainer resume {run.id}" in reason


def test_a_reopened_run_goes_on(store: Path) -> None:
    config = TrainConfig(lr=3e-4, image_size=(31, 47), patience=2)
    run = start_run(config)
    run.log_epoch(1, {"val/dice": 0.5})
    run.finish("interrupted", "stopped")

    again, its_config = reopen_run(run.id)
    assert its_config == config
    assert again.folder == run.folder
    assert get_run(run.id).info.status == "KILLED"  # until it really goes on
    again.reopen()
    assert ended(again) == ("RUNNING", "", "")
    again.log_epoch(2, {"val/dice": 0.6})
    again.finish("completed")
    assert ended(again) == ("FINISHED", "completed", "")
    assert history(run.id, "val/dice") == [(1, 0.5), (2, 0.6)]


@pytest.mark.parametrize("epochs", [(9, 3), (9, 4), (3, 9), (9, 9), (9, 3, 9)])
def test_the_epochs_of_a_run_are_those_it_was_last_trained_for(
    store: Path, epochs: tuple[int, ...]
) -> None:
    begun = TrainConfig(epochs=3)
    run = start_run(begun)
    for so_many in epochs:
        config = begun.replace(epochs=so_many)
        run.note_resumed(1, config, {})
        data = get_run(run.id).data
        assert true_params(data.params, data.tags) == config.to_params()
        assert data.tags["segscope.seed_group"] == config.seed_group()


def test_a_run_that_is_not_there_or_not_ours_is_said(store: Path) -> None:
    for run_id in ("0" * 32, "nonsense"):
        with pytest.raises(ValueError, match=f"run: there is no run '{run_id}'"):
            reopen_run(run_id)
    foreign = start_parent("another program's", experiment="other")
    with pytest.raises(ValueError, match=r"has no config\.yaml; it was not written by Segscope"):
        reopen_run(foreign)


def test_files_are_written_whole_or_not_at_all(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(TrainConfig())
    run.write_json("a/views.json", {"ü": "1"})
    assert run.read_json("a/views.json") == {"ü": "1"}
    real = Path.write_text

    def half(path: Path, text: str, **options: Any) -> int:
        real(path, text[: len(text) // 2], **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", half)
        with pytest.raises(KeyboardInterrupt):
            run.write_json("a/views.json", {"other": "2"})
    assert run.read_json("a/views.json") == {"ü": "1"}
    with pytest.raises(ValueError, match=f"run: {run.id} has no c.json"):
        run.read_json("c.json")


def test_the_log_goes_to_a_file_of_the_run(store: Path) -> None:
    run = start_run(TrainConfig())
    logger = logging.getLogger("trainer.training.loop")
    before = list(logging.getLogger("trainer").handlers)
    for number in (1, 2):
        with log_file(run):
            logger.info("epoch %d", number)
    logger.info("after")
    assert logging.getLogger("trainer").handlers == before
    lines = (run.folder / "log.txt").read_text().splitlines()
    assert [line.split(" INFO ")[1] for line in lines] == ["epoch 1", "epoch 2"]


def test_a_download_is_a_copy_and_never_the_stores_own(store: Path, tmp_path: Path) -> None:
    run = start_run(TrainConfig())
    run.write_text("checkpoints/best/state.json", "{}")
    file = download(run.id, "config.yaml", tmp_path / "copy")
    folder = download(run.id, "checkpoints/best", tmp_path / "copy")
    assert file == tmp_path / "copy" / "config.yaml"
    assert folder == tmp_path / "copy" / "checkpoints" / "best"
    file.write_text("changed")
    (folder / "state.json").write_text("changed")
    assert (run.folder / "config.yaml").read_text() != "changed"
    assert (run.folder / "checkpoints/best/state.json").read_text() == "{}"
    whole = download(run.id, "", tmp_path / "all")
    assert (whole / "checkpoints" / "best" / "state.json").read_text() == "{}"
    with pytest.raises(ValueError, match=f"run: {run.id} has no artifact 'nothing'"):
        download(run.id, "nothing", tmp_path / "copy")


def test_runs_are_found_across_experiments_and_pages(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [
        start_parent(f"r{i}", experiment=f"e{i % 2}", tags={"odd": str(i % 2)}) for i in range(5)
    ]
    assert {r.info.run_id for r in find_runs("tags.odd = '1'")} == {ids[1], ids[3]}
    assert {r.info.run_id for r in find_runs("")} == set(ids)
    real = MlflowClient.search_runs
    monkeypatch.setattr(
        MlflowClient,
        "search_runs",
        lambda api, *args, **kwargs: real(api, *args, **{**kwargs, "max_results": 2}),
    )
    assert {r.info.run_id for r in find_runs("")} == set(ids)
    with pytest.raises(ValueError, match="filter: "):
        find_runs("nonsense ==")


def test_what_a_sweep_writes(store: Path, tmp_path: Path) -> None:
    parent = start_parent("s", experiment="e")
    log_summary(parent, {"best/val_dice": 0.9, "odd+key": math.inf})
    set_tags(parent, {"segscope.best": "x" * 6000})
    (tmp_path / "files" / "inner").mkdir(parents=True)
    (tmp_path / "files" / "inner" / "spec.yaml").write_text("a: 1")
    log_files(parent, tmp_path / "files")
    finish(parent, "completed", "done")
    record = get_run(parent)
    assert record.info.status == "FINISHED"
    assert record.data.metrics["best/val_dice"] == 0.9
    assert math.isnan(record.data.metrics["odd_key"])
    assert len(record.data.tags["segscope.best"]) == 5000
    assert download(parent, "inner/spec.yaml", tmp_path / "got").read_text() == "a: 1"
    reopen_parent(parent)
    assert get_run(parent).info.status == "RUNNING"


def test_the_environment_is_plain_and_names_no_machine(store: Path) -> None:
    run = start_run(TrainConfig())
    found = json.loads((run.folder / "environment.json").read_text())
    assert found == environment()
    assert {"torch", "mlflow", "numpy"} <= set(found["packages"])
    assert "/" not in json.dumps(found)
    assert set(found) == {"python", "system", "cpus", "git_commit", "packages"}


def test_the_commit_is_that_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert git_commit() == ""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(
            ["git", *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    assert git_commit() == git("rev-parse", "--short=12", "HEAD")
    (tmp_path / "file").write_text("2")
    assert git_commit() == git("rev-parse", "--short=12", "HEAD") + "+"
    monkeypatch.setenv("PATH", "")
    assert git_commit() == ""


def test_what_the_package_offers_exists() -> None:
    assert tracking.__all__
    assert all(hasattr(tracking, name) for name in tracking.__all__)


@pytest.mark.slow  # a tracking server takes half a minute to start
class TestThroughAServer:
    """The same against a server, where files first lie in a staging folder."""

    def test_files_are_staged_and_published_when_new(
        self, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = start_run(TrainConfig(experiment="remote"))
        assert run.is_remote
        assert run.folder == remote / "staging" / run.id
        requests = Requests(monkeypatch, "log_artifact")

        def uploaded() -> set[str]:
            assert run.sending.settle() is None
            calls = list(requests.calls)
            names = {(Path(args[2] or "") / Path(args[1]).name).as_posix() for _, args in calls}
            requests.calls.clear()
            return names

        run.write_text("checkpoints/last/state.json", "{}")
        run.write_text("checkpoints/.last.partial/state.json", "half")
        run.write_text("samples/.epoch-0001.partial.png", "half")
        run.publish()
        assert uploaded() == {"config.yaml", "environment.json", "checkpoints/last/state.json"}
        run.publish()
        assert uploaded() == set()
        run.write_text("checkpoints/last/state.json", '{"epoch": 2}')
        run.log_epoch(1, {"val/dice": 0.5})  # not yet time to upload
        assert uploaded() == set()
        monkeypatch.setattr(run_module, "UPLOAD_SECONDS", 0.0)
        run.log_epoch(2, {"val/dice": 0.6})
        assert uploaded() == {"checkpoints/last/state.json"}

        run.write_text("diagnoses.json", "[]")
        run.finish("completed")
        assert uploaded() == {"diagnoses.json"}
        assert not run.folder.exists()
        state = download(run.id, "checkpoints/last/state.json", tmp_path / "got")
        assert state.read_text() == '{"epoch": 2}'
        assert (download(run.id, "diagnoses.json", tmp_path / "got")).read_text() == "[]"
        assert get_run(run.id).info.status == "FINISHED"

    def test_metrics_and_tags_arrive(self, remote: Path) -> None:
        run = start_run(TrainConfig(experiment="remote"))
        run.log_epoch(1, {"val/dice": 0.5, "val/loss": math.inf, "val/iou/a+b": 0.1, "x": math.nan})
        run.set_tags({"segscope.reason": "x" * 9000, "empty": ""})
        assert run.sending.settle() is None
        record = get_run(run.id)
        assert record.data.params == TrainConfig(experiment="remote").to_params()
        assert record.data.metrics["val/dice"] == 0.5
        assert record.data.metrics["val/iou/a_b"] == 0.1
        assert math.isnan(record.data.metrics["val/loss"])
        assert len(record.data.tags["segscope.reason"]) == 5000
        run.finish("failed", "because")
        assert ended(run) == ("FAILED", "failed", "because")

    def test_nothing_is_printed(self, remote: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """MLflow says where its pages are, on stdout, where a command's JSON goes."""
        run = start_run(TrainConfig(experiment="remote"))
        run.log_epoch(1, {"val/dice": 0.5})
        run.finish("completed")
        assert capfd.readouterr().out == ""

    def test_another_programs_run_is_said_and_leaves_nothing_here(self, remote: Path) -> None:
        foreign = start_parent("another program's", experiment="other")
        with pytest.raises(ValueError, match=r"has no config\.yaml"):
            reopen_run(foreign)
        assert not list((remote / "staging").iterdir())

    def test_a_reopened_run_has_its_files_again(
        self, remote: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = TrainConfig(experiment="remote", lr=5e-4)
        run = start_run(config)
        run.write_text("checkpoints/last/state.json", "{}")
        run.finish("interrupted")
        again, its_config = reopen_run(run.id)
        assert its_config == config
        assert (again.folder / "checkpoints" / "last" / "state.json").read_text() == "{}"
        again.reopen()
        requests = Requests(monkeypatch, "log_artifact")
        again.write_text("log.txt", "more")
        again.finish("completed")
        assert [Path(args[1]).name for _, args in requests.calls] == ["log.txt"]
        assert not again.folder.exists()

    def test_what_a_killed_run_left_here_is_newer_than_the_server(self, remote: Path) -> None:
        run = start_run(TrainConfig(experiment="remote"))
        run.write_text("checkpoints/last/state.json", '{"epoch": 1}')
        run.publish()
        assert run.sending.settle() is None
        run.write_text("checkpoints/last/state.json", '{"epoch": 2}')
        # Killed here: nothing of this epoch has been uploaded.
        again, _ = reopen_run(run.id)
        assert (again.folder / "checkpoints/last/state.json").read_text() == '{"epoch": 2}'

    def test_a_download_that_is_not_there_is_said(self, remote: Path, tmp_path: Path) -> None:
        run = start_run(TrainConfig(experiment="remote"))
        with pytest.raises(ValueError, match=f"run: {run.id} has no artifact 'nothing'"):
            download(run.id, "nothing", tmp_path / "got")
        with pytest.raises(ValueError, match="there is no run 'nonsense'"):
            reopen_run("nonsense")

    def test_closing_keeps_what_was_raised(self, remote: Path, tmp_path: Path) -> None:
        run = start_run(TrainConfig(experiment="remote"))
        with pytest.raises(KeyboardInterrupt), closing(run):
            run.write_text("samples/index.json", "{}")
            raise KeyboardInterrupt
        assert ended(run)[:2] == ("KILLED", "interrupted")
        assert download(run.id, "samples/index.json", tmp_path / "got").read_text() == "{}"

    def test_a_deleted_experiment_is_said(self, remote: Path) -> None:
        run = start_run(TrainConfig(experiment="gone"))
        client().delete_experiment(get_run(run.id).info.experiment_id)
        with pytest.raises(ValueError, match=re.escape("experiment: 'gone' has been deleted")):
            start_run(TrainConfig(experiment="gone"))


def test_an_interruption_in_the_middle_of_a_write_cuts_none_in_two(store: Path) -> None:
    run = start_run(TrainConfig())
    run.log_epoch(1, {"val/dice": 0.5})

    def interrupt(connection, cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        if "FROM latest_metrics" in statement:  # metrics are inserted, and nothing is committed
            event.remove(Engine, "after_cursor_execute", interrupt)
            _thread.interrupt_main()

    event.listen(Engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt), closing(run):
        run.log_epoch(2, {"val/dice": 0.6})
        time.sleep(60)  # until the interruption reaches this thread
    assert history(run.id, "val/dice") == [(1, 0.5), (2, 0.6)]
    assert get_run(run.id).data.tags["segscope.outcome"] == "interrupted"


def test_an_interruption_as_a_run_begins_locks_the_store_for_nobody(store: Path) -> None:
    def interrupt(connection, cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("INSERT INTO params"):  # inserted, and nothing is committed
            event.remove(Engine, "after_cursor_execute", interrupt)
            raise KeyboardInterrupt("SIGHUP")

    client()
    event.listen(Engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt), starting(TrainConfig()):
        pass
    (left,) = find_runs("")
    assert (left.info.status, left.data.tags["segscope.outcome"]) == ("KILLED", "interrupted")
