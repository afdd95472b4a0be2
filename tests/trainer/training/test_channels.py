"""One, three, four channels: from the files to a run, a registered model and its masks."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import albumentations
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.trainer.prediction.test_registry import WITHOUT_OUR_PACKAGES
from trainer import cli
from trainer.config import TrainConfig
from trainer.data.collection import ImageCoding
from trainer.data.files.reading import read_image
from trainer.data.loading import open_data
from trainer.evaluation.samples import read_samples
from trainer.prediction import registry
from trainer.prediction.predictor import Predictor
from trainer.tracking import find_runs, get_run
from trainer.training.fitting import fit, resume

Draw = Callable[..., Path]


@pytest.fixture
def scenes(tmp_path: Path) -> Draw:
    """Return what draws 16 images of so many 12-bit bands, whose last alone tells the class."""

    def drawn(channels: int, suffix: str = "tif") -> Path:
        root = tmp_path / f"{channels}-{suffix}"
        for part in ("images", "masks"):
            (root / part).mkdir(parents=True)
        random = np.random.default_rng(channels)
        for number in range(16):
            mask = np.zeros((32, 48), np.uint8)
            top, left = random.integers(2, 12, 2)
            mask[top : top + 16, left : left + 24] = 1
            bands = random.integers(500, 1500, (32, 48, channels)).astype(np.uint16)
            bands[..., -1] += mask * np.uint16(2000)
            if suffix == "npy":
                np.save(root / "images" / f"{number:02d}.npy", np.moveaxis(bands, 2, 0))
                np.save(root / "masks" / f"{number:02d}.npy", mask)
            else:
                path = root / "images" / f"{number:02d}.tif"
                tifffile.imwrite(path, np.moveaxis(bands, 2, 0), photometric="minisblack")
                Image.fromarray(mask).save(root / "masks" / f"{number:02d}.png")
        return root

    return drawn


def config(tiny: TrainConfig, root: Path, channels: int, **changes: object) -> TrainConfig:
    told = {"data": str(root), "channels": channels, "value_range": (0, 4095), **changes}
    return tiny.replace(**told)


@pytest.mark.parametrize(("channels", "suffix"), [(1, "tif"), (4, "tif"), (4, "npy"), (5, "npy")])
def test_from_files_to_masks(
    channels: int, suffix: str, tiny: TrainConfig, scenes: Draw, store: Path, tmp_path: Path
) -> None:
    root = scenes(channels, suffix)
    result = fit(config(tiny, root, channels, epochs=6), progress=False)
    assert result.best["val_dice"] > 0.8
    folder = Path(get_run(result.run_id).info.artifact_uri.removeprefix("file://"))
    samples, _ = read_samples(folder / "samples")
    assert {image.shape for image in samples.images} == {(32, 48, 3)}
    registry.register(result.run_id, "cars", alias="champion")
    pulled = registry.pull("models:/cars@champion", tmp_path / "pulled") / "artifacts/model"
    predictor = Predictor(pulled)
    assert (predictor.channels, predictor.value_range) == (channels, (0, 4095))
    scored = ["evaluate", str(pulled), "--split", "test", "--out", str(tmp_path / "scores")]
    assert run(scored) == 0
    shown = json.loads((tmp_path / "scores/test/confusion.json").read_text())
    assert sum(map(sum, shown["matrix"])) == 32 * 48 * 4

    paths = sorted((root / "images").iterdir())[:2]
    out = tmp_path / "out"
    assert run(["predict", str(pulled), *map(str, paths), "--out", str(out), "--overlay"]) == 0
    coding = ImageCoding(channels=channels, value_range=(0, 4095))
    images = np.stack([read_image(path, coding) for path in paths])
    masks = np.stack([np.array(Image.open(out / f"{path.stem}.png")) for path in paths])
    assert np.array_equal(masks, np.stack([predictor.predict(image) for image in images]))
    assert np.array(Image.open(out / "00_overlay.png")).shape == (32, 48, 3)
    if (channels, suffix) == (4, "npy"):
        np.save(tmp_path / "in.npy", images)
        command = [sys.executable, "-c", WITHOUT_OUR_PACKAGES, f"sqlite:///{store}/mlflow.db"]
        ends = [str(tmp_path / "in.npy"), str(tmp_path / "masks.npy")]
        done = subprocess.run([*command, *ends], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert np.array_equal(np.load(tmp_path / "masks.npy"), masks)


def run(arguments: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["trainer", *arguments])
        return cli.main()


def test_images_of_other_channels_are_refused_in_one_line(
    tiny: TrainConfig, scenes: Draw, cars: Path, store: Path, tmp_path: Path, capsys
) -> None:
    root = scenes(4)
    with pytest.raises(ValueError, match=r"16 faults.*has 1 band, where the network sees 2"):
        fit(config(tiny, root, 2), progress=False)
    result = fit(config(tiny, root, 4, epochs=1), progress=False)
    folder = registry.export_run(result.run_id, tmp_path / "model")
    photo = next((cars / "train").iterdir())
    assert run(["predict", str(folder), str(photo), "--out", str(tmp_path / "out")]) == 2
    told, counted, *_ = capsys.readouterr().err.splitlines()
    assert told.startswith(f"not predicted: {photo}: has 3 bands, where the network sees 4")
    assert counted == "0 images; 1 could not be read"
    with pytest.raises(ValueError, match=r"want uint8 \(height, width, 4\), got uint8 \(9, 9, 3\)"):
        Predictor(folder).predict(np.zeros((9, 9, 3), np.uint8))
    assert run(["evaluate", str(folder), "--channels", "3", "--value-range", "0", "9"]) == 2
    assert "channels, value_range: are the model's own" in capsys.readouterr().err


def test_a_run_on_four_channels_goes_on(tiny: TrainConfig, scenes: Draw, store: Path) -> None:
    first = fit(config(tiny, scenes(4), 4, epochs=1), progress=False)
    assert resume(first.run_id, epochs=2, progress=False).epochs == 2


def test_a_transform_for_colours_is_refused_before_there_is_a_run(
    tiny: TrainConfig, scenes: Draw, store: Path, tmp_path: Path
) -> None:
    root = scenes(4)
    pipeline = albumentations.Compose(
        [
            albumentations.Resize(64, 64, p=1),
            albumentations.CenterCrop(60, 60, p=1),
            albumentations.OneOf([albumentations.ToSepia(p=0.01)], p=0.01),
        ]
    )
    albumentations.save(pipeline, tmp_path / "mine.yaml", data_format="yaml")
    for name, transform in ((str(tmp_path / "mine.yaml"), "ToSepia"), ("strong", "ColorJitter")):
        with pytest.raises(ValueError, match=f"{transform} does not take images of 4 channels"):
            fit(config(tiny, root, 4, augment=name), progress=False)
    assert not find_runs("")
    assert fit(config(tiny, root, 4, augment="light", epochs=1), progress=False).epochs == 1


def test_statistics_and_cache_are_of_the_channels(
    tiny: TrainConfig, scenes: Draw, store: Path
) -> None:
    root = scenes(4)
    for cache in ("disk", "disk", "ram", "off"):
        data = open_data(config(tiny, root, 4, cache=cache), progress=False)
        names = set(data.splits.train)
        coding = ImageCoding(channels=4, value_range=(0, 4095))
        pixels = np.concatenate(
            [
                read_image(pair.image, coding).reshape(-1, 4) / 255
                for pair in data.collection.pairs
                if pair.name in names
            ]
        )
        np.testing.assert_allclose(data.mean, pixels.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(data.std, pixels.std(axis=0), rtol=1e-9)
        batch = next(iter(data.batches("val", batch_size=2)))
        assert batch.images.shape == (2, 4, 32, 48)
        stored = read_image(data.collection.pairs[0].image, coding)
        assert np.array_equal(data.images.read(0)[0], stored)
    other = open_data(config(tiny, root, 4, cache="disk", value_range=(0, 2047)), progress=False)
    assert other.mean != data.mean
    grey = open_data(config(tiny, root, 1, cache="disk"), progress=False)
    assert len(grey.mean) == 1


def test_the_folder_is_looked_at_as_it_is_trained_on(
    scenes: Draw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = scenes(4)
    told = ["--channels", "4", "--value-range", "-100", "4095", "--json"]
    assert run(["data", str(root), *told, "--sheet", str(tmp_path / "sheet.png")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["pairs"], shown["faults"]) == (16, [])
    assert Image.open(tmp_path / "sheet.png").mode == "RGB"
    assert run(["data", str(root), "--json"]) == 0
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert {fault["problem"] for fault in faults} == {
        "holds 4 images, of which only the first is read"
    }
