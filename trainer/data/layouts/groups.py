"""What must not be divided between splits: as the user says, or proposed where names tell of it."""

import os
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from trainer.data.collection import Collection, Pair
from trainer.data.layouts.listing import readable
from trainer.data.layouts.words import SPLIT_WORDS, words

# A beginning, and a number that counts within it: video3_frame_0007, patient12-slice4.
NUMBER = r"[_\-. ]*(?:frame|slice|view|img|image)?[_\-. ]*\d+"
COUNTED = rf"^(.*\D.*?){NUMBER}$"
SMALLEST = 3  # images, on average, of what is proposed as a group


def grouped(collection: Collection, pattern: str) -> Collection:
    """Return the collection with the groups that a regular expression finds.

    It is looked for in a pair's name, else in the image's path below the root. Raises
    ``ValueError`` where it is none, has no group, or does not match an image.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"group_by: {pattern!r} is not a regular expression: {error}") from error
    if expression.groups < 1:
        raise ValueError(f"group_by: {pattern!r} has no group; put brackets round what to keep")
    pairs = []
    for pair in collection.pairs:
        # A folder (one for each patient) is in the path, not always in the name.
        path = _path(pair, collection.folder)
        found = expression.search(pair.name) or expression.search(path)
        if found is None or found.group(1) is None:
            raise ValueError(f"group_by: {pattern!r} does not match the image {pair.name!r}")
        pairs.append(replace(pair, group=found.group(1)))
    return replace(collection, pairs=tuple(pairs))


def proposal(collection: Collection) -> list[str]:
    """Return a note where a seed would divide what folders or names show to belong together."""
    pairs = collection.pairs
    if any(pair.group != pair.name or pair.split == "val" for pair in pairs):
        return []
    for pattern, what in (*_folders(collection), (COUNTED, "names count up after")):
        try:
            groups = Counter(pair.group for pair in grouped(collection, pattern).pairs)
        except ValueError:
            continue  # Some images show nothing of the kind.
        if len(groups) < 2 or len(pairs) < SMALLEST * len(groups):
            continue
        if NUMBER in pattern and not _count_up(collection, pattern):
            continue
        some = ", ".join(f"{name} ({n} images)" for name, n in sorted(groups.items())[:2])
        return [
            f"{what} {some}{', …' if len(groups) > 2 else ''}: if these are a patient's images or "
            f"frames of one scene, keep them in one split with --group-by '{pattern}'"
        ]
    return []


def _folders(collection: Collection) -> list[tuple[str, str]]:
    """Return patterns for each floor of folders on which images lie apart."""
    folders = {tuple(_path(p, collection.folder).split("/")[:-1]) for p in collection.pairs}
    floors = min(map(len, folders))
    names = [{parts[floor] for parts in folders} for floor in range(floors)]
    apart = [floor for floor in range(floors) if len(names[floor]) > 1 and not _parts(names[floor])]
    return [
        pattern
        for above in ("[^/]+/" * floor for floor in apart[-1:])
        for pattern in (
            (f"^{above}([^/]+)/", "images lie in folders"),
            (rf"^{above}([^/]*[^/\d][^/]*?){NUMBER}/", "folders count up after"),
        )
    ]


def _parts(names: set[str]) -> bool:
    """Say whether folders are called after the parts of a split, which no seed divides."""
    return all(any(word in SPLIT_WORDS for word in words(name)) for name in names)


def _count_up(collection: Collection, pattern: str) -> bool:
    """Say whether the numbers behind the groups follow one another, as those of frames do."""
    said = (
        re.search(pattern, pair.name) or re.search(pattern, _path(pair, collection.folder))
        for pair in collection.pairs
    )
    numbered = sorted(
        (found.group(1), int(re.findall(r"\d+", found.group())[-1])) for found in said if found
    )
    steps = Counter(b - a for (one, a), (other, b) in pairwise(numbered) if one == other)
    return bool(steps) and 2 * steps.most_common(1)[0][1] >= steps.total()


def _path(pair: Pair, folder: Path) -> str:
    return readable(Path(os.path.relpath(pair.image, folder)).as_posix())
