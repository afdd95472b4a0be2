"""The training loop: what it writes, in which order, and when it ends."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trainer.analysis.scores import dice
from trainer.config import TrainConfig
from trainer.data.loading import SegmentationData, open_data
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.per_image import read_parts
from trainer.evaluation.samples import sampled_epochs
from trainer.progress import Progress
from trainer.training import fitting, loop
from trainer.training.checkpoints import find_checkpoint, load_state
from trainer.training.loop import (
    StopTraining,
    Training,
    TrainingFailure,
    train,
    train_epoch,
)
from trainer.training.progression import HISTORY, Progression
from trainer.training.recording import Recorder
from trainer.wording import duration

EVERY_EPOCH = {
    *("train/loss", "train/dice", "train/miou", "train/grad_norm"),
    *("val/loss", "val/dice", "val/miou", "val/accuracy", "val/dice_per_image"),
    *("val/balanced_accuracy", "val/dice_per_image_present"),
    *("val/dice_no_background", "val/miou_no_background", "val/foreground_share"),
    *("lr", "time/epoch_seconds", "memory/peak_mib"),
    *("throughput/train_images_per_second", "throughput/val_images_per_second"),
}


class ListedRun:
    """A run that keeps its metrics in a list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logged: list[tuple[int, dict[str, float]]] = []

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.logged.append((epoch, dict(metrics)))


class Trained:
    """A loop that can be run over `cars`."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config = config
        self.data: SegmentationData = open_data(config, progress=False)
        self.training: Training = fitting._new_training(config, self.data)
        self.run = ListedRun(folder)

    def go(self, on_epoch: Callable[[int, Mapping[str, float]], None] | None = None) -> str:
        recorder = Recorder(self.run, self.data, self.config, on_epoch=on_epoch)
        progress = Progress(enabled=False)
        return train(self.training, self.data, self.config, recorder, progress)

    def state(self, name: str) -> dict[str, Any]:
        found = find_checkpoint(self.run.folder / "checkpoints" / name)
        assert found is not None
        return load_state(found)


@pytest.fixture
def make(tiny: TrainConfig, tmp_path: Path) -> Callable[..., Trained]:
    return lambda **changes: Trained(tiny.replace(**changes), tmp_path / "run")


def test_a_run_that_computes_again_learns_the_same(make: Callable[..., Trained]) -> None:
    runs = [make(dropout=0.3, activation_checkpointing=again) for again in (False, True)]
    for run in runs:
        assert run.go() == "completed"
    kept, again = (run.training for run in runs)
    assert "forward" in vars(again.forward.model.first)
    assert again.progression == kept.progression
    weights = again.forward.model.state_dict()
    for name, tensor in kept.forward.model.state_dict().items():
        assert torch.equal(weights[name], tensor), name
    assert runs[0].config.seed_group() == runs[1].config.seed_group()


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_batches_that_are_added_up_are_one_large_batch(
    make: Callable[..., Trained], batch_size: int
) -> None:
    """Where nothing normalises by batch; the last step of an epoch has fewer images."""
    plain = {"norm": "none", "optimizer": "sgd", "lr": 0.1, "precision": "float32"}
    large = make(batch_size=8, **plain)
    small = make(batch_size=batch_size, accumulate=8 // batch_size, **plain)
    assert large.data.size("train") % 8 != 0
    learned = []
    for trained in (large, small):
        steps = count_steps(trained)
        learned.append(
            train_epoch(trained.training, trained.data, trained.config, 1, Progress(enabled=False))
        )
        assert len(steps) == math.ceil(trained.data.size("train") / 8)
    assert learned[1]["train/loss"] == pytest.approx(learned[0]["train/loss"], rel=1e-3)
    for a, b in zip(*(t.training.forward.model.parameters() for t in (large, small)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def count_steps(trained: Trained) -> list[object]:
    """Return a list that each step of the optimiser is put into."""
    steps: list[object] = []
    trained.training.optimizer.register_step_post_hook(lambda *given: steps.append(given))
    return steps


def test_every_epoch_has_all_its_metrics_in_one_write(make: Callable[..., Trained]) -> None:
    trained = make(epochs=2)
    assert trained.go() == "completed"
    assert [epoch for epoch, _ in trained.run.logged] == [1, 2]
    for _, metrics in trained.run.logged:
        assert metrics.keys() >= EVERY_EPOCH
        assert {key for key in metrics if key.startswith("val/iou/")} == {
            f"val/iou/{name}" for name in trained.data.class_names
        }
        assert all(math.isfinite(value) for value in metrics.values())


def test_everything_is_safe_before_the_watcher_hears(make: Callable[..., Trained]) -> None:
    trained = make(epochs=2)
    folder = trained.run.folder
    heard = []

    def watch(epoch: int, metrics: Mapping[str, float]) -> None:
        heard.append(epoch)
        assert trained.run.logged[-1] == (epoch, metrics)
        assert trained.state("last")["progression"]["epoch"] == epoch
        assert set(read_parts(folder / PER_IMAGE)["epoch"]) == set(range(1, epoch + 1))
        assert sampled_epochs(folder / "samples") == list(range(1, epoch + 1))
        assert (folder / "evaluation" / "confusion.json").is_file()

    trained.go(watch)
    assert heard == [1, 2]


def test_metrics_are_kept_before_the_checkpoint(
    make: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, the epoch is trained again; the other way round it would be missing."""
    trained = make()

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        trained.go()
    assert [epoch for epoch, _ in trained.run.logged] == [1]
    assert find_checkpoint(trained.run.folder / "checkpoints" / "last") is None


