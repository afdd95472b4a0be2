"""``trainer predict`` as people with pictures type it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.model_folders import model_folder, picture
from trainer.cli import main
from trainer.config import TrainConfig
from trainer.data.painting import OPACITY
from trainer.training.fitting import fit

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trainer", "predict", *words])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of three photographs and a note, beside a model's folder."""
    monkeypatch.chdir(tmp_path)
    model_folder(Path("model"))
    for seed, name in enumerate(("a.png", "b.jpg", "day 2/a.png")):
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(40, 50, seed)).save(path)
    Path("photos/notes.txt").write_text("seen on Monday")
    return Path("photos")


def test_a_folder_of_pictures(run: Run, photos: Path) -> None:
    code, out, err = run("model", "photos", "--out", "photos/masks", "--overlay", "--outline")
    assert code == 0
    masks = ["photos/masks/a.png", "photos/masks/b.png", "photos/masks/day 2/a.png"]
    assert out.splitlines() == masks
    held, summary = err.splitlines()
    assert held == "masks hold class indices (its data's own values are not known): 0 c0, 1 c1"
    counted = [np.array(Image.open(mask)) for mask in masks]
    share = np.mean([mask == 1 for mask in counted])
    assert summary.startswith(f"3 images; 1 file skipped, no image; c1 {share:.1%} of the pixels, ")
    assert summary.endswith(
        " objects; masks and predictions.csv in photos/masks "
        "(pixels that touch by a side or a corner are one object)"
    )
    assert Path("photos/masks/day 2/a_overlay.png").is_file()
    code, out, _ = run("model", "photos", "--out", "photos/masks", "--json")
    rows = json.loads(out)
    assert [row["mask"] for row in rows] == masks
    background, foreground = rows[0]["classes"]
    assert (background["name"], background["objects"], foreground["name"]) == ("c0", None, "c1")
    assert foreground["pixels"] == (counted[0] == 1).sum()


def test_a_damaged_picture_shows_in_the_exit_code(run: Run, photos: Path) -> None:
    (photos / "b.jpg").write_bytes((photos / "b.jpg").read_bytes()[:300])
    code, out, err = run("model", "photos", "--out", "masks")
    assert (code, len(out.splitlines())) == (2, 2)
    assert "not predicted: photos/b.jpg: " in err
    assert "2 images; 1 could not be read; 1 file skipped" in err
    code, out, err = run("model", "photos/b.jpg", "--out", "masks")
    assert (code, out) == (2, "")
    assert err.endswith("0 images; 1 could not be read\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outline",), "outline: it is of overlays; give --overlay too"),
        (("--color", "red"), "color: it is of overlays; give --overlay too"),
        (("--opacity", "0"), "opacity: it is of overlays; give --overlay too"),
        (("--overlay", "--opacity", "1.1"), "opacity: 1.1 must lie in 0 to 1"),
        (("--overlay", "--opacity", "nan"), "opacity: nan must lie in 0 to 1"),
        (("--overlay", "--color", "rde"), "color: 'rde' is no colour; give a name such as red"),
        (("--values", "data"), "values: this model does not tell"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run: Run, photos: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = run("model", "photos", "--out", "masks", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"trainer: {said}")
    assert not Path("masks").exists()


def test_the_help_tells_the_opacity_that_is_left_out(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    assert f"left out, {OPACITY}." in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_masks_come_in_the_values_of_the_training_masks(
    run: Run, store: Path, tiny: TrainConfig, cars: Path, tmp_path: Path
) -> None:
    """Of a run, whose masks were 0 and 255; what is predicted is read as they are."""
    data = tmp_path / "cells"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    for number, path in enumerate(sorted((cars / "train").iterdir())):
        Image.open(path).save(data / "images" / f"cell {number}.png")
        with Image.open(cars / "train_masks" / f"{path.stem}_mask.gif") as mask:
            grey = Image.fromarray(np.array(mask).astype(np.uint8) * 255)
        grey.save(data / "masks" / f"cell {number}.png")
    run_id = fit(tiny.replace(data=str(data), epochs=4), progress=False).run_id
    for words, values in (((), {0, 255}), (("--values", "index"), {0, 1})):
        out = tmp_path / "-".join(["out", *words])
        assert run(run_id, str(data / "images"), "--out", str(out), *words)[0] == 0
        found = [np.array(Image.open(path)) for path in sorted(out.glob("*.png"))]
        assert len(found) == 24
        assert set(np.unique(np.concatenate(found))) == values
