"""Sample predictions come back pixel by pixel."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.damage import damaged
from trainer.data.collection import VOID, ClassInfo
from trainer.data.painting import VOID_COLOUR, save_mask
from trainer.evaluation.samples import (
    Strip,
    read_predictions,
    read_samples,
    read_worst,
    sampled_epochs,
    write_predictions,
    write_samples,
    write_worst,
)

SAME = [(32, 48)] * 4
DIFFERENT = [(32, 48), (17, 5), (1, 1), (40, 31)]


def classes(number: int) -> list[ClassInfo]:
    return [
        ClassInfo(name=f"class {index}", colour=(index, 255 - index, 7 * index % 256))
        for index in range(number)
    ]


def maps(sizes: list[tuple[int, int]], num_classes: int, seed: int = 0) -> list[np.ndarray]:
    """Return maps of all classes with a tenth of void."""
    random = np.random.default_rng(seed)
    found = []
    for size in sizes:
        one = random.integers(0, num_classes, size).astype(np.uint8)
        one[random.random(size) < 0.1] = VOID
        found.append(one)
    return found


def strip(sizes: list[tuple[int, int]], num_classes: int) -> Strip:
    random = np.random.default_rng(1)
    return Strip(
        names=tuple(f"folder/image {i}" for i in range(len(sizes))),
        images=tuple(random.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes),
        targets=tuple(maps(sizes, num_classes)),
    )


def assert_same(found: object, expected: object) -> None:
    for one, other in zip(found, expected, strict=True):  # type: ignore[call-overload]
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.uint8


@pytest.mark.parametrize("num_classes", [2, 21, 255])
@pytest.mark.parametrize("sizes", [SAME, DIFFERENT, SAME[:1]], ids=["same", "different", "one"])
def test_everything_comes_back(
    sizes: list[tuple[int, int]], num_classes: int, tmp_path: Path
) -> None:
    samples, infos = strip(sizes, num_classes), classes(num_classes)
    predicted = maps(sizes, num_classes, seed=2)
    write_samples(tmp_path, samples, infos)
    write_predictions(tmp_path, 7, predicted, infos)

    found, found_classes = read_samples(tmp_path)
    assert found.names == samples.names
    assert found_classes == infos
    assert_same(found.images, samples.images)
    assert_same(found.targets, samples.targets)
    assert_same(read_predictions(tmp_path, 7), predicted)


@pytest.mark.parametrize("sizes", [SAME, DIFFERENT], ids=["same", "different"])
def test_the_worst_come_back(sizes: list[tuple[int, int]], tmp_path: Path) -> None:
    samples, infos = strip(sizes, 21), classes(21)
    predicted = maps(sizes, 21, seed=2)
    write_worst(tmp_path, 3, samples, predicted, [0.1, 0.25, 0.5, 1.0], infos)
    found, its_predicted, scores = read_worst(tmp_path, 3)
    assert found.names == samples.names
    assert_same(found.targets, samples.targets)
    assert_same(its_predicted, predicted)
    assert scores == [0.1, 0.25, 0.5, 1.0]
    assert [image.shape for image in found.images] == [(*size, 3) for size in sizes]


def test_the_worsts_photographs_are_close(tmp_path: Path) -> None:
    """JPEG is for photographs: smooth ones come back within a few grey levels."""
    rows, columns = np.mgrid[:64, :96]
    image = np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)
    target = np.zeros((64, 96), np.uint8)
    samples = Strip(names=("a",), images=(image,), targets=(target,))
    write_worst(tmp_path, 1, samples, [target], [0.0], classes(2))
    found, _, _ = read_worst(tmp_path, 1)
    assert np.abs(found.images[0].astype(int) - image).mean() < 4


def test_a_mask_shows_the_classes_colours_in_any_viewer(tmp_path: Path) -> None:
    infos = classes(3)
    mask = np.array([[0, 1], [2, VOID]], np.uint8)
    save_mask(mask, tmp_path / "mask.png", infos)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), mask)
        seen = np.array(image.convert("RGB")).reshape(-1, 3).tolist()
    assert seen == [*(list(info.colour) for info in infos), list(VOID_COLOUR)]


def test_a_mask_need_not_lie_in_one_piece(tmp_path: Path) -> None:
    mask = maps([(40, 60)], 5)[0]
    save_mask(mask[::2, ::-1], tmp_path / "mask.png", classes(5))
    with Image.open(tmp_path / "mask.png") as image:
        np.testing.assert_array_equal(np.array(image), mask[::2, ::-1])


def test_epochs_are_listed_in_order(tmp_path: Path) -> None:
    infos = classes(2)
    assert sampled_epochs(tmp_path) == []
    write_samples(tmp_path, strip(SAME, 2), infos)
    for epoch in (10, 2, 1, 12345):
        write_predictions(tmp_path, epoch, maps(SAME, 2), infos)
    write_worst(tmp_path, 11, strip(SAME, 2), maps(SAME, 2), [0.0] * 4, infos)
    assert sampled_epochs(tmp_path) == [1, 2, 10, 12345]


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"index\.json: is not there"):
        read_samples(tmp_path)
    write_samples(tmp_path, strip(SAME, 2), classes(2))
    with pytest.raises(ValueError, match=r"epoch-0001\.png: does not exist"):
        read_predictions(tmp_path, 1)
    with pytest.raises(ValueError, match=r"epoch-0001\.json: is not there"):
        read_worst(tmp_path, 1)


def test_a_killed_write_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos, before = classes(2), maps(SAME, 2)
    write_samples(tmp_path, strip(SAME, 2), infos)
    write_predictions(tmp_path, 1, before, infos)

    def half(self: Image.Image, path: Path, **_options: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", half)
        with pytest.raises(KeyboardInterrupt):
            write_predictions(tmp_path, 1, maps(SAME, 2, seed=5), infos)
        with pytest.raises(KeyboardInterrupt):
            write_predictions(tmp_path, 2, before, infos)
    assert_same(read_predictions(tmp_path, 1), before)
    assert sampled_epochs(tmp_path) == [1]


def test_an_epoch_is_one_small_file(tmp_path: Path) -> None:
    """Every artifact costs a request through a server."""
    rows, columns = np.mgrid[:160, :240]
    mask = (((rows - 80) / 50) ** 2 + ((columns - 120) / 80) ** 2 < 1).astype(np.uint8)
    write_samples(tmp_path, strip([(160, 240)] * 6, 2), classes(2))
    before = set(tmp_path.rglob("*"))
    write_predictions(tmp_path, 1, [mask] * 6, classes(2))
    (written,) = set(tmp_path.rglob("*")) - before
    assert written.stat().st_size < 6000


def test_the_index_is_what_the_store_promises(tmp_path: Path) -> None:
    write_samples(tmp_path, strip(SAME, 2), classes(2))
    index = json.loads((tmp_path / "index.json").read_text())
    assert index["names"] == [f"folder/image {i}" for i in range(4)]
    assert index["void"] == VOID
    assert index["classes"][1] == {"name": "class 1", "colour": [1, 254, 7]}
    assert index["sizes"] == [[32, 48]] * 4
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.json",
        "images.png",
        "targets.png",
    }


PARTS = {
    "index.json": lambda folder: (read_samples(folder), read_predictions(folder, 1)),
    "images.png": read_samples,
    "targets.png": read_samples,
    "epoch-0001.png": lambda folder: read_predictions(folder, 1),
    "worst/epoch-0001.json": lambda folder: read_worst(folder, 1),
    "worst/epoch-0001.jpg": lambda folder: read_worst(folder, 1),
    "worst/epoch-0001.png": lambda folder: read_worst(folder, 1),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.filterwarnings("ignore:Image size")
def test_any_damage_is_named_or_does_not_show(name: str, tmp_path: Path) -> None:
    samples, infos, predicted = strip(DIFFERENT, 3), classes(3), maps(DIFFERENT, 3)
    write_samples(tmp_path, samples, infos)
    write_predictions(tmp_path, 1, predicted, infos)
    write_worst(tmp_path, 1, samples, predicted, [0.0] * 4, infos)
    path = tmp_path / name
    refused = 0
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        try:
            PARTS[name](tmp_path)
        except ValueError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_only_epochs_are_listed(tmp_path: Path) -> None:
    write_predictions(tmp_path, 3, maps(SAME, 2), classes(2))
    for name in ("epoch-final.png", "epoch-.png", "epoch-²³.png", "epoch--1.png"):
        (tmp_path / name).write_bytes(b"")
    assert sampled_epochs(tmp_path) == [3]
