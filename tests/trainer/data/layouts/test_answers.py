"""The commonest first mistakes get the nearest answer, in one short line."""

from pathlib import Path

import pytest

from trainer.data.layouts import ARCHIVES, open_collection
from trainer.data.layouts.answers import nearest_answer


def refused(root: Path) -> str:
    with pytest.raises(ValueError) as error:
        open_collection(root)
    said = str(error.value).replace(str(root), "ROOT")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("folder", "beside"), [("images", "masks/"), ("", "masks/"), ("train/photos", "train/masks/")]
)
def test_images_alone_are_told_where_masks_belong(tmp_path, draw, folder: str, beside: str):
    for number in range(30):
        draw.photo(tmp_path / folder / f"{number:02}.jpg")
    said = refused(tmp_path)
    assert "30 images (00.jpg, 01.jpg, …) in " in said
    assert f"no masks: put them in {beside} under equal names (00.png for 00.jpg)" in said
    assert "--masks" in said and "looked for" not in said
    # What is said is true: with masks there, it is read.
    for number in range(30):
        draw.mask(tmp_path / beside / f"{number:02}.png", (0, 255))
    assert len(open_collection(tmp_path).pairs) == 30


@pytest.mark.parametrize("mask", ["{}_m.png", "{}M.png", "{} (mask).png", "{}.out.png", "{}.bmp"])
@pytest.mark.parametrize("count", [1, 3, 30])
def test_masks_that_lie_among_the_images_are_not_called_missing(
    tmp_path, draw, mask: str, count: int
):
    for number in range(count):
        draw.photo(tmp_path / f"tile{number}.jpg")
        draw.mask(tmp_path / mask.format(f"tile{number}"), (0, 255))
    assert nearest_answer(tmp_path) is None


def test_numbered_images_are_no_pairs(tmp_path, draw):
    for number in range(12):
        draw.photo(tmp_path / f"car{number}.jpg")
    assert "no masks: " in str(nearest_answer(tmp_path))


def test_masks_alone_are_told_where_images_belong(tmp_path, draw):
    for number in range(4):
        draw.mask(tmp_path / "masks" / f"{number}.png", (0, 255))
    said = refused(tmp_path)
    assert "which are masks by the name of their folder: put the images in images/ under" in said
    for number in range(4):
        draw.photo(tmp_path / "images" / f"{number}.jpg")
    assert len(open_collection(tmp_path).pairs) == 4


def test_names_that_do_not_agree_are_told_with_the_nearest(tmp_path, draw):
    for number in range(4):
        draw.photo(tmp_path / "images" / f"frame_{number}.jpg")
        draw.mask(tmp_path / "masks" / f"farme_{number + 20}.png", (0, 255))
    said = refused(tmp_path)
    assert "no image and mask have equal names (nearest: frame_0.jpg and farme_20.png): " in said
    assert "pairs.csv (columns image, mask)" in said
    assert len(said) < 400


def test_more_than_these_mistakes_is_told_what_is_looked_for(tmp_path, draw):
    for name in ("a", "b", "c"):
        draw.photo(tmp_path / name / f"{name}.jpg")
    assert "looked for masks of the images' names" in refused(tmp_path)


@pytest.mark.parametrize("suffix", [*ARCHIVES, ".tar.gz", ".ZIP"])
def test_an_archive_is_to_be_unpacked(tmp_path: Path, suffix: str):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"PK")
    assert refused(path) == (
        "data: ROOT is an archive; unpack it, and give the folder that comes of it"
    )
