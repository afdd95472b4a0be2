"""A run from its configuration to its end, on a real store."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import albumentations
import numpy as np
import pytest
import torch

from trainer.analysis.scores import dice
from trainer.analysis.stability import stability
from trainer.config import MACHINE_PARAMS, TrainConfig
from trainer.evaluation.per_image import read_parts
from trainer.evaluation.samples import read_predictions, read_samples, read_worst, sampled_epochs
from trainer.models import build_model
from trainer.tracking import find_runs, get_run
from trainer.tracking.reading import histories, list_runs
from trainer.training.fitting import StopTraining, fit, resume

PER_EPOCH = {
    "train/loss",
    "train/dice",
    "train/miou",
    "train/grad_norm",
    "train/grad_norm_max",
    "val/loss",
    "val/dice",
    "val/miou",
    "val/accuracy",
    "val/balanced_accuracy",
    "val/dice_per_image",
    "val/dice_per_image_present",
    "val/dice_no_background",
    "val/miou_no_background",
    "val/foreground_share",
    "val/iou/background",
    "val/iou/car",
    "lr",
    "time/epoch_seconds",
    "throughput/train_images_per_second",
    "memory/peak_mib",
}


def folder_of(run_id: str) -> Path:
    return Path(get_run(run_id).info.artifact_uri.removeprefix("file://"))


def test_a_run_keeps_everything_of_the_store_contract(tiny: TrainConfig, store: Path) -> None:
    result = fit(tiny, progress=False)
    run = get_run(result.run_id)
    assert (result.outcome, result.epochs, run.info.status) == ("completed", 3, "FINISHED")
    machine = {name: run.data.params[name] for name in MACHINE_PARAMS}
    assert run.data.params == tiny.to_params() | machine
    assert machine["train_dtype"] in ("float32", "bfloat16")
    assert machine["threads"] == str(torch.get_num_threads())
    history = histories([result.run_id], sorted(PER_EPOCH))
    assert set(history["metric"].astype(str)) == PER_EPOCH
    assert all(sorted(part["step"]) == [1, 2, 3] for _, part in history.groupby("metric"))
    ends = {"best/val_dice", "best/val_miou", "best/epoch", "test/dice", "test/miou"}
    assert ends <= set(run.data.metrics)
    model = build_model("unet", base_channels=tiny.base_channels, depth=tiny.depth)
    assert run.data.metrics["model/parameters"] == sum(p.numel() for p in model.parameters())
    assert run.data.metrics["model/flops"] > run.data.metrics["model/statistics"] > 0
    assert {k for k in run.data.metrics if k.startswith("stability/")} == set(result.stability)
    assert run.data.tags["segscope.outcome"] == "completed"
    assert run.data.tags["segscope.seed_group"] == tiny.seed_group()
    assert len(run.data.tags["segscope.data_digest"]) >= 12
    folder = folder_of(result.run_id)
    for name in (
        "config.yaml",
        "environment.json",
        "dataset.json",
        "split.json",
        "log.txt",
        "diagnoses.json",
        "evaluation/confusion.json",
        "evaluation/test/confusion.json",
        "checkpoints/last/state.json",
        "checkpoints/best/model.safetensors",
    ):
        assert (folder / name).is_file(), name
    assert "epoch   3/3" in (folder / "log.txt").read_text()
    assert not [p for p in folder.rglob("*") if p.name.startswith(".")]


@pytest.mark.parametrize("monitor", ["val/dice", "val/miou"])
def test_the_end_of_a_run_is_about_what_it_monitored(
    tiny: TrainConfig, store: Path, monitor: str
) -> None:
    # At so high a rate every epoch is another, so that the two curves cannot be mistaken.
    result = fit(tiny.replace(monitor=monitor, lr=0.3, epochs=4), progress=False)
    logged = histories([result.run_id], [monitor]).sort_values("step")["value"].to_numpy()
    assert result.stability == stability(logged).to_metrics()
    run = get_run(result.run_id)
    assert run.data.tags["segscope.stability_of"] == monitor
    assert run.data.metrics["best/epoch"] == logged.argmax() + 1


def test_it_learns_and_says_so(tiny: TrainConfig, store: Path) -> None:
    result = fit(tiny.replace(epochs=8), progress=False)
    assert result.best["val_dice"] > 0.9


def test_per_image_parts_add_up_to_the_metric(tiny: TrainConfig, store: Path, machine: str) -> None:
    result = fit(tiny, progress=False)
    rows = read_parts(folder_of(result.run_id) / "evaluation/per_image", [2])
    car = rows[rows["class"] == "car"]
    history = histories([result.run_id], ["val/dice"]).set_index("step")["value"]
    pooled = float(dice(car["tp"].sum(), car["fp"].sum(), car["fn"].sum()))
    assert pooled == pytest.approx(history[2], abs=1e-12)
    assert set(rows["epoch"]) == {2}
    assert (rows["group"] == rows["image"].astype(str).str.split("_").str[0]).all()
    assert car["lr"].iloc[0] == pytest.approx(1e-2)


def test_samples_are_the_same_images_at_every_epoch(tiny: TrainConfig, store: Path) -> None:
    result = fit(tiny, progress=False)
    folder = folder_of(result.run_id) / "samples"
    samples, classes = read_samples(folder)
    assert sampled_epochs(folder) == [1, 2, 3]
    assert [info.name for info in classes] == ["background", "car"]
    assert len(samples.names) == 3
    rows = read_parts(folder_of(result.run_id) / "evaluation/per_image", [3])
    for name, target, predicted in zip(
        samples.names, samples.targets, read_predictions(folder, 3), strict=True
    ):
        row = rows[(rows["image"] == name) & (rows["class"] == "car")].iloc[0]
        assert row["tp"] == int(((predicted == 1) & (target == 1)).sum())
        assert row["fp"] == int(((predicted == 1) & (target == 0)).sum())
    worst, _, scores = read_worst(folder, 3)
    of_car = rows[rows["class"] == "car"].sort_values("dice")
    assert scores == sorted(scores)
    assert list(worst.names) == list(of_car["image"])[: len(scores)]


def test_repeating_a_seed_repeats_the_run(tiny: TrainConfig, store: Path, machine: str) -> None:
    first, second = (fit(tiny, progress=False) for _ in range(2))
    other = fit(tiny.replace(seed=1), progress=False)
    curves = {
        run_id: part["value"].tolist()
        for run_id, part in histories(
            [first.run_id, second.run_id, other.run_id], ["val/dice", "train/loss"]
        ).groupby("run_id", observed=True)
    }
    assert curves[first.run_id] == curves[second.run_id]
    assert curves[first.run_id] != curves[other.run_id]


def test_a_stopped_run_resumes_to_the_same_weights(
    tiny: TrainConfig, store: Path, machine: str
) -> None:
    whole = fit(tiny, progress=False)

    def interrupt(epoch: int, metrics: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny, on_epoch=interrupt, progress=False)
    (cut,) = find_runs("tags.`segscope.outcome` = 'interrupted'")
    assert cut.info.status == "KILLED"
    result = resume(cut.info.run_id, progress=False)
    assert (result.run_id, result.epochs, result.outcome) == (cut.info.run_id, 3, "completed")
    weights = [
        (folder_of(run_id) / "checkpoints/last/model.safetensors").read_bytes()
        for run_id in (whole.run_id, result.run_id)
    ]
    assert weights[0] == weights[1]
    assert result.best == whole.best
    assert result.stability == whole.stability


def test_a_run_goes_on_in_the_type_that_it_was_begun_in(
    tiny: TrainConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(epoch: int, metrics: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", "bfloat16")
    with pytest.raises(KeyboardInterrupt):
        fit(tiny.replace(epochs=2), on_epoch=interrupt, progress=False)
    monkeypatch.setenv("SEGSCOPE_AUTO_PRECISION", "float32")
    (run,) = find_runs("")
    resume(run.info.run_id, progress=False)
    noted = json.loads((folder_of(run.info.run_id) / "environment.json").read_text())
    assert noted["train_dtype"] == noted["resumed"][0]["train_dtype"] == "bfloat16"


def test_a_finished_run_takes_more_epochs_only_when_told(tiny: TrainConfig, store: Path) -> None:
    result = fit(tiny, progress=False)
    with pytest.raises(ValueError, match="already has its 3 epochs"):
        resume(result.run_id, progress=False)
    assert resume(result.run_id, epochs=4, progress=False).epochs == 4
    # It is a repeat of runs of four epochs and no longer of those of fewer, wherever it is listed.
    (row,) = list_runs().to_dict("records")
    assert row["params.epochs"] == "4"
    assert row["seed_group"] == tiny.replace(epochs=4).seed_group() != tiny.seed_group()


def test_a_run_resumes_from_another_folder(
    tiny: TrainConfig, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(tiny.data or "", here / "photos")
    monkeypatch.chdir(here)
    result = fit(tiny.replace(data="photos"), progress=False)
    monkeypatch.chdir(elsewhere)
    assert resume(result.run_id, epochs=4, progress=False).epochs == 4
    assert get_run(result.run_id).data.params["data"] == "photos"


def test_a_run_that_is_being_trained_is_not_resumed(tiny: TrainConfig, store: Path) -> None:
    refused = []

    def resume_too(epoch: int, metrics: object) -> None:
        (run,) = find_runs("attributes.status = 'RUNNING'")
        with pytest.raises(ValueError, match="is being trained by another process") as caught:
            resume(run.info.run_id, epochs=9, progress=False)
        refused.append(caught)

    result = fit(tiny, on_epoch=resume_too, progress=False)
    assert (result.outcome, len(refused)) == ("completed", 3)
    assert resume(result.run_id, epochs=4, progress=False).epochs == 4


def test_a_pipeline_that_does_not_fit_the_images_makes_no_run(
    tiny: TrainConfig, store: Path, tmp_path: Path
) -> None:
    pipeline = albumentations.Compose([albumentations.RandomCrop(400, 400)])
    albumentations.save(pipeline, tmp_path / "crop.yaml", data_format="yaml")
    for name, said in [
        ("crop.yaml", r"exceeds.*images are 32 x 48"),
        ("none.yaml", "cannot be read"),
    ]:
        with pytest.raises(ValueError, match=rf"(?i)^augment: .*{said}"):
            fit(tiny.replace(augment=str(tmp_path / name)), progress=False)
    assert not find_runs("")


def test_the_pipeline_that_was_used_is_kept(tiny: TrainConfig, store: Path, tmp_path: Path) -> None:
    """A preset's changes with the version, and a file may be changed or deleted."""
    kept = folder_of(fit(tiny, progress=False).run_id) / "augmentation.yaml"
    assert not kept.exists()  # Nothing was augmented.
    light = tiny.replace(augment="light", augment_probability=0.7)
    first = fit(light, progress=False)
    kept = folder_of(first.run_id) / "augmentation.yaml"
    again = fit(tiny.replace(augment=str(kept)), progress=False)
    assert again.best == first.best
    assert (folder_of(again.run_id) / "augmentation.yaml").read_bytes() == kept.read_bytes()
    assert "p: 0.7" in kept.read_text()
    kept.unlink()
    resume(first.run_id, epochs=4, progress=False)
    assert "p: 0.7" in kept.read_text()


