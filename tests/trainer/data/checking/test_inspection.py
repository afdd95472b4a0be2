"""What is told of a folder, as JSON and as tables."""

import io
import json

import pytest
from rich.console import Console

from trainer.config.reading import Reading
from trainer.data.checking.inspection import inspect


def printed(inspection, **options) -> str:
    console = Console(file=io.StringIO(), width=120)
    inspection.print(console, **options)
    return console.file.getvalue()


@pytest.fixture
def folder(draw, tmp_path):
    for i in range(8):
        draw.photo(tmp_path / "images" / f"p{i // 2}_{i}.png", (12, 16) if i else (24, 32))
        draw.mask(
            tmp_path / "masks" / f"p{i // 2}_{i}.png", (0, 0, 0, 1), (12, 16) if i else (24, 32)
        )
    return tmp_path


def test_json_holds_what_was_found(folder):
    report = json.loads(json.dumps(inspect(folder, Reading(group_by=r"^(p\d)")).to_json()))
    assert report["layout"] == "folders"
    assert (report["pairs"], report["groups"]) == (8, 4)
    assert report["classes"] == ["background", "foreground"]
    assert report["class_shares"] == {"background": 0.75, "foreground": 0.25}
    assert report["class_pixels"]["foreground"] == (7 * 12 * 16 + 24 * 32) // 4
    assert report["class_images"] == {"background": 8, "foreground": 8}
    assert report["image_sizes"] == {"distinct": 2, "smallest": [12, 16], "largest": [24, 32]}
    assert sum(report["splits"].values()) == 8
    assert report["split"] == "by seed and group"
    assert report["faults"] == []
    assert report["void_share"] == 0


def test_json_names_each_fault(draw, folder):
    draw.photo(folder / "images" / "alone.png")
    (folder / "masks" / "p1_3.png").write_bytes(b"\x89PNG")
    faults = inspect(folder).to_json()["faults"]
    assert [set(fault) for fault in faults] == [{"path", "problem", "pair", "refuses"}] * 2
    assert faults[0]["path"] == str(folder / "images" / "alone.png")
    assert faults[1]["pair"] == "p1_3"


def test_official_splits_are_told_as_published(draw, tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        for i in range(count):
            draw.photo(tmp_path / split / "images" / f"{split}{i}.png")
            draw.mask(tmp_path / split / "masks" / f"{split}{i}.png", (0, 1, 255))
    report = inspect(tmp_path).to_json()
    assert report["splits"] == {"train": 3, "test": 2}
    assert report["split"] == "official"
    assert any("validation images are taken from train" in note for note in report["notes"])
    assert report["void_share"] == pytest.approx(5 / 16)
    assert report["class_shares"]["foreground"] == pytest.approx(5 / 11)


def test_tables_show_layout_classes_and_faults(draw, folder):
    for i in range(3):
        draw.photo(folder / "images" / f"alone[{i}].png")
    text = printed(inspect(folder), shown=2)
    for expected in ("folders", "foreground", "25.00%", "#e69f00", "3 faults", "alone[0].png"):
        assert expected in text
    assert "alone[2].png" not in text
    assert "and 1 more" in text
    assert "masks: values 0, 1" in text


def test_one_pair_alone_is_told_without_a_split(draw, tmp_path):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "masks" / "a.png")
    report = inspect(tmp_path)
    assert report.to_json()["splits"] == {}
    assert any("nothing" in note for note in report.notes)
    assert "No faults." in printed(report)


def test_nearly_black_images_are_pointed_out(draw, tmp_path):
    import numpy as np
    from PIL import Image

    (tmp_path / "images").mkdir()
    for i in range(3):
        twelve_bits = np.random.default_rng(i).integers(0, 4096, (12, 16)).astype(np.uint16)
        Image.fromarray(twelve_bits).save(tmp_path / "images" / f"{i}.png")
        draw.mask(tmp_path / "masks" / f"{i}.png")
    assert any("nearly black" in note for note in inspect(tmp_path).notes)
