"""What other people's folders look like, and what their file names may hold."""

import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from trainer.config import TrainConfig
from trainer.data.layouts import open_collection
from trainer.data.splits import SPLITS, make_splits

CAR = "0cdf5b5d0ce1"


def names(classes: tuple) -> list[str]:
    return [info.name for info in classes]


def splits(collection) -> dict:
    return dict(Counter(pair.split for pair in collection.pairs))


# name: (images, masks, splits)
FOLDERS = {
    "two folders": (["images/a.png", "images/b.png"], ["masks/a.png", "masks/b.png"], None),
    "upper-case suffix": (["imgs/a.JPG", "imgs/b.JPEG"], ["masks/a.PNG", "masks/b.png"], None),
    "other formats": (["img/a.tif", "img/b.bmp"], ["ann/a.bmp", "ann/b.tiff"], None),
    "webp": (["photos/a.webp", "photos/b.webp"], ["labels/a.png", "labels/b.png"], None),
    "suffix in one folder": (["a.jpg", "b.jpg"], ["a_mask.png", "b_mask.png"], None),
    "seg suffix": (["x/a.jpg", "x/b.jpg"], ["x/a_seg.png", "x/b_seg.png"], None),
    "label suffix": (["a.png", "b.png"], ["a_label.png", "b_label.png"], None),
    "mask prefix": (["d/1.png", "d/2.png"], ["d/mask_1.png", "d/mask_2.png"], None),
    "suffix in two folders": (["images/a.jpg"], ["masks/a_mask.png"], None),
    "same stem, one folder": (["a.jpg", "b.jpg"], ["a.png", "b.png"], None),
    "a folder for each case": (
        ["p1/image.png", "p2/image.png"],
        ["p1/mask.png", "p2/mask.png"],
        None,
    ),
    "labelme's export": (
        ["1_json/img.png", "2_json/img.png"],
        ["1_json/label.png", "1_json/label_viz.png", "2_json/label.png", "2_json/label_viz.png"],
        None,
    ),
    "cases in splits": (
        ["train/p1/image.png", "test/p2/image.png"],
        ["train/p1/mask.png", "test/p2/mask.png"],
        {"train": 1, "test": 1},
    ),
    "splits above": (
        ["train/images/a.png", "val/images/b.png", "test/images/c.png"],
        ["train/masks/a.png", "val/masks/b.png", "test/masks/c.png"],
        {"train": 1, "val": 1, "test": 1},
    ),
    "splits below": (
        ["images/train/a.png", "images/valid/b.png"],
        ["labels/train/a.png", "labels/valid/b.png"],
        {"train": 1, "val": 1},
    ),
    "same names in every split": (
        ["train/images/1.png", "test/images/1.png"],
        ["train/labels/1.png", "test/labels/1.png"],
        {"train": 1, "test": 1},
    ),
    "split in the name": (
        ["train_img/a.jpg", "test_img/b.jpg"],
        ["train_lab/a.png", "test_lab/b.png"],
        {"train": 1, "test": 1},
    ),
    "medical decathlon": (["imagesTr/a.png", "imagesTs/b.png"], ["labelsTr/a.png"], None),
    "ADE20K": (
        ["images/training/a.jpg", "images/validation/b.jpg"],
        ["annotations/training/a.png", "annotations/validation/b.png"],
        {"train": 1, "val": 1},
    ),
    "Cityscapes": (
        [
            "leftImg8bit/train/ulm/ulm_000_leftImg8bit.png",
            "leftImg8bit/val/bonn/b_0_leftImg8bit.png",
        ],
        [
            "gtFine/train/ulm/ulm_000_gtFine_labelIds.png",
            "gtFine/train/ulm/ulm_000_gtFine_color.png",
            "gtFine/train/ulm/ulm_000_gtFine_instanceIds.png",
            "gtFine/val/bonn/b_0_gtFine_labelIds.png",
        ],
        {"train": 1, "val": 1},
    ),
    "ISIC": (
        ["ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg"],
        ["ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png"],
        None,
    ),
    "DeepGlobe roads": (
        ["train/1_sat.jpg", "train/2_sat.jpg"],
        ["train/1_mask.png", "train/2_mask.png"],
        None,
    ),
    "GlaS": (["testA_1.bmp", "train_1.bmp"], ["testA_1_anno.bmp", "train_1_anno.bmp"], None),
    "CHASE, first observer": (
        ["Image_01L.jpg", "Image_01R.jpg"],
        [
            "Image_01L_1stHO.png",
            "Image_01L_2ndHO.png",
            "Image_01R_1stHO.png",
            "Image_01R_2ndHO.png",
        ],
        None,
    ),
    "DUTS": (
        ["DUTS-TR/DUTS-TR-Image/a.jpg", "DUTS-TE/DUTS-TE-Image/b.jpg"],
        ["DUTS-TR/DUTS-TR-Mask/a.png", "DUTS-TE/DUTS-TE-Mask/b.png"],
        {"train": 1, "test": 1},
    ),
    "Penn-Fudan": (
        ["PNGImages/F01.png", "PNGImages/F02.png"],
        ["PedMasks/F01_mask.png", "PedMasks/F02_mask.png"],
        None,
    ),
    "a folder for each patient": (
        ["kaggle_3m/TCGA_CS_1/TCGA_CS_1_1.tif", "kaggle_3m/TCGA_CS_2/TCGA_CS_2_1.tif"],
        ["kaggle_3m/TCGA_CS_1/TCGA_CS_1_1_mask.tif", "kaggle_3m/TCGA_CS_2/TCGA_CS_2_1_mask.tif"],
        None,
    ),
    "X-rays": (
        ["CXR_png/C_0001_0.png", "CXR_png/C_0002_0.png"],
        ["mask/C_0001_0_mask.png", "mask/C_0002_0_mask.png"],
        None,
    ),
    "Ground Truth": (
        ["Original/1.tif", "Original/2.tif"],
        ["Ground Truth/1.tif", "Ground Truth/2.tif"],
        None,
    ),
    "prefixes in two folders": (
        ["images/img_1.png", "images/img_2.png"],
        ["masks/lbl-1.png", "masks/lbl-2.png"],
        None,
    ),
    "unknown affixes": (
        ["images/p1q.png", "images/p2q.png"],
        ["masks/r1s.png", "masks/r2s.png"],
        None,
    ),
    "no word says which": (["one/a.png", "one/b.png"], ["two/a.png", "two/b.png"], None),
    "one top folder": (["archive/data/images/a.png"], ["archive/data/masks/a.png"], None),
    "masks shared by the splits": (
        ["train/a.png", "val/b.png"],
        ["masks/a.png", "masks/b.png"],
        {"train": 1, "val": 1},
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_all_kinds(tmp_path, draw, name):
    images, masks, expected = FOLDERS[name]
    for path in images:
        draw.photo(tmp_path / path)
    for path in masks:
        draw.mask(tmp_path / path)
    collection = open_collection(tmp_path)
    unlabelled = 1 if name == "medical decathlon" else 0
    assert len(collection.pairs) == len(images) - unlabelled, collection.notes
    assert not collection.faults
    assert splits(collection) == (expected or {None: len(images) - unlabelled})
    assert names(collection.classes) == ["background", "foreground"]
    assert draw.first_row(collection) == [0, 1, 0, 1]
    assert all(pair.image.is_file() and pair.mask.is_file() for pair in collection.pairs)


def test_cityscapes_takes_the_ids_and_not_the_colours(tmp_path, draw):
    images, masks, _ = FOLDERS["Cityscapes"]
    for path in images:
        draw.photo(tmp_path / path)
    for path in masks:
        draw.mask(tmp_path / path)
    collection = open_collection(tmp_path)
    assert all(pair.mask.stem.endswith("_labelIds") for pair in collection.pairs)
    draw.mask(tmp_path / "gtFine/train/ulm/ulm_000_gtFine_labelTrainIds.png")
    first = open_collection(tmp_path).pairs[0]
    assert first.mask.stem.endswith("_labelTrainIds")


def test_several_masks_of_one_image_are_laid_over_each_other(tmp_path, draw):
    draw.photo(tmp_path / "benign (1).png")
    draw.mask(tmp_path / "benign (1)_mask.png", (255, 0, 0, 0))
    draw.mask(tmp_path / "benign (1)_mask_1.png", (0, 255, 0, 0))
    draw.photo(tmp_path / "benign (2).png")
    draw.mask(tmp_path / "benign (2)_mask.png", (255, 0, 0, 0))
    collection = open_collection(tmp_path)
    assert draw.first_row(collection) == [1, 1, 0, 0]
    assert draw.first_row(collection, pair=1) == [1, 0, 0, 0]


def test_missing_and_orphan_masks_are_faults_with_paths(tmp_path, draw):
    for stem in "abc":
        draw.photo(tmp_path / "images" / f"{stem}.png")
    for stem in "bcd":
        draw.mask(tmp_path / "masks" / f"{stem}.png")
    collection = open_collection(tmp_path)
    assert [pair.name for pair in collection.pairs] == ["b", "c"]
    found = {
        fault.path.relative_to(tmp_path).as_posix(): fault.problem for fault in collection.faults
    }
    assert found.keys() == {"images/a.png", "masks/d.png"}
    assert "missing mask" in found["images/a.png"]
    assert "orphan mask" in found["masks/d.png"]


def test_two_files_of_one_name_are_named(tmp_path, draw):
    draw.photo(tmp_path / "images" / "a.png")
    draw.photo(tmp_path / "images" / "a.jpg")
    draw.mask(tmp_path / "masks" / "a.png")
    collection = open_collection(tmp_path)
    assert len(collection.pairs) == 1
    assert "second image of the same name" in collection.faults[0].problem


def test_lists_beside_the_data_are_the_official_split(tmp_path, draw):
    for stem in "abcd":
        draw.photo(tmp_path / "images" / f"{stem} x.png")
        draw.mask(tmp_path / "masks" / f"{stem} x.png")
    (tmp_path / "train.txt").write_text("images/a x.png\nimages/b x.png\n")
    (tmp_path / "val.txt").write_text("c x\nnot here\n")
    collection = open_collection(tmp_path)
    assert splits(collection) == {"train": 2, "val": 1, None: 1}
    assert any("not here" in note for note in collection.notes)


@pytest.mark.parametrize(
    "name", ["with space.png", "größe 日本.png", "line\nbreak.png", "a'b\"c.png"]
)
def test_strange_names_work(tmp_path, draw, name):
    draw.photo(tmp_path / "images" / name)
    draw.mask(tmp_path / "masks" / name)
    (pair,) = open_collection(tmp_path).pairs
    assert pair.name == Path(name).stem


def test_names_that_are_not_utf8_become_readable(tmp_path, draw):
    raw = os.fsdecode(b"caf\xe9.png")
    try:
        draw.photo(tmp_path / "images" / raw)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    draw.mask(tmp_path / "masks" / raw)
    collection = open_collection(tmp_path)
    assert collection.pairs[0].name == "caf\\xe9"
    assert draw.first_row(collection) == [0, 1, 0, 1]


def test_links_in_a_circle_end(tmp_path, draw):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "masks" / "a.png")
    (tmp_path / "images" / "again").symlink_to(tmp_path)
    assert len(open_collection(tmp_path).pairs) == 1


def test_a_pipe_named_like_an_image_is_left_alone(tmp_path, draw):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "masks" / "a.png")
    os.mkfifo(tmp_path / "images" / "b.png")
    assert len(open_collection(tmp_path).pairs) == 1