def test_changed_data_is_not_resumed(tiny: TrainConfig, store: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny.data or "", tmp_path / "copy"))
    result = fit(tiny.replace(data=str(copy)), progress=False)
    one, other = sorted((copy / "train").iterdir())[:2]
    whole = one.read_bytes()
    one.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"data.*has changed since run"):
        resume(result.run_id, epochs=5, progress=False)
    one.write_bytes(whole)
    assert resume(result.run_id, epochs=5, progress=False).epochs == 5


def test_changed_data_is_not_resumed_where_the_file_system_does_not_tell(
    tiny: TrainConfig, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.cache.decoding._file_state", str)
    copy = Path(shutil.copytree(tiny.data or "", tmp_path / "copy"))
    result = fit(tiny.replace(data=str(copy)), progress=False)
    one, other = sorted((copy / "train").iterdir())[:2]
    one.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"data.*has changed since run"):
        resume(result.run_id, epochs=5, progress=False)


def test_a_loss_that_is_not_finite_fails_with_the_reason(tiny: TrainConfig, store: Path) -> None:
    result = fit(tiny.replace(optimizer="sgd", lr=1e30), progress=False)
    run = get_run(result.run_id)
    assert (result.outcome, run.info.status) == ("failed", "FAILED")
    assert "lower lr" in run.data.tags["segscope.reason"]
    assert "epoch" in (result.reason or "")
    findings = json.loads((folder_of(result.run_id) / "diagnoses.json").read_text())
    assert findings[0]["rule"] == "diverged"


