"""A folder of masks is read in one coding, and a data set's own masks are right in theirs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.conftest import Draw
from tests.trainer.data.layouts.test_layouts import VOC_PALETTE, voc
from tests.trainer.data.test_mask_meaning import CODINGS, HEIGHT, WIDTH, Map, coded, disc, write
from trainer.commands.evaluating import evaluate
from trainer.config.reading import Reading
from trainer.data.collection import VOID
from trainer.data.layouts import open_collection
from trainer.evaluation.assess import assess
from trainer.evaluation.predictions import masks_in_folder


def areas(classes: list[int], seed: int) -> Map:
    """Return areas of these classes alone, as a mask that lacks the others."""
    places = np.mgrid[:HEIGHT, :WIDTH][1] * len(classes) // WIDTH
    found: Map = np.roll(np.array(classes, np.uint8)[places], 7 * seed, axis=1)
    return found


def check_own_masks(root: Path, **reading: str) -> None:
    """Score the masks of a data set against themselves, all copied into one folder."""
    collection = open_collection(root, Reading(**reading))  # type: ignore[arg-type]
    folder = root / "copied"
    folder.mkdir()
    for pair in collection.pairs:
        shutil.copyfile(pair.mask, folder / pair.mask.name)
    predicted = masks_in_folder(folder, collection)
    found = assess(predicted.mask_of, collection.pairs, collection, split="all", boundary=True)
    assert predicted.coding == "own"
    for key in ("dice", "miou", "accuracy", "dice_per_image", "boundary_iou"):
        assert found.all_scores[key] == 1, key


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    coding=st.sampled_from(CODINGS),
    present=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=3, max_size=6),
    void=st.booleans(),
)
def test_own_masks_score_1_whatever_they_are_coded_in(
    tmp_path_factory: pytest.TempPathFactory, coding: str, present: list[list[int]], void: bool
) -> None:
    """Any file may lack any class; together they have at least two."""
    known = sorted({label for labels in present for label in labels})
    assume(len(known) > 1)
    masks = [
        coded(areas([known.index(label) for label in labels], seed), coding, len(known))
        for seed, labels in enumerate(present)
    ]
    if void and coding in ("indices", "from one"):
        for mask in masks:
            mask[:2] = VOID  # type: ignore[index]
    root = write(tmp_path_factory.mktemp("own"), masks)
    try:
        open_collection(root)
    except ValueError:
        assume(False)  # what `trainer data` asks about has no coding yet
    check_own_masks(root)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=st.lists(st.integers(0, 255), min_size=2, max_size=5, unique=True),
    lacking=st.integers(0, 4),
)
def test_own_masks_score_1_under_any_classes_yaml(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], lacking: int
) -> None:
    stored = np.array(values, np.uint8)
    every = list(range(len(values)))
    fewer = [label for label in every if label != lacking] if len(values) > 2 else every
    masks = [stored[areas(fewer if seed % 2 else every, seed)] for seed in range(4)]
    root = write(tmp_path_factory.mktemp("table"), list(masks))
    lines = [f"  - {{name: class {n}, value: {value}}}" for n, value in enumerate(values)]
    (root / "classes.yaml").write_text("\n".join(["classes:", *lines]))
    check_own_masks(root)


def trimaps(root: Path) -> dict[str, str]:
    masks = [np.where(disc(seed), 1, 2).astype(np.uint8) for seed in range(4)]
    for mask in masks[:-1]:
        mask[:, 10:14] = 3
    write(root, list(masks))
    return {"trimap_border": "class"}


def membranes(root: Path) -> dict[str, str]:
    masks = [disc(seed, 16).astype(np.uint8) * 255 for seed in range(4)]
    write(root, [*masks, np.zeros((HEIGHT, WIDTH), np.uint8)])
    return {}


def soft_edges(root: Path) -> dict[str, str]:
    small = [Image.fromarray(disc(seed)[::3, ::3].astype(np.uint8) * 255) for seed in range(4)]
    write(root, [image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR) for image in small])
    return {}


def jpeg(root: Path) -> dict[str, str]:
    write(root, [disc(s).astype(np.uint8) * 255 for s in range(4)], suffix=".jpg", quality=90)
    return {}


def palettes_of_each_file(root: Path) -> dict[str, str]:
    colours = [(0, 0, 0), (200, 0, 0), (0, 200, 0)]
    for number in range(4):
        order = np.roll([0, 1, 2], number)
        Draw().photo(root / "images" / f"{number}.png")
        path = root / "masks" / f"{number}.png"
        Draw().palette_mask(path, (0, 1, 2), [colours[at] for at in order])
    return {}


def camvid(root: Path) -> dict[str, str]:
    for split in ("train", "val"):
        for number in range(3):
            Draw().photo(root / split / f"{split}{number}.png")
            path = root / f"{split}annot" / f"{split}{number}.png"
            Draw().mask(path, (0, 3, 10, 11) if number else (1, 11))
    return {}


def of_voc(root: Path) -> dict[str, str]:
    voc(Draw(), root, lambda path: Draw().palette_mask(path, (0, 1, 255, 15), VOC_PALETTE))
    return {}


DRAWN = (trimaps, membranes, soft_edges, jpeg, palettes_of_each_file, camvid, of_voc)


@pytest.mark.parametrize("draw_set", DRAWN)
def test_own_masks_of_drawn_sets_score_1(
    draw_set: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    check_own_masks(tmp_path, **draw_set(tmp_path))


def said(root: Path, folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    evaluate(["--predictions", str(folder), "--data", str(root), *flags])
    return capsys.readouterr().err


def test_what_the_masks_were_read_in_is_told_and_may_be_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The values 1, 2, 0 are classes 0, 1, 2: a folder of indices fits that coding too."""
    root = write(tmp_path / "set", [np.uint8([1, 2, 0])[areas([0, 1, 2], s)] for s in range(3)])
    (root / "classes.yaml").write_text("classes: {a: 1, b: 2, c: 0}")
    theirs = write(tmp_path / "theirs", [areas([0, 1, 2], seed) for seed in range(3)])
    own = "predictions: masks read as the data set codes its own masks (own)"
    assert own in said(root, root / "masks", capsys)
    assert own in said(root, theirs / "masks", capsys)
    evaluate(["--predictions", str(theirs / "masks"), "--data", str(root), "--coding", "indices"])
    told = capsys.readouterr()
    assert "as class indices (indices)" in told.err
    assert "1.0000" in told.out
    with pytest.raises(ValueError, match=r"coding.*'binary'.*own.*indices"):
        said(root, theirs / "masks", capsys, "--coding", "binary")