def test_the_best_checkpoint_is_of_the_best_epoch(make: Callable[..., Trained]) -> None:
    trained = make(epochs=4)
    trained.go()
    scores = [metrics["val/dice"] for _, metrics in trained.run.logged]
    best = trained.state("best")["progression"]
    assert best["epoch"] == best["best_epoch"] == scores.index(max(scores)) + 1
    assert best["best_score"] == max(scores)
    last = trained.state("last")["progression"]
    assert last["epoch"] == 4
    assert last["history"]["val/dice"] == scores
    assert set(last["history"]) == set(HISTORY)


def test_per_image_counts_add_up_to_the_metric(make: Callable[..., Trained]) -> None:
    trained = make(epochs=1)
    trained.go()
    frame = read_parts(trained.run.folder / PER_IMAGE)
    assert frame["image"].nunique() == trained.data.size("val")
    car = frame[frame["class"] == trained.data.class_names[1]]
    (_, metrics), *_ = trained.run.logged
    expected = float(dice(car["tp"].sum(), car["fp"].sum(), car["fn"].sum()))
    assert metrics["val/dice"] == pytest.approx(expected)
    assert frame["lr"].iloc[0] == pytest.approx(metrics["lr"])
    assert frame["grad_norm"].iloc[0] == pytest.approx(metrics["train/grad_norm"])


def test_it_goes_on_after_the_progressions_epoch(make: Callable[..., Trained]) -> None:
    trained = make(epochs=4)

    def stop(epoch: int, _metrics: Mapping[str, float]) -> None:
        if epoch == 2:
            raise StopTraining("pruned", "enough")

    with pytest.raises(StopTraining) as stopped:
        trained.go(stop)
    assert (stopped.value.outcome, stopped.value.reason) == ("pruned", "enough")
    assert trained.go() == "completed"
    assert [epoch for epoch, _ in trained.run.logged] == [1, 2, 3, 4]


@pytest.mark.parametrize("clip", [None, 0.01])
def test_the_gradient_norm_is_told_before_it_is_clipped(
    clip: float | None, make: Callable[..., Trained]
) -> None:
    trained = make(gradient_clip=clip, optimizer="sgd", momentum=0.0, lr=1e-3, batch_size=64)
    before = [p.detach().clone() for p in trained.training.forward.model.parameters()]
    learned = train_epoch(
        trained.training, trained.data, trained.config, 1, Progress(enabled=False)
    )
    after = trained.training.forward.model.parameters()
    moved = torch.stack([(a - b).norm() for a, b in zip(after, before, strict=True)]).norm()
    norm = learned["train/grad_norm"]
    assert norm > 0.02
    # One step of plain SGD moves the weights by lr x the norm of the gradient that it took.
    assert moved.item() / 1e-3 == pytest.approx(clip or norm, rel=1e-2)
    assert learned["train/grad_norm_max"] == norm