def test_ten_thousand_files_are_listed_without_opening_them(tmp_path, draw, monkeypatch):
    draw.photo(tmp_path / "images" / "00000.png")
    draw.mask(tmp_path / "masks" / "00000.png")
    for i in range(1, 5000):
        for folder in ("images", "masks"):
            (tmp_path / folder / f"{i:05}.png").hardlink_to(tmp_path / folder / "00000.png")
    opened = []
    really = Image.open
    monkeypatch.setattr(Image, "open", lambda *a, **k: (opened.append(a), really(*a, **k))[1])
    assert len(open_collection(tmp_path).pairs) == 5000
    assert len(opened) <= 200


@pytest.mark.parametrize("images", ["images", "slides"])
@pytest.mark.parametrize("other", ["pred", "result", "superpixels"])
def test_what_lies_among_masks_is_no_image_where_images_lie_apart(tmp_path, draw, images, other):
    for i in range(4):
        draw.photo(tmp_path / images / f"scene_{i}.png")
        draw.mask(tmp_path / "masks" / f"scene_{i}_gt.png")
        draw.mask(tmp_path / "masks" / f"scene_{i}_{other}.png")
    pairs = open_collection(tmp_path).pairs
    assert {(pair.image.parent.name, pair.mask.stem[-3:]) for pair in pairs} == {(images, "_gt")}
    assert len(pairs) == 4


