"""What folders and lists say of the split, and images that would count twice."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.collection import Pair
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.layouts.listing import readable
from trainer.data.layouts.lists import find_lists, read_lists
from trainer.data.layouts.looking import sample


def with_split(root: Path, pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Return the pairs with the official split: by folders, else by lists, else none."""
    splits = {pair.split for pair in pairs}
    if None in splits and splits & {"val", "test"} and "train" not in splits:
        rest = [pair if pair.split else replace(pair, split="train") for pair in pairs]
        held = " and ".join(sorted(split for split in splits if split))
        return rest, [f"official split by folders: what is not {held} is train"]
    if "train" in splits and len(splits - {None}) > 1:
        return list(pairs), ["official split by folders"]
    plain = [replace(pair, split=None) for pair in pairs]
    listed = read_lists(find_lists(root), {pair.name for pair in pairs})
    if len(set(listed.split.values())) < 2:
        named = sorted(split for split in splits if split)
        unused = [f"all pairs lie in folders of {', '.join(named)}: no split"] if named else []
        return plain, [*listed.notes, *unused]
    notes = ["official split by lists", *listed.notes]
    return [replace(pair, split=listed.split.get(pair.name)) for pair in plain], notes


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
