"""Tables of pairs, splits and classes, and annotations in JSON, that are rubbish."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.reliability.rubbish import as_json, as_yaml, assert_right, damaged, documents
from trainer.data.collection import Collection
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection
from trainer.data.layouts.split_file import split_as_said

NAMES = [f"p{number}" for number in range(4)]
SQUARE = [[2, 1], [8, 1], [8, 7], [2, 7]]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Return what draws a folder of four images, with their masks unless told otherwise."""

    def draw(*, masks: bool = True) -> Path:
        random = np.random.default_rng(0)
        for part in ("images", "masks")[: 1 + masks]:
            (tmp_path / part).mkdir()
        for name in NAMES:
            pixels = random.integers(0, 256, (24, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
            if masks:
                mask = random.integers(0, 2, (24, 32)).astype(np.uint8) * 255
                Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        return tmp_path

    return draw


def read_all(root: Path) -> Collection:
    found = open_collection(root)
    for pair in found.pairs:
        read_target(pair, found.coding)
    return found


def pairs() -> Iterator[bytes]:
    lines = [f"images/p{i}.png,masks/p{i}.png,g{i % 2},{'val' if i else 'train'}" for i in range(4)]
    return damaged("\n".join(["image,mask,group,split", *lines]).encode(), "pairs")


CLASSES: dict[str, Any] = {
    "classes": [
        {"name": "background", "value": 0, "colour": [0, 0, 0]},
        {"name": "car", "values": [255], "colour": "#ff0000"},
    ],
    "void": [254],
    "layered": False,
}
TABLES: dict[str, Callable[[], Iterator[bytes]]] = {
    "pairs.csv": pairs,
    "classes.yaml": lambda: documents(CLASSES, "classes", as_yaml),
    "class_dict.csv": lambda: damaged(b"name,r,g,b\nbackground,0,0,0\ncar,255,255,255\n", "csv"),
    "labelmap.txt": lambda: damaged(b"# label:rgb\nbackground:0,0,0::\ncar:255,255,255::\n", "map"),
    "label_colors.txt": lambda: damaged(b"0 0 0 background\n255 255 255 car\n", "colours"),
    "classes.txt": lambda: damaged(b"background\ncar\n", "names"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_beside_the_data(folder: Callable[..., Path], name: str) -> None:
    root = folder()
    # Other tools' lists that are none are passed over: then the masks may be what is told.
    assert_right(TABLES[name](), root / name, lambda _: read_all(root), str(root), "mask", *NAMES)


@pytest.mark.parametrize("name", ["split.csv", "split.json"])
def test_a_split_file(folder: Callable[..., Path], tmp_path: Path, name: str) -> None:
    collection = open_collection(folder())
    if name.endswith(".csv"):
        inputs = damaged(b"p0,train\np1,train\np2,val\np3,test\n", "split")
    else:
        inputs = documents({"train": ["p0", "p1"], "val": ["p2"], "test": ["p3"]}, "split")
    assert_right(inputs, tmp_path / name, lambda path: split_as_said(collection, path))


@pytest.mark.parametrize("said", ["", " ", "/", "//", "."])
def test_a_name_that_is_none_is_of_no_image(
    folder: Callable[..., Path], tmp_path: Path, said: str
) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(as_json({"train": ["p0", said], "val": ["p1"]}))
    found = split_as_said(open_collection(folder()), path)
    assert any("and not here: 1" in note for note in found.notes)


def coco() -> dict[str, Any]:
    polygon = [float(side) for corner in SQUARE for side in corner]
    run = {"counts": [10, 20, 738], "size": [24, 32]}
    return {
        "images": [
            {"id": i, "file_name": f"{name}.png", "height": 24, "width": 32}
            for i, name in enumerate(NAMES)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 3, "iscrowd": int(i > 2), "segmentation": area}
            for i, area in enumerate([[polygon], [polygon, polygon], [polygon], run])
        ],
        "categories": [{"id": 3, "name": "car", "supercategory": "all"}, {"id": 4, "name": "dog"}],
    }


def test_annotations_of_coco(folder: Callable[..., Path]) -> None:
    root = folder(masks=False)
    (root / "a.json").write_bytes(as_json(coco()))
    assert len(read_all(root).pairs) == 4
    inputs = documents(coco(), "coco")
    assert_right(inputs, root / "a.json", lambda _: read_all(root), str(root), *NAMES)


def test_shapes_of_labelme(folder: Callable[..., Path]) -> None:
    root = folder(masks=False)
    kinds = {"polygon": SQUARE, "circle": [[9, 9], [12, 12]], "rectangle": [[3, 3], [6, 6]]}
    shapes = [{"label": k, "points": p, "shape_type": k, "group_id": 1} for k, p in kinds.items()]
    document = {"shapes": shapes, "imagePath": "p0.png", "imageHeight": 24, "imageWidth": 32}
    for name in NAMES:
        (root / "images" / f"{name}.json").write_bytes(as_json(document))
    assert len(read_all(root).pairs) == 4
    inputs = documents(document, "labelme")
    assert_right(inputs, root / "images" / "p1.json", lambda _: read_all(root), str(root), *NAMES)
