"""Which mask belongs to which image: by evidence that names no rival, or asked."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.layouts.test_folders import FOLDERS
from trainer.config.reading import Reading
from trainer.data.layouts import open_collection


def lay_out(draw, root: Path, name: str) -> tuple[list[str], list[str]]:
    images, masks, _ = FOLDERS[name]
    for path in images:
        draw.photo(root / path)
    for path in masks:
        draw.mask(root / path)
    return images, masks


def pairs(root: Path, **told: str) -> dict[str, set[str]]:
    """Return image → masks as paths below the root."""
    return {
        pair.image.relative_to(root).as_posix(): {
            path.relative_to(root).as_posix() for path in (pair.mask, *pair.more_masks)
        }
        for pair in open_collection(root, Reading(**told)).pairs
    }


# Those whose masks nothing but the other masks makes known: without one of two there is no pattern.
OF_TWO = {"unknown affixes", "prefixes in two folders", "no word says which"}


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in OF_TWO])
def test_a_missing_mask_changes_no_other_pair(tmp_path, draw, name):
    _, masks = lay_out(draw, tmp_path, name)
    whole = pairs(tmp_path)
    for mask in masks:
        (tmp_path / mask).rename(tmp_path / "aside")
        if len(masks) == 1:
            with pytest.raises(ValueError, match="holds no pairs"):
                pairs(tmp_path)
            return
        found = pairs(tmp_path)
        for image, its in found.items():
            assert its == whole[image] or mask in whole[image], (mask, image)
        (tmp_path / "aside").rename(tmp_path / mask)


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in OF_TWO])
@pytest.mark.parametrize("beside", ["renderings", "depth maps", "v1.2"])
def test_renderings_beside_the_images_are_no_images(tmp_path, draw, name, beside):
    images, _ = lay_out(draw, tmp_path, name)
    whole = pairs(tmp_path)
    folders = {Path(path).parent for path in images}
    if any(folder == Path() for folder in folders) or len({Path(p).stem for p in images}) == 1:
        pytest.skip("images in the root, or one name for all: there is no folder beside")
    for path in images:
        draw.photo(tmp_path / Path(path).parent.parent / beside / f"{Path(path).stem}.png")
    try:
        assert pairs(tmp_path) == whole
    except ValueError as refused:
        # No folder is called images: which of the two holds them, nobody can know.
        assert "say which with --images" in str(refused)
        assert pairs(tmp_path, images=str(min(folders))) == whole


def test_the_nearest_folder_wins_and_not_the_fullest(tmp_path, draw):
    """File names repeat in every folder, as 00001.png does."""
    for kind in ("Bream", "Carp", "Trout"):
        for number in range(5):
            draw.photo(tmp_path / kind / kind / f"{number:05}.png")
            if (kind, number) != ("Bream", 3):
                draw.mask(tmp_path / kind / f"{kind} GT" / f"{number:05}.png")
    collection = open_collection(tmp_path)
    assert len(collection.pairs) == 14
    for pair in collection.pairs:
        assert pair.mask.parent.name == f"{pair.image.parent.name} GT"
    (fault,) = collection.faults
    assert fault.path.relative_to(tmp_path).as_posix() == "Bream/Bream/00003.png"
    assert any("--group-by" in note for note in collection.notes)


EQUAL = {
    "two halves": ("xrays", ["ManualMask/leftMask", "ManualMask/rightMask"]),
    "a field of view": ("images", ["masks", "vessel-segmentations"]),
    "two versions": ("images", ["v1/labels", "v2/labels"]),
    "a folder for each class": ("images", ["labels/soft", "labels/hard", "labels/other"]),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_folders_of_masks_are_asked_about_and_can_be_chosen(tmp_path, draw, name):
    images, masks = EQUAL[name]
    for number in range(4):
        draw.photo(tmp_path / images / f"{number}.png")
        for folder in masks:
            draw.mask(tmp_path / folder / f"{number}.png")
    with pytest.raises(ValueError, match=r"equally well: .*; say which with --masks") as refused:
        open_collection(tmp_path)
    for folder in masks:
        assert f"{folder}/ (4 of 4)" in str(refused.value)
        chosen = pairs(tmp_path, masks=folder)
        assert chosen == {f"{images}/{n}.png": {f"{folder}/{n}.png"} for n in range(4)}


def test_one_of_several_unnamed_renderings_is_asked_about(tmp_path, draw):
    for number in range(4):
        draw.photo(tmp_path / "one" / f"{number}.png")
        for folder in ("two", "three"):
            draw.mask(tmp_path / folder / f"{number}.png")
    with pytest.raises(ValueError, match="one/ has 2 folders of masks"):
        open_collection(tmp_path)
    assert len(pairs(tmp_path, images="one", masks="two")) == 4


def test_folders_are_named_for_every_split_at_once(tmp_path, draw):
    for split in ("training", "validation"):
        for number in range(3):
            draw.photo(tmp_path / split / "images" / f"{number}.png")
            for version in ("v1", "v2"):
                draw.mask(tmp_path / split / version / "labels" / f"{number}.png")
    found = open_collection(tmp_path, Reading(masks="*/v2/labels"))
    assert {(pair.split, pair.mask.parent.parent.name) for pair in found.pairs} == {
        ("train", "v2"),
        ("val", "v2"),
    }


@pytest.mark.parametrize("told", [{"masks": "nowhere"}, {"images": "no/where"}, {"masks": "../b"}])
def test_a_folder_that_is_not_there_is_named(tmp_path, draw, told):
    draw.photo(tmp_path / "a/images/a.png")
    draw.mask(tmp_path / "a/masks/a.png")
    draw.mask(tmp_path / "b/a.png")
    with pytest.raises(ValueError, match=r"^(masks|images): there is no folder '(no|\.\./b)"):
        open_collection(tmp_path / "a", Reading(**told))


def test_what_is_not_used_is_named_by_its_path(tmp_path, draw):
    for part in ("training", "validation"):
        draw.photo(tmp_path / part / "images/a.png")
        draw.mask(tmp_path / part / "v1/labels/a.png")
        draw.mask(tmp_path / part / "v1/panoptic/a.png")
    notes = open_collection(tmp_path).notes
    for part in ("training", "validation"):
        assert f"not used: 1 image without a mask in {part}/v1/panoptic/" in notes


def test_names_are_compared_as_they_look(tmp_path, draw):
    for name in ("café", "Ångström", "señor"):
        draw.photo(tmp_path / "images" / f"{unicodedata.normalize('NFC', name)}.png")
        draw.mask(tmp_path / "masks" / f"{unicodedata.normalize('NFD', name)}.png")
    (tmp_path / "train.txt").write_text(unicodedata.normalize("NFD", "café\nseñor\n"))
    (tmp_path / "val.txt").write_text(unicodedata.normalize("NFC", "Ångström\n"))
    found = {pair.name: pair.split for pair in open_collection(tmp_path).pairs}
    assert found == {"café": "train", "señor": "train", "Ångström": "val"}


def test_what_belongs_to_an_image_with_its_mask_is_no_image(tmp_path, draw):
    for plant in ("plant001", "plant002"):
        draw.photo(tmp_path / f"{plant}_rgb.png")
        draw.mask(tmp_path / f"{plant}_label.png")
        for beside in ("fg", "centers"):
            draw.mask(tmp_path / f"{plant}_{beside}.png")
    collection = open_collection(tmp_path)
    assert [pair.image.stem for pair in collection.pairs] == ["plant001_rgb", "plant002_rgb"]
    assert not collection.faults
    assert any(note.startswith("not used: 4 files beside") for note in collection.notes)


def test_a_numbered_image_without_its_mask_is_still_missed(tmp_path, draw):
    for stem in ("scan_1", "scan_1_2", "scan_2"):
        draw.photo(tmp_path / "images" / f"{stem}.png")
    for stem in ("scan_1", "scan_2"):
        draw.mask(tmp_path / "masks" / f"{stem}.png")
    (fault,) = open_collection(tmp_path).faults
    assert fault.path.stem == "scan_1_2"


def test_a_set_that_lies_there_twice_is_refused(tmp_path, draw):
    for split in ("train", "val"):
        for number in range(4):
            photo = draw.photo(tmp_path / "png" / split / f"{split}{number}.png")
            mask = draw.mask(tmp_path / "png" / f"{split}_labels" / f"{split}{number}.png")
            for path in (photo, mask):
                copy = tmp_path / "tiff" / path.parent.name / f"{path.stem}.tif"
                copy.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.asarray(Image.open(path))).save(copy)
    with pytest.raises(ValueError, match=r"png/ and tiff/ hold the same images"):
        open_collection(tmp_path)
    assert len(pairs(tmp_path, images="png")) == 8


SPLITS = {
    "train_val and TEST": (["train_val/images", "TEST/images"], {"train": 3, "test": 3}),
    "trainval and test": (["trainval/images", "test/images"], {"train": 3, "test": 3}),
    "train and evaluation": (["train/images", "evaluation/images"], {"train": 3, "test": 3}),
    "test beside the rest": (["images", "test/images"], {"train": 3, "test": 3}),
    "three": (["train/images", "val/images", "test/images"], {"train": 3, "val": 3, "test": 3}),
}


@pytest.mark.parametrize("name", SPLITS)
def test_official_test_images_are_never_trained_on(tmp_path, draw, name):
    folders, expected = SPLITS[name]
    for place, folder in enumerate(folders):
        for number in range(3):
            draw.photo(tmp_path / folder / f"{place}{number}.png")
            draw.mask(tmp_path / Path(folder).parent / "masks" / f"{place}{number}.png")
    collection = open_collection(tmp_path)
    counted = dict.fromkeys(expected, 0)
    for pair in collection.pairs:
        assert pair.split is not None
        counted[pair.split] += 1
    assert counted == expected
    assert any("official split by folders" in note for note in collection.notes)


def test_lists_one_folder_deeper_with_paths_in_their_lines(tmp_path, draw):
    for video in ("bear", "camel", "goat"):
        for number in range(3):
            draw.photo(tmp_path / f"JPEGImages/480p/{video}/{number:05}.png")
            draw.mask(tmp_path / f"Annotations/480p/{video}/{number:05}.png")
    lists = tmp_path / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    for split, videos in (("train", ("bear", "camel")), ("val", ("goat",))):
        lines = [
            f"/JPEGImages/480p/{video}/{n:05}.png /Annotations/480p/{video}/{n:05}.png"
            for video in videos
            for n in range(3)
        ]
        (lists / f"{split}.txt").write_text("\n".join(lines))
    found = [(pair.name.split("/")[-2], pair.split) for pair in open_collection(tmp_path).pairs]
    assert set(found) == {("bear", "train"), ("camel", "train"), ("goat", "val")}


@pytest.mark.parametrize(("first", "second"), [("_1stHO", "_2ndHO"), ("_gt_labelIds", "_gt_color")])
def test_a_second_choice_stands_in_for_no_missing_mask(tmp_path, draw, first, second):
    for number in range(4):
        draw.photo(tmp_path / "images" / f"eye{number}.png")
        for kind in (first, second):
            draw.mask(tmp_path / "masks" / f"eye{number}{kind}.png")
    (tmp_path / "masks" / f"eye2{first}.png").unlink()
    collection = open_collection(tmp_path)
    assert [pair.name for pair in collection.pairs] == ["eye0", "eye1", "eye3"]
    assert {pair.mask.stem[4:] for pair in collection.pairs} == {first}
    assert [fault.path.name for fault in collection.faults] == ["eye2.png"]


@pytest.mark.parametrize("suffix", ["_m", "M", " (mask)", ".out"])
@pytest.mark.parametrize("told", [{"masks": "*{}.png"}, {"images": "*.jpg"}])
def test_files_of_one_folder_are_told_apart_by_their_names(tmp_path, draw, suffix, told):
    for number in range(3):
        draw.photo(tmp_path / f"tile{number}.jpg")
        draw.mask(tmp_path / f"tile{number}{suffix}.png")
    with pytest.raises(ValueError, match=r"--masks '\*_m.png'"):
        pairs(tmp_path)
    found = pairs(tmp_path, **{role: name.format(suffix) for role, name in told.items()})
    assert found == {f"tile{n}.jpg": {f"tile{n}{suffix}.png"} for n in range(3)}


def test_masks_in_a_folder_of_their_own_are_not_the_rest_of_the_images(tmp_path, draw):
    for number in range(3):
        for channel in range(2):
            draw.photo(tmp_path / "imagesTr" / f"case{number}_000{channel}.png")
        draw.mask(tmp_path / "labelsTr" / f"case{number}.png")
    found = pairs(tmp_path, images="imagesTr/*_0001.png")
    assert found == {f"imagesTr/case{n}_0001.png": {f"labelsTr/case{n}.png"} for n in range(3)}
    with pytest.raises(ValueError, match="no names of images and masks agree"):
        pairs(tmp_path, images="imagesTr", masks="labelsTr")


@pytest.mark.parametrize("told", [".", "/", "", "./", "*", "**", "[", "~", "..", "../*"])
@pytest.mark.parametrize("role", ["images", "masks"])
def test_odd_names_of_folders_are_no_failure(tmp_path, draw, role, told):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "masks" / "a.png")
    try:
        found = pairs(tmp_path, **{role: told})
    except ValueError as error:
        assert str(error).startswith((f"{role}: ", "data: "))
    else:
        assert found == {"images/a.png": {"masks/a.png"}}


def test_a_folder_deeper_than_said_is_proposed(tmp_path, draw):
    draw.photo(tmp_path / "images" / "a.png")
    draw.mask(tmp_path / "manual" / "left" / "a.png")
    with pytest.raises(ValueError, match=r"no folder 'left' below .*; there is 'manual/left'"):
        pairs(tmp_path, masks="left")


def test_a_rendering_called_rgb_gives_way_to_the_photographs(tmp_path, draw):
    for number in range(4):
        draw.photo(tmp_path / "image_2" / f"{number}.png", (24, 32))
        draw.mask(tmp_path / "semantic" / f"{number}.png", (0, 7))
        draw.mask(tmp_path / "semantic_rgb" / f"{number}.png", (0, 90))
    found = pairs(tmp_path, masks="semantic")
    assert found == {f"image_2/{n}.png": {f"semantic/{n}.png"} for n in range(4)}


def test_two_folders_of_photographs_for_one_of_masks_are_asked_about(tmp_path, draw):
    for number in range(4):
        for folder in ("images", "images_sharpened"):
            draw.photo(tmp_path / folder / f"{number}.png", (24, 32))
        draw.mask(tmp_path / "masks" / f"{number}.png")
    with pytest.raises(ValueError, match=r"images/ and images_sharpened/ fit .* --images"):
        pairs(tmp_path)
    assert set(pairs(tmp_path, images="images")) == {f"images/{n}.png" for n in range(4)}


def test_a_set_within_a_set_takes_nothing_from_it(tmp_path, draw):
    """The deeper is as near to itself; the other must not pass for renderings of it."""
    for number in range(6):
        draw.photo(tmp_path / "images" / f"{number}.png", (24, 32))
        draw.mask(tmp_path / "masks" / f"{number}.png")
    for number in range(3):
        draw.photo(tmp_path / "more" / "images" / f"{number}.png", (24, 32))
        draw.mask(tmp_path / "more" / "masks" / f"{number}.png")
    found = pairs(tmp_path)
    assert found == {
        f"{at}images/{n}.png": {f"{at}masks/{n}.png"}
        for at, count in (("", 6), ("more/", 3))
        for n in range(count)
    }


def test_a_smaller_copy_of_a_set_within_it_is_refused(tmp_path, draw):
    y, x = np.mgrid[:96, :128]
    for number in range(4):
        waves = 128 + 90 * np.sin(x / (9 + 5 * number)) * np.cos(y / (11 + 3 * number))
        photo = Image.fromarray(np.stack([waves, waves[::-1], waves[:, ::-1]], -1).astype("uint8"))
        mask = Image.fromarray(((waves > 160) * 255).astype("uint8"))
        for folder, shown in (("images", photo), ("masks", mask)):
            for place, scale in ((tmp_path, 1), (tmp_path / "small", 2)):
                (place / folder).mkdir(parents=True, exist_ok=True)
                size = (128 // scale, 96 // scale)
                how = Image.Resampling.NEAREST if shown is mask else Image.Resampling.BICUBIC
                shown.resize(size, how).save(place / folder / f"{number}.png")
    with pytest.raises(ValueError, match="hold the same images"):
        pairs(tmp_path)
    assert set(pairs(tmp_path, images="small/images")) == {
        f"small/images/{n}.png" for n in range(4)
    }
