"""The contact sheet: colours where they belong, and nothing that stops it."""

import pytest
from PIL import Image

from trainer.data.checking.sheet import write_sheet
from trainer.data.layouts import open_collection


def pairs(draw, root, count):
    for i in range(count):
        draw.photo(root / "images" / f"{i}.png", (20 + i, 30))
        draw.mask(root / "masks" / f"{i}.png", (0, 1, 255), (20 + i, 30))
    return open_collection(root)


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (5, 5), (40, 12)])
def test_a_sheet_shows_up_to_twelve_pairs(draw, tmp_path, count, shown):
    collection = pairs(draw, tmp_path, count)
    assert write_sheet(collection, tmp_path / "out" / "sheet.png") == shown
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.mode == "RGB"
        assert sheet.width >= 800


def test_augmentation_gets_every_seed_and_a_row_of_its_own(draw, tmp_path):
    collection = pairs(draw, tmp_path, 3)
    seeds = []

    def flip(image, target, seed):
        seeds.append(seed)
        assert image.shape[:2] == target.shape
        return image[:, ::-1], target[:, ::-1]

    write_sheet(collection, tmp_path / "plain.png")
    write_sheet(collection, tmp_path / "flipped.png", augmentation=flip)
    assert seeds == list(range(7))
    with Image.open(tmp_path / "plain.png") as plain, Image.open(tmp_path / "flipped.png") as both:
        assert both.height > plain.height + 50


def test_a_damaged_pair_gives_way_to_its_neighbour(draw, tmp_path):
    collection = pairs(draw, tmp_path, 24)
    collection.pairs[0].image.write_bytes(b"broken")
    assert write_sheet(collection, tmp_path / "sheet.png") == 12


def test_a_sheet_that_cannot_be_written_says_why(draw, tmp_path):
    collection = pairs(draw, tmp_path, 2)
    with pytest.raises(ValueError, match=r"sheet: cannot write .*sheet\.xyz"):
        write_sheet(collection, tmp_path / "sheet.xyz")
    for pair in collection.pairs:
        pair.image.unlink()
    with pytest.raises(ValueError, match="not one pair"):
        write_sheet(collection, tmp_path / "sheet.png")
