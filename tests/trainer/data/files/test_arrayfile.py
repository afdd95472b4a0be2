"""Arrays of numpy as images and masks: measured before they are read, and never unpickled."""

import tracemalloc

import numpy as np
import pytest

from trainer.data.collection import ImageCoding, MaskCoding
from trainer.data.files import imagefile
from trainer.data.files.bands import count_pixels
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.maskfile import look_at_mask
from trainer.data.files.reading import read_image, read_mask

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 10, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 4, (6, 10))
FOUR = MaskCoding(values={0: 0, 1: 1, 2: 2, 3: 3})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_of_several_has_one_by_name(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, image=COLOUR, label=LABELS, weights=LABELS / 7)
    assert np.array_equal(read_image(path), COLOUR)
    assert np.array_equal(read_mask(path, FOUR), LABELS)
    save(path, whatever=COLOUR)
    assert np.array_equal(read_image(path), COLOUR)
    save(path, COLOUR, shift=np.zeros(2))
    assert np.array_equal(read_image(path), COLOUR)


@pytest.mark.parametrize(
    "arrays", [{"a": COLOUR, "b": COLOUR}, {"arr_0": COLOUR, "arr_1": COLOUR}, {}]
)
def test_an_archive_that_leaves_it_open_names_its_arrays(tmp_path, arrays):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    listed = ", ".join(arrays) or "none"
    with pytest.raises(UnreadableFile, match=f"holds the arrays {listed}; name one of them image"):
        read_image(path)
    with pytest.raises(UnreadableFile, match=f"{listed}; name one of them mask or label"):
        read_mask(path, FOUR)


@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_channels_may_come_first_or_last(tmp_path, channels):
    image = RNG.integers(0, 256, (6, 10, channels), dtype=np.uint8)
    for order in (image, np.moveaxis(image, 2, 0)):
        np.save(tmp_path / "a.npy", order)
        read = read_image(tmp_path / "a.npy", ImageCoding(channels=channels))
        assert np.array_equal(read, image)
    with pytest.raises(UnreadableFile, match=f"has {channels} band.*--channels {channels} is for"):
        read_image(tmp_path / "a.npy", ImageCoding(channels=5))


def test_channels_that_may_be_either_are_asked_about(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 9, 4), np.uint8))
    with pytest.raises(UnreadableFile, match=r"shape \(4, 9, 4\), whose channels may come first"):
        read_image(tmp_path / "a.npy", ImageCoding(channels=4))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64, ">u2", np.float16, float])
def test_labels_are_the_same_in_every_type(tmp_path, dtype):
    labels = (LABELS > 1) if dtype is bool else LABELS
    for stored in (labels, labels[None], labels[..., None]):
        np.save(tmp_path / "a.npy", stored.astype(dtype))
        assert np.array_equal(read_mask(tmp_path / "a.npy", FOUR), labels)
        assert set(look_at_mask(tmp_path / "a.npy").values) == set(np.unique(labels))


def test_labels_may_be_negative_or_large_and_colours_are_colours(tmp_path):
    np.save(tmp_path / "a.npy", np.where(LABELS > 1, -1, 70_000))
    read = read_mask(tmp_path / "a.npy", MaskCoding(values={-1: 255, 70_000: 1}))
    assert np.array_equal(read, np.where(LABELS > 1, 255, 1))
    colours = np.where(LABELS[..., None] > 1, (255, 0, 9), (0, 0, 0))
    np.save(tmp_path / "a.npy", colours)
    read = read_mask(tmp_path / "a.npy", MaskCoding(colours={(255, 0, 9): 1, (0, 0, 0): 0}))
    assert np.array_equal(read, LABELS > 1)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (np.eye(3, dtype=np.uint8)[LABELS % 3], "a map of 0 and 1 for each class, store argmax"),
        (np.eye(4, dtype=bool)[LABELS], "has 4 bands, where a mask is labels"),
        (LABELS / 2, "holds fractions, which are no labels"),
        (np.full((3, 4), np.nan), "holds fractions"),
        (np.full((3, 4), np.inf), "holds fractions"),
        (np.full((3, 4), 2**40), "holds labels from 1099511627776"),
        (COLOUR * np.int64(2), "holds colours from"),
    ],
)
def test_what_is_no_mask_says_so(tmp_path, stored, problem):
    np.save(tmp_path / "a.npy", stored)
    with pytest.raises(UnreadableFile, match=problem):
        read_mask(tmp_path / "a.npy", FOUR)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (np.array([[{}]], object), "holds Python objects, which are never read"),
        (np.zeros((3, 4), complex), "holds complex128 values"),
        (np.zeros((3, 4), [("r", "u1")]), "which are no pixels"),
        (np.zeros((3, 4), [("é", "u1")]), "which are no pixels"),
        (np.zeros((2, 3, 4, 3)), r"shape \(2, 3, 4, 3\), where an image is .* one image a file"),
        (np.zeros(5), r"has shape \(5,\)"),
        (np.zeros((0, 5)), r"has shape \(0, 5\)"),
        (np.full((3, 4), np.nan), "values that are not a number"),
        (np.arange(12).reshape(3, 4), "holds int64 values from 0 to 11; give .* --value-range"),
        (np.full((3, 4), 256.5), "holds float64 values from 256.5 to 256.5"),
        (np.full((3, 4), -0.5), "--value-range"),
    ],
)
def test_what_is_no_image_says_so(tmp_path, stored, problem):
    np.save(tmp_path / "a.npy", stored)
    with pytest.raises(UnreadableFile, match=problem):
        read_image(tmp_path / "a.npy")


def test_a_pickle_in_any_disguise_is_never_loaded(tmp_path):
    import pickle

    class Planted:
        def __reduce__(self):
            return pytest.fail, ("was unpickled",)

    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(Planted()))
        with pytest.raises(UnreadableFile, match="damaged"):
            read_image(tmp_path / name)
    np.save(tmp_path / "a.npy", np.array([[Planted()]], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", np.array([[Planted()]], object), allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UnreadableFile, match=r"Python objects|arrays"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_an_array_is_measured_before_it_is_read(tmp_path, monkeypatch, name):
    image = np.zeros((1000, 1000, 4), np.uint8)
    (np.save if name == "a.npy" else np.savez_compressed)(tmp_path / name, image)
    assert count_pixels(tmp_path / name) == 1_000_000
    monkeypatch.setattr(imagefile, "MAX_PIXELS", 999_999)
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match="has 1000 x 1000 pixels; at most 999,999 are decoded"):
        read_image(tmp_path / name, ImageCoding(channels=4))
    monkeypatch.setattr(imagefile, "MAX_PIXELS", 1_300_000)
    with pytest.raises(UnreadableFile, match="pixels of 4 bands; at most 3,900,000 values"):
        read_image(tmp_path / name, ImageCoding(channels=4))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
