"""Image in, mask out: any size, exactly as trained, from files that execute nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.reliability.peaks import outcomes
from tests.trainer.model_folders import MEAN, STD, model_folder, network, picture
from trainer.data.geometry import resize_image
from trainer.prediction import model_folder as model_folder_module
from trainer.prediction import predictor as predictor_module
from trainer.prediction import registry
from trainer.prediction.predictor import Predictor

SIZES = [(40, 56), (31, 47), (100, 33), (1, 1), (9, 300)]


def by_hand(image: np.ndarray, out_channels: int) -> torch.Tensor:
    """Return the network's logits of an image, written down once more."""
    pixels = torch.tensor(image / 255.0, dtype=torch.float32).permute(2, 0, 1)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        logits: torch.Tensor = network(out_channels)(((pixels - mean) / std)[None])[0]
    return logits


@pytest.mark.parametrize("out_channels", [1, 4])
@pytest.mark.parametrize("geometry", ["resize", "pad", "random-crop", "five-crop"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_mask_has_the_images_size(
    size: tuple[int, int], geometry: str, out_channels: int, tmp_path: Path
) -> None:
    predictor = Predictor(model_folder(tmp_path, out_channels=out_channels, geometry=geometry))
    mask = predictor.predict(picture(*size))
    assert mask.shape == size
    assert mask.dtype == np.uint8
    assert mask.max() < max(out_channels, 2)


@pytest.mark.parametrize("out_channels", [1, 4])
def test_at_the_trained_size_it_is_the_network_itself(out_channels: int, tmp_path: Path) -> None:
    predictor = Predictor(model_folder(tmp_path, out_channels=out_channels))
    image = picture(40, 56)
    logits = by_hand(image, out_channels)
    expected = (logits[0] > 0).long() if out_channels == 1 else logits.argmax(dim=0)
    mask = predictor.predict(image)
    assert 0 < mask.mean() < max(out_channels, 2) - 1  # not one class all over
    assert (mask == expected.numpy()).mean() > 0.999  # rounding may turn a pixel at the edge


def test_another_size_is_scaled_and_its_logits_scaled_back(tmp_path: Path) -> None:
    predictor = Predictor(model_folder(tmp_path))
    image = picture(93, 71)
    logits = by_hand(np.array(resize_image(image, (40, 56))), 1)
    large = nn.functional.interpolate(logits[None], size=(93, 71), mode="bilinear")[0, 0]
    assert (predictor.predict(image) == (large > 0).numpy()).mean() > 0.999


@pytest.mark.parametrize("geometry", ["pad", "random-crop"])
def test_at_its_own_scale_the_border_is_repeated(geometry: str, tmp_path: Path) -> None:
    predictor = Predictor(model_folder(tmp_path, geometry=geometry))
    image = picture(37, 50)
    padded = np.pad(image, ((0, 3), (0, 2), (0, 0)), mode="edge")
    expected = (by_hand(padded, 1)[0, :37, :50] > 0).numpy()
    assert (predictor.predict(image) == expected).mean() > 0.999


@pytest.mark.parametrize("out_channels", [1, 4])
@pytest.mark.parametrize("geometry", ["resize", "pad"])
def test_probabilities_add_up_and_agree_with_the_mask(
    geometry: str, out_channels: int, tmp_path: Path
) -> None:
    predictor = Predictor(model_folder(tmp_path, out_channels=out_channels, geometry=geometry))
    image = picture(61, 45)
    found = predictor.probabilities(image)
    assert found.shape == (max(out_channels, 2), 61, 45)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=0), predictor.predict(image))


