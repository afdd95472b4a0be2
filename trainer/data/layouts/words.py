"""The words by which people name folders and files of images, masks and splits.

A folder's or a file's name is cut into words at separators, digits and capitals, and lower-case
compounds such as ``trainannot`` into the words known here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "tr", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "vl", "valset"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "ts", "te", "testset"), "test"),
    # Whoever has validation images as well calls them so: these are never trained on.
    **dict.fromkeys(("eval", "evaluation", "evalset"), "test"),
}


def _all_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


MASK_WORDS = _all_of(
    """
    mask masks label labels lbl lbls lab annotation annotations annot annots ann anns anno annos
    gt gts groundtruth groundtruths truth truths target targets seg segs segm segmentation
    segmentations segmented ho trimap trimaps manual matte mattes labelids labeltrainids y
    """
)
IMAGE_WORDS = _all_of(
    """
    image images img imgs im ims photo photos picture pictures pic pics original originals orig
    input inputs frame frames raw rgb scan scans src source sat x data
    """
)
# Second choices, where a folder or an image has several masks.
LESSER_WORDS = _all_of(
    """
    color colour colored coloured colors colours vis visual visualization visualisation viz
    overlay overlays preview instance instances instanceids object objects edge edges boundary
    boundaries contour contours ndho nd second depth bbox box boxes fov polygon polygons
    panoptic
    """
)
# Words that qualify a mask's name without changing whose it is.
FILLERS = _all_of(
    """
    fine coarse class ids st png final binary left bit
    """
)

PIECES = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\x00-\x7f]+")
VOCABULARY = MASK_WORDS | IMAGE_WORDS | LESSER_WORDS | FILLERS | SPLIT_WORDS.keys() | {"ground"}


@lru_cache(maxsize=65536)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a folder's or file's name in lower case: ``imagesTr`` → images, tr."""
    found: list[str] = []
    for piece in PIECES.findall(name):
        found += _compound(piece.lower())
    return tuple(found)


def is_bare(stem: str, wanted: frozenset[str]) -> bool:
    """Return whether a stem is made of such words alone: ``mask``, not ``a_mask``."""
    found = words(stem)
    return bool(found) and all(word in wanted for word in found)


def _compound(piece: str) -> list[str]:
    if piece in VOCABULARY or len(piece) < 5:
        return [piece]
    for cut in range(len(piece) - 2, 2, -1):
        if piece[:cut] in VOCABULARY and len(piece[cut:]) > 1 and piece[cut:] in VOCABULARY:
            return [piece[:cut], piece[cut:]]
    return [piece]


@dataclass(frozen=True)
class Place:
    """What a folder's path says: its ``role`` (image, mask or none), ``split``, and the rest.

    ``rest`` are the parts of the path that name neither; ``lesser`` counts the words that make a
    folder of masks a second choice.
    """

    role: str | None
    split: str | None
    rest: tuple[str, ...]
    lesser: int


def place(parts: tuple[str, ...]) -> Place:
    """Read the path of a folder, given part by part below the root."""
    role, split, lesser = None, None, 0
    rest: list[str] = []
    for part in parts:
        found = words(part)
        splits = [SPLIT_WORDS[word] for word in found if word in SPLIT_WORDS]
        is_mask = any(word in MASK_WORDS for word in found)
        is_image = any(word in IMAGE_WORDS for word in found)
        # train_val is both: what is validated on is still to be taken from it.
        split = "train" if {"train", "val"} <= set(splits) else splits[-1] if splits else split
        if is_mask or is_image:
            role = "mask" if is_mask else "image"
            lesser += sum(word in LESSER_WORDS for word in found)
        elif not splits:
            rest.append(part.lower())
    return Place(role, split, tuple(rest), lesser)


@dataclass(frozen=True)
class MaskName:
    """A mask's stem taken apart: whose mask it is, which choice it is, and its number.

    ``rank`` is 0 for the first choice; ``number`` counts several masks of one image.
    """

    key: str
    rank: int
    number: int


AFFIX = re.compile(r"(?P<sep>[ _.\-]+)(?P<word>[A-Za-z0-9]+)$")
LEADING = re.compile(r"^(?P<word>[A-Za-z]+)(?P<sep>[ _.\-]*)(?=.)")


@lru_cache(maxsize=2**17)  # asked several times of every file
def mask_name(stem: str) -> MaskName | None:
    """Take the mask words off a stem: ``a_mask``, ``mask_a``, ``a_gtFine_labelIds``, ``a_mask_2``.

    Returns None where the name does not say that it is a mask.
    """
    stripped, found = _strip_end(stem, MASK_WORDS)
    if not found:
        stripped, found = _strip_start(stem, MASK_WORDS)
    if not found or not stripped:
        return None
    rank = sum(word in LESSER_WORDS for word in found)
    if "ids" in found and "train" in found:
        rank = -1  # Cityscapes' labelTrainIds are made for training, labelIds for everything
    numbers = [int(word) for word in found if word.isdigit()]
    if "manual" in found or "ho" in found:
        rank += max([0, *numbers]) - min([1, *numbers])  # another annotator, not another object
        numbers = []
    return MaskName(stripped, rank, numbers[-1] if numbers else 0)


def image_key(stem: str) -> str:
    """Take the words off a stem that say it is an image: ``a_sat``, ``img_a``, ``21_training``."""
    wanted = IMAGE_WORDS | SPLIT_WORDS.keys()
    stripped, found = _strip_end(stem, wanted)
    if not found:
        stripped, found = _strip_start(stem, wanted)
    return stripped if found and stripped else stem


def _strip_end(stem: str, wanted: frozenset[str] | set[str]) -> tuple[str, list[str]]:
    """Take affixes off the end while their words are known; at least one must be wanted."""
    rest, hit = stem, False
    taken: list[str] = []
    kept, kept_words = stem, taken
    while found := AFFIX.search(rest):
        parts = list(words(found["word"]))
        known = all(w in VOCABULARY or w.isdigit() for w in parts)
        is_number = all(w.isdigit() for w in parts)
        if not known or (is_number and (taken or len(found["word"]) > 3)):
            break
        taken += parts
        rest = rest[: found.start()]
        hit = hit or any(word in wanted for word in parts)
        if any(word in wanted or word in LESSER_WORDS or word in FILLERS for word in parts):
            kept, kept_words = rest, list(taken)
    return (kept, kept_words) if hit else (stem, [])


def _strip_start(stem: str, wanted: frozenset[str] | set[str]) -> tuple[str, list[str]]:
    found = LEADING.search(stem)
    if found is None or found["word"].lower() not in wanted:
        return stem, []
    rest = stem[found.end() :]
    if not found["sep"] and not rest[:1].isdigit():
        return stem, []
    return rest, [found["word"].lower()]
