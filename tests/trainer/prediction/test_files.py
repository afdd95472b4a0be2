"""Image files in, mask files out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.trainer.model_folders import model_folder, picture
from trainer.data.painting import lay_outlined, lay_over
from trainer.prediction.files import Overlay, Prediction
from trainer.prediction.inputs import find_pictures
from trainer.prediction.predictor import Predictor
from trainer.progress import Progress


def predict(model: Path, images: list[Path], out: Path, **how: Any) -> Prediction:
    """Predict images, or all that is in folders, and return what became of them."""
    prediction = Prediction(model, find_pictures(images, out), out, **how)
    prediction.run(Progress())
    return prediction


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
    out = tmp_path / "out" / "masks"
    written = predict(folder, photographs, out).written
    assert [(o.image, o.mask) for o in written] == [(p, out / f"{p.stem}.png") for p in photographs]
    predictor = Predictor(folder)
    for image, mask in ((one.image, one.mask) for one in written):
        pixels = np.array(Image.open(image).convert("RGB"))
        with Image.open(mask) as stored:
            assert stored.mode == "P"
            np.testing.assert_array_equal(np.array(stored), predictor.predict(pixels))
            assert stored.getpalette()[:6] == [0, 0, 9, 1, 1, 9]
    assert sorted(path.name for path in out.iterdir()) == [
        *("a.png", "b.png", "c.png", "predictions.csv")
    ]


def test_an_overlay_lies_beside_the_mask(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (one,) = predict(folder, photographs[:1], tmp_path / "out", overlay=Overlay()).written
    drawn = np.array(Image.open(tmp_path / "out" / "a_overlay.png"))
    pixels, classes = np.array(Image.open(one.image)), np.array(Image.open(one.mask))
    np.testing.assert_array_equal(drawn[classes == 0], pixels[classes == 0])
    assert (drawn[classes == 1] != pixels[classes == 1]).any()


def test_a_photograph_held_sideways_is_predicted_as_it_is_seen(tmp_path: Path) -> None:
    """A camera turns a picture by a tag, and the mask must fit what a viewer shows."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(40, 70)).save(tmp_path / "turned.jpg", exif=exif)
    folder = model_folder(tmp_path / "model")
    (one,) = predict(folder, [tmp_path / "turned.jpg"], tmp_path / "out").written
    assert Image.open(one.mask).size == (40, 70)


@pytest.mark.parametrize("outline", [False, True])
@pytest.mark.parametrize("opacity", [0.0, 0.3])
def test_an_overlay_has_the_colour_and_the_strength_that_are_asked_for(
    photographs: list[Path], tmp_path: Path, outline: bool, opacity: float
) -> None:
    overlay = Overlay(colour=(250, 10, 20), opacity=opacity, outline=outline)
    prediction = predict(
        model_folder(tmp_path / "model"), photographs[1:2], tmp_path / "out", overlay=overlay
    )
    (one,) = prediction.written
    red = [prediction.classes[0], replace(prediction.classes[1], colour=(250, 10, 20))]
    lay = lay_outlined if outline else lay_over
    mask = np.array(Image.open(one.mask))
    expected = lay(np.array(Image.open(one.image)), mask, red, opacity)
    drawn = np.array(Image.open(tmp_path / "out" / "b_overlay.png"))
    np.testing.assert_array_equal(drawn, expected)
    with Image.open(one.mask) as stored:
        assert stored.getpalette()[:6] == [0, 0, 9, 1, 1, 9]  # The model's own colours.


