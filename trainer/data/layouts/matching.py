"""Match folders of images with folders of masks, or ask where two fit equally well."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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


def source_of(place: Place, pairs: Sequence[tuple[Path, tuple[Path, ...]]]) -> Source:
    """Return images with their masks as found together, with nothing left over."""
    joined = Join(pairs=tuple(pairs), without_mask=(), orphans=(), spare=(), doubles=())
    return Source(place=place, joined=joined)


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
    while level := _nearest(waiting, _free(masks, used)):
        candidates: dict[Path, list[Two]] = {}
        for two in level:
            candidates.setdefault(two.images.path, []).append(two)
        chosen = _photographs(root, [_only_one(root, rivals) for rivals in candidates.values()])
        matched += chosen
        for two in chosen:
            used.setdefault(two.masks.path, set()).update(claimed(two.joined))
        waiting = [folder for folder in waiting if folder.path not in candidates]
        waiting = _without_renderings(waiting, [two.images for two in chosen])
    return matched


def _free(masks: Sequence[Folder], used: Mapping[Path, set[Path]]) -> list[Folder]:
    """Return the folders of masks with those that no image has."""
    left = [
        replace(f, files=tuple(path for path in f.files if path not in used[f.path]))
        if f.path in used
        else f
        for f in masks
    ]
    return [folder for folder in left if folder.files]


def _nearest(waiting: Sequence[Folder], masks: Sequence[Folder]) -> list[Two]:
    """Return the candidates that are as near as any.

    What lies in the same place is nearer than all else: of thousands of patients, each with
    folders of its own, no other's masks are looked at.
    """
    of_place: dict[Sequence[str], list[Folder]] = {}
    for folder in masks:
        of_place.setdefault(folder.place.rest, []).append(folder)
    found = [two for f in waiting for two in _candidates(f, of_place.get(f.place.rest, []))]
    if not found:
        found = [two for folder in waiting for two in _candidates(folder, masks)]
    nearest = max((two.nearness for two in found), default=())
    return [two for two in found if two.nearness == nearest]


def _without_renderings(waiting: Sequence[Folder], taken: Sequence[Folder]) -> list[Folder]:
    """Return the folders that do not show once more what lies in one called images beside them.

    What is called images as well may have masks of its own.
    """
    known = [
        (images.place.split, {path.stem for path in images.files})
        for images in taken
        if waiting and images.place.role == "image"
    ]
    return [
        folder
        for folder in waiting
        if folder.place.role == "image"
        or not any(
            split == folder.place.split
            and 2 * sum(path.stem in stems for path in folder.files) >= len(folder.files)
            for split, stems in known
        )
    ]


def claimed(joined: Join) -> set[Path]:
    return {path for _, found in joined.pairs for path in found} | set(joined.spare)


def _candidates(folder: Folder, masks: Sequence[Folder]) -> list[Two]:
    """Return the folders that have masks for most of the images of another."""
    found = []
    for candidate in masks:
        same_split = candidate.place.split == folder.place.split
        if not same_split and None not in (candidate.place.split, folder.place.split):
            continue
        joined = join(folder.files, candidate.files)
        same_rest = candidate.place.rest == folder.place.rest
        enough = 2 * len(joined.pairs) >= min(len(folder.files), len(candidate.files))
        if joined.pairs and (enough or (same_rest and same_split)):
            shared = len(Path(os.path.commonpath([folder.path, candidate.path])).parts)
            named = folder.place.role == "image"
            nearness = (same_rest, same_split, named, -candidate.place.lesser, shared)
            found.append(Two(images=folder, masks=candidate, joined=joined, nearness=nearness))
    return found


def _photographs(root: Path, chosen: Sequence[Two]) -> list[Two]:
    """Return what is left where folders would have the same masks and all but one hold renderings.

    Raises ``ValueError`` where not exactly one of them looks like photographs.
    """
    owner: dict[Path, Two] = {}
    for two in chosen:
        claims = claimed(two.joined)
        rivals = {owner[path].images.path: owner[path] for path in claims if path in owner}
        if rivals:
            every = [*rivals.values(), two]
            photographs = [one for one in every if not looks_like_masks(one.images.files)]
            if len(photographs) != 1:
                raise ValueError(
                    f"data: {' and '.join(below(root, one.images) for one in every)} fit the masks "
                    f"in {below(root, two.masks)} equally well; say which with --images"
                )
            owner = {path: one for path, one in owner.items() if one.images.path not in rivals}
            (two,) = photographs
        owner |= dict.fromkeys(claimed(two.joined), two)
    left = {two.images.path for two in owner.values()}
    return [two for two in chosen if two.images.path in left]


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
            f"{below(root, two.masks)} ({len(two.joined.pairs)} of {of})" for two in rivals
        )
        raise ValueError(
            f"data: {below(root, best.images)} has {len(rivals)} folders of masks that fit it "
            f"equally well: {listed}; say which with --masks, or take several with --combine"
        )
    return best


def below(root: Path, folder: Folder) -> str:
    """Return how a message names a folder: by its path below the root."""
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
    # Beside folders that are called images, others with their masks hold renderings.
    found = [two for two in found if two.images.place.role == "image"] or found
    return _photographs(root, found)