def test_the_training_loss_is_the_mean_over_images(make: Callable[..., Trained]) -> None:
    """The last batch is smaller, and must count for less."""
    trained = make(lr=1e-12, optimizer="sgd", momentum=0.0, batch_size=5)
    images = trained.data.size("train")
    assert images % 5
    model = trained.training.forward.model
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train = lambda mode=True, m=module: nn.Module.train(m, False)  # type: ignore[method-assign, misc, assignment]
    learned = train_epoch(
        trained.training, trained.data, trained.config, 1, Progress(enabled=False)
    )
    model.eval()
    alone = []
    with torch.inference_mode():
        for batch in trained.data.batches("train", batch_size=1):
            alone.append(trained.training.forward(batch)[1].item())
    assert len(alone) == images
    assert learned["train/loss"] == pytest.approx(sum(alone) / images, rel=1e-3)


class TestFailure:
    """A loss that is no longer finite ends the run; what was measured is kept."""

    def test_in_training(self, make: Callable[..., Trained]) -> None:
        trained = make(epochs=3)

        def spoil(epoch: int, _metrics: Mapping[str, float]) -> None:
            if epoch == 2:
                self.spoil(trained)

        with pytest.raises(TrainingFailure, match=r"training loss became nan in epoch 3 .* lr"):
            trained.go(spoil)
        (*_, (epoch, metrics)) = trained.run.logged
        assert epoch == 3
        assert math.isnan(metrics["train/loss"])
        assert trained.state("last")["progression"]["epoch"] == 2

    def test_in_validation(
        self, make: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The epoch's last step spoils the weights: no checkpoint may hold them."""
        trained = make(epochs=1)
        real = loop.train_epoch

        def spoiling(*args: Any) -> dict[str, float]:
            learned = real(*args)
            self.spoil(trained)
            return learned

        monkeypatch.setattr(loop, "train_epoch", spoiling)
        with pytest.raises(TrainingFailure, match=r"validation loss became nan in epoch 1"):
            trained.go()
        ((epoch, metrics),) = trained.run.logged
        assert epoch == 1
        assert math.isnan(metrics["val/loss"])
        assert math.isfinite(metrics["train/loss"])
        assert find_checkpoint(trained.run.folder / "checkpoints" / "last") is None
        assert math.isnan(trained.training.progression.history["val/loss"][-1])

    @staticmethod
    def spoil(trained: Trained) -> None:
        with torch.no_grad():
            next(iter(trained.training.forward.model.parameters())).fill_(math.nan)


def test_what_a_network_draws_hangs_on_seed_and_epoch_alone(make: Callable[..., Trained]) -> None:
    """A run that goes on drops the same units as one that was never interrupted."""

    def learn(epoch: int, *, drawn_before: int, seed: int = 0) -> float:
        trained = make(seed=seed)
        forward = trained.training.forward
        with torch.no_grad():
            for parameter in forward.model.parameters():
                parameter.fill_(0.01)
        forward.model.register_forward_hook(
            lambda model, _, logits: nn.functional.dropout(logits, 0.5, model.training)
        )
        torch.rand(drawn_before)
        arguments = (trained.training, trained.data, trained.config, epoch)
        return train_epoch(*arguments, Progress(enabled=False))["train/loss"]

    first = learn(2, drawn_before=0)
    assert learn(2, drawn_before=7) == first
    assert learn(3, drawn_before=0) != first
    assert learn(2, drawn_before=0, seed=1) != first


def metrics(score: float, key: str = "val/dice") -> dict[str, float]:
    return dict.fromkeys(HISTORY, 0.0) | {"val/iou/car": 0.5, key: score}


def follow(scores: list[float], **changes: Any) -> tuple[Progression, list[int]]:
    """Return where a curve leads, and the epochs that were best when they came."""
    config = TrainConfig(**changes)
    progression, best = Progression(), []
    for epoch, score in enumerate(scores, 1):
        if progression.update(epoch, metrics(score, config.monitor), config):
            best.append(epoch)
        if progression.is_out_of_patience(config):
            break
    return progression, best


class TestProgression:
    """Which epoch is the best, and when patience runs out."""

    def test_the_best_is_the_first_highest(self) -> None:
        progression, best = follow([0.5, 0.7, 0.6, 0.7, 0.8])
        assert best == [1, 2, 5]
        assert (progression.best_epoch, progression.best_score) == (5, 0.8)
        assert progression.best_metrics["val/iou/car"] == 0.5
        assert not [key for key in progression.best_metrics if not key.startswith("val/")]

    def test_another_score_may_be_watched(self) -> None:
        assert follow([0.5, 0.7, 0.6], monitor="val/miou")[1] == [1, 2]

    def test_a_curve_that_an_earlier_version_did_not_keep_begins_at_its_own_epoch(self) -> None:
        earlier = {"val/dice": [0.5, 0.6]}
        progression = Progression(epoch=2, history=earlier)
        progression.update(3, metrics(0.7), TrainConfig())
        assert progression.history["val/dice"] == [0.5, 0.6, 0.7]
        begun = progression.history["train/miou"]
        assert (len(begun), begun[2]) == (3, 0.0) and math.isnan(begun[0]) and math.isnan(begun[1])

    def test_patience_counts_epochs_without_a_gain(self) -> None:
        assert follow([0.5, 0.4, 0.6, 0.6, 0.5, 0.9], patience=2)[0].epoch == 5
        assert follow([0.5, 0.4, 0.6, 0.6, 0.7], patience=2)[0].epoch == 5
        assert follow([0.5] * 50)[0].epoch == 50

    def test_a_gain_below_min_delta_is_none_for_patience(self) -> None:
        progression, best = follow([0.5, 0.504, 0.508], patience=2, min_delta=0.01)
        assert progression.epoch == 3
        assert best == [1, 2, 3]  # but the best weights are the best weights
        assert progression.is_out_of_patience(TrainConfig(patience=2))

    def test_small_gains_add_up(self) -> None:
        """A run that rises by 0.006 an epoch rises; it must not be stopped for being steady."""
        rising = [0.5 + 0.006 * epoch for epoch in range(20)]
        assert follow(rising, patience=2, min_delta=0.01)[0].epoch == 20

    def test_an_epoch_without_a_score_is_the_best_only_until_one_has_it(self) -> None:
        progression, best = follow([math.nan, math.nan, 0.2, math.nan], patience=5)
        assert best == [1, 2, 3]
        assert (progression.best_epoch, progression.best_score) == (3, 0.2)

    def test_where_no_epoch_has_a_score_the_last_is_the_best(self) -> None:
        progression, best = follow([math.nan] * 9, patience=3)
        assert best == [1, 2, 3]
        assert (progression.epoch, progression.best_epoch) == (3, 3)
        assert not progression.is_scored

    def test_it_goes_through_json(self, make: Callable[..., Trained]) -> None:
        trained = make(epochs=2)
        trained.go()
        stored = trained.state("last")["progression"]
        assert Progression(**stored) == trained.training.progression


@pytest.mark.parametrize(("patience", "how"), [(None, "about"), (9, "at most")])
def test_a_line_of_the_log_says_how_long_the_rest_takes(
    make: Callable[..., Trained],
    caplog: pytest.LogCaptureFixture,
    patience: int | None,
    how: str,
) -> None:
    caplog.set_level("INFO", "trainer")
    trained = make(epochs=3, patience=patience)
    trained.go()
    lines = [line for line in caplog.messages if line.startswith("epoch ")]
    seconds = [metrics["time/epoch_seconds"] for _, metrics in trained.run.logged]
    left = [2 * seconds[0], sum(seconds[:2]) / 2]
    for line, rest in zip(lines, left, strict=False):
        assert f"  {how} {duration(rest)} left" in line
    assert len(lines) == 3 and "left" not in lines[2]
