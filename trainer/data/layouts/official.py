"""What folders and lists say of the split, and images that would count twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.layouts.listing import readable
from trainer.data.layouts.lists import FOLDERS, find_lists, read_lists
from trainer.data.layouts.looking import sample
from trainer.data.layouts.words import SPLIT_WORDS, words
from trainer.wording import counted

THUMBNAIL = 16  # pixels, in which an object that moves between two frames is still seen
ALIKE = 24  # of 255, at most, a thumbnail differs from that of a smaller, compressed copy
LIKE_LISTS = {".txt", ".csv", ".tsv", ".lst", ".list", ".json"}


def with_split(root: Path, pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Return the pairs with the official split: by folders, else by lists, else none."""
    by_folders, notes = _official(pairs, "folders")
    if notes:
        if outside := [pair for pair in by_folders if pair.split is None]:
            first = readable(outside[0].image.relative_to(root).as_posix())
            many = counted(len(outside), "pair")
            notes.append(f"not used: {many} in no folder of {_held(pairs)}, such as {first}")
        return by_folders, notes
    plain = [replace(pair, split=None) for pair in pairs]
    listed = read_lists(find_lists(root), {pair.name for pair in pairs})
    by_lists, notes = _official(
        [replace(pair, split=listed.split.get(pair.name)) for pair in pairs], "lists"
    )
    if notes:
        return by_lists, [*notes, *listed.notes]
    held = [f"all pairs lie in folders of {_held(pairs)}: no split"] if _held(pairs) else []
    return plain, [*listed.notes, *held, *_unread(root), *_in_names(pairs)]


def _official(pairs: Sequence[Pair], how: str) -> tuple[list[Pair], list[str]]:
    """Return the pairs with the split that they have, completed, and a note; none for no split."""
    splits = {pair.split for pair in pairs}
    note = f"official split by {how}"
    if splits == {"test"}:
        return list(pairs), [note]
    if len(splits) < 2:
        return list(pairs), []
    if "train" in splits:
        return list(pairs), [note]
    if None in splits:
        rest = [pair if pair.split else replace(pair, split="train") for pair in pairs]
        return rest, [f"{note}: what is not {_held(pairs)} is train"]
    # Whoever keeps a test apart trains on the rest, and never on the test.
    rest = [replace(pair, split="train") if pair.split == "val" else pair for pair in pairs]
    return rest, [f"{note}: val is trained on, since there is no train"]


def _held(pairs: Sequence[Pair]) -> str:
    return " and ".join(sorted({pair.split for pair in pairs if pair.split}))


def _in_names(pairs: Sequence[Pair]) -> list[str]:
    """Return a note where every name holds a word of a split, and not all the same."""
    said = [
        {SPLIT_WORDS[word] for word in words(pair.name) if word in SPLIT_WORDS} for pair in pairs
    ]
    parts = Counter(next(iter(found)) for found in said if len(found) == 1)
    if len(parts) < 2 or parts.total() < len(pairs):
        return []
    shown = " and ".join(f"{part} ({n})" for part, n in sorted(parts.items()))
    return [f"not read: names say {shown}; if that is a split, give it as --split-file"]


def _unread(root: Path) -> list[str]:
    """Return a note of files that look like lists of a split and are none that is known."""
    parts: dict[str, str] = {}
    for folder in dict.fromkeys(root / folder for folder in FOLDERS):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            found = {SPLIT_WORDS[word] for word in words(path.stem) if word in SPLIT_WORDS}
            if len(found) == 1 and path.suffix.lower() in LIKE_LISTS and path.is_file():
                parts.setdefault(readable(path.relative_to(root).as_posix()), *found)
    if len(set(parts.values())) < 2:
        return []
    return [
        f"not read: {', '.join(list(parts)[:3])}; if they are a split, put it in one --split-file"
    ]


def refuse_copies(root: Path, pairs: Sequence[Pair]) -> None:
    """Raise ``ValueError`` where nearly every image lies there twice, in two folders.

    A copy may be smaller, or of another format.
    """
    twins: dict[tuple[str | None, str], list[Pair]] = {}
    for pair in pairs:
        twins.setdefault((pair.split, pair.image.stem), []).append(pair)
    double = [found for found in twins.values() if len(found) > 1]
    if not double or 10 * sum(map(len, double)) < 9 * len(pairs):
        return
    # Of a thousand folders with an image.png each, two frames that look alike are no copies.
    some = [[pair.image for pair in sample(found, 3)] for found in sample(double, 3)]
    if all(_same_picture(images[0], other) for images in some for other in images[1:]):
        places = [path.parent.relative_to(root).parts for path in some[0][:2]]
        # Of png/train/ and tiff/train/ the sets are png/ and tiff/.
        apart = next((n for n, (a, b) in enumerate(zip(*places, strict=False), 1) if a != b), None)
        where = [
            readable("/".join(parts[:apart])) + "/" if parts else "the top" for parts in places
        ]
        raise ValueError(
            f"data: {where[0]} and {where[1]} hold the same images, so that each would count "
            "twice; say which with --images"
        )


def _same_picture(one: Path, other: Path) -> bool:
    """Say whether two files show the same, in whatever size and compression."""
    try:
        small = [_thumbnail(read_image(path)) for path in (one, other)]
    except UnreadableFile:
        return False
    return int(np.abs(small[0] - small[1]).max()) <= ALIKE


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.int16]:
    size = (THUMBNAIL, THUMBNAIL)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)).astype(np.int16)
