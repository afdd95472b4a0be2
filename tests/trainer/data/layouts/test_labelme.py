"""labelme's shapes, on small made-up sets."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainer.config.reading import Reading
from trainer.data.checking.faults import examine
from trainer.data.checking.sheet import write_sheet
from trainer.data.checking.writing import write_pairs
from trainer.data.collection import VOID
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection

SQUARE = [[2, 1], [8, 1], [8, 7], [2, 7]]


def shape(label, points, kind="polygon", group=None) -> dict:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, "flags": {}}


def annotate(path: Path, *shapes, **more) -> None:
    """Write what labelme writes for the image beside, of 12 x 16 pixels."""
    document = {"version": "5.4.1", "flags": {}, "shapes": list(shapes)}
    document |= {"imagePath": f"..\\{path.stem}.jpg", "imageData": None}
    path.write_text(json.dumps(document | {"imageHeight": 12, "imageWidth": 16} | more))


def labelled(draw, folder, *shapes, stem="a", **more) -> Path:
    draw.photo(folder / f"{stem}.jpg")
    annotate(folder / f"{stem}.json", *shapes, **more)
    return folder


def target(collection, pair=0) -> np.ndarray:
    return read_target(collection.pairs[pair], collection.coding)


def pixels(collection, pair=0) -> list[int]:
    return np.bincount(target(collection, pair).ravel()).tolist()


def test_each_label_is_a_class_and_folders_are_splits(tmp_path, draw):
    labelled(draw, tmp_path / "train", shape("dog", SQUARE))
    labelled(draw, tmp_path / "train", shape("cat", SQUARE), shape("dog", SQUARE[:3]), stem="b")
    labelled(draw, tmp_path / "val", shape("cat", SQUARE))
    collection = open_collection(tmp_path)
    assert collection.layout == "labelme"
    assert [info.name for info in collection.classes] == ["background", "cat", "dog"]
    assert [pair.split for pair in collection.pairs] == ["train", "train", "val"]
    assert [pair.name for pair in collection.pairs] == ["train/a", "train/b", "val/a"]
    assert pixels(collection) == [156, 0, 36]
    assert pixels(collection, 1)[0] == 156
    assert collection.notes[0].endswith("cat 2, dog 2")
    assert not collection.faults


def test_a_later_shape_cuts_a_hole_and_ignored_is_void(tmp_path, draw):
    labelled(
        draw,
        tmp_path,
        shape("dog", SQUARE, group=1),
        shape("_background_", [[4, 3], [6, 5]], "rectangle", group=1),
        shape("__ignore__", [[14, 10], [16, 12]], "rectangle"),
    )
    collection = open_collection(tmp_path)
    assert [info.name for info in collection.classes] == ["background", "dog"]
    found = np.bincount(target(collection).ravel(), minlength=256)
    assert found[[0, 1, VOID]].tolist() == [192 - 32 - 4, 32, 4]
    assert any("__ignore__ is void" in note for note in collection.notes)


def test_a_circle_is_given_by_its_centre_and_a_point_on_it(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", [[8, 6], [8, 1]], "circle"))
    y, x = np.mgrid[:12, :16] + 0.5
    assert np.array_equal(target(open_collection(tmp_path)), (x - 8) ** 2 + (y - 6) ** 2 < 25)


def test_what_has_no_area_is_left_out_with_a_note(tmp_path, draw):
    line = [[0, 0], [9, 9]]
    shapes = [shape("lane", line, "line"), shape("lane", line, "linestrip")]
    labelled(draw, tmp_path, shape("dog", SQUARE), *shapes, shape("eye", line[:1], "point"))
    collection = open_collection(tmp_path)
    assert [info.name for info in collection.classes] == ["background", "dog"]
    assert pixels(collection) == [156, 36]
    (note,) = [note for note in collection.notes if "without an area" in note]
    assert "1 x line 'lane'" in note
    assert "1 x point 'eye'" in note


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (shape("dog", SQUARE[:2]), r"shape 1 \(dog\): a polygon has 2 points"),
        (shape("dog", [[0, 0]], "circle"), "a circle has two points"),
        (shape("dog", [[0, "x"], [2, 2]], "rectangle"), "not pairs of numbers"),
        (shape("dog", [[0, 0], [2, 2]], "mask"), "of the type 'mask', which is not read"),
        (shape(None, SQUARE), "the label None is no class"),
        (["dog"], "shape 1 is no JSON object"),
    ],
)
def test_a_wrong_shape_is_a_fault_of_its_file_and_of_no_other(tmp_path, draw, wrong, problem):
    labelled(draw, tmp_path, wrong)
    labelled(draw, tmp_path, shape("dog", SQUARE), stem="b")
    collection = open_collection(tmp_path, Reading(layout="labelme"))
    first, second = examine(collection)
    assert [(fault.path.name, fault.refuses) for fault in first.faults] == [("a.json", True)]
    assert not second.faults
    with pytest.raises(ValueError, match=rf"a\.json: .*{problem}") as error:
        target(collection)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shapes": 3}', "[" * 100_000])
def test_a_file_that_is_none_of_labelmes_is_a_fault_by_name(tmp_path, draw, text):
    for stem in "abcd":
        labelled(draw, tmp_path, shape("dog", SQUARE), stem=stem)
    (tmp_path / "b.json").write_text(text)
    collection = open_collection(tmp_path, Reading(layout="labelme"))
    faults = [fault for report in examine(collection) for fault in report.faults]
    assert [fault.path.name for fault in faults] == ["b.json"]


def test_images_without_json_and_json_without_an_image_are_faults(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", SQUARE))
    draw.photo(tmp_path / "bare.jpg")
    annotate(tmp_path / "gone.json", shape("dog", SQUARE))
    (tmp_path / "settings.json").write_text('{"colour": "red"}')
    faults = {fault.path.name: fault.problem for fault in open_collection(tmp_path).faults}
    assert faults.keys() == {"bare.jpg", "gone.json"}
    assert "missing mask" in faults["bare.jpg"]
    assert "orphan mask" in faults["gone.json"]


def test_without_a_size_the_images_is_taken_and_another_is_a_fault(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", SQUARE), imageHeight=None, imageWidth=None)
    assert pixels(open_collection(tmp_path)) == [156, 36]
    labelled(draw, tmp_path, shape("dog", SQUARE), imageHeight=16, imageWidth=12)
    ((fault,),) = [report.faults for report in examine(open_collection(tmp_path))]
    assert fault.problem.startswith("size mismatch: the mask is 12 x 16, its image 16 x 12")


def test_where_masks_lie_there_too_they_are_read(tmp_path, draw):
    labelled(draw, tmp_path / "images", shape("dog", SQUARE))
    draw.mask(tmp_path / "masks" / "a.png", (0, 1))
    assert open_collection(tmp_path).layout == "folders"
    assert open_collection(tmp_path, Reading(layout="labelme")).layout == "labelme"


def test_labelmes_list_of_names_orders_the_classes(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", SQUARE), shape("cat", SQUARE[:3]))
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\nhorse\ndog\ncat\n")
    names = [info.name for info in open_collection(tmp_path).classes]
    assert names == ["background", "horse", "dog", "cat"]


def test_nothing_but_background_is_refused(tmp_path, draw):
    labelled(draw, tmp_path, shape("background", SQUARE))
    with pytest.raises(ValueError, match="nothing to find"):
        open_collection(tmp_path)


def test_the_contact_sheet_shows_what_is_drawn(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", SQUARE))
    assert write_sheet(open_collection(tmp_path), tmp_path / "sheet.png") == 1


def test_no_table_of_pairs_is_written_of_what_is_drawn(tmp_path, draw):
    labelled(draw, tmp_path, shape("dog", SQUARE))
    with pytest.raises(ValueError, match="masks that are drawn from JSON"):
        write_pairs(open_collection(tmp_path), tmp_path / "pairs.csv")
