"""COCO's annotations, on small made-up sets."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.config.reading import Reading
from trainer.data.cache.decoded import open_cache
from trainer.data.cache.decoding import Source
from trainer.data.checking.faults import examine
from trainer.data.collection import VOID
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection
from trainer.evaluation.predictions import masks_in_folder

CATEGORIES = [
    {"id": 18, "name": "dog", "supercategory": "animal"},
    {"id": 3, "name": "car", "supercategory": "vehicle"},
]


def square(left, top, right, bottom) -> list:
    return [left, top, right, top, right, bottom, left, bottom]


def entry(number, name, height=12, width=16) -> dict:
    return {"id": number, "file_name": name, "height": height, "width": width}


def area(number, image, category, *polygons, **more) -> dict:
    fields = {"id": number, "image_id": image, "category_id": category, "iscrowd": 0}
    return fields | {"segmentation": [list(p) for p in polygons]} | more


def write(path: Path, images, annotations, categories=None, indent=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"info": {"year": 2026}, "licenses": []}
    document |= {"images": images, "annotations": annotations}
    document["categories"] = CATEGORIES if categories is None else categories
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False), encoding="utf-8")
    return path


def one_image(draw, root, *annotations, categories=None, **size) -> Path:
    """Write a set of one image, and return where its file lies."""
    draw.photo(root / "images" / "a.png")
    return write(root / "a.json", [entry(7, "a.png", **size)], annotations, categories)


def target(collection, pair=0) -> np.ndarray:
    return read_target(collection.pairs[pair], collection.coding)


def names(collection) -> list[str]:
    return [info.name for info in collection.classes]


@pytest.mark.parametrize("indent", [None, 2])
def test_as_coco_lays_it_out_with_the_split_of_each_file(tmp_path, draw, indent):
    for split, count in (("train", 2), ("val", 1), ("test", 1)):
        for i in range(count):
            draw.photo(tmp_path / f"{split}2017" / f"{i:012}.jpg")
    for split, count in (("train", 2), ("val", 1)):
        images = [entry(i, f"{i:012}.jpg") for i in range(count)]
        areas = [area(1, 0, 3, square(2, 1, 6, 5))]
        areas += [area(2, 0, 18, square(10, 2, 12, 4), square(10, 6, 12, 8))]
        write(tmp_path / f"annotations/instances_{split}2017.json", images, areas, indent=indent)
        write(tmp_path / f"annotations/person_keypoints_{split}2017.json", images, areas)
    collection = open_collection(tmp_path)
    assert (collection.layout, names(collection)) == ("coco", ["background", "car", "dog"])
    assert Counter(pair.split for pair in collection.pairs) == {"train": 2, "val": 1}
    assert np.bincount(target(collection).ravel()).tolist() == [168, 16, 8]
    assert (target(collection)[1:5, 2:6] == 1).all()
    assert not target(collection, 1).any()
    assert not collection.faults
    assert any("1 image that no file lists" in note for note in collection.notes)
    assert any("background: 1 image without annotations" in n for n in collection.notes)


def test_as_roboflow_lays_it_out_without_its_heading(tmp_path, draw):
    heading = {"id": 0, "name": "things", "supercategory": "none"}
    below = {"id": 1, "name": "Auto", "supercategory": "things"}
    for split in ("train", "valid", "test"):
        draw.photo(tmp_path / split / "ä 1.png")
        write(
            tmp_path / split / "_annotations.coco.json",
            [entry(0, "ä 1.png")],
            [area(0, 0, 1, square(0, 0, 4, 4))],
            [heading, below],
        )
    collection = open_collection(tmp_path)
    assert (collection.layout, names(collection)) == ("coco", ["background", "Auto"])
    assert [pair.split for pair in collection.pairs] == ["test", "train", "val"]
    assert all(pair.image.parent == pair.mask.parent for pair in collection.pairs)
    assert any("heading things" in note for note in collection.notes)


def test_small_objects_lie_over_large_ones_and_crowds_are_void_beneath(tmp_path, draw):
    crowd = {"size": [12, 16], "counts": [0, 96, 96]}
    one_image(
        draw,
        tmp_path,
        area(1, 7, 18, square(2, 2, 4, 4)),
        area(2, 7, 3, square(0, 0, 6, 6)),
        area(3, 7, 3, segmentation=crowd, iscrowd=1),
    )
    found = target(open_collection(tmp_path))
    assert (found[2:4, 2:4] == 2).all()
    assert np.bincount(found.ravel(), minlength=256)[[0, 1, 2, VOID]].tolist() == [96, 32, 4, 60]


@pytest.mark.parametrize("counts", [[17, 2, 10, 2, 161], "a02:0g4"], ids=["listed", "compressed"])
def test_run_lengths(tmp_path, draw, counts):
    rle = {"size": [12, 16], "counts": counts}
    one_image(draw, tmp_path, area(1, 7, 3, segmentation=rle))
    found = target(open_collection(tmp_path))
    assert np.argwhere(found).tolist() == [[5, 1], [5, 2], [6, 1], [6, 2]]


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (area(1, 7, 3, [1, 1, 5, 5]), "annotation 1: a polygon has 2 points"),
        (area(1, 7, 99, square(0, 0, 2, 2)), "annotation 1: category 99, which the file does not"),
        (area(1, 7, 3, segmentation={"size": [5, 5], "counts": [25]}), r"size \[5, 5\]"),
        (area(1, 7, 3, segmentation={"size": [12, 16], "counts": [9]}), "cover 9 pixels of 192"),
        (area(1, 7, 3, bbox=[0, 0, 4, 4]), "annotation 1: has no segmentation"),
        (area(1, 7, 3, segmentation="all"), "annotation 1: has no segmentation"),
        (area(1, 7, 3, segmentation=[[None] * 6]), "a point lies outside"),
    ],
)
def test_a_wrong_annotation_is_a_fault_of_its_image_and_of_no_other(
    tmp_path, draw, annotation, problem
):
    for name in ("a.png", "b.png"):
        draw.photo(tmp_path / name)
    images = [entry(7, "a.png"), entry(8, "b.png")]
    write(tmp_path / "a.json", images, [annotation, area(2, 8, 3, square(0, 0, 4, 4))])
    collection = open_collection(tmp_path)
    wrong, right = examine(collection)
    (fault,) = wrong.faults
    assert fault.path.name == "a.png"
    assert fault.refuses
    with pytest.raises(ValueError, match=problem):
        target(collection)
    assert not right.faults


def test_another_size_than_the_images_is_a_fault(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)), height=16, width=12)
    ((fault,),) = [report.faults for report in examine(open_collection(tmp_path))]
    assert (fault.path.name, fault.problem[:13]) == ("a.png", "size mismatch")


@pytest.mark.parametrize("size", [(0, 16), ("12", 16), (10**6, 10**6), (None, 16)])
def test_a_size_that_is_none_is_a_fault(tmp_path, draw, size):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)), height=size[0], width=size[1])
    with pytest.raises(ValueError, match=r"a\.png: .*(is no size|at most)"):
        target(open_collection(tmp_path))


def test_what_is_listed_and_not_there_is_a_fault(tmp_path, draw):
    draw.photo(tmp_path / "a.png")
    images = [entry(1, "a.png"), entry(2, "gone.png")]
    areas = [area(1, 1, 3, square(0, 0, 4, 4)), area(2, 99, 3, square(0, 0, 4, 4))]
    write(tmp_path / "a.json", images, areas)
    problems = [fault.problem for fault in open_collection(tmp_path).faults]
    assert len(problems) == 2
    assert "1 annotation of the image 99, which the file does not list" in problems[0]
    assert "missing image: 1 of those listed, such as 'gone.png'" in problems[1]


@pytest.mark.parametrize(
    ("images", "categories", "problem"),
    [
        ([entry(1, "a.png")], [{"id": 3}], "categories: 3 has no name"),
        ([entry(1, "a.png")], [{"id": 3, "name": "car"}] * 2, r"3 \(car\) is listed twice"),
        ([entry(1, "a.png")] * 2, CATEGORIES, "two have the id 1"),
        ([entry(1, "a.png"), entry(2, "a.png")], CATEGORIES, r"lists a\.png, twice"),
        ([{"id": 1}], CATEGORIES, "an entry has no id or no file_name"),
        (["a.png"], CATEGORIES, "images: an entry is no JSON object"),
        (
            [entry(1, "a.png")],
            [{"id": n, "name": f"c{n}"} for n in range(300)],
            "has 300 classes; at most 254 can be",
        ),
    ],
)
def test_what_makes_the_whole_file_unclear_is_refused_in_one_line(
    tmp_path, draw, images, categories, problem
):
    draw.photo(tmp_path / "a.png")
    write(tmp_path / "a.json", images, [area(1, 1, 3, square(0, 0, 4, 4))], categories)
    with pytest.raises(ValueError, match=problem) as error:
        open_collection(tmp_path)
    assert "\n" not in str(error.value)


def test_boxes_alone_are_refused(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, bbox=[0, 0, 4, 4]))
    with pytest.raises(ValueError, match="no annotation has a segmentation; boxes"):
        open_collection(tmp_path)


def test_two_files_about_one_image_are_refused_until_one_is_told(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)))
    write(tmp_path / "b.json", [entry(7, "a.png")], [area(1, 7, 3, square(0, 0, 2, 2))])
    with pytest.raises(ValueError, match=r"a\.json lists images/a\.png, and b\.json too; say"):
        open_collection(tmp_path)
    told = open_collection(tmp_path, Reading(layout="coco", masks="b.json"))
    assert target(told).sum() == 4


def test_where_masks_lie_there_too_they_are_read_unless_coco_is_asked_for(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)))
    draw.mask(tmp_path / "masks" / "a.png", (0, 1))
    assert open_collection(tmp_path).layout == "folders"
    assert open_collection(tmp_path, Reading(layout="coco")).num_classes == 3


@pytest.mark.parametrize("name", ["../outside.png", "/etc/outside.png", "..\\outside.png"])
def test_no_path_of_the_file_leads_out_of_the_folder(tmp_path, draw, name):
    draw.photo(tmp_path / "outside.png")
    draw.photo(tmp_path / "data" / "a.png")
    images = [entry(1, "a.png"), entry(2, name)]
    write(tmp_path / "data" / "a.json", images, [area(1, 1, 3, square(0, 0, 4, 4))])
    collection = open_collection(tmp_path / "data")
    assert [pair.name for pair in collection.pairs] == ["a"]
    (fault,) = collection.faults
    assert fault.problem.startswith("missing image")


def test_of_images_of_one_name_the_nearest_is_taken(tmp_path, draw):
    for folder in ("train/images", "val/images", "train/overlays"):
        draw.photo(tmp_path / folder / "1.png")
    for split in ("train", "val"):
        areas = [area(1, 1, 3, square(0, 0, 4, 4))]
        write(tmp_path / "annotations" / f"{split}.json", [entry(1, "1.png")], areas)
    collection = open_collection(tmp_path)
    places = [pair.image.relative_to(tmp_path).as_posix() for pair in collection.pairs]
    assert places == ["train/images/1.png", "val/images/1.png"]
    draw.photo(tmp_path / "train" / "again" / "images" / "1.png")
    with pytest.raises(ValueError, match="fit equally well"):
        open_collection(tmp_path)


def test_a_class_table_of_ours_orders_and_colours_the_categories(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)))
    table = tmp_path / "classes.yaml"
    table.write_text("classes: [nothing, dog, {name: car, colour: '#102030'}, cat]\n")
    collection = open_collection(tmp_path)
    assert names(collection) == ["nothing", "dog", "car", "cat"]
    assert collection.classes[2].colour == (16, 32, 48)
    assert target(collection).max() == 2
    table.write_text("classes: [nothing, dog]\n")
    with pytest.raises(ValueError, match=r"classes\.yaml: does not list 'car'"):
        open_collection(tmp_path)


def test_predicted_masks_of_drawn_targets_hold_class_indices(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)))
    draw.mask(tmp_path / "predicted" / "a.png", (0, 1, 2))
    collection = open_collection(tmp_path, Reading(layout="coco"))
    predicted = masks_in_folder(tmp_path / "predicted", collection)
    assert predicted.coding == "indices"
    assert predicted.mask_of(collection.pairs[0])[0, :3].tolist() == [0, 1, 2]
    draw.mask(tmp_path / "predicted" / "a.png", (0, 18))
    with pytest.raises(ValueError, match="unexpected label value: 18"):
        masks_in_folder(tmp_path / "predicted", collection)


def test_the_name_of_the_shared_file_is_no_images_prediction(tmp_path, draw):
    one_image(draw, tmp_path, area(1, 7, 3, square(0, 0, 4, 4)))
    (tmp_path / "a.json").rename(tmp_path / "all.json")
    draw.mask(tmp_path / "predicted" / "all.png", (0, 1, 2))
    collection = open_collection(tmp_path, Reading(layout="coco"))
    predicted = masks_in_folder(tmp_path / "predicted", collection)
    with pytest.raises(ValueError, match="has no mask for 'a'"):
        predicted.mask_of(collection.pairs[0])


def source(root: Path) -> Source:
    found = open_collection(root)
    return Source(
        pairs=found.pairs, coding=found.coding, num_classes=found.num_classes, size=(12, 16)
    )


def test_what_is_said_of_one_image_changes_its_digest_alone(tmp_path, draw):
    for name in ("a.png", "b.png"):
        draw.photo(tmp_path / name)

    def digests(width: int, folder: str) -> list[str]:
        areas = [area(1, 1, 3, square(0, 0, width, 4)), area(2, 2, 3, square(0, 0, 2, 2))]
        write(tmp_path / "a.json", [entry(1, "a.png"), entry(2, "b.png")], areas)
        cache = open_cache(
            source(tmp_path), mode="ram", folder=tmp_path / folder, limit_gib=1, progress=False
        )
        assert cache.read(0)[1].sum() == 4 * width
        return [*cache.table.files.tolist(), cache.digest]

    before, after = digests(4, "one"), digests(5, "two")
    assert [one == two for one, two in zip(before, after, strict=True)] == [False, True, False]


def test_an_image_keeps_of_the_file_its_own_part_alone(tmp_path, draw):
    numbers = range(1, 40)
    for number in numbers:
        draw.photo(tmp_path / f"{number}.png")
    areas = [area(n, 1, 3, square(0, 0, 2, 2)) for n in range(200)]
    path = write(tmp_path / "a.json", [entry(n, f"{n}.png") for n in numbers], areas)
    first, *others = open_collection(tmp_path).pairs
    assert len(first.parts) == 201
    assert all(len(pair.parts) == 1 for pair in others)
    read = sum(stop - start for pair in (first, *others) for start, stop in pair.parts)
    assert read < path.stat().st_size
