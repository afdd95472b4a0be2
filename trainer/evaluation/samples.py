"""Sample predictions of a run: a few validation images, epoch by epoch, as strips.

A strip holds all samples side by side in one file, because every artifact costs a request when
the store is a server. Masks are palette PNGs whose indices are the classes, so they are exact and
show the class colours in any viewer.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer.data.collection import VOID, ClassInfo
from trainer.data.painting import Map, in_colour, save_image, save_mask
from trainer.files import reading, write_json

FOLDER = "samples"
WORST = "worst"


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Samples by name, each with its image ``(height, width, channels)`` and its target map."""

    names: tuple[str, ...]
    images: tuple[Map, ...]
    targets: tuple[Map, ...]


def write_samples(folder: Path, samples: Strip, classes: Sequence[ClassInfo]) -> None:
    """Write the images and targets that every epoch's predictions belong to, and their index."""
    _save_images(samples.images, folder / "images.png")
    _save_masks([samples.targets], classes, folder / "targets.png")
    write_json(folder / "index.json", _index(samples, classes))


def write_predictions(
    folder: Path, epoch: int, predicted: Sequence[Map], classes: Sequence[ClassInfo]
) -> None:
    """Write the predicted maps of the samples at ``epoch``, in the samples' order."""
    _save_masks([predicted], classes, folder / f"epoch-{epoch:04d}.png")


def write_worst(
    folder: Path,
    epoch: int,
    samples: Strip,
    predicted: Sequence[Map],
    dice: Sequence[float],
    classes: Sequence[ClassInfo],
) -> None:
    """Write the lowest-scoring images of ``epoch`` with their targets and predictions.

    They change from epoch to epoch, so each epoch has its own three files. The photographs are
    only a backdrop here and stored as JPEG; the masks (targets above predictions) are exact.
    """
    place = folder / WORST
    _save_images(samples.images, place / f"epoch-{epoch:04d}.jpg", quality=88)
    _save_masks([samples.targets, predicted], classes, place / f"epoch-{epoch:04d}.png")
    index = _index(samples, classes) | {"epoch": epoch, "dice": list(dice)}
    write_json(place / f"epoch-{epoch:04d}.json", index)


def read_samples(folder: Path) -> tuple[Strip, list[ClassInfo]]:
    """Return the samples of a run and its classes; ``FileNotFoundError`` when it has none.

    Here and below, a file that is damaged is a ``ValueError`` that names it.
    """
    index = _read_index(folder / "index.json")
    images = _pieces(folder / "images.png", index, "RGB")
    targets = _pieces(folder / "targets.png", index)
    return _strip(index, images, targets), index.classes


def read_predictions(folder: Path, epoch: int) -> list[Map]:
    """Return the samples' predicted maps at ``epoch``; ``FileNotFoundError`` when not there."""
    return _pieces(folder / f"epoch-{epoch:04d}.png", _read_index(folder / "index.json"))


def read_worst(folder: Path, epoch: int) -> tuple[Strip, list[Map], list[float]]:
    """Return the worst images of ``epoch``, their predicted maps and their Dice."""
    place = folder / WORST
    index = _read_index(place / f"epoch-{epoch:04d}.json")
    images = _pieces(place / f"epoch-{epoch:04d}.jpg", index, "RGB")
    path = place / f"epoch-{epoch:04d}.png"
    both = _pixels(path)
    half = both.shape[0] // 2
    samples = _strip(index, images, _cut(both[:half], index, path))
    return samples, _cut(both[half:], index, path), index.dice


def sampled_epochs(folder: Path) -> list[int]:
    """Return the epochs whose predictions are stored, in order."""
    names = [path.stem.removeprefix("epoch-") for path in folder.glob("epoch-*.png")]
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _save_masks(rows: list[Sequence[Map]], classes: Sequence[ClassInfo], path: Path) -> None:
    strips = [_side_by_side(row, fill=VOID) for row in rows]
    save_mask(np.concatenate(strips), path, classes)


def _save_images(images: Sequence[Map], path: Path, **options: Any) -> None:
    strip = _side_by_side([in_colour(image) for image in images], fill=0)
    save_image(Image.fromarray(strip), path, **options)


def _side_by_side(maps: Sequence[Map], fill: int) -> Map:
    height = max(m.shape[0] for m in maps)
    padded = [
        np.pad(m, [(0, height - m.shape[0]), *[(0, 0)] * (m.ndim - 1)], constant_values=fill)
        for m in maps
    ]
    return np.concatenate(padded, axis=1)


def _index(samples: Strip, classes: Sequence[ClassInfo]) -> dict[str, Any]:
    return {
        "names": list(samples.names),
        "sizes": [list(target.shape) for target in samples.targets],
        "void": VOID,
        "classes": [{"name": c.name, "colour": list(c.colour)} for c in classes],
    }


class _Index(NamedTuple):
    names: tuple[str, ...]
    sizes: list[tuple[int, int]]
    classes: list[ClassInfo]
    dice: list[float]


def _read_index(path: Path) -> _Index:
    with reading(path):
        index = json.loads(path.read_text(encoding="utf-8"))
        return _Index(
            names=tuple(str(name) for name in index["names"]),
            sizes=[(int(height), int(width)) for height, width in index["sizes"]],
            classes=[
                ClassInfo(name=c["name"], colour=(c["colour"][0], c["colour"][1], c["colour"][2]))
                for c in index["classes"]
            ],
            dice=[float(score) for score in index.get("dice", ())],
        )


def _strip(index: _Index, images: list[Map], targets: list[Map]) -> Strip:
    return Strip(names=index.names, images=tuple(images), targets=tuple(targets))


def _pieces(path: Path, index: _Index, mode: str | None = None) -> list[Map]:
    return _cut(_pixels(path, mode), index, path)


def _pixels(path: Path, mode: str | None = None) -> Map:
    # As they were written: of the kinds that Pillow guesses, some run a program.
    with reading(path):
        try:
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                return np.array(image.convert(mode) if mode else image)
        except Image.DecompressionBombError as error:
            raise ValueError("it has far too many pixels") from error


def _cut(strip: Map, index: _Index, path: Path) -> list[Map]:
    pieces, x = [], 0
    for height, width in index.sizes:
        pieces.append(strip[:height, x : x + width])
        x += width
    if [piece.shape[:2] for piece in pieces] != index.sizes:
        raise ValueError(f"{path}: is damaged (its index tells of other sizes)")
    return pieces
