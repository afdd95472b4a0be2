"""The range test: steps of the training that is asked for, and a run that is told from one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch.optim import Optimizer

from tests.reliability.seen import folder_of
from trainer.analysis.learning_rates import KIND, PICTURE
from trainer.cli import COMMANDS
from trainer.config import TrainConfig
from trainer.evaluation.results import by_configuration, history
from trainer.tracking import find_runs, get_run
from trainer.tracking.reading import list_runs
from trainer.training import range_test as tested
from trainer.training.fitting import fit, resume
from trainer.training.range_picture import HEIGHT, WIDTH, picture
from trainer.training.range_test import range_test


@pytest.fixture
def config(tiny: TrainConfig) -> TrainConfig:
    """Return a configuration of three steps an epoch, with all that a step may have."""
    return tiny.replace(
        batch_size=2, accumulate=2, gradient_clip=0.5, augment="flips", dropout=0.1, samples=0
    )


def test_at_one_rate_its_steps_are_those_of_a_training(config: TrainConfig, store: Path) -> None:
    lr = 1e-2
    # What decides how long a training is and what is kept of it plays no part.
    asked = config.replace(schedule="cosine", ema_decay=0.9, monitor="val/ema/dice", patience=1)
    found = range_test(asked, steps=12, lowest=lr, highest=lr * (1 + 1e-12), progress=False)
    trained = fit(config.replace(lr=lr, epochs=4), progress=False)
    by_epoch = found.losses.reshape(4, 3).mean(axis=1)
    np.testing.assert_allclose(by_epoch, history(trained.run_id, "train/loss").values, rtol=1e-4)


def test_the_rate_grows_by_a_factor_and_an_encoder_keeps_its_share(
    config: TrainConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []
    real = tested.opened

    def watched(*given: object) -> object:
        begun = real(*given)  # type: ignore[arg-type]

        def see(optimizer: Optimizer, *_: object) -> None:
            seen.append([group["lr"] for group in optimizer.param_groups])

        begun.training.optimizer.register_step_pre_hook(see)
        return begun

    monkeypatch.setattr(tested, "opened", watched)
    given = config.replace(lr=1e-3, encoder_lr=1e-4)
    found = range_test(given, steps=11, lowest=1e-6, highest=1e-1, progress=False)
    expected = 10.0 ** np.arange(-6, -0.9, 0.5)
    np.testing.assert_allclose(seen, np.stack([expected, expected / 10], axis=1))
    np.testing.assert_allclose(found.rates, expected)


def test_it_ends_where_training_diverges(config: TrainConfig, store: Path) -> None:
    given = config.replace(optimizer="sgd", norm="none", gradient_clip=None)
    found = range_test(given, steps=60, lowest=1e-3, highest=1e9, progress=False)
    assert found.losses.size == found.rates.size < 60
    assert not np.isfinite(found.losses[-1]) or found.losses[-5:].mean() > found.losses.min()
    told = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(told)["run_id"] == found.run_id


def test_the_store_has_it_as_what_it_is(config: TrainConfig, store: Path) -> None:
    trained = fit(config.replace(epochs=1), progress=False)
    found = range_test(config.replace(epochs=1), steps=10, lowest=1e-5, highest=1, progress=False)
    row = list_runs().loc[found.run_id]
    assert (row["kind"], row["state"], row["headline"], row["last_step"]) == (
        *(KIND, "completed", ""),
        0,
    )
    assert row["name"] == "lr-find unet" and row["params.optimizer"] == "adam"
    assert row["params.lr-find.highest"] == "1" and row.isna()["params.lr"]
    # It repeats no training.
    [members] = by_configuration([trained.run_id], all_seeds=True).values()
    assert members == [trained.run_id]
    with pytest.raises(ValueError, match="it is no training, but of kind lr-find"):
        resume(found.run_id, progress=False)
    folder = folder_of(found.run_id)
    table = pd.read_csv(folder / "lr-find.csv", index_col="step")
    np.testing.assert_allclose(table["lr"], found.rates)
    np.testing.assert_allclose(table["loss"], found.losses)
    with Image.open(folder / PICTURE) as image:
        assert image.size == (WIDTH, HEIGHT)


def test_one_that_is_interrupted_is_closed_as_that(
    config: TrainConfig, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tested, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        range_test(config, steps=10, lowest=1e-5, highest=1, progress=False)
    (run,) = find_runs("")
    assert get_run(run.info.run_id).info.status == "KILLED"
    assert run.data.tags["segscope.reason"] == "interrupted"


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"steps": 9, "lowest": 1e-5, "highest": 1.0}, "steps: 9 must lie in 10 to 10000"),
        ({"steps": 10, "lowest": 1.0, "highest": 1.0}, "lowest: 1 must be above 0 and below"),
        ({"steps": 10, "lowest": 0.0, "highest": 1.0}, "lowest: 0 must be above 0 and below"),
        ({"steps": 10, "lowest": 1.0, "highest": np.inf}, "highest, inf"),
    ],
)
def test_bounds_that_are_none_are_refused_before_there_is_a_run(
    config: TrainConfig, store: Path, bounds: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        range_test(config, progress=False, **bounds)  # type: ignore[arg-type]
    assert not find_runs("")


def test_the_command_tells_a_rate_or_that_none_is_known(
    config: TrainConfig, store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text(config.to_yaml(), encoding="utf-8")
    args = ["--config", str(tmp_path / "run.yaml"), "--steps", "10", "--highest", "1e-6"]
    assert COMMANDS["lr-find"](args) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[-1] == told[1].split()[-1] == "unknown"
    assert "nowhere falls by more than its noise" in told[2]
    assert COMMANDS["lr-find"]([*args, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["steepest"] is None and len(value["lr"]) == len(value["loss"]) == 10


def test_the_picture_has_the_curve_and_a_line_a_suggestion() -> None:
    rates = np.geomspace(1e-5, 1, 50)
    losses = np.linspace(1, 0.5, 50)
    bare = np.asarray(picture(rates, losses, {"steepest": None}))
    marked = np.asarray(picture(rates, losses, {"steepest": 1e-3}))
    columns = np.flatnonzero((bare != marked).any(axis=2)[100:400].any(axis=0))
    middle = 60 + (WIDTH - 120) * 2 / 5
    assert columns.size and np.abs(columns - middle).max() <= 2
    assert np.asarray(picture(rates[:3], losses[:3], {})).shape == (HEIGHT, WIDTH, 3)
