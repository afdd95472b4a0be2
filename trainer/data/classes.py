"""Names and colours of classes, as a table gives them or made up."""

import colorsys
import re
from dataclasses import dataclass, field
from pathlib import Path

from PIL import ImageColor

from trainer.data.collection import MAX_CLASSES, ClassInfo, Colour
from trainer.wording import counted

# Okabe and Ito's colours, which people with a colour vision deficiency tell apart; black is left
# to the background, and the most visible come first.
DISTINCT: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
# What people call what does not count.
VOID_NAMES = ("void", "ignore", "unlabelled", "unlabeled", "unknown")
HEX = re.compile(r"#?([0-9a-fA-F]{6})")


@dataclass(frozen=True, kw_only=True)
class ClassEntry:
    """A class in a table: its name, and its colour or stored values where the table has them."""

    name: str
    colour: Colour | None = None
    values: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """The classes in order, what is void, and where it says so: a file, or the user's flag.

    ``threshold`` is set where everything above it is the second of two classes. With ``layered``
    the n-th mask of an image shows the n-th class. A table that is ``ours`` was written for this
    program, so that it must be right.
    """

    source: Path
    entries: tuple[ClassEntry, ...]
    void_values: tuple[int, ...] = field(default=())
    void_colours: tuple[Colour, ...] = field(default=())
    threshold: int | None = None
    layered: bool = False
    ours: bool = False

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        for index, name in enumerate(names):
            if not name.strip():
                raise ValueError(f"{self.source}: class {index} (counted from 0) has no name")
            # Escaped as JSON does it, a character beyond the first 65,536 is two halves in YAML.
            if any(0xD800 <= ord(letter) < 0xE000 for letter in name):
                raise ValueError(
                    f"{self.source}: the name of class {index} (counted from 0) holds half a "
                    "character; write it as UTF-8 text, not escaped"
                )
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"{self.source}: the class {min(repeated)!r} is listed twice")
        if not 2 <= len(names) <= MAX_CLASSES:
            number = counted(len(names), "class", "classes")
            raise ValueError(f"{self.source}: has {number}; 2 to {MAX_CLASSES} can be")
        if self.threshold is not None and len(names) != 2 and not self.layered:
            raise ValueError(f"{self.source}: a threshold divides two classes, not {len(names)}")


def class_colour(index: int) -> Colour:
    """Return the colour of a class that has none of its own; index 0 is black."""
    if index == 0:
        return (0, 0, 0)
    if index <= len(DISTINCT):
        return DISTINCT[index - 1]
    turn = index * 0.618033988749895 % 1.0  # golden ratio: neighbours far apart on the wheel
    strength = 0.95 if index % 2 else 0.65
    red, green, blue = colorsys.hsv_to_rgb(turn, 0.75, strength)
    return (round(red * 255), round(green * 255), round(blue * 255))


def two_classes(
    foreground: str = "foreground", background: str = "background"
) -> tuple[ClassInfo, ClassInfo]:
    """Return the classes of a task with one class of objects."""
    return (
        ClassInfo(name=background, colour=class_colour(0)),
        ClassInfo(name=foreground, colour=class_colour(1)),
    )


def hex_colour(text: str) -> Colour | None:
    """Return the colour that ``#rrggbb``, or ``rrggbb``, is; None for any other text."""
    found = HEX.fullmatch(text.strip())
    return None if found is None else ImageColor.getrgb(f"#{found.group(1)}")[:3]
