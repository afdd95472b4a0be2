"""What is said where no pairs are found: what there is, and what to do about it."""

import json

import numpy as np
import pytest
from PIL import Image

from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.layouts import open_collection
from trainer.data.layouts.inventory import inventory


def test_arrays_in_place_of_masks_are_named(tmp_path, draw):
    (tmp_path / "masks").mkdir()
    for number in range(6):
        draw.photo(tmp_path / "images" / f"{number}.png")
        np.save(tmp_path / "masks" / f"{number}.npy", np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="holds no pairs") as refused:
        open_collection(tmp_path)
    said = str(refused.value)
    assert "6 images (0.png, 1.png, …) in images/" in said
    assert "6 .npy files, which are not read (save each array as a PNG" in said
    assert "\n" not in said
    assert len(said) < 500


def test_polygons_beside_the_images_are_named(tmp_path, draw):
    for number in range(3):
        draw.photo(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.json").write_text(json.dumps({"shapes": []}))
    with pytest.raises(ValueError, match=r"3 \.json files, which are not read \(export the poly"):
        open_collection(tmp_path)


def test_many_folders_are_counted_and_an_empty_one_is_called_so(tmp_path, draw):
    assert inventory(tmp_path) == ["it is empty"]
    for number in range(9):
        draw.photo(tmp_path / f"case{number}" / "a.png")
    said = inventory(tmp_path)
    assert said[0] == "1 image (a.png, …) in case0/"
    assert said[-1] == "and 3 more folders"
    (tmp_path / "case0" / "notes").write_text("one")
    assert inventory(tmp_path)[0] == (
        "1 image (a.png, …) and 1 file without a suffix, which is not read in case0/"
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sound_tiff_that_is_not_read_is_not_called_damaged(tmp_path, dtype):
    """Three bands of numbers that Pillow has no mode for, as remote sensing stores them."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    pixels = np.zeros((6, 8, 3), dtype)
    directory = ImageFileDirectory_v2()
    entries = {
        256: 8,
        257: 6,
        258: (8 * pixels.itemsize,) * 3,
        259: 1,
        262: 2,
        273: 8,
        277: 3,
        278: 6,
        279: pixels.nbytes,
        339: (3,) * 3,
    }
    for tag, value in entries.items():
        directory[tag] = value
    path = tmp_path / "scene.tif"
    with path.open("wb") as file:
        file.write(b"II*\x00" + (8 + pixels.nbytes).to_bytes(4, "little"))
        file.write(pixels.tobytes())
        directory.save(file)
    with pytest.raises(UnreadableFile) as refused:
        read_image(path)
    kind = f"{8 * pixels.itemsize}-bit floating point"
    assert f"sound TIFF of 8 x 6 pixels with 3 bands of {kind}, which is not read" in str(
        refused.value
    )


def test_a_damaged_tiff_is_called_damaged(tmp_path):
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "a.tif")
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\x00" + b"\xff" * 40)
    with pytest.raises(UnreadableFile, match=r"damaged"):
        read_image(path)
