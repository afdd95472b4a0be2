"""What folders and lists say of the split, and images that would count twice."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.collection import Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.layouts.listing import readable
from trainer.data.layouts.lists import FOLDERS, find_lists, read_lists
from trainer.data.layouts.looking import sample
from trainer.data.layouts.words import SPLIT_WORDS, words
from trainer.wording import counted

LIKE_LISTS = {".txt", ".csv", ".tsv", ".lst", ".list", ".json"}


def with_split(root: Path, pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Return the pairs with the official split: by folders, else by lists, else none."""
    splits = {pair.split for pair in pairs}
    held = " and ".join(sorted(split for split in splits if split))
    if None in splits and splits & {"val", "test"} and "train" not in splits:
        rest = [pair if pair.split else replace(pair, split="train") for pair in pairs]
        return rest, [f"official split by folders: what is not {held} is train"]
    if splits == {"val", "test"}:
        # Whoever keeps a test apart trains on the rest, and never on the test.
        rest = [replace(pair, split="train") if pair.split == "val" else pair for pair in pairs]
        return rest, ["official split by folders: val is trained on, since there is no train"]
    if "train" in splits and len(splits - {None}) > 1:
        notes = ["official split by folders"]
        if outside := [pair for pair in pairs if pair.split is None]:
            many = counted(len(outside), "pair", "pairs")
            first = readable(outside[0].image.relative_to(root).as_posix())
            notes.append(f"not used: {many} in no folder of {held}, such as {first}")
        return list(pairs), notes
    plain = [replace(pair, split=None) for pair in pairs]
    listed = read_lists(find_lists(root), {pair.name for pair in pairs})
    if len(set(listed.split.values())) < 2:
        unused = [f"all pairs lie in folders of {held}: no split"] if held else []
        return plain, [*listed.notes, *unused, *_unread(root)]
    notes = ["official split by lists", *listed.notes]
    return [replace(pair, split=listed.split.get(pair.name)) for pair in plain], notes


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
    """Raise ``ValueError`` where nearly every image lies there twice, in two folders."""
    twins: dict[tuple[str | None, str], list[Pair]] = {}
    for pair in pairs:
        twins.setdefault((pair.split, pair.image.stem), []).append(pair)
    double = [found for found in twins.values() if len(found) > 1]
    if not double or 10 * sum(map(len, double)) < 9 * len(pairs):
        return
    some = [[pair.image for pair in found[:2]] for found in sample(double, 3)]
    if all(_same_pixels(*images) for images in some):
        where = [readable(path.parent.relative_to(root).as_posix()) + "/" for path in some[0]]
        raise ValueError(
            f"data: {where[0]} and {where[1]} hold the same images, so that each would count "
            "twice; say which with --images"
        )


def _same_pixels(one: Path, other: Path) -> bool:
    try:
        return np.array_equal(read_image(one), read_image(other))
    except UnreadableFile:
        return False