@pytest.mark.parametrize("value", [1, 255])
def test_another_coding_is_taken_where_the_own_shows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: int
) -> None:
    """Soft edges have a threshold, which 0 and 1 never pass; a void of 255 hides a binary mask."""
    soft_edges(tmp_path / "soft")
    void = [disc(seed).astype(np.uint8) for seed in range(4)]
    for mask in void:
        mask[:3] = VOID
    root = write(tmp_path / "void", list(void)) if value == 255 else tmp_path / "soft"
    theirs = [disc(seed).astype(np.uint8) * np.uint8(value) for seed in range(4)]
    folder = write(tmp_path / "theirs", list(theirs)) / "masks"
    expected = "(binary)" if value == 255 else "(indices)"
    assert expected in said(root, folder, capsys)


def test_one_stray_file_does_not_change_what_the_others_mean(tmp_path: Path) -> None:
    root = write(tmp_path / "set", [disc(seed).astype(np.uint8) * 255 for seed in range(4)])
    theirs = [disc(seed).astype(np.uint8) * 255 for seed in range(3)]
    folder = write(tmp_path / "theirs", [*theirs, disc(3).astype(np.uint8)]) / "masks"
    with pytest.raises(ValueError, match=r"no coding: .*own masks, .*3\.png.*indices, .*0\.png"):
        masks_in_folder(folder, open_collection(root))


def test_the_table_has_no_nan_where_a_class_is_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("set/images", "set/masks", "predicted"):
        (tmp_path / folder).mkdir(parents=True)
        for name in range(5):
            zeros = np.zeros((8, 8, 3) if folder == "set/images" else (8, 8), np.uint8)
            Image.fromarray(zeros).save(tmp_path / folder / f"{name}.png")
    asked = ["--predictions", str(tmp_path / "predicted"), "--data", str(tmp_path / "set")]
    assert evaluate([*asked, "--mask-values", "0=background 1=car"]) == 0
    out = capsys.readouterr().out
    rows = {line.split("  ")[0].strip(): line.split()[-1] for line in out.splitlines()[1:]}
    assert "nan" not in out and "worst" not in out
    assert (rows["dice"], rows["iou car"], rows["iou background"]) == ("–", "–", "1.0000")


def test_one_of_several_masks_of_an_image_is_no_prediction_of_it(tmp_path: Path) -> None:
    write(tmp_path, [areas([0, 1], seed) for seed in range(3)])
    for number in range(3):
        first = tmp_path / "masks" / f"{number}.png"
        shutil.copyfile(first, tmp_path / "masks" / f"{number}_mask_2.png")
        first.rename(tmp_path / "masks" / f"{number}_mask_1.png")
    collection = open_collection(tmp_path)
    assert all(pair.more_masks for pair in collection.pairs)
    predicted = masks_in_folder(tmp_path / "masks", collection, coding="own")
    with pytest.raises(ValueError, match="has no mask for '0'"):
        predicted.mask_of(collection.pairs[0])
