"""The average of the weights: what it is, what it scores, and which of the two a run keeps."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.reliability.seen import curves, files, folder_of
from trainer.analysis.score_table import AVERAGED
from trainer.config import TrainConfig
from trainer.data.loading import open_data
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.per_image import read_part
from trainer.evaluation.results import history
from trainer.progress import Progress
from trainer.training import fitting
from trainer.training.checkpoints import load_weights
from trainer.training.fitting import fit
from trainer.training.loop import train_epoch

BOTH = ("val/dice", f"{AVERAGED}/dice")


@pytest.fixture
def config(tiny: TrainConfig) -> TrainConfig:
    return tiny.replace(samples=1, ema_decay=0.6)


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.double().clone() for name, t in state.items() if t.is_floating_point()}


def test_it_follows_weights_and_statistics_by_a_decay_that_rises(config: TrainConfig) -> None:
    """The first step as it is, then 2 of 11, 3 of 12, … up to the decay."""
    config = config.replace(batch_size=1, ema_decay=0.4)
    data = open_data(config, progress=False)
    training = fitting._new_training(config, data)
    average = training.average
    assert average is not None
    seen: list[dict[str, Tensor]] = []
    # Before the average hears of it, which is after each step.
    training.optimizer.register_step_post_hook(
        lambda *_: seen.append(floats(training.forward.model.state_dict()))
    )
    train_epoch(training, data, config, 1, Progress(enabled=False))
    assert average.updates == len(seen) == data.size("train") > 6
    expected = seen[0]
    decays = []
    for number, weights in enumerate(seen[1:], start=1):
        decays.append(min(0.4, (1 + number) / (10 + number)))
        expected = {
            name: decays[-1] * expected[name] + (1 - decays[-1]) * weights[name] for name in weights
        }
    assert decays[0] == pytest.approx(2 / 11) and decays[-1] == 0.4
    found = floats(average.forward.model.state_dict())
    assert any(name.endswith("running_var") for name in found)
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-6)
        assert not torch.equal(tensor, floats(training.forward.model.state_dict())[name])


def test_it_is_scored_beside_the_weights_and_changes_nothing_of_them(
    config: TrainConfig, store: Path
) -> None:
    trained = fit(config, progress=False)
    logged = curves(trained.run_id)
    averaged = {key for key in logged if key.startswith(f"{AVERAGED}/")}
    plain = fit(config.replace(ema_decay=None), progress=False)
    assert curves(plain.run_id) == {k: v for k, v in logged.items() if k not in averaged}
    of_val = {k.removeprefix("val/") for k in curves(plain.run_id) if k.startswith("val/")}
    assert {key.removeprefix(f"{AVERAGED}/") for key in averaged} == of_val
    assert logged["val/loss"] != logged[f"{AVERAGED}/loss"]
    told = (folder_of(trained.run_id) / "log.txt").read_text()
    for value in history(trained.run_id, f"{AVERAGED}/dice").values:
        assert f"ema dice {value:.4f}" in told
    ours, others = files(trained.run_id), files(plain.run_id)
    # The weights that learn are judged, so all that a run keeps of its best is theirs.
    parts = ["checkpoints/best/model.safetensors"]
    parts += [name for name in others if name.startswith(("samples/", "evaluation/"))]
    assert len(parts) > 3 and all(ours[name] == others[name] for name in parts)


@pytest.mark.parametrize("monitor", BOTH)
def test_all_that_is_kept_of_the_best_epoch_is_of_what_is_monitored(
    config: TrainConfig, store: Path, monitor: str
) -> None:
    config = config.replace(monitor=monitor)
    result = fit(config, progress=False)
    best = int(result.best["epoch"])
    scores = {name: history(result.run_id, name).values for name in BOTH}
    logged = {name: values[best - 1] for name, values in scores.items()}
    assert result.best[monitor.replace("/", "_")] == logged[monitor] == scores[monitor].max()
    assert logged[BOTH[0]] != logged[BOTH[1]]
    # The model of the best checkpoint scores on validation what is told of it.
    data = open_data(config, progress=False)
    training = fitting._new_training(config, data)
    load_weights(folder_of(result.run_id) / "checkpoints/best", training.forward.model)
    batches = data.batches("val", batch_size=config.batch_size)
    again = evaluate(
        training.forward, batches, split="val", images=data.names("val"), classes=data.class_names
    )
    assert again.metrics()["val/dice"] == pytest.approx(logged[monitor], abs=1e-12)
    rows = read_part(folder_of(result.run_id) / PER_IMAGE / f"epoch-{best:04d}.parquet")
    car = rows[rows["class"] == data.class_names[1]][["tp", "fp", "fn"]].sum()
    dice = 2 * car["tp"] / (2 * car["tp"] + car["fp"] + car["fn"])
    assert dice == pytest.approx(logged[monitor], abs=1e-12)


def test_activations_that_are_computed_again_are_not_those_of_the_other_network(
    config: TrainConfig, store: Path
) -> None:
    losses = [
        history(
            fit(config.replace(activation_checkpointing=again), progress=False).run_id,
            f"{AVERAGED}/loss",
        ).values
        for again in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
