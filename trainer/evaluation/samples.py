"""Sample predictions of a run: a few validation images, epoch by epoch, as strips.

A strip holds all samples side by side in one file, because every artifact costs a request when
the store is a server. Masks are palette PNGs whose indices are the classes, so they are exact and
show the class colours in any viewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainer.data.collection import VOID, ClassInfo
from trainer.data.files.imagefile import UnreadableFile, check_size, named_faults
from trainer.data.painting import Map, in_colour, save_image, save_mask
from trainer.files import write_json
from trainer.run_files import read_run_file

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
    """Return the samples of a run and its classes.

    Raises ``ValueError`` in one line that names the file which is missing or damaged.
    """
    index = read_run_file(folder / "index.json")
    images = _cut(folder / "images.png", index, colours=True)
    targets = _cut(folder / "targets.png", index)
    return _strip(index, images, targets), _classes(index)


def read_predictions(folder: Path, epoch: int) -> list[Map]:
    """Return the samples' predicted maps at ``epoch``; ``ValueError`` as `read_samples`."""
    index = read_run_file(folder / "index.json")
    return _cut(folder / f"epoch-{epoch:04d}.png", index)


def read_worst(folder: Path, epoch: int) -> tuple[Strip, list[Map], list[float]]:
    """Return the worst images of ``epoch``, their predicted maps and their Dice.

    Raises ``ValueError`` as `read_samples` does.
    """
    place = folder / WORST
    index = read_run_file(place / f"epoch-{epoch:04d}.json")
    if "dice" not in index:
        raise ValueError(f"{place / f'epoch-{epoch:04d}.json'}: lacks dice")
    images = _cut(place / f"epoch-{epoch:04d}.jpg", index, colours=True)
    both = _cut(place / f"epoch-{epoch:04d}.png", index, rows=2)
    targets, predicted = both[: len(images)], both[len(images) :]
    return _strip(index, images, targets), predicted, list(index["dice"])


def sampled_epochs(folder: Path) -> list[int]:
    """Return the epochs whose predictions are stored, in order."""
    names = [path.stem.removeprefix("epoch-") for path in folder.glob("epoch-*.png")]
    epochs = (name for name in names if name.isascii() and name.isdigit() and len(name) < 10)
    return sorted(map(int, epochs))


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


def _classes(index: dict[str, Any]) -> list[ClassInfo]:
    return [ClassInfo(name=c["name"], colour=c["colour"]) for c in index["classes"]]


def _strip(index: dict[str, Any], images: list[Map], targets: list[Map]) -> Strip:
    return Strip(names=index["names"], images=tuple(images), targets=tuple(targets))


def _cut(path: Path, index: dict[str, Any], *, rows: int = 1, colours: bool = False) -> list[Map]:
    """Return the pieces of a stored strip, or of several below each other, one after the other.

    They are ``(height, width)``, or ``(height, width, 3)`` in colours.
    """
    # As they were written: of the kinds that Pillow guesses, some run a program.
    with named_faults(path), Image.open(path, formats=("PNG", "JPEG")) as image:
        check_size(path, *image.size)
        strip = np.array(image.convert("RGB") if colours else image)
    sizes = index["sizes"]
    tallest, width = max(height for height, _ in sizes), sum(width for _, width in sizes)
    if strip.shape != (rows * tallest, width, *[3] * colours):
        raise UnreadableFile(path, f"has not the {rows * tallest} x {width} pixels of its index")
    pieces = []
    for row in range(rows):
        x = 0
        for height, width in sizes:
            pieces.append(strip[row * tallest :][:height, x : x + width])
            x += width
    return pieces