@pytest.mark.parametrize("out_channels", [1, 4])
def test_logits_too_many_to_be_there_at_once_are_compared_class_by_class(
    out_channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(model_folder(tmp_path, out_channels=out_channels))
    image = picture(93, 71)
    at_once = predictor.predict(image)
    monkeypatch.setattr(predictor_module, "MOST_LOGITS", 93 * 71 * out_channels - 1)
    mask = predictor.predict(image)
    assert len(np.unique(mask)) > 1
    assert (mask == at_once).mean() > 0.999  # rounding may turn a pixel at the edge


PREPARED = """
import numpy as np
from trainer.prediction.predictor import Predictor
Predictor(Path(sys.argv.pop(1))).predict(np.zeros((40, 56, 3), np.uint8))
image = np.zeros((3000, 3000, 3), np.uint8)
"""


def test_the_memory_for_a_large_image_does_not_grow_with_the_classes(tmp_path: Path) -> None:
    folders = [model_folder(tmp_path / str(n), out_channels=n) for n in (4, 40)]
    found = outcomes(PREPARED, "Predictor(path).predict(image).max() < 40", [folders[0], *folders])
    assert [outcome.said for outcome in found] == ["taken: np.True_"] * 2
    logit = 3000 * 3000 * 4 // 2**20  # MiB
    assert sum(outcome.mib for outcome in found) < 16 * logit


def test_a_very_large_image_is_predicted_in_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(model_folder(tmp_path, geometry="pad"))
    image = picture(150, 210)
    whole = predictor.predict(image)
    monkeypatch.setattr(predictor_module, "WHOLE_IMAGE_PIXELS", 100)
    monkeypatch.setattr(predictor_module, "WINDOW", (96, 96))
    in_windows = predictor.predict(image)
    assert in_windows.shape == (150, 210)
    # The windows overlap by more than the network sees, so nothing changes but rounding.
    assert (in_windows == whole).mean() > 0.999


def test_the_same_image_is_the_same_mask(tmp_path: Path) -> None:
    predictor = Predictor(model_folder(tmp_path))
    again = Predictor(tmp_path)
    image = picture(64, 80)
    before = image.copy()
    np.testing.assert_array_equal(predictor.predict(image), again.predict(image))
    np.testing.assert_array_equal(image, before)


def test_a_read_only_image_will_do(tmp_path: Path) -> None:
    image = picture(40, 56)
    image.setflags(write=False)
    Predictor(model_folder(tmp_path)).predict(image)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_what_is_no_rgb_image_is_said(image: np.ndarray, tmp_path: Path) -> None:
    predictor = Predictor(model_folder(tmp_path))
    with pytest.raises(ValueError, match=r"image: want uint8 \(height, width, 3\), got"):
        predictor.predict(image)


def spoil(folder: Path, how: str) -> None:
    config, weights = folder / "config.json", folder / "model.safetensors"
    match how:
        case "no config":
            config.unlink()
        case "no weights":
            weights.unlink()
        case "half config":
            config.write_text(config.read_text()[:50])
        case "list":
            config.write_text("[1, 2]")
        case "half weights":
            weights.write_bytes(weights.read_bytes()[:-64])
        case "pickle":
            weights.write_bytes(b"cposix\nsystem\n(S'touch executed'\ntR.")
        case "lacking":
            config.write_text('{"format": 1, "classes": []}')
        case "format":
            config.write_text(config.read_text().replace('"format": 1', '"format": 99'))
        case "no precision" | "a list" | "another precision":
            value = {"no precision": None, "a list": ["float32"], "another precision": "float16"}
            stored = json.loads(config.read_text()) | {"precision": value[how]}
            config.write_text(json.dumps(stored))
        case "architecture":
            config.write_text(config.read_text().replace('"unet"', '"vnet"'))
        case "channels":
            config.write_text(
                config.read_text().replace('"base_channels": 4', '"base_channels": 8')
            )


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no config", "is no model folder"),
        ("no weights", "cannot load"),
        ("half config", "config.json: is not valid JSON"),
        ("list", r"its content: \[1, 2\] is not a JSON object"),
        ("half weights", "cannot load"),
        ("pickle", "cannot load"),
        ("lacking", "lacks geometry, image_size, mean, model, std"),
        ("format", "has format 99; this version reads 1 to 3"),
        ("no precision", "precision: None is not a text"),
        ("a list", r"precision: \['float32'\] is not a text"),
        ("another precision", "unknown precision 'float16'"),
        ("architecture", "unknown model.name 'vnet'"),
        ("channels", "cannot load"),
    ],
)
def test_a_damaged_model_folder_is_one_line(
    how: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = model_folder(tmp_path / "model")
    spoil(folder, how)
    with pytest.raises(ValueError, match=said) as caught:
        Predictor(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_the_registry_writes_the_format_that_is_read() -> None:
    assert max(model_folder_module.FORMATS) == registry.FORMAT


@pytest.mark.gpu
def test_a_gpu_predicts_the_same(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    folder = model_folder(tmp_path, out_channels=4)
    image = picture(120, 90)
    on_gpu = Predictor(folder, device="cuda").predict(image)
    assert (on_gpu == Predictor(folder).predict(image)).mean() > 0.99
