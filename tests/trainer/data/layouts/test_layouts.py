"""Every layout that is known by its folders, on small made-up copies; and wrong options."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.catalogue.data import LAYOUTS
from trainer.config.reading import Reading
from trainer.data.collection import VOID
from trainer.data.files.reading import read_pair
from trainer.data.layouts import open_collection
from trainer.data.layouts.voc import voc_colour

CAR = "0cdf5b5d0ce1"


def names(classes: tuple) -> list[str]:
    return [info.name for info in classes]


def splits(collection) -> dict:
    return dict(Counter(pair.split for pair in collection.pairs))


def test_carvana_groups_views_by_car_and_reads_palette_indices(tmp_path, draw):
    for car in (CAR, "0d3adbbc9a8b"):
        for view in ("01", "16"):
            draw.photo(tmp_path / "train" / f"{car}_{view}.jpg")
            draw.palette_mask(
                tmp_path / "train_masks" / f"{car}_{view}_mask.gif",
                (0, 1),
                [(0, 0, 0), (255, 255, 255)],
            )
    collection = open_collection(tmp_path)
    assert collection.layout == "carvana"
    assert [pair.name for pair in collection.pairs] == [
        f"{CAR}_01",
        f"{CAR}_16",
        "0d3adbbc9a8b_01",
        "0d3adbbc9a8b_16",
    ]
    assert {pair.group for pair in collection.pairs} == {CAR, "0d3adbbc9a8b"}
    assert names(collection.classes) == ["background", "car"]
    assert draw.first_row(collection) == [0, 1, 0, 1]
    assert splits(collection) == {None: 4}


@pytest.mark.parametrize(
    ("images", "masks"), [("imgs", "masks"), ("images", "masks"), ("train_images", "train_masks")]
)
def test_copies_of_carvana_in_other_folders_keep_their_groups(tmp_path, draw, images, masks):
    for view in ("01", "02"):
        draw.photo(tmp_path / images / f"{CAR}_{view}.jpg")
        draw.mask(tmp_path / masks / f"{CAR}_{view}_mask.png", (0, 255))
    collection = open_collection(tmp_path)
    assert collection.layout == "carvana"
    assert {pair.group for pair in collection.pairs} == {CAR}
    assert draw.first_row(collection) == [0, 1, 0, 1]


def test_camvid_reads_eleven_classes_and_eleven_as_void(tmp_path, draw):
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for i in range(count):
            draw.photo(tmp_path / split / f"{split}{i}.png")
            draw.mask(tmp_path / f"{split}annot" / f"{split}{i}.png", (0, 3, 10, 11))
    collection = open_collection(tmp_path)
    assert collection.layout == "camvid"
    assert len(collection.classes) == 11
    assert splits(collection) == {"train": 3, "val": 2, "test": 1}
    assert draw.first_row(collection) == [0, 3, 10, VOID]


def voc(draw, root: Path, write, count: int = 4) -> None:
    """Lay out ``count`` pairs as VOC does; the last one validates."""
    for i in range(count):
        draw.photo(root / "JPEGImages" / f"2007_{i:06}.jpg")
        write(root / "SegmentationClass" / f"2007_{i:06}.png")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    stems = [f"2007_{i:06}" for i in range(count)]
    (lists / "train.txt").write_text("\n".join(stems[:-1]) + "\n")
    (lists / "val.txt").write_text(stems[-1])
    (lists / "trainval.txt").write_text("\n".join(stems))


VOC_PALETTE = [voc_colour(index) for index in range(256)]


def test_voc_has_21_classes_and_void_borders(tmp_path, draw):
    voc(draw, tmp_path, lambda path: draw.palette_mask(path, (0, 1, 255, 15), VOC_PALETTE))
    draw.photo(tmp_path / "JPEGImages" / "2012_000001.jpg")  # most images were never segmented
    collection = open_collection(tmp_path)
    assert (collection.layout, len(collection.pairs), collection.num_classes) == ("voc", 4, 21)
    assert collection.classes[1].name == "aeroplane"
    assert collection.classes[20].colour == (0, 64, 128)
    assert draw.first_row(collection) == [0, 1, VOID, 15]
    assert splits(collection) == {"train": 3, "val": 1}
    assert not collection.faults


def test_a_particular_layout_in_an_archives_folder_comes_before_the_general_one(draw, tmp_path):
    inner = tmp_path / "VOCdevkit" / "VOC2012"
    voc(draw, inner, lambda path: draw.palette_mask(path, (0, 1, 255, 15), VOC_PALETTE))
    collection = open_collection(tmp_path)
    assert (collection.layout, collection.root) == ("voc", inner)


def test_voc_colour_map_is_the_published_one():
    published = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 15: (192, 128, 128)}
    published |= {20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: voc_colour(index) for index in published} == published


@pytest.mark.parametrize("values", [(0, 1), (0, 255)])
def test_voc_layout_with_two_classes_has_two(tmp_path, draw, values):
    voc(draw, tmp_path, lambda path: draw.mask(path, values))
    collection = open_collection(tmp_path)
    assert (collection.layout, collection.num_classes) == ("voc", 2)
    assert draw.first_row(collection) == [0, 1, 0, 1]


def test_voc_from_annotation_tools_keeps_its_own_classes(tmp_path, draw):
    voc(draw, tmp_path, lambda path: draw.colour_mask(path, [(0, 0, 0), (250, 50, 83)]))
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroof:250,50,83::\n"
    )
    collection = open_collection(tmp_path)
    assert names(collection.classes) == ["background", "roof"]
    assert draw.first_row(collection) == [0, 1, 0, 1]


def test_voc_reports_a_listed_image_without_mask(tmp_path, draw):
    voc(draw, tmp_path, lambda path: draw.mask(path, (0, 1)))
    draw.photo(tmp_path / "JPEGImages" / "2009_000001.jpg")
    with (tmp_path / "ImageSets" / "Segmentation" / "train.txt").open("a") as file:
        file.write("2009_000001\n")
    (fault,) = open_collection(tmp_path).faults
    assert fault.path.name == "2009_000001.jpg"
    assert "missing mask" in fault.problem


def pets(draw, root: Path, below: str = "") -> None:
    for name in ("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_82"):
        draw.photo(root / "images" / below / f"{name}.jpg")
        draw.mask(root / "annotations" / "trimaps" / below / f"{name}.png", (1, 2, 3))
        (root / "annotations" / "trimaps" / below / f"._{name}.png").write_bytes(b"resource fork")
    (root / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\nAbyssinian_2 1 1 1\n")
    (root / "annotations" / "test.txt").write_text("beagle_1 5 2 3\n")
    (root / "annotations" / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n")


@pytest.mark.parametrize("below", ["", "breeds"])
def test_pets_trimaps_with_the_border_as_void_or_class(tmp_path, draw, below):
    pets(draw, tmp_path, below)
    collection = open_collection(tmp_path)
    assert (collection.layout, len(collection.pairs)) == ("pets", 4)
    assert names(collection.classes) == ["background", "pet"]
    assert draw.first_row(collection, 3) == [1, 0, VOID]
    assert splits(collection) == {"train": 2, "test": 1, None: 1}
    assert any("beagle_82" in note for note in collection.notes)
    with_border = open_collection(tmp_path, Reading(trimap_border="class"))
    assert names(with_border.classes) == ["background", "pet", "border"]
    assert draw.first_row(with_border, 3) == [1, 0, 2]


def test_drive_leaves_out_what_the_camera_did_not_see(tmp_path, draw):
    for folder, number, word in (("training", "21", "training"), ("test", "01", "test")):
        draw.photo(tmp_path / folder / "images" / f"{number}_{word}.tif")
        draw.mask(tmp_path / folder / "1st_manual" / f"{number}_manual1.gif", (0, 255))
        draw.mask(tmp_path / folder / "mask" / f"{number}_{word}_mask.gif", (255, 255, 255, 0))
    collection = open_collection(tmp_path)
    assert collection.layout == "drive"
    assert [(pair.name, pair.split) for pair in collection.pairs] == [
        ("21_training", "train"),
        ("01_test", "test"),
    ]
    assert draw.first_row(collection) == [0, 1, 0, VOID]


def test_isbi_makes_the_dark_membrane_class_one_and_ignores_the_unlabelled_test(tmp_path, draw):
    for i in range(11):
        draw.mask(tmp_path / "train" / "image" / f"{i}.png", tuple(range(16)))
        draw.mask(tmp_path / "train" / "label" / f"{i}.png", (0, 255, 255, 255))
    draw.mask(tmp_path / "test" / "0.png", tuple(range(16)))
    collection = open_collection(tmp_path)
    assert collection.layout == "isbi"
    assert names(collection.classes) == ["interior", "membrane"]
    assert draw.first_row(collection) == [1, 0, 0, 0]
    assert [pair.name for pair in collection.pairs] == [str(i) for i in range(11)]
    assert not collection.faults
    assert any("1 image without mask in test/" in note for note in collection.notes)


def test_bright_objects_in_the_same_folders_are_not_isbi(tmp_path, draw):
    for i in range(3):
        draw.photo(tmp_path / "train" / "image" / f"{i}.png")
        draw.mask(tmp_path / "train" / "label" / f"{i}.png", (0, 0, 0, 255))
    collection = open_collection(tmp_path)
    assert collection.layout == "folders"
    assert draw.first_row(collection) == [0, 0, 0, 1]


def test_kvasir_thresholds_lossy_masks(tmp_path, draw):
    stem = "cju0qkwl35piu0993l0dewei2"
    draw.photo(tmp_path / "images" / f"{stem}.jpg", (64, 64))
    blocks = np.zeros((64, 64, 3), dtype=np.uint8)
    blocks[:, 30:] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(blocks).save(tmp_path / "masks" / f"{stem}.jpg", quality=60)
    collection = open_collection(tmp_path)
    assert (collection.layout, names(collection.classes)) == ("kvasir", ["background", "polyp"])
    _, target = read_pair(collection.pairs[0], collection.coding)
    assert np.array_equal(target, (blocks[:, :, 0] > 0).astype(np.uint8))


def test_dsb_prepared_has_a_folder_of_masks_for_each_class(tmp_path, draw):
    for letter in "ab":
        draw.photo(tmp_path / "images" / f"{letter * 64}.png")
        draw.mask(tmp_path / "masks" / "0" / f"{letter * 64}.png", (0, 90, 200, 255))
    collection = open_collection(tmp_path)
    assert (collection.layout, names(collection.classes)) == ("dsb2018", ["background", "nucleus"])
    assert draw.first_row(collection) == [0, 0, 1, 1]


def test_dsb_prepared_with_two_classes_lays_the_second_over_the_first(tmp_path, draw):
    draw.photo(tmp_path / "images" / "x.png")
    draw.mask(tmp_path / "masks" / "0" / "x.png", (0, 255, 255, 0))
    draw.mask(tmp_path / "masks" / "1" / "x.png", (0, 0, 255, 255))
    collection = open_collection(tmp_path)
    assert names(collection.classes) == ["background", "class 0", "class 1"]
    assert draw.first_row(collection) == [0, 1, 2, 2]


def test_dsb_as_downloaded_merges_the_mask_of_every_nucleus(tmp_path, draw):
    for letter in "ab":
        folder = tmp_path / "stage1_train" / (letter * 64)
        draw.photo(folder / "images" / f"{letter * 64}.png")
        draw.mask(folder / "masks" / "1.png", (255, 0, 0, 0))
        draw.mask(folder / "masks" / "2.png", (0, 0, 255, 0))
    collection = open_collection(tmp_path)
    assert (collection.layout, len(collection.pairs)) == ("dsb2018", 2)
    assert draw.first_row(collection) == [1, 0, 1, 0]


def test_turntable_groups_views_by_object(tmp_path, draw):
    (tmp_path / "turntable.json").write_text("{}")
    for view in ("00", "01"):
        draw.photo(tmp_path / "images" / f"car03_{view}.png")
        draw.palette_mask(tmp_path / "masks" / f"car03_{view}.png", (0, 1), [(0, 0, 0), (9, 9, 9)])
    collection = open_collection(tmp_path)
    assert (collection.layout, names(collection.classes)) == ("turntable", ["background", "car"])
    assert {pair.group for pair in collection.pairs} == {"car03"}


def test_group_by_takes_the_first_group_of_the_name_or_the_path(tmp_path, draw):
    for patient in ("p1", "p2"):
        for i in range(2):
            draw.photo(tmp_path / "images" / patient / f"{patient[1]}{i}.png")
            draw.mask(tmp_path / "masks" / patient / f"{patient[1]}{i}.png")
    by_path = open_collection(tmp_path, Reading(group_by=r"images/(p\d)/"))
    assert [pair.group for pair in by_path.pairs] == ["p1", "p1", "p2", "p2"]
    by_name = open_collection(tmp_path, Reading(group_by=r"^(\d)\d$"))
    assert [pair.group for pair in by_name.pairs] == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "not a regular expression"),
        ("a", "has no group"),
        ("(zzz)", "does not match the image"),
    ],
)
def test_a_wrong_group_by_says_why(tmp_path, draw, pattern, message):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "masks" / "a.png")
    with pytest.raises(ValueError, match=f"group_by.*{message}"):
        open_collection(tmp_path, Reading(group_by=pattern))


def test_what_is_not_there_is_said_in_one_line(tmp_path, draw):
    with pytest.raises(ValueError, match="does not exist"):
        open_collection(tmp_path / "nowhere")
    draw.photo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="is a file"):
        open_collection(tmp_path / "a.png")
    with pytest.raises(ValueError, match="holds no pairs of images and masks: 1 image") as error:
        open_collection(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"unknown layout 'camvit'.*did you mean 'camvid'"):
        open_collection(tmp_path, Reading(layout="camvit"))
    with pytest.raises(ValueError, match="unknown trimap_border"):
        open_collection(tmp_path, Reading(trimap_border="edge"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_forced_on_an_empty_folder_says_what_it_looks_for(tmp_path, layout):
    with pytest.raises(ValueError, match="looks for"):
        open_collection(tmp_path, Reading(layout=layout))


def test_layout_overrides_what_is_found(tmp_path, draw):
    for i in range(3):
        draw.photo(tmp_path / "images" / f"{CAR}_{i:02}.jpg")
        draw.mask(tmp_path / "masks" / f"{CAR}_{i:02}_mask.png", (0, 1))
    assert open_collection(tmp_path).layout == "carvana"
    forced = open_collection(tmp_path, Reading(layout="folders"))
    assert (forced.layout, forced.pairs[0].group) == ("folders", f"{CAR}_00")