def test_a_folder_called_masks_may_hold_images_too(tmp_path, draw):
    for i in range(4):
        draw.photo(tmp_path / "masks" / f"{i}.png")
        draw.mask(tmp_path / "masks" / f"{i}_mask.png")
    draw.photo(tmp_path / "docs" / "figure.png")
    assert len(open_collection(tmp_path).pairs) == 4


def test_many_folders_that_are_not_used_are_a_few_notes(tmp_path, draw):
    for i in range(20):
        draw.photo(tmp_path / f"case{i:02d}" / "img.png")
        draw.mask(tmp_path / f"case{i:02d}" / "label.png")
        draw.mask(tmp_path / f"case{i:02d}" / "label_viz.png")
        draw.photo(tmp_path / f"case{i:02d}" / "more" / "other.png")
    notes = open_collection(tmp_path).notes
    assert "not used: 20 files beside, such as label_viz.png" in notes
    assert "not used: 1 image without a mask in case07/more/" in notes
    assert "not used: 12 files in 12 more folders" in notes


def pairs_in(draw, root, *folders):
    for number, folder in enumerate(folders):
        for i in range(3):
            draw.photo(root / folder / "images" / f"{10 * number + i}.png")
            draw.mask(root / folder / "masks" / f"{10 * number + i}.png")


