"""Cityscapes and ADE20K, on small made-up copies."""

from collections import Counter

import pytest

from trainer.data.collection import VOID
from trainer.data.layouts import open_collection


def frame(draw, root, split, name, values, kind="labelIds"):
    """Write one frame of Cityscapes: a photograph and its mask."""
    city = name.split("_")[0]
    draw.photo(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
    folder = root / "gtFine" / split / city
    draw.mask(folder / f"{name}_gtFine_{kind}.png", values)
    draw.colour_mask(folder / f"{name}_gtFine_color.png", [(0, 0, 0), (128, 64, 128)])
    draw.mask(folder / f"{name}_gtFine_instanceIds.png", (7, 26))
    (folder / f"{name}_gtFine_polygons.json").write_text('{"objects": []}')


def splits(collection):
    return dict(Counter(pair.split for pair in collection.pairs))


def test_cityscapes_has_19_classes_by_label_ids_and_groups_sequences(tmp_path, draw):
    for name in ("ulm_000000_000019", "ulm_000000_000020", "bad-honnef_000001_000019"):
        frame(draw, tmp_path, "train", name, (7, 33, 5, 26))
    frame(draw, tmp_path, "val", "bonn_000003_000019", (8, 0, 11, 12))
    collection = open_collection(tmp_path)
    assert (collection.layout, collection.num_classes) == ("cityscapes", 19)
    assert draw.first_row(collection, pair=1) == [0, 18, VOID, 13]
    assert [collection.classes[index].name for index in (0, 13, 18)] == ["road", "car", "bicycle"]
    assert collection.classes[13].colour == (0, 0, 142)
    assert splits(collection) == {"train": 3, "val": 1}
    groups = [pair.group for pair in collection.pairs]
    assert groups == ["bad-honnef_000001", "ulm_000000", "ulm_000000", "bonn_000003"]
    assert not collection.faults


def test_cityscapes_by_train_ids_gives_the_same_targets(tmp_path, draw):
    frame(draw, tmp_path / "ids", "train", "ulm_000000_000019", (7, 33, 5, 26))
    frame(draw, tmp_path / "train", "train", "ulm_000000_000019", (0, 18, 255, 13), "labelTrainIds")
    rows = [draw.first_row(open_collection(tmp_path / each)) for each in ("ids", "train")]
    assert rows[0] == rows[1] == [0, 18, VOID, 13]


def test_cityscapes_test_masks_that_are_void_all_over_are_not_used(tmp_path, draw):
    frame(draw, tmp_path, "train", "ulm_000000_000019", (7, 26))
    frame(draw, tmp_path, "test", "berlin_000000_000019", (0, 3))
    collection = open_collection(tmp_path)
    assert splits(collection) == {"train": 1}
    assert any("1 test image with masks that are void all over" in n for n in collection.notes)
    frame(draw, tmp_path, "test", "berlin_000000_000020", (7, 26))
    assert splits(open_collection(tmp_path)) == {"train": 1, "test": 2}


def test_an_id_that_cityscapes_does_not_have_is_a_fault_of_its_file(tmp_path, draw):
    frame(draw, tmp_path, "train", "ulm_000000_000019", (7, 77))
    with pytest.raises(ValueError, match=r"labelIds\.png: unexpected label value: 77"):
        draw.first_row(open_collection(tmp_path))


def ade(draw, root, values=(0, 1, 13, 150)):
    for split, stem in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        draw.photo(root / "images" / split / f"{stem}.jpg")
        draw.mask(root / "annotations" / split / f"{stem}.png", values)


def test_ade20k_reads_150_classes_and_zero_as_void(tmp_path, draw):
    ade(draw, tmp_path)
    collection = open_collection(tmp_path)
    assert (collection.layout, collection.num_classes) == ("ade20k", 150)
    assert draw.first_row(collection) == [VOID, 0, 12, 149]
    assert splits(collection) == {"train": 1, "val": 1}
    assert [info.name for info in collection.classes[:2]] == ["class 1", "class 2"]


def names_of_150() -> list[str]:
    names = [f"thing {n}, object {n}" for n in range(150)]
    names[:3] = ["wall", "screen, silver screen", "screen, crt"]
    return names


def test_ade20k_names_its_classes_by_the_table_beside_it(tmp_path, draw):
    ade(draw, tmp_path)
    rows = [f"{n}\t0.1\t100\t10\t1\t{name}" for n, name in enumerate(names_of_150(), start=1)]
    table = tmp_path / "objectInfo150.txt"
    table.write_text("\n".join(["Idx\tRatio\tTrain\tVal\tStuff\tName", *rows]))
    classes = open_collection(tmp_path).classes
    assert [info.name for info in classes[:4]] == [
        "wall",
        "screen, silver screen",
        "screen, crt",
        "thing 3",
    ]
    table.write_text("\n".join(rows[:-1]))
    with pytest.raises(ValueError, match=r"objectInfo150\.txt: names 149 classes; 150 lines"):
        open_collection(tmp_path)