def test_a_watcher_can_stop_the_run(tiny: TrainConfig, store: Path) -> None:
    def prune(epoch: int, metrics: object) -> None:
        if epoch == 2:
            raise StopTraining("pruned", "below the median")

    result = fit(tiny, on_epoch=prune, progress=False)
    run = get_run(result.run_id)
    assert (result.outcome, result.epochs, result.reason) == ("pruned", 2, "below the median")
    assert run.info.status == "KILLED"
    assert run.data.tags["segscope.reason"] == "below the median"
    assert "test/dice" not in run.data.metrics


def test_early_stopping_waits_for_its_patience(tiny: TrainConfig, store: Path) -> None:
    # A learning rate of practically zero never improves on the first epoch.
    config = tiny.replace(lr=1e-12, epochs=9, patience=2, min_delta=0.5)
    result = fit(config, progress=False)
    assert (result.outcome, result.epochs) == ("early-stopped", 3)


def test_an_error_of_ours_fails_the_run_and_is_raised(tiny: TrainConfig, store: Path) -> None:
    def broken(epoch: int, metrics: object) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        fit(tiny, on_epoch=broken, progress=False)
    (run,) = find_runs("")
    assert run.info.status == "FAILED"
    assert run.data.tags["segscope.reason"] == "RuntimeError: a bug"


