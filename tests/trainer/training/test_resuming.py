"""A run goes on wherever it was left, and tells what of it is damaged."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.reliability.seen import curves, files, folder_of
from trainer.config import TrainConfig
from trainer.tracking import find_runs, get_run
from trainer.tracking.client import client, experiment_id
from trainer.training import fitting, loop
from trainer.training.fitting import FitResult, fit, resume

Cut = Callable[..., str]


@pytest.fixture
def config(tiny: TrainConfig) -> TrainConfig:
    """Return a configuration whose second epoch is not its best: last and best differ."""
    return tiny.replace(epochs=3, samples=2)


@pytest.fixture
def cut(config: TrainConfig, store: Path) -> Cut:
    """Return what trains a run that is killed after an epoch, or before its conclusion."""

    def train(*, after: int | None = None, **changes: object) -> str:
        def die(epoch: int, _metrics: Mapping[str, float]) -> None:
            if epoch == after:
                raise KeyboardInterrupt

        def never(*_args: object) -> dict[str, float]:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fitting, "conclude", never)
            with pytest.raises(KeyboardInterrupt):
                fit(config.replace(**changes), on_epoch=die, progress=False)
        (run,) = find_runs("attributes.status = 'KILLED'")
        client().update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    return train


def assert_same(result: FitResult, other: FitResult) -> None:
    assert (result.outcome, result.epochs) == (other.outcome, other.epochs)
    assert curves(result.run_id) == curves(other.run_id)
    assert files(result.run_id) == files(other.run_id)


def test_where_only_the_end_is_missing_it_is_made(cut: Cut, config: TrainConfig) -> None:
    run_id = cut()
    assert "test/dice" not in get_run(run_id).data.metrics
    again = resume(run_id, progress=False)
    assert get_run(run_id).info.status == "FINISHED"
    assert "test/dice" in get_run(run_id).data.metrics
    assert_same(again, fit(config, progress=False))
    with pytest.raises(ValueError, match="already has its 3 epochs; give more with --epochs"):
        resume(run_id, progress=False)


@pytest.mark.parametrize("monitor", ["val/dice", "val/ema/dice"])
@pytest.mark.parametrize("damaged", [None, "ema.safetensors", "learning.safetensors"])
def test_a_run_that_averages_its_weights_goes_on_as_one_left_alone(
    cut: Cut, config: TrainConfig, monitor: str, damaged: str | None
) -> None:
    averages = {"ema_decay": 0.6, "monitor": monitor}
    run_id = cut(after=2, **averages)
    path = folder_of(run_id) / f"checkpoints/last/{damaged}"
    if path.exists():
        next(damages(path))
    assert_same(resume(run_id, progress=False), fit(config.replace(**averages), progress=False))


def test_a_run_that_was_out_of_patience_trains_no_further(cut: Cut, config: TrainConfig) -> None:
    stops = {"lr": 1e-12, "epochs": 9, "patience": 2, "min_delta": 0.5}
    run_id = cut(**stops)
    again = resume(run_id, progress=False)
    assert (again.outcome, again.epochs) == ("early-stopped", 3)
    assert_same(again, fit(config.replace(**stops), progress=False))
    said = "stopped early, with 3 of its 9 epochs; go on with --epochs 9$"
    with pytest.raises(ValueError, match=said):
        resume(run_id, progress=False)
    # Who asks for more gets the patience anew.
    assert resume(run_id, epochs=9, progress=False).epochs == 5


def test_fewer_epochs_than_it_has_are_refused_and_as_many_end_it(
    cut: Cut, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = cut(after=2)
    said = f"epochs: run {run_id} has 2 of its 3 epochs already; give 2 or more$"
    with pytest.raises(ValueError, match=said):
        resume(run_id, epochs=1, progress=False)
    caplog.set_level("INFO", "trainer")
    assert resume(run_id, epochs=2, progress=False).outcome == "completed"
    name = get_run(run_id).info.run_name
    assert f"going on with {name} ({run_id}), which has 2 of its 3 epochs" in caplog.messages
    assert "it is to end after 2, as --epochs says" in caplog.messages
    caplog.clear()
    resume(run_id, epochs=3, progress=False)
    assert f"going on with {name} ({run_id}), which has 2 of its 2 epochs" in caplog.messages
    assert not [line for line in caplog.messages if "it is to end" in line]


def test_the_best_is_kept_of_a_run_killed_before_its_copy(
    cut: Cut, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.copy_checkpoint

    def killed(source: Path, folder: Path) -> None:
        if json.loads((source / "state.json").read_text())["progression"]["epoch"] == 3:
            raise KeyboardInterrupt
        real(source, folder)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "copy_checkpoint", killed)
        run_id = cut()
    best = folder_of(run_id) / "checkpoints/best"
    assert json.loads((best / "state.json").read_text())["progression"]["best_epoch"] == 2
    assert_same(resume(run_id, progress=False), fit(config, progress=False))


WHAT_IS_LEFT: dict[str, Callable[[Path], None]] = {
    "no split": lambda folder: (folder / "split.json").unlink(),
    "no data set": lambda folder: (
        shutil.rmtree(folder / "samples"),
        [(folder / f"{name}.json").unlink() for name in ("dataset", "split")],
    ),
    "an empty folder": lambda folder: [shutil.rmtree(folder), folder.mkdir()],
    "nothing": shutil.rmtree,
}


@pytest.mark.parametrize("left", WHAT_IS_LEFT)
def test_a_run_that_died_before_its_first_epoch_is_begun(
    left: str, config: TrainConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_args: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(config, progress=False)
    (run,) = find_runs("")
    client().update_run(run.info.run_id, status="RUNNING")
    folder = folder_of(run.info.run_id)
    WHAT_IS_LEFT[left](folder)
    again = resume(run.info.run_id, progress=False)
    assert_same(again, fit(config, progress=False))
    (noted,) = json.loads((folder / "environment.json").read_text())["resumed"]
    assert noted["after_epoch"] == 0


def test_a_run_of_which_nothing_was_kept_is_closed(store: Path) -> None:
    begun = client().create_run(experiment_id("e"), tags={"segscope.kind": "run"}).info.run_id
    with pytest.raises(ValueError, match=f"nothing of {begun} was kept, .* start a new one"):
        resume(begun, progress=False)
    assert get_run(begun).info.status == "FAILED"
    assert "before its settings were kept" in get_run(begun).data.tags["segscope.reason"]


def damages(path: Path) -> Iterator[None]:
    """Damage a file in several ways, and put it right again."""
    whole = path.read_bytes()
    for content in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 10**5,
        whole[: len(whole) // 2],
    ):
        # Not written in place: the best checkpoint may be the same file.
        path.unlink()
        path.write_bytes(content)
        yield
    path.unlink()
    path.write_bytes(whole)


@pytest.mark.parametrize("name", ["dataset.json", "split.json", "config.yaml"])
def test_what_a_run_goes_on_from_is_named_where_it_is_damaged(name: str, cut: Cut) -> None:
    run_id = cut(after=1)
    path = folder_of(run_id) / name
    for _ in damages(path):
        with pytest.raises(ValueError) as caught:
            resume(run_id, progress=False)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 500
        assert get_run(run_id).info.status == "RUNNING"
    assert resume(run_id, progress=False).outcome == "completed"


def test_a_run_that_was_trained_is_not_begun_again_without_its_files(cut: Cut) -> None:
    run_id = cut(after=1)
    path = folder_of(run_id) / "config.yaml"
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(ValueError, match=r"has no config\.yaml; its files are not all here"):
        resume(run_id, progress=False)
    path.write_bytes(whole)
    assert resume(run_id, progress=False).epochs == 3


@pytest.mark.parametrize("name", ["state.json", "model.safetensors", "optimizer.safetensors"])
def test_a_damaged_checkpoint_is_named_and_the_best_taken(
    name: str, cut: Cut, config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = cut(after=2)
    place = folder_of(run_id) / "checkpoints/last" / name
    tried = damages(place)
    next(tried)
    assert_same(resume(run_id, progress=False), fit(config, progress=False))
    told = [record.getMessage() for record in caplog.records if "goes on from" in record.message]
    assert len(told) == 1 and str(place) in told[0]


def test_where_no_checkpoint_is_whole_the_file_and_the_cure_are_named(cut: Cut) -> None:
    run_id = cut(after=1)
    folder = folder_of(run_id) / "checkpoints"
    shutil.rmtree(folder / "best")
    for name in ("state.json", "model.safetensors", "optimizer.safetensors"):
        for _ in damages(folder / "last" / name):
            with pytest.raises(ValueError) as caught:
                resume(run_id, progress=False)
            assert str(folder / "last" / name) in str(caught.value)
            assert str(caught.value).endswith(
                f"or remove {folder} to train the run from its beginning"
            )
            assert get_run(run_id).info.status == "RUNNING"
    (folder / "last" / "state.json").unlink()
    with pytest.raises(ValueError, match=r"state\.json: is not there"):
        resume(run_id, progress=False)
    shutil.rmtree(folder)
    assert resume(run_id, progress=False).epochs == 3


def test_damaged_results_of_an_epoch_end_no_run(cut: Cut, caplog: pytest.LogCaptureFixture) -> None:
    run_id = cut(after=2)
    folder = folder_of(run_id)
    damaged = [
        *("evaluation/per_image/epoch-0001.parquet", "samples/epoch-0001.png"),
        *("samples/index.json", "samples/worst/epoch-0002.json", "evaluation/confusion.json"),
    ]
    for name in damaged:
        (folder / name).write_bytes(b"")
    assert resume(run_id, progress=False).outcome == "completed"
    told = [r.getMessage() for r in caplog.records if "is damaged" in r.getMessage()]
    assert len(told) == 1 and str(folder / damaged[0]) in told[0]
    assert json.loads((folder / "diagnoses.json").read_text()) is not None


def test_a_damaged_environment_is_named_and_written_anew(
    cut: Cut, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = cut(after=1)
    path = folder_of(run_id) / "environment.json"
    path.write_bytes(path.read_bytes()[:100])
    assert resume(run_id, progress=False).outcome == "completed"
    assert f"{path}: is not valid JSON" in caplog.text
    (noted,) = json.loads(path.read_text())["resumed"]
    assert noted["after_epoch"] == 1
