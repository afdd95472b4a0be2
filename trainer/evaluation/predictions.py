"""Masks that another tool predicted: found by name, and read in one coding for the whole folder.

Nothing in such a file says how it codes classes, and what one file holds may fit several codings:
guessed file by file, a data set's own masks do not score 1 against themselves.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer import names
from trainer.data.collection import VOID, Collection, MaskCoding, Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_mask
from trainer.data.layouts.listing import is_image
from trainer.evaluation.assess import Mask, MaskOf

# What a mask may be coded in, by the name that decides it, and as people read it.
CODINGS = {
    "own": "as the data set codes its own masks",
    "indices": "as class indices",
    "binary": "as 0 and 255",
}


class PredictedMasks(NamedTuple):
    """What reads a pair's mask, and which of `CODINGS` it is read in."""

    mask_of: MaskOf
    coding: str


def masks_in_folder(
    folder: Path, collection: Collection, *, coding: str | None = None
) -> PredictedMasks:
    """Return what reads a pair's mask from ``folder``: a file of the pair's name.

    All files are read in one coding, ``coding`` where it is given. Else it is the first of
    `CODINGS` that every file fits and in which the folder shows more than one class; where none
    shows more, the first that fits. Raises ``ValueError`` when there is no such folder or file, or
    the files fit no coding.
    """
    if not folder.is_dir():
        raise ValueError(f"predictions: {folder} is no folder")
    files = _files(folder)
    known = _possible(collection)
    if coding is not None:
        names.check("coding", coding, known)
    found = [path for pair in collection.pairs if (path := _file_of(pair, files)) is not None]
    chosen = _chosen(found, known) if coding is None else coding

    def read(pair: Pair) -> Mask:
        path = _file_of(pair, files)
        if path is None:
            raise ValueError(f"predictions: {folder} has no mask for {pair.name!r}")
        try:
            mask = read_mask(path, known[chosen])
        except UnreadableFile as error:
            raise ValueError(f"predictions: {error}") from error
        # A prediction has no void: what the coding calls so is taken for background.
        return np.where(mask == VOID, np.uint8(0), mask)

    return PredictedMasks(read, chosen)


def _files(folder: Path) -> dict[str, Path]:
    """Return the images in a folder and below it, by their path in it without its suffix."""
    paths = sorted(path for path in folder.rglob("*") if is_image(path.name) and path.is_file())
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in reversed(paths)}


def _file_of(pair: Pair, files: Mapping[str, Path]) -> Path | None:
    stems = [pair.name, Path(pair.name).name, pair.image.stem]
    if not pair.more_masks:  # One of several masks is not all that a prediction shows.
        stems.append(pair.blamed.stem)
    return next((files[stem] for stem in stems if stem in files), None)


def _possible(collection: Collection) -> dict[str, MaskCoding]:
    """Return the codings that a file with all classes may have, by their names."""
    coding, number = collection.coding, collection.num_classes
    # One file for each class, or what is drawn, says nothing of how a single file codes them all.
    apart = (coding.layered and number > 2) or coding.labels is not None
    possible = {
        **({} if apart else {"own": coding}),
        "indices": MaskCoding(values={index: index for index in range(number)}),
    }
    return possible | ({"binary": MaskCoding(values={0: 0, 255: 1})} if number == 2 else {})


def _chosen(paths: list[Path], known: Mapping[str, MaskCoding]) -> str:
    fitting: dict[str, int] = {}
    problems = []
    for name, coding in known.items():
        seen: set[int] = set()
        try:
            for path in paths:
                seen |= set(np.unique(read_mask(path, coding)).tolist())
        except UnreadableFile as error:
            problems.append(f"{CODINGS[name]}, {error}")
            continue
        fitting[name] = len(seen - {VOID})
        if fitting[name] > 1:
            return name
    if not fitting:
        raise ValueError(f"predictions: the masks fit no coding: read {'; '.join(problems)}")
    return next(iter(fitting))
