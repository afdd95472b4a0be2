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
        (tmp_path / "masks" / f"{number}.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(ValueError, match="holds no pairs") as refused:
        open_collection(tmp_path)
    said = str(refused.value)
    assert "6 images (0.png, 1.png, …) in images/" in said
    assert "6 .mat files, which are not read (save each array as a PNG" in said
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


def test_a_damaged_tiff_is_called_damaged(tmp_path):
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "a.tif")
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\x00" + b"\xff" * 40)
    with pytest.raises(UnreadableFile, match=r"damaged"):
        read_image(path)


def test_an_empty_folder_of_masks_is_called_empty(tmp_path, draw):
    draw.photo(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match=r"1 image \(a.png, …\) in images/; masks/ is empty"):
        open_collection(tmp_path)
