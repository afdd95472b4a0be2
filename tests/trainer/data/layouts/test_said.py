"""What the user says of the masks and of the split is what is read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.config import TrainConfig
from trainer.config.reading import Reading
from trainer.data.collection import VOID
from trainer.data.dataset import DataSet
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection
from trainer.data.layouts.said import classes_said


def one_mask(root: Path, pixels: list, draw) -> Path:
    draw.photo(root / "images" / "a.png", (1, len(pixels)))
    (root / "masks").mkdir()
    Image.fromarray(np.array([pixels], np.uint8)).save(root / "masks" / "a.png")
    return root


def read(root: Path, **said) -> tuple[list[str], list[int]]:
    found = open_collection(root, Reading(**said))
    return [one.name for one in found.classes], read_target(found.pairs[0], found.coding)[
        0
    ].tolist()


def test_values_are_what_the_user_says(tmp_path, draw):
    one_mask(tmp_path, [0, 1, 255, 2, 9, 7], draw)
    said = "0=background 1,255=car 2-8=void 9='a wide road'"
    names, target = read(tmp_path, mask_values=said)
    assert names == ["background", "car", "a wide road"]
    assert target == [0, 1, 1, VOID, 2, VOID]


def test_colours_are_what_the_user_says(tmp_path, draw):
    one_mask(tmp_path, [[0, 0, 0], [64, 0, 128], [9, 9, 9]], draw)
    names, target = read(tmp_path, mask_values="#000000=void #400080=car #090909=road")
    assert (names, target) == (["car", "road"], [VOID, 0, 1])


def test_a_value_that_is_not_named_is_the_files_fault(tmp_path, draw):
    one_mask(tmp_path, [0, 1, 3], draw)
    with pytest.raises(UnreadableFile, match="unexpected label value: 3"):
        read(tmp_path, mask_values="0=a 1=b")


def test_a_threshold_divides_what_nobody_can_tell(tmp_path, draw):
    one_mask(tmp_path, [0, 90, 180, 200], draw)
    assert read(tmp_path, threshold=100) == (["background", "foreground"], [0, 0, 1, 1])
    (tmp_path / "classes.txt").write_text("dry\nwet\n")
    assert read(tmp_path, threshold=190) == (["dry", "wet"], [0, 0, 0, 1])


def test_the_flag_counts_before_a_table_and_a_particular_layout(tmp_path, draw):
    for folder in ("train", "val"):
        draw.photo(tmp_path / folder / f"{folder}.png")
        draw.mask(tmp_path / f"{folder}annot" / f"{folder}.png", (0, 4))
    (tmp_path / "classes.yaml").write_text("classes: [one, two, three, four, five]\n")
    found = open_collection(tmp_path, Reading(mask_values="0=ground 4=sign"))
    assert found.layout == "camvid"
    assert [one.name for one in found.classes] == ["ground", "sign"]
    assert draw.first_row(found) == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 classes"),
        ("0=a", "has 1 class;"),
        ("0=a 1", "'1' is not VALUES=NAME"),
        ("0=a =b", "'=b' is not VALUES=NAME"),
        ("0=a x=b", "'x' is no value"),
        ("0=a -1=b", "'-1' is no value"),
        ("0=a 1.5=b", "'1.5' is no value"),
        ("0=a 5-2=b", "5-2 must rise"),
        ("0=a 0-99999999999=b", "must rise, and end below 65536"),
        ("0=a 0,1=b", "0 is both 'a' and 'b'"),
        ("0=a #ffffff=b", "values or colours, not both"),
        ("#000000=a #ffffff,#fefefe=b", "'b' has 2 colours"),
        ("0=a 1='b", "has a quote without its second"),
        ("0=a,1=b", "'0=a,1=b' holds several; divide them by spaces"),
        ("0=a, 1=b,255=void", "'1=b,255=void' holds several"),
        ("#000000=a;#ffffff=b", "holds several"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=r"^mask_values: ") as refused:
        classes_said(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("void", ["void", "Void", "VOID"])
def test_void_is_void_in_any_case(void):
    table = classes_said(f"0=a 1=b 254={void}")
    assert (table.void_values, len(table.entries)) == ((254,), 2)


def test_values_and_a_threshold_contradict_each_other():
    with pytest.raises(ValueError, match="mask_values: a threshold says"):
        TrainConfig(mask_values="0=a 1=b", threshold=3)


@pytest.fixture
def six(tmp_path, draw) -> Path:
    for number in range(6):
        draw.photo(tmp_path / "data" / "images" / f"{number}.png")
        draw.mask(tmp_path / "data" / "masks" / f"{number}.png")
    return tmp_path / "data"


FILES = {
    "with a heading": ("s.csv", "image,split\n0.png,train\n1,val\nimages/2.png,test\n"),
    "without": ("s.txt", "0.png;train\n1.png;valid\n2.png;TEST\n"),
    "of a run": ("s.json", json.dumps({"train": ["0"], "val": ["1"], "test": ["2"]})),
    "comments, gaps": ("s.tsv", "# mine\n0\ttraining\n\n1\tdev\n2\ttst\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_split_file_decides_the_split(tmp_path, six, name):
    file, text = FILES[name]
    (tmp_path / file).write_text(text, encoding="utf-8-sig")
    found = open_collection(six, Reading(split_file=str(tmp_path / file)))
    assert [pair.split for pair in found.pairs] == ["train", "val", "test", None, None, None]
    assert any(f"in no split of {file}: 3, such as 3" in note for note in found.notes)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("s.csv", "7,train\n8,val\n", "names no image of"),
        ("s.csv", "", "names no image of"),
        ("s.csv", "0,train\n1,train\n", "has images for train alone"),
        ("s.csv", "0,val\n1,test\n", "has images for test and val alone"),
        ("s.csv", "0,train\n1,other\n", "line 2: wants image,split"),
        ("s.csv", "0,train\n0.png,val\n", "'0.png' is in train and in val"),
        ("s.json", "{", "is not valid JSON"),
        ("s.json", "[]", "must hold a list"),
        ("s.json", '{"train": 3}', "'train' is no split with a list"),
        ("s.json", "[" * 100_000, "is not valid JSON"),
        ("none.csv", None, "cannot read"),
    ],
)
def test_a_split_file_that_says_nothing_is_refused_in_one_line(tmp_path, six, file, text, message):
    if text is not None:
        (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=message) as refused:
        open_collection(six, Reading(split_file=str(tmp_path / file)))
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_stored_split_needs_its_file_no_more(tmp_path, six):
    file = tmp_path / "s.csv"
    file.write_text("0,train\n1,val\n2,train\n")
    config = TrainConfig(data=str(six), split_file=str(file), cache="off", image_size=(32, 32))
    splits = DataSet.open(config, progress=False).splits
    assert (splits.train, splits.val) == (("0", "2"), ("1",))
    file.unlink()
    assert DataSet.open(config, splits=splits, progress=False).splits == splits
