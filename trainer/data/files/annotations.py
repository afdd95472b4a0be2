"""Targets that are drawn from JSON: COCO's annotations and labelme's shapes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.data.collection import VOID, Pair
from trainer.data.files.bands import read_size
from trainer.data.files.drawing import Shape, draw, polygon, run_lengths
from trainer.data.files.imagefile import MAX_PIXELS, Array, UnreadableFile
from trainer.data.files.jsonfile import parsed, read_parts

# What labelme draws that has no area.
WITHOUT_AREA = ("line", "linestrip", "point", "points")
CORNERS_OF_A_CIRCLE = 360


def read_drawing(pair: Pair, labels: Mapping[str, int]) -> Array:
    """Return the target ``uint8 (height, width)`` that annotations of a pair describe.

    Where the file describes many images the annotations are COCO's: what is larger is drawn
    first, so that no small object is hidden by it, and crowds before all, as void. Else the file
    is labelme's, and later shapes lie over earlier ones. ``labels`` gives the value of each
    category's id, or of each label. Raises `UnreadableFile`.
    """
    held = [parsed(data, pair.mask) for data in read_parts(pair.mask, pair.parts)]
    about = _object(pair, held[0], "its entry")
    height, width = _size(pair, about)
    if pair.parts:
        shapes = _of_coco(pair, held[1:], labels, height, width)
    else:
        shapes = _of_labelme(pair, about, labels)
    try:
        return draw(shapes, height, width)
    except ValueError as error:
        raise _fault(pair, str(error)) from error


def _fault(pair: Pair, problem: str) -> UnreadableFile:
    where = f" (in {pair.mask.name})" if pair.blamed != pair.mask else ""
    return UnreadableFile(pair.blamed, f"{problem}{where}")


def _object(pair: Pair, held: Any, what: str) -> dict[str, Any]:
    if not isinstance(held, dict):
        raise _fault(pair, f"{what} is no JSON object")
    return held


def _size(pair: Pair, about: dict[str, Any]) -> tuple[int, int]:
    """Return height and width as they are told, else those of the image."""
    names = ("height", "width") if pair.parts else ("imageHeight", "imageWidth")
    told = [about.get(name) for name in names]
    if told == [None, None]:
        return read_size(pair.image)
    height, width = told
    if type(height) is not int or type(width) is not int or min(height, width) < 1:
        raise _fault(pair, f"{' and '.join(names)} are {height!r} and {width!r}, which is no size")
    if height * width > MAX_PIXELS:
        raise _fault(
            pair, f"is told to be {width} x {height}; at most {MAX_PIXELS:,} pixels can be"
        )
    return height, width


def _of_coco(
    pair: Pair, annotations: list[Any], labels: Mapping[str, int], height: int, width: int
) -> list[Shape]:
    found = []
    for held in annotations:
        annotation = _object(pair, held, "an annotation")
        who = f"annotation {annotation.get('id', 'without id')}"
        category = str(annotation.get("category_id"))
        if category not in labels:
            raise _fault(pair, f"{who}: category {category}, which the file does not list")
        crowd = annotation.get("iscrowd") == 1
        value = VOID if crowd else labels[category]
        try:
            shape = _segmentation(annotation.get("segmentation"), value, height, width)
        except ValueError as error:
            raise _fault(pair, f"{who}: {error}") from error
        found.append((crowd, shape))
    found.sort(key=lambda one: (not one[0], -one[1].area))
    return [shape for _, shape in found]


def _segmentation(held: Any, value: int, height: int, width: int) -> Shape:
    if isinstance(held, list) and held:
        return Shape(value=value, polygons=tuple(polygon(points) for points in held))
    if not isinstance(held, dict):
        raise ValueError("has no segmentation; a box alone is no mask")
    if held.get("size") != [height, width]:
        told = held.get("size")
        raise ValueError(
            f"its run lengths are of the size {told!r}, the image of [{height}, {width}]"
        )
    return Shape(value=value, runs=run_lengths(held.get("counts"), height * width))


def _of_labelme(pair: Pair, about: dict[str, Any], labels: Mapping[str, int]) -> list[Shape]:
    shapes = about.get("shapes")
    if not isinstance(shapes, list):
        raise _fault(pair, "holds no shapes, as a file of labelme does")
    found = []
    for number, held in enumerate(shapes, start=1):
        shape = _object(pair, held, f"shape {number}")
        kind, label = shape.get("shape_type") or "polygon", shape.get("label")
        if kind in WITHOUT_AREA:
            continue
        if not isinstance(label, str) or label not in labels:
            raise _fault(pair, f"shape {number}: the label {label!r} is no class")
        try:
            points = _outline(kind, shape.get("points"))
        except ValueError as error:
            raise _fault(pair, f"shape {number} ({label}): {error}") from error
        found.append(Shape(value=labels[label], polygons=(points,)))
    return found


def _outline(kind: Any, points: Any) -> Any:
    """Return what labelme has drawn as a polygon's points."""
    if kind == "polygon" or (kind == "rectangle" and isinstance(points, list) and len(points) == 4):
        return polygon(points)
    if kind not in ("rectangle", "circle"):
        raise ValueError(f"is of the type {kind!r}, which is not read; draw a polygon")
    if not isinstance(points, list) or len(points) != 2:
        raise ValueError(f"a {kind} has two points")
    # The first point once more makes three, as of any polygon.
    (x, y), (to_x, to_y), _ = polygon([*points, points[0]])
    if kind == "rectangle":
        return polygon([(x, y), (to_x, y), (to_x, to_y), (x, to_y)])
    turn = np.linspace(0, 2 * np.pi, CORNERS_OF_A_CIRCLE, endpoint=False)
    radius = np.hypot(to_x - x, to_y - y)
    return polygon(np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1))
