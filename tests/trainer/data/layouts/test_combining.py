"""Masks of one image from several folders, as one foreground or as a class each."""

import pytest

from trainer.config.reading import Reading
from trainer.data.cache.decoding import Source
from trainer.data.checking.faults import examine
from trainer.data.checking.writing import write_pairs
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection


def lungs(draw, root, left=(255, 0, 0, 0), right=(0, 0, 255, 0), splits=("",)):
    """Write three X-rays with the masks of the left and of the right lung in two folders."""
    for split in splits:
        for i in range(3):
            draw.photo(root / split / "CXR_png" / f"{i}.png")
            draw.mask(root / split / "ManualMask" / "leftMask" / f"{i}.png", left)
            draw.mask(root / split / "ManualMask" / "rightMask" / f"{i}.png", right)
    return root


def opened(root, combine, masks="ManualMask/leftMask,ManualMask/rightMask", **more):
    return open_collection(root, Reading(masks=masks, combine=combine, **more))


def names(collection):
    return [info.name for info in collection.classes]


def test_neither_of_two_folders_is_taken_in_silence(tmp_path, draw):
    lungs(draw, tmp_path)
    with pytest.raises(ValueError, match=r"leftMask.*rightMask.*--masks, or .* --combine"):
        open_collection(tmp_path)
    with pytest.raises(ValueError, match=r"--combine union .*, --combine classes a class"):
        open_collection(tmp_path, Reading(masks="ManualMask/leftMask,ManualMask/rightMask"))


def test_union_makes_one_foreground(tmp_path, draw):
    collection = opened(lungs(draw, tmp_path), "union")
    assert (len(collection.pairs), names(collection)) == (3, ["background", "foreground"])
    assert draw.first_row(collection) == [1, 0, 1, 0]
    assert not collection.faults
    assert any("one foreground: leftMask, rightMask" in note for note in collection.notes)


def test_classes_are_named_after_their_folders(tmp_path, draw):
    collection = opened(lungs(draw, tmp_path), "classes")
    assert names(collection) == ["background", "leftMask", "rightMask"]
    assert draw.first_row(collection) == [1, 0, 2, 0]
    turned = opened(tmp_path, "classes", "ManualMask/rightMask,ManualMask/leftMask")
    assert names(turned) == ["background", "rightMask", "leftMask"]
    assert draw.first_row(turned) == [2, 0, 1, 0]


def test_a_later_folder_lies_over_an_earlier_one_and_that_is_counted(tmp_path, draw):
    lungs(draw, tmp_path, left=(255, 255, 0, 0), right=(0, 255, 255, 0))
    collection = opened(tmp_path, "classes")
    assert draw.first_row(collection) == [1, 2, 2, 0]
    overlapping = 3 * 12 * 16 // 4
    assert any(f"two masks at once: {overlapping} pixels" in note for note in collection.notes)


@pytest.mark.parametrize("masks", ["lesions/*", "lesions/EX,lesions/HE", "lesions/EX, lesions/HE/"])
def test_an_object_may_be_absent_from_an_image_and_that_is_said(tmp_path, draw, masks):
    for i in range(3):
        draw.photo(tmp_path / "fundus" / f"{i}.png")
        draw.mask(tmp_path / "lesions" / "HE" / f"{i}.png", (0, 0, 255, 0))
    draw.mask(tmp_path / "lesions" / "EX" / "1.png", (255, 0, 0, 0))
    collection = opened(tmp_path, "classes", masks)
    assert names(collection) == ["background", "EX", "HE"]
    rows = [draw.first_row(collection, pair=i) for i in range(3)]
    assert sorted(rows) == [[0, 0, 2, 0], [0, 0, 2, 0], [1, 0, 2, 0]]
    assert not collection.faults
    assert any("without a mask in EX are 2 of 3 images" in note for note in collection.notes)
    assert opened(tmp_path, "union", masks).num_classes == 2


