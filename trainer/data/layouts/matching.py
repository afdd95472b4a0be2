"""Match folders of images with folders of masks, or ask where two fit equally well."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from trainer.data.layouts.joining import Join, join
from trainer.data.layouts.listing import readable
from trainer.data.layouts.looking import looks_like_masks
from trainer.data.layouts.walking import Folder
from trainer.data.layouts.words import Place


@dataclass(frozen=True, kw_only=True)
class Source:
    """Pairs found together: in one folder, or in a folder of images and one of masks."""

    place: Place
    joined: Join


@dataclass(frozen=True, kw_only=True)
class Two:
    """A folder of images, the folder with their masks, and what belongs together.

    ``nearness`` compares how well the places of the two agree; the larger, the nearer.
    """

    images: Folder
    masks: Folder
    joined: Join
    nearness: tuple[int, ...] = ()

    @property
    def source(self) -> Source:
        """Return the pairs; orphans are not yet known, as folders may share their masks."""
        split = self.images.place.split or self.masks.place.split
        return Source(
            place=replace(self.images.place, split=split), joined=replace(self.joined, orphans=())
        )


def between_two(root: Path, images: Sequence[Folder], masks: Sequence[Folder]) -> list[Two]:
    """Match folders of images with folders of masks, the nearest first.

    Nearness comes before the number of matches: where many folders hold 00001.png, the fullest
    of them is not the right one. Masks that an image has are given to no other.
    """
    used: dict[Path, set[Path]] = {}
    matched: list[Two] = []
    waiting = sorted(images, key=lambda folder: folder.path)
    while True:
        found = [two for folder in waiting for two in _candidates(folder, masks, used)]
        if not found:
            return matched
        nearest = max(two.nearness for two in found)
        level = [two for two in found if two.nearness == nearest]
        chosen = [
            _only_one(root, [two for two in level if two.images is folder])
            for folder in waiting
            if any(two.images is folder for two in level)
        ]
        _refuse_equal_images(root, chosen)
        matched += chosen
        for two in chosen:
            used.setdefault(two.masks.path, set()).update(claimed(two.joined))
        taken = [two.images for two in matched]
        waiting = [
            folder
            for folder in waiting
            if folder not in taken and not any(_is_rendering(folder, other) for other in taken)
        ]


def _is_rendering(folder: Folder, images: Folder) -> bool:
    """Say whether a folder shows once more what lies in one that is called images beside it."""
    if images.place.role != "image" or images.place.split != folder.place.split:
        return False
    known = {path.stem for path in images.files}
    return 2 * sum(path.stem in known for path in folder.files) >= len(folder.files)


def claimed(joined: Join) -> set[Path]:
    return {path for _, found in joined.pairs for path in found} | set(joined.spare)


def _candidates(
    folder: Folder, masks: Sequence[Folder], used: Mapping[Path, set[Path]]
) -> list[Two]:
    """Return the folders that have free masks for most of the images of another."""
    found = []
    for candidate in masks:
        same_split = candidate.place.split == folder.place.split
        if not same_split and None not in (candidate.place.split, folder.place.split):
            continue
        free = [path for path in candidate.files if path not in used.get(candidate.path, ())]
        joined = join(folder.files, free)
        same_rest = candidate.place.rest == folder.place.rest
        enough = 2 * len(joined.pairs) >= min(len(folder.files), len(free))
        if joined.pairs and (enough or (same_rest and same_split)):
            shared = len(Path(os.path.commonpath([folder.path, candidate.path])).parts)
            named = folder.place.role == "image"
            nearness = (same_rest, same_split, named, -candidate.place.lesser, shared)
            found.append(Two(images=folder, masks=candidate, joined=joined, nearness=nearness))
    return found


def _refuse_equal_images(root: Path, chosen: Sequence[Two]) -> None:
    """Raise ``ValueError`` where two folders of images would have the same masks."""
    for one, other in combinations(chosen, 2):
        if one.masks is other.masks and claimed(one.joined) & claimed(other.joined):
            raise ValueError(
                f"data: {_below(root, one.images)} and {_below(root, other.images)} fit the masks "
                f"in {_below(root, one.masks)} equally well; say which with --images"
            )


def _only_one(root: Path, candidates: Sequence[Two]) -> Two:
    """Return the candidate with the most pairs; ``ValueError`` where another has as many.

    Another that has masks for other images is no rival.
    """
    best = max(candidates, key=lambda two: len(two.joined.pairs))
    images = {image for image, _ in best.joined.pairs}
    rivals = [
        two
        for two in candidates
        if 10 * sum(image in images for image, _ in two.joined.pairs) >= 9 * len(images)
    ]
    if len(rivals) > 1:
        of = len(best.images.files)
        listed = ", ".join(
            f"{_below(root, two.masks)} ({len(two.joined.pairs)} of {of})" for two in rivals
        )
        raise ValueError(
            f"data: {_below(root, best.images)} has {len(rivals)} folders of masks that fit it "
            f"equally well: {listed}; say which with --masks"
        )
    return best


def _below(root: Path, folder: Folder) -> str:
    return readable(folder.path.relative_to(root).as_posix()) + "/"


def by_content(root: Path, folders: Sequence[Folder]) -> list[Two]:
    """Pair folders whose names do not say which holds the masks, by looking at some files."""
    likely = [f for f in folders if looks_like_masks(f.files)] if len(folders) <= 20 else []
    found = []
    for images in folders:
        if images in likely:
            continue
        candidates = [
            Two(images=images, masks=masks, joined=joined)
            for masks in likely
            if images.place.split == masks.place.split
            and (joined := join(images.files, masks.files)).pairs
            and 2 * len(joined.pairs) >= min(len(images.files), len(masks.files))
        ]
        if candidates:
            found.append(_only_one(root, candidates))
    return found
