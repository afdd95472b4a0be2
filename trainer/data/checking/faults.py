"""Read every file of a data set once and name whatever is wrong with it.

What refuses training: an image without a mask or a mask without an image, a file that cannot be
read, sizes that differ, a label that no class has, and equal images in different official splits.
What is legal and worth knowing, and does not refuse: a mask without any object, equal images
within one split, and a stack of images of which only the first is read.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.data.collection import Collection, Fault, Pair
from trainer.data.files.bands import count_images
from trainer.data.files.imagefile import Array, UnreadableFile
from trainer.data.files.passing import Watch, each_in_order
from trainer.data.files.reading import (
    content_hash,
    count_labels,
    read_image,
    read_target,
    size_mismatch,
)

# Where a copy stands in two official splits, the one in the split named first is left out.
EXPENDABLE = ("train", "val", "test")

BACKGROUNDS = frozenset({"background", "interior", "class 0"})


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """What reading one pair has shown; sizes and counts are None where it cannot be read.

    ``size`` is height and width of the image, ``class_pixels`` counts each class and void last,
    ``brightest`` is the largest value of the image (0 to 255), and ``content`` is a hash of its
    pixels, equal for equal images in whatever files.
    """

    pair: Pair
    faults: tuple[Fault, ...]
    size: tuple[int, int] | None = None
    class_pixels: NDArray[np.int64] | None = None
    brightest: int = 0
    content: str | None = None


def all_faults(collection: Collection, reports: Sequence[PairReport]) -> list[Fault]:
    """Return the faults of file names, of single pairs, and the duplicates among them."""
    alone = [fault for report in reports for fault in report.faults]
    return [*collection.faults, *alone, *duplicates(reports)]


def examine(
    collection: Collection,
    *,
    workers: int | None = None,
    progress: Watch | None = None,
) -> list[PairReport]:
    """Read every pair and return what each holds, in the collection's order.

    All files are read, in ``workers`` threads (one for each core when left out). ``progress``
    wraps the iteration over the pairs, to show how far it is.
    """
    read = partial(examine_pair, collection=collection)
    return list(each_in_order(read, collection.pairs, threads=workers, watch=progress))


def examine_pair(pair: Pair, collection: Collection) -> PairReport:
    """Read one pair and name what is wrong with it."""
    faults: list[Fault] = []
    image = _try(lambda: read_image(pair.image, collection.image_coding), pair, faults)
    target = _try(lambda: read_target(pair, collection.coding), pair, faults)
    if image is not None and target is not None and image.shape[:2] != target.shape:
        problem = size_mismatch(image, target)
        faults.append(Fault(path=pair.blamed, problem=problem, pair=pair.name))
    counts = None
    if target is not None:
        counts = count_labels(target, collection.num_classes)
        faults += _emptiness(pair, collection, counts)
    for path, channels in ((pair.image, collection.image_coding.channels), (pair.mask, 1)):
        if (images := count_images(path, channels)) > 1:
            problem = f"holds {images} images, of which only the first is read"
            faults.append(Fault(path=path, problem=problem, pair=pair.name, refuses=False))
    report = PairReport(pair=pair, faults=tuple(faults), class_pixels=counts)
    if image is None:
        return report
    height, width = image.shape[:2]
    return replace(
        report, size=(height, width), brightest=int(image.max()), content=content_hash(image)
    )


def _try(read: Callable[[], Array], pair: Pair, faults: list[Fault]) -> Array | None:
    try:
        return read()
    except UnreadableFile as error:
        dangling = error.path.is_symlink() and not error.path.exists()
        problem = "is a link to nothing" if dangling else error.problem
        faults.append(Fault(path=error.path, problem=problem, pair=pair.name))
        return None


def _emptiness(pair: Pair, collection: Collection, counts: NDArray[np.int64]) -> list[Fault]:
    background = collection.classes[0].name
    if not counts[:-1].any():
        problem = "empty mask: every pixel is void, so the image counts for nothing"
    elif background in BACKGROUNDS and not counts[1:-1].any():
        problem = f"empty mask: every pixel is {background}"
    else:
        return []
    return [Fault(path=pair.blamed, problem=problem, pair=pair.name, refuses=False)]


def duplicates(reports: Sequence[PairReport]) -> list[Fault]:
    """Return a fault for each further copy of an image, with the path of the one it repeats.

    Of copies in different official splits the one in test is kept, and then the one in
    validation, since only what is trained on spoils the other splits.
    """
    by_content: dict[str, list[PairReport]] = defaultdict(list)
    for report in reports:
        if report.content is not None:
            by_content[report.content].append(report)
    found = []
    for same in by_content.values():
        kept, *copies = sorted(same, key=lambda report: _expendable(report.pair))
        found += [_duplicate(copy, kept) for copy in copies]
    return found


def _expendable(pair: Pair) -> int:
    return -EXPENDABLE.index(pair.split) if pair.split in EXPENDABLE else 1


def _duplicate(copy: PairReport, kept: PairReport) -> Fault:
    mine, other = copy.pair.split, kept.pair.split
    across = mine is not None and other is not None and mine != other
    where = f" across splits: this one is in {mine}, that one in {other}" if across else ""
    masks = [report.class_pixels for report in (copy, kept)]
    another = masks[0] is not None and masks[1] is not None and (masks[0] != masks[1]).any()
    differing = "; their masks differ" if another else ""
    return Fault(
        path=copy.pair.image,
        problem=f"duplicate image: the same pixels as {kept.pair.image}{where}{differing}",
        pair=copy.pair.name,
        refuses=across,
    )