def test_pairs_outside_an_official_split_are_told(tmp_path, draw):
    pairs_in(draw, tmp_path, "train", "val", "extra")
    found = open_collection(tmp_path)
    told = "not used: 3 pairs in no folder of train and val, such as extra/images/20.png"
    assert told in found.notes


def test_a_test_beside_dev_alone_is_never_trained_on(tmp_path, draw):
    pairs_in(draw, tmp_path, "dev", "test")
    found = open_collection(tmp_path)
    assert {(p.image.parts[-3], p.split) for p in found.pairs} == {
        ("dev", "train"),
        ("test", "test"),
    }


def test_a_name_in_two_lists_is_told(tmp_path, draw):
    pairs_in(draw, tmp_path, ".")
    (tmp_path / "train.txt").write_text("0\n1\n")
    (tmp_path / "val.txt").write_text("1\n2\n")
    notes = open_collection(tmp_path).notes
    assert "1 name is in two lists, and the first counts: 1 in train and val" in notes


@pytest.mark.parametrize(
    "names", [("train.csv", "val.csv"), ("splits/train_ids.txt", "splits/val_ids.txt")]
)
def test_lists_under_other_names_are_told(tmp_path, draw, names):
    pairs_in(draw, tmp_path, ".")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("0\n1\n")
    told = f"not read: {', '.join(names)}; if they are a split, put it in one --split-file"
    assert told in open_collection(tmp_path).notes


