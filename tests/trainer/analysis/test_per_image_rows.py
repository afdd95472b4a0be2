from pathlib import Path

import numpy as np
import pytest

from trainer.analysis.comparison import compare
from trainer.analysis.diagnosis import diagnose
from trainer.analysis.per_image_rows import (
    per_image_dice,
    pixel_counts,
    target_foreground_share,
)
from trainer.analysis.ratios import ratio_of
from trainer.analysis.scores import counts, dice, iou
from trainer.evaluation.per_image import read_parts, write_part

IMAGES = ["b_02", "a_01", "c_03"]
CLASSES = ["void-free", "animal", "car"]


def write(folder: Path, confusion: np.ndarray, epoch: int, images: list[str] = IMAGES) -> None:
    write_part(
        folder,
        epoch=epoch,
        images=images,
        classes=CLASSES,
        confusion=confusion,
        lr=1e-4,
        grad_norm=1.0,
    )


def test_rows_as_the_trainer_writes_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    written = random.integers(0, 100, (2, 3, 3, 3))
    for epoch, confusion in enumerate(written, start=3):
        write(tmp_path, confusion, epoch)
    kept = per_image_dice(read_parts(tmp_path))
    assert list(kept.epochs) == [3, 4]
    assert list(kept.images) == IMAGES
    assert list(kept.classes) == CLASSES  # not by name: the background comes first
    np.testing.assert_allclose(kept.dice, dice(*counts(written)), rtol=1e-6)

    evaluated, images, classes = pixel_counts([read_parts(tmp_path, [4])])
    assert images == ("a_01", "b_02", "c_03")
    assert list(classes) == CLASSES
    expected = np.mean(iou(*counts(written[1].sum(axis=0))))
    assert ratio_of("miou", evaluated).of_all()[0] == pytest.approx(expected)
    np.testing.assert_array_equal(evaluated.tp[0, 0], counts(written[1])[0][1])


def test_the_targets_share_of_foreground_is_what_the_maps_hold(tmp_path: Path) -> None:
    confusion = np.random.default_rng(2).integers(0, 100, (3, 3, 3))
    write(tmp_path, confusion, 1)
    expected = confusion[:, 1:].sum() / confusion.sum()  # rows are targets
    assert target_foreground_share(read_parts(tmp_path)) == pytest.approx(expected)


def test_a_run_that_kept_nothing_has_nothing_to_take_apart(tmp_path: Path) -> None:
    kept = per_image_dice(read_parts(tmp_path))
    assert kept.dice.shape == (0, 0, 0)
    curve = [0.9, 0.91, 0.92, 0.2, 0.92]
    (finding,) = diagnose({"val/dice": curve}, per_image=kept, num_val_images=50)
    assert finding.rule == "unstable"


def test_runs_in_different_orders_are_put_side_by_side(tmp_path: Path) -> None:
    confusion = np.random.default_rng(1).integers(0, 100, (3, 3, 3))
    write(tmp_path / "one", confusion, 1)
    write(tmp_path / "other", confusion[::-1], 1, IMAGES[::-1])
    one, other = (pixel_counts([read_parts(tmp_path / name)])[0] for name in ("one", "other"))
    assert compare(one, other, resamples=10).most_different == ()
    both, _, _ = pixel_counts([read_parts(tmp_path / name) for name in ("one", "other")])
    assert both.seeds == 2
    np.testing.assert_array_equal(both.fp[0], both.fp[1])


def test_runs_on_different_images_are_refused(tmp_path: Path) -> None:
    confusion = np.ones((3, 3, 3), dtype=int)
    write(tmp_path / "one", confusion, 1)
    write(tmp_path / "other", confusion, 1, ["b_02", "a_01", "d_04"])
    runs = [read_parts(tmp_path / name) for name in ("one", "other")]
    with pytest.raises(ValueError, match="differ in 2 images or classes, such as c_03"):
        pixel_counts(runs)
    with pytest.raises(ValueError, match="runs: none given"):
        pixel_counts([])
