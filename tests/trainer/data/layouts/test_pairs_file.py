"""The table of pairs: what it says is read, and nothing is guessed."""

import json
from pathlib import Path

import pytest

from trainer.cli import main
from trainer.config.reading import Reading
from trainer.data.checking.writing import write_pairs
from trainer.data.layouts import open_collection


@pytest.fixture
def files(tmp_path, draw) -> Path:
    """Write images and masks whose names and folders say nothing, or the wrong thing."""
    for name in "abc":
        draw.photo(tmp_path / "masks" / f"{name}.png")
        draw.mask(tmp_path / "x" / f"{name}9.png")
    draw.mask(tmp_path / "x" / "second.png", (1, 0, 0))
    return tmp_path


def table(root: Path, text: str, name: str = "pairs.csv") -> Path:
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def test_what_the_table_says_is_read(files, draw):
    table(
        files,
        "\ufeffImage; Mask; split; group; remark\n"
        "masks/a.png; x/c9.png; train; p1; good\n"
        "masks/b.png; x/a9.png; VAL; p2;\n"
        "\n"
        "masks/a.png; x/second.png; train; p1;\n",
    )
    found = open_collection(files)
    assert found.layout == "pairs"
    by_name = {pair.name: pair for pair in found.pairs}
    assert {n: (p.split, p.group) for n, p in by_name.items()} == {
        "a": ("train", "p1"),
        "b": ("val", "p2"),
    }
    assert [path.name for path in by_name["a"].files] == ["a.png", "c9.png", "second.png"]
    assert "columns of pairs.csv that are not read: remark" in found.notes
    assert draw.first_row(found, 3) == [1, 1, 0]


def test_a_table_is_taken_by_its_path_from_anywhere(files):
    inside = table(files, "image,mask\nmasks/a.png,x/a9.png\n", "mine.csv")
    assert [pair.name for pair in open_collection(inside).pairs] == ["a"]
    outside = files / "tables"
    outside.mkdir()
    whole = f"image,mask\n{files}/masks/a.png,{files}/x/a9.png\n"
    found = open_collection(table(outside, whole), Reading(group_by="/(masks)/"))
    assert [pair.group for pair in found.pairs] == ["masks"]


def test_an_image_without_a_mask_is_its_own_fault(files):
    table(files, "image,mask\nmasks/a.png,x/a9.png\nmasks/b.png,\n")
    found = open_collection(files)
    assert [fault.path.name for fault in found.faults] == ["b.png"]
    assert len(found.pairs) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'image'"),
        ("image,label\na,b\n", "has no column 'mask'"),
        ("image,mask\n", "has no row with an image and a mask"),
        ("image,mask\n,x/a9.png\n", "line 2: has no image"),
        ("image,mask\nmasks/a.png,x/a9.png\nmasks/a.png,x/a9.png\n", "lines 2 and 3 are the same"),
        (
            "image,mask,split\nmasks/a.png,x/a9.png,train\nmasks/a.png,x/second.png,val\n",
            "lines 2 and 3 say of masks/a.png",
        ),
        ("image,mask,split\nmasks/a.png,x/a9.png,maybe\n", "line 2: split 'maybe' is not"),
        (
            "image,mask,name\nmasks/a.png,x/a9.png,n\nmasks/b.png,x/b9.png,n\n",
            "two pairs are named",
        ),
        ("image,mask\nmasks/none.png,x/none.png\n", "does not exist"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_one_line(files, text, message):
    table(files, text)
    with pytest.raises(ValueError, match=message) as refused:
        open_collection(files)
    assert str(files) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_layout_does_not_read_a_table(files):
    path = table(files, "image,mask\nmasks/a.png,x/a9.png\n")
    with pytest.raises(ValueError, match="layout of a table of pairs 'folders'"):
        open_collection(path, Reading(layout="folders"))


def test_what_was_written_is_never_overwritten(files):
    path = table(files, "image,mask\nmasks/a.png,x/a9.png\n")
    found = open_collection(path)
    with pytest.raises(ValueError, match="is there already"):
        write_pairs(found, path)
    with pytest.raises(ValueError, match=r"must end in \.csv"):
        write_pairs(found, files / "pairs.txt")
    (files / "classes.yaml").write_text("classes: [mine, too]\n")
    assert write_pairs(found, files / "new.csv") == [files / "new.csv"]
    assert (files / "classes.yaml").read_text() == "classes: [mine, too]\n"


def test_data_writes_what_it_read_and_reads_what_was_corrected(tmp_path, draw, monkeypatch, capsys):
    for number in range(4):
        draw.photo(tmp_path / "data" / "images" / f"{number}.png")
        draw.mask(tmp_path / "data" / "masks" / f"{number}.png", (0, 255))
    path = tmp_path / "data" / "pairs.csv"

    def data(*arguments: str) -> dict:
        monkeypatch.setattr("sys.argv", ["trainer", "data", *arguments, "--json"])
        assert main() == 0
        return json.loads(capsys.readouterr().out)

    before = data(str(tmp_path / "data"), "--write", str(path))
    lines = path.read_text().splitlines()
    assert lines[:2] == ["image,mask", "images/0.png,masks/0.png"]
    path.write_text("\n".join(lines[:-1]) + "\n")
    after = data(str(tmp_path / "data"))
    assert (before["pairs"], after["pairs"], after["layout"]) == (4, 3, "pairs")
    assert after["classes"] == before["classes"]


def test_a_class_table_counts_beside_the_table_of_pairs_alone(files):
    path = table(files, "image,mask\nmasks/a.png,x/a9.png\nmasks/b.png,x/b9.png\n", "other.csv")
    (files / "elsewhere").mkdir()
    (files / "elsewhere" / "classes.yaml").write_text("classes: [one, two, three]\n")
    assert [info.name for info in open_collection(path).classes] == ["background", "foreground"]
    (files / "classes.yaml").write_text("classes: [dry, wet]\n")
    assert [info.name for info in open_collection(path).classes] == ["dry", "wet"]


def test_a_table_from_another_system_is_read(tmp_path, draw):
    """With a byte-order mark, semicolons, and paths as Windows writes them."""
    for name in "ab":
        draw.photo(tmp_path / "images" / f"{name}.png")
        draw.mask(tmp_path / "masks" / f"{name}.png")
    rows = [f"images\\{name}.png;masks\\{name}.png;train\r\n" for name in "ab"]
    (tmp_path / "pairs.csv").write_bytes(("\ufeffimage;mask;split\r\n" + "".join(rows)).encode())
    found = open_collection(tmp_path)
    assert [(p.image.name, p.mask.name, p.split) for p in found.pairs] == [
        ("a.png", "a.png", "train"),
        ("b.png", "b.png", "train"),
    ]
