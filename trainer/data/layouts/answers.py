"""What to do where images have no masks, masks no images, or their names do not agree."""

from collections import Counter
from difflib import get_close_matches
from pathlib import Path, PurePath

from trainer.data.layouts.inventory import files_below
from trainer.data.layouts.listing import is_image, readable
from trainer.data.layouts.words import MASK_WORDS, words

LISTED = 200
"""Names among which the nearest are looked for."""
TABLE = "a pairs.csv (columns image, mask) says which belong together"


def nearest_answer(root: Path) -> str | None:
    """Return what is missing and the cure, for the commonest first mistakes; None for any other."""
    found = {place: [n for n in names if is_image(n)] for place, names in files_below(root)}
    places = {place: images for place, images in found.items() if images}
    masks = [place for place in places if MASK_WORDS & set(words(place.name))]
    images = [place for place in places if place not in masks]
    if len(places) == 1:
        (place,) = places
        if _are_mixed(places[place]):
            return None
        return _no_images(place) if masks else _no_masks(place, places[place][0])
    if len(masks) == len(images) == 1:
        return _no_agreement(places[images[0]], places[masks[0]])
    return None


def _are_mixed(names: list[str]) -> bool:
    """Return whether names come in pairs, as ``a.jpg`` and ``a_m.png``: some of them are masks."""
    stems = [PurePath(name).stem for name in names]
    known = Counter(stems)
    longer = sum(
        any(stem[:at] in known and not stem[at].isdigit() for at in range(1, len(stem)))
        for stem in stems
    )
    return 3 * (longer + len(stems) - len(known)) >= len(stems)


def _no_masks(place: Path, image: str) -> str:
    beside = _shown(place.parent / "masks" if place.name else Path("masks"))
    equal = readable(PurePath(image).with_suffix(".png").name)
    return (
        f"no masks: put them in {beside} under equal names ({equal} for {readable(image)}), or say "
        "where they are with --masks"
    )


def _no_images(place: Path) -> str:
    beside = _shown(place.parent / "images")
    return (
        f"no images but these, which are masks by the name of their folder: put the images in "
        f"{beside} under equal names, or say where they are with --images"
    )


def _no_agreement(images: list[str], masks: list[str]) -> str:
    stems = {PurePath(name).stem: name for name in masks[:LISTED]}
    near = [
        (image, stems[match])
        for image in images[:LISTED]
        for match in get_close_matches(PurePath(image).stem, stems, n=1, cutoff=0.5)
    ]
    said = f" (nearest: {' and '.join(map(readable, near[0]))})" if near else ""
    return f"no image and mask have equal names{said}: rename them, or {TABLE}"


def _shown(place: Path) -> str:
    return f"{readable(place.as_posix())}/"
