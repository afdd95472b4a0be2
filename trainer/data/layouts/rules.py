"""The rules by which stored values become classes where no table says what they mean.

Every rule is deterministic and says in a note what it decided, so that nobody is left to guess
how masks were read. A `classes.yaml` beside the data overrides every rule.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from trainer.data.classes import class_colour, two_classes
from trainer.data.collection import MAX_CLASSES, VOID, ClassInfo, Colour, MaskCoding
from trainer.data.layouts.looking import Seen

CURE = "say what they mean in a classes.yaml beside the data"

MAX_COLOURS = 64

# Values this close to 0 or 255 are those two, seen through lossy compression.
NEAR = 40
MOST = 0.9  # of the pixels must be near 0 or 255 for the rest to count as smoothed edges


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How masks are read: their coding, the classes, and in words what was decided."""

    coding: MaskCoding
    classes: tuple[ClassInfo, ...]
    notes: tuple[str, ...] = field(default=())


def by_values(seen: Seen, masks: Sequence[Path], *, trimap_border: str) -> Decoding:
    """Return the coding of masks whose stored values are the labels."""
    if seen.palette is None and _is_smooth(seen.values):
        note = f"masks: 0 to 255 with smooth edges; above 127 is foreground ({seen.how_many})"
        return Decoding(coding=MaskCoding(threshold=127), classes=two_classes(), notes=(note,))
    found = expected(seen)
    shown = listed([str(value) for value in found])
    if set(found) <= {0, 1} or set(found) <= {0, 255}:
        values = {0: 0, 1: 1} if 1 in found else {0: 0, 255: 1}
        values = {0: 0, 1: 1, 255: 1} if found == [0] else values
        note = f"masks: values {shown}; 0 is background, the other foreground ({seen.how_many})"
        return Decoding(coding=MaskCoding(values=values), classes=two_classes(), notes=(note,))
    if _is_trimap(found, masks):
        return trimap(found, trimap_border)
    if len(found) == 2 and found[0] == 0:
        note = f"masks: values {shown}; 0 is background, {found[1]} foreground ({seen.how_many})"
        coding = MaskCoding(values={0: 0, found[1]: 1})
        return Decoding(coding=coding, classes=two_classes(), notes=(note,))
    if len(found) > (64 if seen.palette is None else MAX_CLASSES):
        raise ValueError(
            f"masks hold {len(found)} different values ({shown}), too many for classes; {CURE}"
        )
    if seen.palette is None and _is_levels(found):
        return _by_levels(seen, found)
    return _by_indices(seen, found)