def test_an_image_without_any_mask_is_a_fault(tmp_path, draw):
    lungs(draw, tmp_path)
    draw.photo(tmp_path / "CXR_png" / "bare.png")
    for combine in ("union", "classes"):
        (fault,) = opened(tmp_path, combine).faults
        assert (fault.path.name, fault.problem[:12]) == ("bare.png", "missing mask")


def test_a_pattern_finds_the_folders_of_every_split(tmp_path, draw):
    lungs(draw, tmp_path, splits=("train", "val"))
    collection = opened(tmp_path, "classes", "*/ManualMask/leftMask,*/ManualMask/rightMask")
    assert names(collection) == ["background", "leftMask", "rightMask"]
    assert [pair.split for pair in collection.pairs] == ["train"] * 3 + ["val"] * 3


def test_folders_of_one_name_are_told_apart_by_their_paths(tmp_path, draw):
    draw.photo(tmp_path / "images" / "1.png")
    draw.mask(tmp_path / "cup" / "masks" / "1.png", (255, 0, 0, 0))
    draw.mask(tmp_path / "disc" / "masks" / "1.png", (0, 255, 0, 0))
    collection = opened(tmp_path, "classes", "cup/masks,disc/masks")
    assert names(collection) == ["background", "cup/masks", "disc/masks"]
    assert draw.first_row(collection) == [1, 2, 0, 0]


def test_the_order_of_folders_is_part_of_what_is_cached_where_each_image_has_one(tmp_path, draw):
    for i, folder in enumerate(("cup", "disc")):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.mask(tmp_path / folder / f"{i}.png", (255, 0, 0, 0))

    def key(masks):
        found = opened(tmp_path, "classes", masks)
        pairs = sorted(found.pairs, key=lambda pair: pair.name)
        sourced = Source(pairs=tuple(pairs), coding=found.coding, num_classes=3, size=(12, 16))
        return sourced.key(), [read_target(pair, found.coding).max() for pair in pairs]

    (one, targets), (other, turned) = key("cup,disc"), key("disc,cup")
    assert (targets, turned) == ([1, 2], [2, 1])
    assert one != other


@pytest.mark.parametrize(
    ("reading", "problem"),
    [
        ({"masks": "ManualMask/leftMask", "combine": "union"}, "give two different folders"),
        ({"masks": "ManualMask/leftMask,ManualMask/leftMask", "combine": "union"}, "two different"),
        ({"masks": "ManualMask/leftMask,nowhere", "combine": "union"}, "no folder 'nowhere'"),
        ({"masks": "a,b", "combine": "both"}, "unknown combine 'both'"),
        ({"combine": "union"}, "combine: say which folders of masks"),
        ({"masks": "a,b", "combine": "union", "layout": "coco"}, "for the layout folders"),
    ],
)
def test_what_cannot_be_combined_is_refused_in_one_line(tmp_path, draw, reading, problem):
    lungs(draw, tmp_path)
    with pytest.raises(ValueError, match=problem) as error:
        open_collection(tmp_path, Reading(**reading))
    assert "\n" not in str(error.value)


def test_masks_of_several_classes_are_refused(tmp_path, draw):
    lungs(draw, tmp_path, left=(0, 1, 2, 3), right=(0, 1, 2, 3))
    with pytest.raises(ValueError, match="each mask must show one class"):
        opened(tmp_path, "classes")


def test_masks_of_two_sizes_are_a_fault_of_the_file(tmp_path, draw):
    lungs(draw, tmp_path)
    draw.mask(tmp_path / "ManualMask" / "rightMask" / "1.png", (0, 0, 255, 0), (6, 8))
    collection = opened(tmp_path, "classes")
    faults = [fault for report in examine(collection) for fault in report.faults]
    assert [fault.path.parent.name for fault in faults] == ["rightMask"]


def test_no_table_of_pairs_is_written_where_classes_hang_on_folders(tmp_path, draw):
    collection = opened(lungs(draw, tmp_path), "classes")
    with pytest.raises(ValueError, match="which mask is of which class"):
        write_pairs(collection, tmp_path / "pairs.csv")
