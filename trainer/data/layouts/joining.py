"""Find which mask belongs to which image by their names, whatever the naming."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.data.collection import Fault
from trainer.data.layouts.listing import composed
from trainer.data.layouts.words import MaskName, image_key, mask_name

ImageKey = Callable[[str], str]
MaskKey = Callable[[str], MaskName]


@dataclass(frozen=True, kw_only=True)
class Join:
    """Images with their masks (the first choice first), and the files left without a partner.

    ``spare`` are further masks of an image that are second choices and not used.
    """

    pairs: tuple[tuple[Path, tuple[Path, ...]], ...]
    without_mask: tuple[Path, ...]
    orphans: tuple[Path, ...]
    spare: tuple[Path, ...]
    doubles: tuple[Fault, ...]


def join(images: Sequence[Path], masks: Sequence[Path]) -> Join:
    """Match by equal stems, else by stems without their affixes, else by learned ones or numbers.

    The plainest way that matches the most images wins; affixes common to all files and numbers
    alone are tried only where words known for masks and images match less than half.
    """
    if not images or not masks:
        return _join(images, masks, _plain, _same)
    best = _join(images, masks, _plain, _same)
    if len(best.pairs) == len(images) == len(masks):
        return best
    for image_way in (_plain, _image_words):
        tried = _join(images, masks, image_way, _mask_words)
        if _score(tried) > _score(best):
            best = tried
    if 2 * len(best.pairs) >= min(len(images), len(masks)):
        return best
    for ways in (_learned(images, masks), (_number, _numbered)):
        tried = _join(images, masks, *ways)
        if len(tried.pairs) > len(best.pairs) and not tried.doubles:
            best = tried
    return best


def without_siblings(joined: Join) -> Join:
    """Return the join with what is named after an image that has its mask taken for no image.

    ``plant1_centers.png`` beside ``plant1_rgb.png`` and its mask is one more file of plant 1; a
    number at the end (``scan_1_2.png``) makes an image of its own.
    """
    keys = {key for image, _ in joined.pairs for key in (image.stem, image_key(image.stem))}
    siblings = {path: None for path in joined.without_mask if _is_sibling(path.stem, keys)}
    return replace(
        joined,
        without_mask=tuple(path for path in joined.without_mask if path not in siblings),
        spare=(*joined.spare, *siblings),
    )


def _is_sibling(stem: str, keys: set[str]) -> bool:
    return any(
        stem[: found.start()] in keys and not stem[found.end() :].isdecimal()
        for found in re.finditer(r"[_\-. ]", stem)
    )


def _score(joined: Join) -> tuple[int, int]:
    return len(joined.pairs), -len(joined.orphans)


def _join(
    images: Sequence[Path], masks: Sequence[Path], image_way: ImageKey, mask_way: MaskKey
) -> Join:
    doubles: list[Fault] = []
    by_image: dict[str, Path] = {}
    for path in images:
        first = by_image.setdefault(image_way(path.stem), path)
        if first is not path:
            doubles.append(_double(path, first, "image"))
    by_mask: dict[str, list[tuple[int, int, Path]]] = {}
    for path in masks:
        name = mask_way(path.stem)
        by_mask.setdefault(name.key, []).append((name.rank, name.number, path))
    first_choice = min((min(by_mask[key])[0] for key in by_image if key in by_mask), default=0)
    pairs, without_mask, spare = [], [], []
    for key, image in by_image.items():
        found = by_mask.get(key, [])
        # Another observer's mask, or a rendering, does not stand in for one that is missing.
        if not found or min(found)[0] > first_choice:
            without_mask.append(image)
            spare += [path for *_, path in found]
            continue
        chosen, others = _choose(found, doubles)
        pairs.append((image, chosen))
        spare += others
    return Join(
        pairs=tuple(pairs),
        without_mask=tuple(without_mask),
        orphans=tuple(
            path for key, found in by_mask.items() if key not in by_image for *_, path in found
        ),
        spare=tuple(spare),
        doubles=tuple(doubles),
    )


def _choose(
    found: list[tuple[int, int, Path]], doubles: list[Fault]
) -> tuple[tuple[Path, ...], list[Path]]:
    """Return the masks of the first choice in the order of their numbers, and the others."""
    found = sorted(found)
    rank = found[0][0]
    chosen: dict[int, Path] = {}
    for own_rank, number, path in found:
        if own_rank == rank:
            first = chosen.setdefault(number, path)
            if first is not path:
                doubles.append(_double(path, first, "mask"))
    return tuple(chosen.values()), [path for own_rank, _, path in found if own_rank != rank]


def _double(path: Path, first: Path, kind: str) -> Fault:
    return Fault(path=path, problem=f"second {kind} of the same name: {first.name} is used instead")


def _plain(stem: str) -> str:
    return composed(stem)


def _same(stem: str) -> MaskName:
    return MaskName(composed(stem), 0, 0)


def _image_words(stem: str) -> str:
    return composed(image_key(stem)).casefold()


def _mask_words(stem: str) -> MaskName:
    name = mask_name(stem) or MaskName(stem, 0, 0)
    return replace(name, key=composed(name.key))


def _learned(images: Sequence[Path], masks: Sequence[Path]) -> tuple[ImageKey, MaskKey]:
    """Return keys without what all images, and all masks, begin and end with."""
    of_image, of_mask = _affixes(images), _affixes(masks)
    return (
        lambda stem: stem[len(of_image[0]) : len(stem) - len(of_image[1])],
        lambda stem: MaskName(stem[len(of_mask[0]) : len(stem) - len(of_mask[1])], 0, 0),
    )


def _affixes(paths: Sequence[Path]) -> tuple[str, str]:
    """Return the common prefix and suffix of all stems, digits at the seam left to the key."""
    stems = [path.stem for path in paths]
    prefix = _common_start(stems).rstrip("0123456789")
    ends = [stem[len(prefix) :][::-1] for stem in stems]
    suffix = _common_start(ends)[::-1].lstrip("0123456789")
    return (prefix, suffix) if len(stems) > 1 else ("", "")


def _common_start(words: Sequence[str]) -> str:
    first, last = min(words), max(words)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first[:length]


def _number(stem: str) -> str:
    found = re.findall(r"\d+", stem)
    return str(int(found[0])) if len(found) == 1 else stem


def _numbered(stem: str) -> MaskName:
    return MaskName(_number(stem), 0, 0)