def expected(seen: Seen) -> list[int]:
    """Return the values that the masks hold, less what a stray mask or two holds besides.

    One damaged mask must not turn 0 and 255 into three classes. Values that hardly any mask has
    are left out, to be reported as faults, where the rest is a plain coding (0 and 1, 0 and 255,
    a trimap) or where they lie far beyond the rest.
    """
    found = sorted(seen.values)
    few = max(1, seen.masks // 20)
    common = [value for value in found if seen.masks_with[value] > few]
    if seen.masks < 4 or len(common) < 2:
        return found
    if common in ([0, 1], [0, 255], [1, 2, 3]):
        strays = set(found) - set(common)
    else:
        beyond = 2 * max([0, *(value for value in common if value != VOID)]) + 8
        strays = {value for value in found if value > beyond and value not in (VOID, *common)}
    return [value for value in found if value not in strays]


def trimap(found: Sequence[int], border: str) -> Decoding:
    """Return the coding of a trimap: 1 object, 2 background, 3 border; or 0, 255 and between."""
    inside, outside, edge = (1, 2, 3) if max(found) <= 3 else (255, 0, found[1])
    classes: tuple[ClassInfo, ...] = two_classes()
    values = {inside: 1, outside: 0, edge: VOID}
    if border == "class":
        values[edge] = 2
        classes = (*classes, ClassInfo(name="border", colour=class_colour(2)))
    note = (
        f"masks: trimaps; {inside} is foreground, {outside} background, {edge} the border, "
        f"which is {'a class' if border == 'class' else 'void'}"
    )
    return Decoding(coding=MaskCoding(values=values), classes=classes, notes=(note,))


def _is_smooth(values: Counter[int]) -> bool:
    between = [value for value in values if value not in (0, 255)]
    if len(between) <= 8 or max(values) > 255:
        return False
    near = sum(n for value, n in values.items() if value <= NEAR or value >= 255 - NEAR)
    return near >= MOST * values.total()


def _is_trimap(found: Sequence[int], masks: Sequence[Path]) -> bool:
    if 0 not in found and set(found) <= {1, 2, 3} and len(found) >= 2:
        return True
    named = any("trimap" in part.lower() for part in masks[0].parts[-3:])
    return named and len(found) == 3 and found[0] == 0 and found[2] == 255


def _is_levels(found: Sequence[int]) -> bool:
    """Say whether values are grey levels spread apart, such as 0, 128, 255, and no indices."""
    return len(found) >= 3 and min(b - a for a, b in pairwise(found)) >= 8


def _by_levels(seen: Seen, found: Sequence[int]) -> Decoding:
    classes = tuple(
        ClassInfo(name=f"level {level}", colour=class_colour(index))
        for index, level in enumerate(found)
    )
    note = (
        f"masks: grey levels {listed(list(map(str, found)))}, each a class ({seen.how_many}); "
        f"if one of them is void, {CURE}"
    )
    coding = MaskCoding(values={level: index for index, level in enumerate(found)})
    return Decoding(coding=coding, classes=classes, notes=(note,))


def _by_indices(seen: Seen, found: Sequence[int]) -> Decoding:
    labels = [value for value in found if value != VOID]
    if max(labels) >= MAX_CLASSES:
        shown = listed([str(value) for value in found])
        raise ValueError(f"masks hold values {shown}, which are no class indices; {CURE}")
    values = {index: index for index in range(max(labels) + 1)}
    void = ""
    if VOID in found:
        values[VOID] = VOID
        void = ", 255 is void"
    note = f"masks: class indices 0 to {max(labels)}{void} ({seen.how_many})"
    colours = _palette_colours(seen, max(labels) + 1)
    if len(colours) == 2:
        return Decoding(coding=MaskCoding(values=values), classes=two_classes(), notes=(note,))
    classes = tuple(
        ClassInfo(name=f"class {index}", colour=colours[index]) for index in range(len(colours))
    )
    return Decoding(coding=MaskCoding(values=values), classes=classes, notes=(note,))


def _palette_colours(seen: Seen, number: int) -> list[Colour]:
    made_up = [class_colour(index) for index in range(number)]
    if seen.palette is None:
        return made_up
    stored = [seen.palette.get(index) for index in range(number)]
    used = [colour for colour in stored if colour is not None]
    if len(set(used)) < len(used) or all(max(colour) < 64 for colour in used):
        return made_up  # an empty or nearly black palette shows nothing
    return [own or other for own, other in zip(stored, made_up, strict=True)]


def by_colours(seen: Seen) -> Decoding:
    """Return the coding of RGB masks: each colour a class, or the few that others scatter round.

    Raises ``ValueError`` where there are too many, as in a photograph.
    """
    common = list(seen.colours)
    nearest = len(common) > MAX_COLOURS or seen.lossy
    if nearest:
        common = _dominant(seen.colours)
    if not 2 <= len(common) <= MAX_COLOURS or (nearest and not _flat(seen.colours, common)):
        raise ValueError(f"masks hold {len(seen.colours):,} colours, too many for classes; {CURE}")
    ordered = sorted(common)
    classes = tuple(ClassInfo(name=f"colour {_hex(colour)}", colour=colour) for colour in ordered)
    if len(ordered) == 2:
        background, foreground = ordered
        classes = (
            ClassInfo(name="background", colour=background),
            ClassInfo(name="foreground", colour=foreground),
        )
    how = "the nearest of the colours" if nearest else "the colours"
    shown = listed([_hex(colour) for colour in ordered])
    note = f"masks: RGB, {how} {shown} are the classes ({seen.how_many}); to name them, {CURE}"
    coding = MaskCoding(colours={c: i for i, c in enumerate(ordered)}, nearest=nearest)
    return Decoding(coding=coding, classes=classes, notes=(note,))


def _dominant(colours: Counter[Colour]) -> list[Colour]:
    """Return the colours that others scatter round: each the most frequent within 48 of itself."""
    dominant: list[Colour] = []
    for colour, n in colours.most_common(4096):
        if n < 0.001 * colours.total():
            break
        if all(_distance(colour, other) > 48 for other in dominant):
            dominant.append(colour)
    return dominant


def _flat(colours: Counter[Colour], dominant: Sequence[Colour]) -> bool:
    """Say whether most pixels have nearly a dominant colour, as areas of a mask do."""
    close = sum(
        n for colour, n in colours.items() if any(_distance(colour, d) <= 8 for d in dominant)
    )
    return close >= 0.6 * colours.total()


def _distance(one: Colour, other: Colour) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _hex(colour: Colour) -> str:
    return "{:02x}{:02x}{:02x}".format(*colour)


def listed(words: Sequence[str]) -> str:
    """Return words separated by commas, the middle left out when they are many."""
    if len(words) <= 12:
        return ", ".join(words)
    return f"{', '.join(words[:8])}, … {words[-1]}"