def test_the_settings_of_a_sweep_all_train(tiny: TrainConfig, store: Path) -> None:
    for changes in (
        {"kernel_size": 5, "batch_size": 1},
        {"optimizer": "rmsprop", "lr": 1e-4, "schedule": "plateau"},
        {"loss": "cross-entropy", "class_weights": "inverse", "schedule": "cosine"},
        {"geometry": "random-crop", "image_size": (24, 24), "augment": "flips"},
        {"geometry": "pad", "precision": "bfloat16"},
        {"image_size": (31, 47), "gradient_clip": 1.0, "optimizer": "adamw"},
    ):
        result = fit(tiny.replace(epochs=1, **changes), progress=False)
        assert result.outcome == "completed", changes
        assert np.isfinite(result.best["val_miou"])


def test_boundary_iou_is_logged_when_asked_for(tiny: TrainConfig, store: Path) -> None:
    metrics = get_run(fit(tiny.replace(boundary_iou=True), progress=False).run_id).data.metrics
    assert 0 < metrics["best/val_boundary_iou"] < 1
    assert 0 < metrics["test/boundary_iou"] < 1
    assert "test/boundary_iou" not in get_run(fit(tiny, progress=False).run_id).data.metrics


def test_a_killed_process_leaves_a_run_that_resumes(tiny: TrainConfig, store: Path) -> None:
    config = store.parent / "config.yaml"
    config.write_text(tiny.replace(epochs=400).to_yaml())
    command = [sys.executable, "-m", "trainer", "fit", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        # Down one path: a search through all folders would meet those that come and go.
        third = "artifacts/*/*/artifacts/evaluation/per_image/epoch-0003.parquet"
        while not list(store.glob(third)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    (run,) = find_runs("")
    assert run.info.status == "RUNNING"
    saved = json.loads(
        (folder_of(run.info.run_id) / "checkpoints/last/state.json").read_text("utf-8")
    )
    after = saved["progression"]["epoch"]
    result = resume(run.info.run_id, epochs=after + 2, progress=False)
    assert (result.outcome, result.epochs) == ("completed", after + 2)
    steps = histories([run.info.run_id], ["val/dice"])["step"]
    assert sorted(set(steps)) == list(range(1, after + 3))
