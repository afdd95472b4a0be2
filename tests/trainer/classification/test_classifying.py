"""A classifier's run, from the command to the store: begun with a model, gone on with, compared."""

import json
from pathlib import Path

import pytest
import torch

from tests.trainer.classification.animals import draw
from tests.trainer.training.test_fitting import folder_of
from trainer.classification.config import NOT_READ, ClassifyConfig
from trainer.command_line import guarded
from trainer.commands.training import classify
from trainer.config import TrainConfig
from trainer.config.parsing import from_mapping, from_params
from trainer.evaluation.results import which_is_better
from trainer.prediction.registry import export_run
from trainer.tracking import get_run, reading
from trainer.training.checkpoints import read_tensors
from trainer.training.fitting import FitResult, fit, resume

NETWORK = {"base_channels": 8, "depth": 2}


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("animals"), cats=24, dogs=16)


@pytest.fixture
def config(animals: Path) -> ClassifyConfig:
    """Return a configuration that learns two classes in a second or two."""
    return ClassifyConfig(
        data=str(animals),
        image_size=(32, 40),
        epochs=4,
        batch_size=4,
        lr=1e-2,
        split_seed=1,
        cache="ram",
        precision="float32",
        **NETWORK,
    )


def weights(run_id: str) -> dict[str, torch.Tensor]:
    return read_tensors(folder_of(run_id) / "checkpoints" / "last" / "model.safetensors")


def train(config: TrainConfig) -> FitResult:
    return fit(config, progress=False)


def test_it_learns_and_keeps_its_scores_its_confusion_and_its_costs(
    config: ClassifyConfig, store: Path
) -> None:
    result = train(config)
    assert result.best["val_accuracy"] > 0.9
    run = get_run(result.run_id)
    logged = run.data.metrics
    assert run.data.tags["segscope.kind"] == "classifier"
    assert run.info.run_name.startswith(f"{config.model} classifier lr ")
    assert {"val/accuracy", "val/balanced_accuracy", "val/recall/cat", "val/loss"} <= logged.keys()
    assert {"test/accuracy", "train/balanced_accuracy", "best/val_accuracy"} <= logged.keys()
    assert not [key for key in logged if "dice" in key or "iou" in key]
    learnt = sum(t.numel() for n, t in weights(result.run_id).items() if "running" not in n)
    counters = sum(n.endswith("num_batches_tracked") for n in weights(result.run_id))
    assert logged["model/parameters"] == learnt - counters
    split = json.loads((folder_of(result.run_id) / "split.json").read_text())
    confusion = json.loads((folder_of(result.run_id) / "evaluation" / "confusion.json").read_text())
    assert sum(map(sum, confusion["matrix"])) == len(split["val"])
    assert confusion["classes"] == ["cat", "dog"]
    assert not NOT_READ & run.data.params.keys()
    assert from_params(run.data.params, ClassifyConfig()) == config
    row = reading.list_runs().loc[result.run_id]
    assert row["headline"] == "val/balanced_accuracy"


def test_it_begins_with_an_encoder_of_ours_and_may_leave_it_as_it_is(
    config: ClassifyConfig, tiny: TrainConfig, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The architecture is that of the model, whatever the defaults are."""
    begun = fit(tiny.replace(epochs=1, model="resunet", base_channels=6), progress=False).run_id
    flags = f"--data {config.data} --init-from {begun} --freeze encoder --epochs 1 --lr 0.01"
    assert classify([*flags.split(), "--image-size", "32", "40", "--json"]) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    params = get_run(run_id).data.params
    assert (params["model"], params["base_channels"], params["depth"]) == ("resunet", "6", "2")
    before = read_tensors(folder_of(begun) / "checkpoints" / "best" / "model.safetensors")
    after = weights(run_id)
    assert all(torch.equal(before[n], t) for n, t in after.items() if not n.startswith("head."))
    scratch = weights(train(config.replace(epochs=1, model="resunet", base_channels=6)).run_id)
    assert scratch.keys() == after.keys()
    assert not torch.equal(scratch["first.weight"], before["first.weight"])


def test_it_goes_on_as_if_it_had_not_stopped(config: ClassifyConfig, store: Path) -> None:
    whole, first = train(config).run_id, train(config.replace(epochs=2)).run_id
    assert resume(first, epochs=4, progress=False).epochs == 4
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(first)[name]), name


def test_two_are_compared_by_their_own_scores(config: ClassifyConfig, store: Path) -> None:
    of = {"a": config.replace(epochs=1), "b": config.replace(epochs=1, lr=1e-4)}
    sides = {name: [train(one).run_id] for name, one in of.items()}
    (pair,) = which_is_better(sides, score="accuracy").pairs
    values = [get_run(r).data.metrics["val/accuracy"] for (r,) in sides.values()]
    assert pair.interval.value == pytest.approx(values[0] - values[1])
    (pair,) = which_is_better(sides).pairs
    assert pair.score == "balanced_accuracy"
    with pytest.raises(ValueError, match=r"score of classifiers 'dice'.*balanced_accuracy"):
        which_is_better(sides, score="dice")


def test_it_may_be_judged_by_the_average_of_its_weights(
    config: ClassifyConfig, store: Path
) -> None:
    run_id = train(config.replace(ema_decay=0.9, monitor="val/ema/accuracy", epochs=2)).run_id
    run = get_run(run_id)
    assert run.data.metrics["val/ema/accuracy"] >= 0
    assert run.data.tags["segscope.stability_of"] == "val/ema/accuracy"
    with pytest.raises(ValueError, match="val/ema/accuracy is of averaged weights; give ema_decay"):
        config.replace(monitor="val/ema/accuracy")


def test_it_is_no_model_of_masks(config: ClassifyConfig, store: Path, tmp_path: Path) -> None:
    run_id = train(config.replace(epochs=1)).run_id
    with pytest.raises(ValueError, match=f"{run_id} is a classifier, which predicts no masks"):
        export_run(run_id, tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"masks": "m"}, "masks: is of masks, which a classifier has not"),
        ({"boundary_iou": True}, "boundary_iou: is of masks"),
        ({"layout": "voc"}, "layout of a classifier 'voc'.*known: auto, folders, pets"),
        ({"monitor": "val/dice"}, "monitor of a classifier 'val/dice'"),
        ({"loss": "bce+dice"}, "loss of a classifier 'dice'"),
    ],
)
def test_what_is_of_masks_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ClassifyConfig(**changes)


def test_its_configuration_is_read_back(config: ClassifyConfig) -> None:
    again = from_mapping(config.plain(), ClassifyConfig())
    assert again == config and type(again) is ClassifyConfig
    assert config.replace(optimizer="sgd").values().keys() & NOT_READ == set()
    assert config.seed_group() == config.replace(seed=5).seed_group()


def test_the_command_asks_for_data(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("trainer", lambda: classify([])) == 2
    assert "give --data" in capsys.readouterr().err
