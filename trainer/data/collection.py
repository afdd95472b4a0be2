"""What a folder of images and masks holds, whatever its layout.

Inside the program a target is a ``uint8`` map of class indices from 0, with `VOID` where a pixel
does not count. How a mask file codes that is a `MaskCoding`; only `reading` looks at it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

VOID = 255
MAX_CLASSES = 255

Colour = tuple[int, int, int]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ClassInfo:
    """A class by its name and the colour (red, green, blue; 0 to 255) it is drawn in."""

    name: str
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class MaskCoding:
    """How the values of a mask file become class indices.

    Exactly one of the four is used: ``values`` maps stored values (palette indices or grey
    levels) to class indices or `VOID`; ``threshold`` makes everything above it class 1, for
    lossy or smoothed masks; ``colours`` maps RGB colours to class indices or `VOID`; ``labels``
    does so with what annotations call a shape (the id of a COCO category, a label of labelme),
    for targets that are drawn from JSON. A value that is not listed is a fault of the file,
    except that with ``nearest`` it takes the class of the listed one closest to it, for masks
    that went through lossy compression or scaling.

    Where a pair has several mask files, each object's foreground is laid over the ones before;
    with ``layered`` the foreground of the n-th file (from 1) is class n, unless the pair's
    ``layers`` say otherwise.
    """

    values: dict[int, int] | None = None
    threshold: int | None = None
    colours: dict[Colour, int] | None = None
    labels: dict[str, int] | None = None
    nearest: bool = False
    layered: bool = False

    def __post_init__(self) -> None:
        all_of = (self.values, self.threshold, self.colours, self.labels)
        if sum(each is not None for each in all_of) != 1:
            raise ValueError("MaskCoding: give exactly one of values, threshold, colours, labels")

    def value_of_each(self, num_classes: int) -> tuple[int, ...] | tuple[Colour, ...] | None:
        """Return what a mask file stores for each class; None where that is not one value each.

        A threshold's are black and white. Values beyond 16 bits are none that an image can store.
        """
        if self.threshold is not None:
            return (0, 255) if num_classes == 2 and self.threshold < 255 else None
        if self.colours is not None:
            return _inverted(self.colours, num_classes)
        found = _inverted(self.values or {}, num_classes)
        return found if found and min(found) >= 0 and max(found) < 2**16 else None


def _inverted(coded: Mapping[T, int], num_classes: int) -> tuple[T, ...] | None:
    """Return the value of each class in the order of their indices, where each has just one."""
    value_of = {index: value for value, index in coded.items() if index != VOID}
    classes = sorted(index for index in coded.values() if index != VOID)
    return tuple(value_of[n] for n in classes) if classes == [*range(num_classes)] else None


@dataclass(frozen=True, kw_only=True)
class ImageCoding:
    """How the values of an image file become what the network sees.

    ``channels`` is how many bands are read: 1 is grey, 3 are red, green and blue. ``value_range``
    are the values that become 0 and 255 where a file has more than 8 bits; None leaves it to the
    type of the values, where this tells.
    """

    channels: int = 3
    value_range: tuple[float, float] | None = None


RGB = ImageCoding()


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One image with its mask.

    ``name`` is unique within the collection and stays the same when the folder moves. ``group``
    names what must not be divided between splits (a car, a patient); it is the name itself where
    every image stands alone. ``split`` is the official one (train, val or test), if any.
    ``valid`` is a file that is 0 where pixels do not count (a field of view), if any.
    ``more_masks`` are further masks of the same image (one object or one class each).
    ``layers`` are the classes of the masks, the first included, where they are not 1, 2, 3 ….
    Where the whole image is of one class, ``mask`` is the image itself and ``layers`` that class.
    ``parts`` are given where ``mask`` is one JSON file for many images: first and last byte (the
    last excluded) of what it says of this one, the image's entry and then its annotations.
    """

    name: str
    image: Path
    mask: Path
    group: str
    split: str | None = None
    valid: Path | None = None
    more_masks: tuple[Path, ...] = ()
    layers: tuple[int, ...] = ()
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def whole(self) -> int | None:
        """The class that the whole image is of; None where a mask says what is of which."""
        return self.layers[0] if self.layers and self.mask == self.image else None

    @property
    def blamed(self) -> Path:
        """The file that a fault of the target is told of: the image, where many share a file."""
        return self.image if self.parts else self.mask

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that this pair is read from, the image first."""
        valid = (self.valid,) if self.valid else ()
        return (self.image, self.mask, *self.more_masks, *valid)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something wrong with a file, in words that a user can act on.

    ``pair`` is the name of the pair it belongs to, None where the file belongs to none (an
    orphan mask). A fault that ``refuses`` keeps its data from being trained on unless the pair
    is left out; one that does not is worth knowing and legal, such as an empty mask.
    """

    path: Path
    problem: str
    pair: str | None = None
    refuses: bool = True


@dataclass(frozen=True, kw_only=True)
class Collection:
    """All pairs under ``root``, their classes, and what was found wrong with the file names.

    ``root`` is a folder, or the file that lists the pairs.
    ``notes`` say in words how the masks are read and what in the folder is not used.
    """

    root: Path
    layout: str
    pairs: tuple[Pair, ...]
    classes: tuple[ClassInfo, ...]
    coding: MaskCoding
    faults: tuple[Fault, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    image_coding: ImageCoding = RGB

    def __post_init__(self) -> None:
        repeated = [name for name, n in Counter(p.name for p in self.pairs).items() if n > 1]
        if repeated:
            raise ValueError(f"{self.root}: two pairs are named {repeated[0]!r}")

    @property
    def folder(self) -> Path:
        """The folder that names of files are relative to."""
        return self.root if self.root.is_dir() else self.root.parent

    @property
    def num_classes(self) -> int:
        """The number of classes, background included, void excluded."""
        return len(self.classes)