def test_folders_of_a_split_are_no_groups(tmp_path, draw):
    pairs_in(draw, tmp_path, "train", "test")
    assert not any("--group-by" in note for note in open_collection(tmp_path).notes)


def test_renderings_named_after_masks_are_no_images(tmp_path, draw):
    for i in range(4):
        draw.photo(tmp_path / "imgs" / f"IMG_{i}.png", (24, 32))
        draw.photo(tmp_path / "shown" / f"MSK_{i}.png", (24, 32))
        draw.mask(tmp_path / "msks" / f"MSK_{i}.png", size=(24, 32))
    pairs = open_collection(tmp_path).pairs
    assert {(pair.image.parent.name, pair.mask.parent.name) for pair in pairs} == {("imgs", "msks")}
    assert len(pairs) == 4


def small_set(draw, root, count=6):
    for number in range(count):
        draw.photo(root / "images" / f"{number}.png")
        draw.mask(root / "masks" / f"{number}.png")


def shares(root) -> dict[str, list[str]]:
    """Return which images train, validate and test when a run divides them."""
    splits = make_splits(open_collection(root), TrainConfig())
    return {split: sorted(splits.names(split)) for split in SPLITS}


def test_lists_from_another_system_lose_no_line(tmp_path, draw):
    small_set(draw, tmp_path)
    for name, members in (("train", "0123"), ("val", "45")):
        lines = "\r\n".join(f"images\\{number}.png" for number in members)
        (tmp_path / f"{name}.txt").write_bytes(("\ufeff" + lines).encode())
    assert shares(tmp_path) == {"train": list("0123"), "val": ["4", "5"], "test": []}


@pytest.mark.parametrize(
    ("lists", "never"),
    [
        ({"train": "0123"}, "45"),
        ({"test": "01"}, "01"),
        ({"val": "0123", "test": "45"}, "45"),
        ({"val": "012", "test": "34"}, "34"),
    ],
)
def test_what_a_lone_list_leaves_out_is_never_trained_on(tmp_path, draw, lists, never):
    small_set(draw, tmp_path)
    for name, members in lists.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(members))
    found = shares(tmp_path)
    assert not set(never) & {*found["train"], *found["val"]}
    assert found["train"] and found["val"]


def test_what_lies_beside_train_is_not_trained_on(tmp_path, draw):
    small_set(draw, tmp_path / "train")
    small_set(draw, tmp_path / "holdout")
    notes = open_collection(tmp_path).notes
    assert "not used: 6 pairs in no folder of train, such as holdout/images/0.png" in notes
    assert not any("all pairs" in note for note in notes)
    used = [name for names in shares(tmp_path).values() for name in names]
    assert sorted(used) == [f"train/{number}" for number in range(6)]


def test_test_images_alone_are_refused_and_can_be_named(tmp_path, draw):
    small_set(draw, tmp_path / "test")
    with pytest.raises(ValueError, match="all 6 pairs are test images, which are never trained on"):
        shares(tmp_path)
    assert len(shares(tmp_path / "test")["train"]) == 4


def test_a_split_in_the_names_is_told(tmp_path, draw):
    for number, part in enumerate(("train", "train", "train", "test")):
        draw.photo(tmp_path / "images" / f"{part}_{number}.png")
        draw.mask(tmp_path / "masks" / f"{part}_{number}.png")
    said = "not read: names say test (1) and train (3); if that is a split, give it as --split-file"
    assert said in open_collection(tmp_path).notes
    draw.photo(tmp_path / "images" / "other.png")
    draw.mask(tmp_path / "masks" / "other.png")
    assert said not in open_collection(tmp_path).notes
