"""Every fault that a data set can have, found and named with its path."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.layouts.test_folders import FOLDERS
from tests.trainer.data.layouts.test_pairing import lay_out
from trainer.data.checking.faults import all_faults, examine
from trainer.data.checking.screening import screen
from trainer.data.layouts import open_collection


@pytest.fixture
def broken(draw, tmp_path):
    """A set of sound pairs and one with each fault, sound ones in the majority."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    for i in range(6):
        draw.photo(images / f"sound{i}.png")
        draw.mask(masks / f"sound{i}.png", (0, 255))
    draw.photo(images / "no-mask.png")
    draw.mask(masks / "no-image.png", (0, 255))
    draw.photo(images / "other-size.png")
    draw.mask(masks / "other-size.png", (0, 255), (12, 20))
    cut = draw.photo(images / "cut-image.jpg", (64, 64))
    cut.write_bytes(cut.read_bytes()[:900])
    draw.mask(masks / "cut-image.png", (0, 255), (64, 64))
    draw.photo(images / "cut-mask.png")
    cut = draw.mask(masks / "cut-mask.png", (0, 255))
    cut.write_bytes(cut.read_bytes()[:-25])
    draw.photo(images / "no-image-at-all.png").write_bytes(b"")
    draw.mask(masks / "no-image-at-all.png", (0, 255))
    draw.photo(images / "strange-label.png")
    draw.mask(masks / "strange-label.png", (0, 255, 7))
    draw.photo(images / "nothing-there.png")
    draw.mask(masks / "nothing-there.png", (0,))
    shutil.copy(images / "sound2.png", images / "twin.png")
    shutil.copy(masks / "sound2.png", masks / "twin.png")
    return tmp_path


def faults_of(collection, **options):
    return all_faults(collection, examine(collection, **options))


def test_every_fault_is_named_with_its_path(broken):
    collection = open_collection(broken)
    found = {
        fault.path.relative_to(broken).as_posix(): (fault.problem, fault.refuses, fault.pair)
        for fault in faults_of(collection)
    }
    expected = {
        "images/no-mask.png": ("missing mask", True, None),
        "masks/no-image.png": ("orphan mask", True, None),
        "masks/other-size.png": ("size mismatch: the mask is 20 x 12", True, "other-size"),
        "images/cut-image.jpg": ("truncated or damaged", True, "cut-image"),
        "masks/cut-mask.png": ("truncated or damaged", True, "cut-mask"),
        "images/no-image-at-all.png": ("is empty", True, "no-image-at-all"),
        "masks/strange-label.png": ("unexpected label value: 7", True, "strange-label"),
        "masks/nothing-there.png": ("empty mask", False, "nothing-there"),
        "images/twin.png": ("duplicate image: the same pixels as", False, "twin"),
    }
    assert found.keys() == expected.keys()
    for path, (problem, refuses, pair) in expected.items():
        assert problem in found[path][0], path
        assert found[path][1:] == (refuses, pair), path


def test_the_pairs_to_leave_out_leave_a_sound_set(broken):
    collection = open_collection(broken)
    _, left_out = screen(collection, faults_of(collection), skip_faulty=True)
    assert set(left_out) == {
        "other-size",
        "cut-image",
        "cut-mask",
        "no-image-at-all",
        "strange-label",
    }
    for name in left_out:
        for folder in ("images", "masks"):
            for path in (broken / folder).glob(f"{name}.*"):
                path.unlink()
    assert [
        fault for fault in faults_of(open_collection(broken)) if fault.pair and fault.refuses
    ] == []


@pytest.mark.parametrize("workers", [1, 4])
def test_faults_come_in_the_order_of_the_pairs_whatever_the_workers(broken, workers):
    collection = open_collection(broken)
    names = [report.pair.name for report in examine(collection, workers=workers)]
    assert names == [pair.name for pair in collection.pairs]
    assert faults_of(collection, workers=workers) == faults_of(collection)


def test_progress_is_told_how_many_there_are_and_sees_each(broken):
    collection = open_collection(broken)
    seen = []

    def watch(items):
        assert len(items) == len(collection.pairs)
        for item in items:
            yield item
            seen.append(item)

    examine(collection, progress=watch)
    assert len(seen) == len(collection.pairs)


def test_a_copy_in_another_official_split_refuses_and_spares_the_test(draw, tmp_path):
    for split in ("train", "val", "test"):
        for i in range(2):
            draw.photo(tmp_path / split / "images" / f"{split}{i}.png")
            draw.mask(tmp_path / split / "masks" / f"{split}{i}.png")
    copy = tmp_path / "train" / "images" / "train0.png"
    with Image.open(tmp_path / "test" / "images" / "test1.png") as image:
        image.save(copy, compress_level=1)  # the same pixels in other bytes
    (fault,) = faults_of(open_collection(tmp_path))
    assert (fault.path, fault.pair, fault.refuses) == (copy, "train0", True)
    assert "across splits: this one is in train, that one in test" in fault.problem


def test_a_copy_with_another_mask_says_so(draw, tmp_path):
    for name, values in (("a", (0, 1)), ("b", (0, 0, 1))):
        draw.photo(tmp_path / "images" / "a.png")
        if name == "b":
            shutil.copy(tmp_path / "images" / "a.png", tmp_path / "images" / "b.png")
        draw.mask(tmp_path / "masks" / f"{name}.png", values)
    (fault,) = faults_of(open_collection(tmp_path))
    assert fault.problem.endswith("; their masks differ")


def test_a_stack_of_images_is_not_read_in_silence(draw, tmp_path):
    draw.mask(tmp_path / "masks" / "a.png")
    (tmp_path / "images").mkdir()
    slices = [Image.fromarray(np.full((12, 16), level, dtype=np.uint8)) for level in (9, 99, 199)]
    slices[0].save(tmp_path / "images" / "a.tif", save_all=True, append_images=slices[1:])
    (fault,) = faults_of(open_collection(tmp_path))
    assert fault.problem == "holds 3 images, of which only the first is read"
    assert not fault.refuses


def test_a_mask_of_void_alone_is_reported(draw, tmp_path):
    for split in ("train", "val"):
        draw.photo(tmp_path / split / f"{split}.png")
        draw.mask(tmp_path / f"{split}annot" / f"{split}.png", (0, 1) if split == "val" else (11,))
    (fault,) = faults_of(open_collection(tmp_path))
    assert "every pixel is void" in fault.problem
    assert not fault.refuses


# Some masks must be left to say what they mean.
LOSABLE = [
    (name, kind)
    for name, (images, masks, _) in FOLDERS.items()
    for kind, least in (("image", 2), ("mask", 3))
    if len(images) > 1 and len(masks) >= least
]


@pytest.mark.parametrize(("name", "kind"), LOSABLE)
def test_a_link_to_nothing_is_named_as_such_and_its_partner_is_not(draw, tmp_path, name, kind):
    lay_out(draw, tmp_path, name)
    whole = open_collection(tmp_path)
    before = faults_of(whole)
    lost = getattr(whole.pairs[0], kind)
    lost.unlink()
    lost.symlink_to(tmp_path / "elsewhere")
    collection = open_collection(tmp_path)
    assert [pair.name for pair in collection.pairs] == [pair.name for pair in whole.pairs]
    (fault,) = [fault for fault in faults_of(collection) if fault not in before]
    assert (fault.path, fault.problem) == (lost, "is a link to nothing")
    sound, left_out = screen(collection, [fault], skip_faulty=True)
    assert left_out == (whole.pairs[0].name,) and len(sound.pairs) == len(whole.pairs) - 1
