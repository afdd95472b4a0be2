"""What is said before an epoch is trained, and what a run leaves when it was not."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.analysis.score_table import monitors
from trainer.config import TrainConfig
from trainer.data.dataset import DataSet
from trainer.prediction.predictor import Predictor
from trainer.prediction.registry import register, resolve_model
from trainer.tracking import find_runs, get_run
from trainer.tracking.reading import histories
from trainer.training.fitting import fit, resume

SIZE = (16, 24)


def draw(root: Path, masks: dict[str, list[list[int]]], names: str = "[sky, car]") -> Path:
    """Write noise with masks; each mask is a list of the values of its columns, which repeat."""
    random = np.random.default_rng(len(masks))
    for split, of_split in masks.items():
        for number, values in enumerate(of_split):
            row = np.resize(np.array(values, np.uint8), SIZE[1])
            image = random.integers(0, 60, (*SIZE, 3)) + 150 * (row == 1)[None, :, None]
            for kind, array in (
                ("images", image.astype(np.uint8)),
                ("masks", np.tile(row, (16, 1))),
            ):
                path = root / split / kind / f"i{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    (root / "classes.yaml").write_text(f"classes: {names}\nvoid: 255\n", encoding="utf-8")
    return root


@pytest.fixture
def small(tiny: TrainConfig) -> TrainConfig:
    return tiny.replace(image_size=SIZE, epochs=2, batch_size=2)


BOTH, NONE, VOID, ALL = [0, 0, 1], [0], [255], [1]


@pytest.mark.parametrize("monitor", monitors())
@pytest.mark.parametrize("val", [[BOTH], [NONE, NONE], [NONE, BOTH], [VOID], [ALL, VOID]])
def test_where_training_starts_every_epoch_has_the_monitored_score(
    small: TrainConfig, store: Path, tmp_path: Path, val: list[list[int]], monitor: str
) -> None:
    data = draw(tmp_path / "data", {"train": [BOTH, NONE, BOTH], "val": val})
    config = small.replace(data=str(data), monitor=monitor, ema_decay=0.9)
    try:
        result = fit(config, progress=False)
    except ValueError as error:
        assert str(error).startswith("split: no validation image shows ")
        assert "--folds 5" in str(error) and "\n" not in str(error)
        assert not find_runs("")
    else:
        curve = histories([result.run_id], [monitor])["value"]
        assert len(curve) == 2 and np.isfinite(curve).all()


def test_an_image_too_small_for_the_network_is_named(
    small: TrainConfig, store: Path, tmp_path: Path
) -> None:
    data = draw(tmp_path / "data", {"train": [BOTH] * 2, "val": [BOTH]})
    config = small.replace(data=str(data), geometry="pad", depth=5, batch_size=1)
    with pytest.raises(
        ValueError, match=r"geometry: \S+ has 16 x 24 pixels, too few for unet"
    ) as no:
        fit(config, progress=False)
    assert "--image-size 33 33" in str(no.value) and not find_runs("")
    assert fit(config.replace(depth=4), progress=False).outcome == "completed"


def test_a_set_that_shows_nothing_is_refused(
    small: TrainConfig, store: Path, tmp_path: Path
) -> None:
    data = draw(tmp_path / "data", {"train": [NONE] * 3, "val": [NONE]})
    with pytest.raises(ValueError, match="every pixel of 4 masks is 'sky'"):
        fit(small.replace(data=str(data), monitor="val/miou"), progress=False)
    assert not find_runs("")


def test_another_seed_is_the_cure_where_the_split_is_drawn(
    small: TrainConfig, store: Path, tmp_path: Path
) -> None:
    data = draw(tmp_path / "data", {".": [BOTH, BOTH, *[NONE] * 4]})
    config = small.replace(data=str(data), test_fraction=0.0, val_fraction=0.3)
    refused = []
    for seed in range(12):
        try:
            fit(config.replace(split_seed=seed, epochs=1), progress=False)
            break
        except ValueError as error:
            refused.append(str(error))
    assert refused and len(refused) < 12
    assert all("another --split-seed" in line for line in refused)


def test_a_class_of_one_side_alone_is_told(small: TrainConfig, store: Path, tmp_path: Path) -> None:
    data = draw(tmp_path / "data", {"train": [BOTH] * 3, "val": [[0, 2]]}, "[sky, car, bike]")
    result = fit(small.replace(data=str(data)), progress=False)
    folder = Path(get_run(result.run_id).info.artifact_uri.removeprefix("file://"))
    notes = json.loads((folder / "dataset.json").read_text("utf-8"))["notes"]
    told = [
        "'bike' is in no training image, but in 1 validation image: it cannot be learnt",
        "'car' is in no validation image, but in 3 training images: how well it is found is not "
        "known",
    ]
    assert [note for note in notes if "is in no" in note] == told
    assert all(line in (folder / "log.txt").read_text("utf-8") for line in told)


def test_a_run_without_a_score_leaves_a_model_and_goes_on(
    small: TrainConfig, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataSet, "check_scorable", lambda self: None)
    data = draw(tmp_path / "data", {"train": [BOTH] * 3, "val": [VOID]})
    result = fit(small.replace(data=str(data)), progress=False)
    assert result.outcome == "completed"
    assert result.best["epoch"] == 2 and math.isnan(result.best["val_dice"])
    folder = Path(get_run(result.run_id).info.artifact_uri.removeprefix("file://"))
    assert "no epoch had a val/dice, so the last one stands for the best" in (
        folder / "log.txt"
    ).read_text("utf-8")
    register(result.run_id, "nothing", alias="champion")
    assert resume(result.run_id, epochs=3, progress=False).best["epoch"] == 3
    model = Predictor(resolve_model("models:/nothing@champion", tmp_path))
    assert model.predict(np.zeros((*SIZE, 3), np.uint8)).shape == SIZE
