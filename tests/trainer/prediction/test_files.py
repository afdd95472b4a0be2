"""Image files in, mask files out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.model_folders import model_folder, picture
from trainer.prediction.files import predict_files
from trainer.prediction.predictor import Predictor


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / "a.jpg", folder / "b.png", folder / "c.bmp"]
    for seed, path in enumerate(paths):
        Image.fromarray(picture(50 + seed, 70, seed)).save(path)
    return paths


def test_each_image_gets_a_mask_of_its_size(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", out_channels=4)
    written = predict_files(folder, photographs, tmp_path / "out" / "masks")
    assert written == [(p, tmp_path / "out" / "masks" / f"{p.stem}.png") for p in photographs]
    predictor = Predictor(folder)
    for image, mask in written:
        pixels = np.array(Image.open(image).convert("RGB"))
        with Image.open(mask) as stored:
            assert stored.mode == "P"
            np.testing.assert_array_equal(np.array(stored), predictor.predict(pixels))
            assert stored.getpalette()[:6] == [0, 0, 9, 1, 1, 9]
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3


def test_an_overlay_lies_beside_the_mask(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    ((image, mask),) = predict_files(folder, photographs[:1], tmp_path / "out", overlay=True)
    drawn = np.array(Image.open(tmp_path / "out" / "a_overlay.png"))
    pixels, classes = np.array(Image.open(image)), np.array(Image.open(mask))
    np.testing.assert_array_equal(drawn[classes == 0], pixels[classes == 0])
    assert (drawn[classes == 1] != pixels[classes == 1]).any()


def test_a_photograph_held_sideways_is_predicted_as_it_is_seen(tmp_path: Path) -> None:
    """A camera turns a picture by a tag, and the mask must fit what a viewer shows."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(40, 70)).save(tmp_path / "turned.jpg", exif=exif)
    folder = model_folder(tmp_path / "model")
    ((_, mask),) = predict_files(folder, [tmp_path / "turned.jpg"], tmp_path / "out")
    assert Image.open(mask).size == (40, 70)


def refused(
    images: list[Path], tmp_path: Path, said: str, *, out: Path | None = None, overlay: bool = False
) -> None:
    folder = model_folder(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=said):
        predict_files(folder, images, out or tmp_path / "out", overlay=overlay)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_an_image_that_is_not_there(photographs: list[Path], tmp_path: Path) -> None:
    refused([*photographs, tmp_path / "no.png"], tmp_path, r"images: .*no\.png does not exist")


def test_two_images_of_one_name(photographs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.fromarray(picture(9, 9)).save(tmp_path / "more" / "a.png")
    refused([*photographs, tmp_path / "more" / "a.png"], tmp_path, r"written as a\.png")


def test_a_mask_named_as_anothers_overlay(photographs: list[Path], tmp_path: Path) -> None:
    other = photographs[0].with_name("a_overlay.jpg")
    Image.fromarray(picture(9, 9)).save(other)
    refused([*photographs, other], tmp_path, r"written as a_overlay\.png", overlay=True)


def test_a_mask_is_never_written_over_an_image(photographs: list[Path], tmp_path: Path) -> None:
    refused(photographs, tmp_path, r"out: .*b\.png is one of the images", out=tmp_path / "photos")


def test_a_file_that_is_no_image(photographs: list[Path], tmp_path: Path) -> None:
    bad = photographs[0].with_name("bad.jpg")
    bad.write_bytes(photographs[0].read_bytes()[:200])
    refused([bad], tmp_path, r"bad\.jpg")


def test_a_device_that_is_not_there(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    for device in ("cuda:99", "tpu", "mps"):
        with pytest.raises(ValueError, match=r"^device: "):
            predict_files(folder, photographs, tmp_path / "out", device=device)