def test_a_colour_is_of_two_classes(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", out_channels=4)
    with pytest.raises(ValueError, match=r"^color: this model tells 4 classes apart"):
        predict(folder, photographs, tmp_path / "out", overlay=Overlay(colour=(1, 2, 3)))
    assert not (tmp_path / "out").exists()


def with_values(folder: Path, values: object) -> Path:
    """Write beside a model which values the masks had that it learnt from."""
    origin = {"run_id": "1", "root": "/", "digest": "d", "mask_values": values}
    split: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    (folder / "origin.json").write_text(json.dumps({**origin, "split": split}))
    return folder


@pytest.mark.parametrize(
    ("values", "mode"),
    [([0, 255], "L"), ([255, 0], "L"), ([7, 40_000], "I;16"), ([[0, 0, 0], [9, 99, 255]], "RGB")],
)
@pytest.mark.parametrize("wanted", [None, "data"])
def test_masks_have_the_values_of_those_that_were_learnt_from(
    photographs: list[Path], tmp_path: Path, values: list[Any], mode: str, wanted: str | None
) -> None:
    folder = with_values(model_folder(tmp_path / "model"), values)
    prediction = predict(folder, photographs[:1], tmp_path / "out", values=wanted)
    assert prediction.values.told.startswith("the data's own values: ")
    (one,) = prediction.written
    indices = Predictor(folder).predict(np.array(Image.open(one.image)))
    assert set(np.unique(indices)) == {0, 1}
    with Image.open(one.mask) as stored:
        assert stored.mode == mode
        np.testing.assert_array_equal(np.array(stored), np.array(values)[indices])


@pytest.mark.parametrize(
    ("values", "wanted", "told"),
    [
        ([0, 255], "index", "class indices: 0 c0, 1 c1"),
        ([0, 1], None, "class indices: 0 c0, 1 c1"),
        ([0, 1], "data", "class indices: 0 c0, 1 c1"),
        (None, None, "class indices (its data's own values are not known): 0 c0, 1 c1"),
        ([0, 1, 2], None, "class indices (its data's own values are not known): 0 c0, 1 c1"),
    ],
)
def test_masks_are_indices_where_they_are_wanted_or_nothing_else_is_known(
    photographs: list[Path], tmp_path: Path, values: object, wanted: str | None, told: str
) -> None:
    folder = with_values(model_folder(tmp_path / "model"), values)
    prediction = predict(folder, photographs[:1], tmp_path / "out", values=wanted)
    assert prediction.values.told == told
    with Image.open(prediction.written[0].mask) as stored:
        assert (stored.mode, set(np.unique(np.array(stored)))) == ("P", {0, 1})


def test_values_that_a_model_does_not_tell_cannot_be_asked_for(
    photographs: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"^values: .*; give --values index$"):
        predict(model_folder(tmp_path / "model"), photographs, tmp_path / "out", values="data")


def test_a_table_tells_what_each_image_has_of_each_class(
    photographs: list[Path], tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "model", out_channels=3)
    config = json.loads((folder / "config.json").read_text())
    config["classes"][2]["name"] = "=c1"
    (folder / "config.json").write_text(json.dumps(config))
    written = predict(folder, photographs, tmp_path / "out").written
    table = pd.read_csv(tmp_path / "out" / "predictions.csv", index_col="image")
    assert list(table.columns) == [
        *("mask", "c0 pixels", "c0 share", "c1 pixels", "c1 share", "c1 objects"),
        *("'=c1 pixels", "'=c1 share", "'=c1 objects"),
    ]
    for one in written:
        row = table.loc[str(one.image)]
        assert row["mask"] == one.mask.name
        mask = np.array(Image.open(one.mask))
        assert row["c1 pixels"] == (mask == 1).sum()
        assert row["c1 share"] == pytest.approx((mask == 1).mean())
        assert row["c1 objects"] == one.counted[1].objects


def test_a_folder_is_predicted_into_itself_and_again_the_same(
    photographs: list[Path], tmp_path: Path
) -> None:
    folder, photos = model_folder(tmp_path / "model"), tmp_path / "photos"
    (photos / "more").mkdir()
    photographs[0].rename(photos / "more" / "a.jpg")
    for _ in range(2):
        written = predict(folder, [photos], photos / "masks", overlay=Overlay()).written
        assert sorted(one.mask.relative_to(photos).as_posix() for one in written) == [
            *("masks/b.png", "masks/c.png", "masks/more/a.png")
        ]


def test_a_damaged_image_is_named_and_the_others_are_done(
    photographs: list[Path], tmp_path: Path
) -> None:
    photographs[1].write_bytes(photographs[1].read_bytes()[:200])
    prediction = predict(model_folder(tmp_path / "model"), photographs, tmp_path / "out")
    assert [one.image.name for one in prediction.written] == ["a.jpg", "c.bmp"]
    (fault,) = prediction.damaged
    assert (fault.path, "b.png" in str(fault)) == (photographs[1], True)
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 2


def test_what_cuts_in_leaves_the_table_of_what_was_done(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, left = model_folder(tmp_path / "model"), iter([1, 2])
    predict_one = Predictor.predict

    def interrupted(self: Predictor, image: np.ndarray) -> np.ndarray:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return predict_one(self, image)

    monkeypatch.setattr(Predictor, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict(folder, photographs, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 2


def refused(
    images: list[Path], tmp_path: Path, said: str, *, out: Path | None = None, overlay: bool = False
) -> None:
    folder = model_folder(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=said):
        predict(folder, images, out or tmp_path / "out", overlay=Overlay() if overlay else None)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


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


def test_a_device_that_is_not_there(photographs: list[Path], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    for device in ("cuda:99", "tpu", "mps"):
        with pytest.raises(ValueError, match=r"^device: "):
            predict(folder, photographs, tmp_path / "out", device=device)
