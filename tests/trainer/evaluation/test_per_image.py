"""Per-image results: exact, one small part an epoch, whole or not at all."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.damage import damaged
from trainer.analysis.scores import counts, dice, iou
from trainer.evaluation.per_image import SCHEMA, read_part, read_parts, write_part

CLASSES = ["background", "car"]
PIXELS = 160 * 240


def confusion(
    images: int, num_classes: int, *, seed: int = 0, pixels: int = 160 * 240
) -> np.ndarray:
    """Return matrices as of a trained model: most pixels right, some classes absent."""
    random = np.random.default_rng(seed)
    found = np.zeros((images, num_classes, num_classes), np.int64)
    for image in found:
        present = random.choice(num_classes, max(2, num_classes // 4), replace=False)
        shares = random.dirichlet(np.ones(len(present)))
        for own, share in zip(present, shares, strict=True):
            wrong = random.uniform(0, 0.05)
            other = random.choice(present)
            image[own, own] += int(share * PIXELS * (1 - wrong))
            image[own, other] += int(share * PIXELS * wrong)
    return found


def write(
    folder: Path,
    epoch: int,
    matrices: np.ndarray,
    names: list[str] | None = None,
    groups: list[str] | None = None,
) -> Path:
    classes = [f"class {i}" for i in range(matrices.shape[-1])] if names is None else names
    return write_part(
        folder,
        epoch=epoch,
        images=[f"car_{i:04d}" for i in range(len(matrices))],
        classes=classes,
        confusion=matrices,
        lr=2e-4 / epoch,
        grad_norm=0.5,
        groups=groups,
    )


@pytest.mark.parametrize("num_classes", [2, 21, 255])
def test_everything_comes_back(num_classes: int, tmp_path: Path) -> None:
    matrices = confusion(7, num_classes)
    write(tmp_path, 3, matrices)
    frame = read_parts(tmp_path)
    tp, fp, fn = counts(matrices)
    assert list(frame.columns) == SCHEMA.names
    assert len(frame) == 7 * num_classes
    assert frame["image"].tolist() == [f"car_{i:04d}" for i in range(7) for _ in range(num_classes)]
    assert frame["class"].tolist() == [f"class {i}" for i in range(num_classes)] * 7
    for name, expected in (("tp", tp), ("fp", fp), ("fn", fn)):
        assert frame[name].tolist() == expected.ravel().tolist()
    np.testing.assert_allclose(frame["dice"], dice(tp, fp, fn).ravel(), rtol=1e-6)
    np.testing.assert_allclose(frame["iou"], iou(tp, fp, fn).ravel(), rtol=1e-6)
    assert set(frame["epoch"]) == {3}
    np.testing.assert_allclose(frame["lr"], 2e-4 / 3, rtol=1e-6)
    np.testing.assert_allclose(frame["grad_norm"], 0.5)


def test_a_class_an_image_does_not_have_is_nan(tmp_path: Path) -> None:
    write(tmp_path, 1, np.array([[[100, 0], [0, 0]], [[90, 10], [0, 0]]]), CLASSES)
    frame = read_parts(tmp_path).set_index(["image", "class"])
    assert np.isnan(frame.loc[("car_0000", "car"), "dice"])
    assert np.isnan(frame.loc[("car_0000", "car"), "iou"])
    assert frame.loc[("car_0001", "car"), "dice"] == 0
    assert frame.loc[("car_0000", "car"), "tp"] == 0


def test_counts_give_the_split_level_score_again(tmp_path: Path) -> None:
    """What a bootstrap over images needs, and the scores alone do not give."""
    matrices = confusion(9, 5)
    write(tmp_path, 1, matrices)
    sums = (
        read_parts(tmp_path).groupby("class", observed=True, sort=False)[["tp", "fp", "fn"]].sum()
    )
    expected = dice(*counts(matrices.sum(axis=0)))
    np.testing.assert_allclose(dice(sums["tp"], sums["fp"], sums["fn"]), expected)


def test_epochs_are_read_in_order_and_by_choice(tmp_path: Path) -> None:
    for epoch in (10, 2, 1):
        write(tmp_path, epoch, confusion(3, 2, seed=epoch))
    assert read_parts(tmp_path)["epoch"].drop_duplicates().tolist() == [1, 2, 10]
    assert read_parts(tmp_path, [10, 1, 99])["epoch"].drop_duplicates().tolist() == [1, 10]
    assert read_parts(tmp_path, []).empty


def test_nothing_there_is_an_empty_frame_with_its_columns(tmp_path: Path) -> None:
    frame = read_parts(tmp_path / "nowhere")
    assert frame.empty
    assert list(frame.columns) == SCHEMA.names


def test_parts_with_other_images_and_classes_join(tmp_path: Path) -> None:
    write(tmp_path, 1, confusion(2, 2), ["a", "b"])
    write(tmp_path, 2, confusion(3, 2), ["b", "c"])
    frame = read_parts(tmp_path)
    assert frame["class"].tolist() == ["a", "b"] * 2 + ["b", "c"] * 3
    assert frame["image"].nunique() == 3


def test_an_epoch_again_replaces_the_earlier(tmp_path: Path) -> None:
    write(tmp_path, 1, confusion(3, 2, seed=1))
    write(tmp_path, 1, confusion(3, 2, seed=2))
    frame = read_parts(tmp_path)
    assert len(frame) == 6
    assert frame["tp"].tolist() == counts(confusion(3, 2, seed=2))[0].ravel().tolist()


def test_a_killed_write_leaves_every_finished_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1, confusion(3, 2))

    def half(_table: object, path: Path, **_options: object) -> None:
        Path(path).write_bytes(b"PAR1 half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", half)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, 2, confusion(3, 2))
    assert set(read_parts(tmp_path)["epoch"]) == {1}
    write(tmp_path, 2, confusion(3, 2))
    assert set(read_parts(tmp_path)["epoch"]) == {1, 2}


def test_any_reader_of_parquet_reads_the_folder(tmp_path: Path) -> None:
    for epoch in (1, 2):
        write(tmp_path, epoch, confusion(4, 3, seed=epoch))
    frame = pd.read_parquet(tmp_path)
    assert len(frame) == 24
    assert set(frame["epoch"]) == {1, 2}


@pytest.mark.parametrize(("num_classes", "limit"), [(2, 18_000), (21, 75_000)])
def test_an_epoch_of_500_images_is_small(num_classes: int, limit: int, tmp_path: Path) -> None:
    groups = [f"0cdf5b5d0c{i // 16:02d}" for i in range(500)]
    written = write(tmp_path, 1, confusion(500, num_classes), groups=groups)
    assert written.stat().st_size < limit


def test_counts_of_a_large_image_fit(tmp_path: Path) -> None:
    pixels = 1280 * 1918 * 100
    write(tmp_path, 1, np.array([[[pixels, 0], [0, 0]]]))
    assert read_parts(tmp_path)["tp"].tolist() == [pixels, 0]


def test_the_group_of_each_image_comes_back_and_a_part_without_any_is_read(tmp_path: Path) -> None:
    groups = ["one", "two", "one"]
    written = write(tmp_path, 1, confusion(3, 2), groups=groups)
    assert read_parts(tmp_path)["group"].tolist() == [group for group in groups for _ in CLASSES]
    older = pq.read_table(written).drop_columns(["group"])
    pq.write_table(older, tmp_path / "epoch-0002.parquet")
    assert read_parts(tmp_path, [2])["group"].isna().all()
    assert read_parts(tmp_path)["group"].notna().sum() == 6
    unknown = write(tmp_path, 3, confusion(3, 2))
    assert read_part(unknown)["group"].isna().all()


def test_a_damaged_part_is_named_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [write(tmp_path, epoch, confusion(3, 2, seed=epoch)) for epoch in (1, 2, 3, 4)]
    whole = paths[0].read_bytes()
    paths[0].write_bytes(b"")
    paths[2].write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        assert read_parts(tmp_path)["epoch"].drop_duplicates().tolist() == [2, 4]
    assert [record.args and str(record.args[0]) for record in caplog.records] == [
        str(caught_reading(paths[0])),
        str(caught_reading(paths[2])),
    ]


def caught_reading(path: Path) -> ValueError:
    with pytest.raises(ValueError) as caught:
        read_part(path)
    assert str(caught.value).startswith(f"{path}: is damaged (")
    assert "\n" not in str(caught.value)
    return caught.value


def test_any_damage_is_named_or_does_not_show(tmp_path: Path) -> None:
    path = write(tmp_path, 1, confusion(3, 2), groups=["one", "two", "one"])
    whole = path.read_bytes()
    refused = 0
    for content in damaged(whole):
        path.write_bytes(content)
        try:
            assert list(read_part(path).columns) == SCHEMA.names
        except ValueError as error:
            assert str(error).startswith(f"{path}: is damaged (")
            refused += 1
        assert list(read_parts(tmp_path).columns) == SCHEMA.names
    assert refused > 100
