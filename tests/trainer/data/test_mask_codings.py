"""What the values of masks mean: found by looking, or said by a table beside the data."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.catalogue.data import LAYOUTS
from trainer.config.reading import Reading
from trainer.data.class_tables import TABLES, find_table
from trainer.data.collection import VOID, MaskCoding
from trainer.data.layouts import open_collection

RED, GREEN, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 0)


def lay_out(draw, root, values, count=4):
    """Write ``count`` pairs whose masks hold ``values``, and return the root."""
    for i in range(count):
        draw.photo(root / "images" / f"{i}.png")
        draw.mask(root / "masks" / f"{i}.png", values)
    return root


def class_names(collection):
    return [info.name for info in collection.classes]


@pytest.mark.parametrize(
    ("values", "targets", "num_classes"),
    [
        ((0, 1, 0, 1), [0, 1, 0, 1], 2),
        ((0, 255, 255, 0), [0, 1, 1, 0], 2),
        ((0, 38, 38, 0), [0, 1, 1, 0], 2),
        ((0, 1, 2, 5), [0, 1, 2, 3], 4),
        ((0, 1, 2, 255), [0, 1, 2, VOID], 3),
        ((0, 1, 0, 255), [0, 1, 0, VOID], 2),
        ((1, 3, 2, 2), [1, VOID, 0, 0], 2),
        ((0, 128, 255, 128), [0, 1, 2, 1], 3),
    ],
    ids=["0 1", "0 255", "0 38", "indices", "void", "binary void", "trimap", "levels"],
)
def test_grey_values_become_classes(draw, tmp_path, values, targets, num_classes):
    collection = open_collection(lay_out(draw, tmp_path, values))
    assert draw.first_row(collection) == targets
    assert collection.num_classes == num_classes
    assert collection.notes[0].startswith("masks: ")


def test_trimaps_keep_their_border_when_asked(draw, tmp_path):
    lay_out(draw, tmp_path, (1, 3, 2, 2))
    collection = open_collection(tmp_path, Reading(trimap_border="class"))
    assert draw.first_row(collection) == [1, 2, 0, 0]
    assert class_names(collection) == ["background", "foreground", "border"]


def test_a_folder_called_trimaps_makes_grey_void(draw, tmp_path):
    for i in range(4):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.mask(tmp_path / "trimaps" / f"{i}.png", (0, 128, 255, 0))
    assert draw.first_row(open_collection(tmp_path)) == [0, VOID, 1, 0]


def test_smooth_edges_are_cut_in_the_middle(draw, tmp_path):
    ramp = (0,) * 60 + (20, 60, 90, 110, 127, 128, 150, 180, 200, 240) + (255,) * 60
    for i in range(4):
        draw.photo(tmp_path / "images" / f"{i}.png", (12, 130))
        draw.mask(tmp_path / "masks" / f"{i}.png", ramp, (12, 130))
    collection = open_collection(tmp_path)
    assert collection.coding.threshold == 127
    assert draw.first_row(collection, 130) == [0] * 65 + [1] * 65


def test_one_stray_mask_does_not_change_what_the_others_mean(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 255), count=6)
    draw.mask(tmp_path / "masks" / "3.png", (0, 7, 255, 9))
    collection = open_collection(tmp_path)
    assert collection.coding == MaskCoding(values={0: 0, 255: 1})


def test_palettes_are_read_by_index_and_lend_their_colours(draw, tmp_path):
    for i in range(3):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.palette_mask(tmp_path / "masks" / f"{i}.png", (0, 1, 2), [BLACK, RED, GREEN])
    collection = open_collection(tmp_path)
    assert draw.first_row(collection, 3) == [0, 1, 2]
    assert [info.colour for info in collection.classes] == [BLACK, RED, GREEN]


def test_palettes_numbered_differently_in_each_file_are_read_by_colour(draw, tmp_path):
    for i, palette in enumerate(([BLACK, RED, GREEN], [GREEN, BLACK, RED])):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.palette_mask(tmp_path / "masks" / f"{i}.png", (0, 1, 2), palette)
    collection = open_collection(tmp_path)
    meaning = {info.colour: index for index, info in enumerate(collection.classes)}
    assert draw.first_row(collection, 3) == [meaning[c] for c in (BLACK, RED, GREEN)]
    assert draw.first_row(collection, 3, pair=1) == [meaning[c] for c in (GREEN, BLACK, RED)]


def test_colours_are_found_named_and_shown(draw, tmp_path):
    for i in range(3):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.colour_mask(tmp_path / "masks" / f"{i}.png", [BLACK, GREEN, RED])
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["colour 000000", "colour 00c800", "colour c80000"]
    assert draw.first_row(collection, 3) == [0, 1, 2]
    assert "000000, 00c800, c80000" in collection.notes[0]


def test_lossy_colours_take_the_nearest_class(draw, tmp_path):
    for i in range(3):
        draw.photo(tmp_path / "images" / f"{i}.png", (64, 64))
        blocks = np.zeros((64, 64, 3), dtype=np.uint8)
        blocks[:, 32:] = RED
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(blocks).save(tmp_path / "masks" / f"{i}.jpg", quality=95)
    collection = open_collection(tmp_path)
    assert (collection.num_classes, collection.coding.nearest) == (2, True)
    assert draw.first_row(collection, 64) == [0] * 32 + [1] * 32


def test_masks_that_are_photographs_are_refused_with_the_cure(draw, tmp_path):
    for i in range(3):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.photo(tmp_path / "masks" / f"{i}.png")
    with pytest.raises(ValueError, match=r"too many for classes.*classes\.yaml"):
        open_collection(tmp_path)


# --- tables ---------------------------------------------------------------------------------------


def test_classes_yaml_names_values_and_void(draw, tmp_path):
    lay_out(draw, tmp_path, (10, 20, 21, 99))
    (tmp_path / "classes.yaml").write_text(
        """
        classes:
          - {name: soil, value: 10, colour: [120, 80, 40]}
          - {name: plant, values: [20, 21], colour: "#00ff00"}
        void: 99
        """
    )
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["soil", "plant"]
    assert collection.classes[1].colour == (0, 255, 0)
    assert draw.first_row(collection) == [0, 1, 1, VOID]


@pytest.mark.parametrize(
    "text",
    [
        "classes: {road: [200, 0, 0], grass: '#00c800'}\nvoid: '000000'",
        "classes:\n  - road: [200, 0, 0]\n  - grass: [0, 200, 0]\nvoid: [0, 0, 0]",
    ],
)
def test_classes_yaml_names_colours(draw, tmp_path, text):
    for i in range(2):
        draw.photo(tmp_path / "images" / f"{i}.png")
        draw.colour_mask(tmp_path / "masks" / f"{i}.png", [BLACK, GREEN, RED])
    (tmp_path / "classes.yaml").write_text(text)
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["road", "grass"]
    assert draw.first_row(collection, 3) == [VOID, 1, 0]


def test_classes_yaml_with_names_alone_names_the_indices(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 2, 0, 2))
    (tmp_path / "classes.yaml").write_text("classes: [ground, car, tree]")
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["ground", "car", "tree"]
    assert draw.first_row(collection) == [0, 2, 0, 2]


def test_classes_yaml_with_names_alone_names_0_and_255(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 255))
    (tmp_path / "classes.yaml").write_text("classes: [dry, wet]")
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["dry", "wet"]
    assert draw.first_row(collection) == [0, 1, 0, 1]


def test_classes_yaml_sets_a_threshold(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 49, 50, 51))
    (tmp_path / "classes.yaml").write_text("classes: [dry, wet]\nthreshold: 50")
    assert draw.first_row(open_collection(tmp_path)) == [0, 0, 0, 1]


def test_classes_yaml_overrules_a_known_layout(draw, tmp_path):
    for split in ("train", "val"):
        draw.photo(tmp_path / split / f"{split}.png")
        draw.mask(tmp_path / f"{split}annot" / f"{split}.png", (0, 1, 2, 11))
    (tmp_path / "classes.yaml").write_text("classes: [a, b, c]\nvoid: 11")
    collection = open_collection(tmp_path)
    assert (collection.layout, class_names(collection)) == ("camvid", ["a", "b", "c"])
    assert draw.first_row(collection) == [0, 1, 2, VOID]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nroad,200,0,0\ngrass,0,200,0\nunknown,0,0,0\n"),
        ("labelmap.txt", "# label:color_rgb::\nroad:200,0,0::\ngrass:0,200,0::\nvoid:0,0,0::"),
        ("label_colors.txt", "200 0 0 road\n0 200 0 grass\n0 0 0 Void\n"),
    ],
)
def test_other_tools_tables_of_colours(draw, tmp_path, name, text):
    draw.photo(tmp_path / "images" / "0.png")
    draw.colour_mask(tmp_path / "masks" / "0.png", [BLACK, GREEN, RED])
    (tmp_path / name).write_text(text)
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["road", "grass"]
    assert draw.first_row(collection, 3) == [VOID, 1, 0]


def test_other_tools_lists_of_names(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 1, 2, 255))
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\ncat\ndog\n")
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["background", "cat", "dog"]
    assert draw.first_row(collection) == [0, 1, 2, VOID]


def test_another_tools_list_that_does_not_fit_is_passed_over_and_said(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 1, 2, 3))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    collection = open_collection(tmp_path)
    assert collection.num_classes == 4
    assert any("classes.txt" in note and "not used" in note for note in collection.notes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("classes: [a", "not valid YAML"),
        ("- a", "must hold 'key: value' lines"),
        ("classes: [a]", "has 1 class;"),
        ("classes: [a, a]", "'a' is listed twice"),
        ("classes: [a, b]\nvoids: 3", "unknown key 'voids'"),
        ("classes: {a: 0, b: {value: x}}", "not a whole number"),
        ("classes: {a: [0, 0, 0], b: [0, 0, 300]}", "is no colour"),
        ("classes: {a: 0, b: [1, 2, 3]}", "has no value"),
        ("classes: [a, b, c]\nthreshold: 3", "divides two classes"),
        ("classes: [a, b]\nthreshold: x", "not a whole number"),
        ("classes: [a, b]", "lists 2 classes, but the masks hold 4"),
    ],
)
def test_a_wrong_classes_yaml_is_named_with_what_is_wrong(draw, tmp_path, text, problem):
    lay_out(draw, tmp_path, (0, 1, 2, 3))
    (tmp_path / "classes.yaml").write_text(text)
    with pytest.raises(ValueError, match=problem) as error:
        open_collection(tmp_path)
    assert "classes.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_yes_and_no_are_names(draw, tmp_path):
    lay_out(draw, tmp_path, (0, 1))
    for text in ("classes: [no, yes]", "classes: {no: 0, yes: 1}", "classes:\n  - off\n  - on"):
        (tmp_path / "classes.yaml").write_text(text)
        assert class_names(open_collection(tmp_path)) in (["no", "yes"], ["off", "on"])


def test_a_table_lies_wherever_the_images_do(draw, tmp_path):
    for split in ("train", "val"):
        for number in range(2):
            draw.photo(tmp_path / "CamVid" / split / f"{split}{number}.png")
            path = tmp_path / "CamVid" / f"{split}_labels" / f"{split}{number}_L.png"
            draw.colour_mask(path, [BLACK, GREEN, RED])
    (tmp_path / "CamVid" / "class_dict.csv").write_text(
        "name,r,g,b\nCar,200,0,0\nSky,0,200,0\nVoid,0,0,0\n"
    )
    above, beside = open_collection(tmp_path), open_collection(tmp_path / "CamVid")
    assert class_names(above) == class_names(beside) == ["Car", "Sky"]
    assert draw.first_row(above, 3) == [VOID, 1, 0]


def test_vocs_names_are_for_vocs_own_folder(draw, tmp_path):
    from trainer.data.layouts.voc import voc_colour

    colours = [voc_colour(index) for index in range(4)]
    for number in range(4):
        draw.photo(tmp_path / "JPEGImages" / f"{number:05}.png")
        draw.palette_mask(tmp_path / f"SegmentationClass/{number:05}.png", (0, 1, 2, 3), colours)
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "trn.txt").write_text("00000\n00001\n00002\n")
    (tmp_path / "ImageSets" / "val.txt").write_text("00003\n")
    collection = open_collection(tmp_path)
    assert class_names(collection) == ["class 0", "class 1", "class 2", "class 3"]
    assert [pair.split for pair in collection.pairs] == ["train", "train", "train", "val"]
    (tmp_path / "ImageSets").rename(tmp_path / "aside")
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    assert class_names(open_collection(tmp_path))[1] == "aeroplane"


DOCUMENT = Path(__file__).parents[3] / "docs" / "data.md"


def test_every_classes_yaml_of_the_documentation_is_one(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        (tmp_path / "classes.yaml").write_text(block)
        assert find_table(tmp_path) is not None


def test_every_layout_and_table_is_documented():
    text = DOCUMENT.read_text(encoding="utf-8")
    text += DOCUMENT.with_name("layouts.md").read_text(encoding="utf-8")
    for name in [*LAYOUTS, *TABLES]:
        assert f"`{name}`" in text, name


WHITE_FIRST = {
    "class_dict.csv": "name,r,g,b\nroad,255,255,255\nbackground,0,0,0\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nroad:255,255,255::\nbackground:0,0,0::\n",
    "label_colors.txt": "255 255 255 road\n0 0 0 background\n",
}


@pytest.mark.parametrize("name", WHITE_FIRST)
def test_grey_colours_of_a_table_are_levels_whatever_their_order(draw, tmp_path, name):
    lay_out(draw, tmp_path, [0, 255])
    (tmp_path / name).write_text(WHITE_FIRST[name])
    found = open_collection(tmp_path)
    assert class_names(found) == ["background", "road"]
    assert found.coding.values == {0: 0, 255: 1}


def test_colours_that_a_user_gives_are_never_taken_for_an_order(draw, tmp_path):
    lay_out(draw, tmp_path / "white", [0, 255])
    found = open_collection(tmp_path / "white", Reading(mask_values="#ffffff=road #000000=ground"))
    assert class_names(found) == ["road", "ground"]
    assert found.coding.values == {255: 0, 0: 1}
    lay_out(draw, tmp_path / "indices", [0, 1])
    with pytest.raises(ValueError, match="gives colours, but the masks hold the values 0, 1"):
        open_collection(tmp_path / "indices", Reading(mask_values="#ffffff=road #000000=ground"))


def test_levels_of_another_tool_that_no_mask_holds_name_nothing(draw, tmp_path):
    lay_out(draw, tmp_path, [0, 1])
    (tmp_path / "class_dict.csv").write_text(WHITE_FIRST["class_dict.csv"])
    found = open_collection(tmp_path)
    assert class_names(found) == ["background", "foreground"]
    assert any("gives colours, but the masks hold the values 0, 1" in note for note in found.notes)


def test_a_background_that_is_not_the_first_class_is_told(draw, tmp_path):
    lay_out(draw, tmp_path, [0, 255])
    found = open_collection(tmp_path, Reading(mask_values="255=road 0=background"))
    assert "class 0, which scores leave out as the background, is road" in found.notes


def test_a_threshold_cuts_no_colours(draw, tmp_path):
    (tmp_path / "masks").mkdir()
    for name in "abc":
        draw.photo(tmp_path / "images" / f"{name}.png")
        colours = np.array([BLACK, RED, GREEN], np.uint8)[np.arange(12 * 16).reshape(12, 16) % 3]
        Image.fromarray(colours).save(tmp_path / "masks" / f"{name}.png")
    with pytest.raises(ValueError, match="threshold: the masks hold colours, such as 00c800"):
        open_collection(tmp_path, Reading(threshold=100))


def test_roboflows_table_names_the_values(tmp_path, draw):
    for part in ("train", "valid"):
        for name in "ab":
            draw.photo(tmp_path / part / f"{name}{part}_jpg.rf.1f.jpg")
            draw.mask(tmp_path / part / f"{name}{part}_jpg.rf.1f_mask.png", (0, 1, 2))
        (tmp_path / part / "_classes.csv").write_text(
            "Pixel Value, Class\n0, background\n1, car\n2, wheel\n"
        )
    collection = open_collection(tmp_path)
    assert [info.name for info in collection.classes] == ["background", "car", "wheel"]
    # The table of Roboflow's classification is another one.
    for part in ("train", "valid"):
        (tmp_path / part / "_classes.csv").write_text("filename, car, wheel\na.jpg, 1, 0\n")
    assert open_collection(tmp_path).classes[0].name == "class 0"


@pytest.mark.parametrize(
    ("coding", "num_classes", "stored"),
    [
        (MaskCoding(values={0: 0, 255: 1}), 2, (0, 255)),
        (MaskCoding(values={2: 0, 1: 1, 3: VOID}), 2, (2, 1)),
        (MaskCoding(values={0: 0, 1: 1, 255: 1}), 2, None),  # Which of the two is not known.
        (MaskCoding(values={0: 0, 255: 1}, layered=True), 3, None),
        (MaskCoding(values={0: 0, 70_000: 1}), 2, None),
        (MaskCoding(values={-1: 0, 1: 1}), 2, None),
        (MaskCoding(threshold=127), 2, (0, 255)),
        (MaskCoding(threshold=300), 2, None),
        (MaskCoding(colours={BLACK: 0, RED: 1, GREEN: VOID}), 2, (BLACK, RED)),
        (MaskCoding(labels={"cat": 1}), 2, None),
    ],
)
def test_what_masks_store_for_each_class(
    coding: MaskCoding, num_classes: int, stored: tuple[object, ...] | None
) -> None:
    assert coding.value_of_each(num_classes) == stored
