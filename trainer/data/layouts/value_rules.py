"""The rules by which stored values become classes where no table says what they mean.

Every rule is deterministic and says in a note what it decided, so that nobody is left to guess
how masks were read. A `classes.yaml` beside the data overrides every rule.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from trainer.data.classes import class_colour, two_classes
from trainer.data.collection import MAX_CLASSES, VOID, ClassInfo, Colour, MaskCoding
from trainer.data.files.maskfile import NEAR
from trainer.data.layouts.decoding import (
    APART,
    CURE,
    MAX_COLOURS,
    MOST,
    RARE,
    Decoding,
    listed,
    refuse_swallowed,
    shares,
)
from trainer.data.layouts.looking import Seen, few, in_one_piece, lies_between, look
from trainer.wording import counted

NEARLY_VOID = 200  # and above, a value far beyond the others may be void
COUNTS = 3  # of objects in a mask, when they are numbered, are no accident


def by_values(seen: Seen, masks: Sequence[Path], *, trimap_border: str) -> Decoding:
    """Return the coding of masks whose stored values are the labels.

    Raises ``ValueError`` showing the values, their shares and the cure where what they mean is
    not known: a reading is taken only when the evidence names no rival.
    """
    if seen.palette is None and _is_soft(seen) and not _is_plain(expected(seen)):
        note = f"masks: 0 to 255 with soft edges; above 127 is foreground ({seen.how_many})"
        return Decoding(coding=MaskCoding(threshold=127), classes=two_classes(), notes=(note,))
    if seen.palette is None and seen.lossy:
        return _by_lossy_levels(seen, masks)
    found = expected(seen)
    if not seen.complete and not _is_plain(found) and found != list(range(len(found))):
        # A value that none of those looked at has may lie in a gap: it is a class if one holds it.
        return by_values(look(masks, len(masks)), masks, trimap_border=trimap_border)
    shown = listed([str(value) for value in found])
    if len(found) == 1:
        raise ValueError(_all_alike(seen, found[0]))
    if _is_plain(found):
        note = f"masks: values {shown}; 0 is background, the other foreground ({seen.how_many})"
        values = {0: 0, found[1]: 1}
        return Decoding(coding=MaskCoding(values=values), classes=two_classes(), notes=(note,))
    _refuse_numbered(seen, masks)
    if _is_trimap(found, masks):
        return trimap(found, trimap_border)
    if seen.palette is None and _never_together(seen, found):
        return _two_whites(seen, found)
    if len(found) == 2 and found[0] == 0:
        note = f"masks: values {shown}; 0 is background, {found[1]} foreground ({seen.how_many})"
        coding = MaskCoding(values={0: 0, found[1]: 1})
        return Decoding(coding=coding, classes=two_classes(), notes=(note,))
    if len(found) > (64 if seen.palette is None else MAX_CLASSES):
        raise ValueError(
            f"masks hold {len(found)} different values ({shown}), too many for classes; say what "
            'ranges of them mean, as in --mask-values "0-99=background 100-255=road"'
        )
    if seen.palette is None and _is_levels(found):
        return _by_levels(seen, found)
    return _by_indices(seen, found)


def _is_plain(found: Sequence[int]) -> bool:
    return set(found) <= {0, 1} or set(found) <= {0, 255}


def expected(seen: Seen) -> list[int]:
    """Return the values that the masks hold, less what a stray mask or two holds besides.

    One damaged mask must not turn 0 and 255 into three classes. Values that hardly any mask has
    are left out, to be reported as faults, where the rest is a plain coding (0 and 1, 0 and 255,
    a trimap) or where they lie far beyond the rest.
    """
    found = sorted(seen.values)
    common = [value for value in found if seen.masks_with[value] > few(seen.masks)]
    odd = sum(not values <= set(common) for values in seen.together)
    if seen.masks < 4 or len(common) < 2 or odd > few(seen.masks):
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


def _is_soft(seen: Seen) -> bool:
    """Say whether masks are dark and bright, all else being the seam between or a few strays."""
    values = seen.values
    dark = sum(n for value, n in values.items() if 0 <= value <= NEAR)
    bright = sum(n for value, n in values.items() if 255 - NEAR <= value <= 255)
    rest = {value: n for value, n in values.items() if value not in (0, 255)}
    if not rest or not dark or not bright or dark + bright < MOST * values.total():
        return False
    if max(values) > 255:
        return False
    middle = [value for value in rest if NEAR < value < 255 - NEAR]
    # One level alone, however thin, may be a border that somebody drew.
    if len(middle) == 1 or not _mostly_on_seams(seen, middle):
        return False
    ends = sorted(value for value in rest if value not in middle)
    if seen.lossy or not ends:
        return True
    if ends == list(range(1, len(ends) + 1)):
        return False  # A few classes in a row beside a void: 1, 2, 3 and 255.
    rare = sum(rest[value] for value in ends) <= RARE * values.total()
    return rare or _mostly_on_seams(seen, ends)


def _mostly_on_seams(seen: Seen, values: Sequence[int]) -> bool:
    pixels = sum(seen.values[value] for value in values)
    return 2 * sum(seen.on_seams[value] for value in values) >= pixels


def _is_trimap(found: Sequence[int], masks: Sequence[Path]) -> bool:
    if found == [1, 2, 3]:
        return lies_between(masks, 3, 1, 2)
    named = any("trimap" in part.lower() for part in masks[0].parts[-3:])
    return named and len(found) == 3 and found[0] == 0 and found[2] == 255


def _all_alike(seen: Seen, value: int) -> str:
    if seen.transparent:
        return (
            f"masks: every pixel has the value {value} and only the transparency differs; save the "
            "transparency itself as a grey image"
        )
    return (
        f"masks: every pixel of {seen.how_many} has the value {value}, so that there is nothing "
        f"to tell apart; give other masks, or {CURE}"
    )


def _refuse_numbered(seen: Seen, masks: Sequence[Path]) -> None:
    """Raise ``ValueError`` where values may number the objects of each mask instead of classes.

    That is where they run from 1 to n without a gap in nearly every mask, n differs from mask to
    mask and is more than a few, and most values are one piece; or where they go on from mask to
    mask, so that nearly all of them are in one mask alone.
    """
    own = [value for value, masks_with in seen.masks_with.items() if masks_with == 1]
    if seen.masks >= 4 and len(own) >= max(2 * seen.masks, 0.9 * (len(seen.values) - 1)):
        raise ValueError(
            f"masks hold {len(seen.values)} values, of which {len(own)} are in one mask alone "
            f"({seen.how_many}): if they number objects, --threshold 0 makes foreground of them "
            f"all; if they are classes, {CURE}"
        )
    numbers = [n for values in seen.together if (n := _runs_to(values)) is not None]
    gaps = len(seen.together) - len(numbers)
    if gaps > few(seen.masks) or len(set(numbers)) < COUNTS or max(numbers) <= COUNTS:
        return
    if in_one_piece(masks):
        raise ValueError(
            f"masks hold 1 to n without a gap, n from {min(numbers)} to {max(numbers)}, most "
            f"values in one piece ({seen.how_many}): if they number objects, --threshold 0 makes "
            f"foreground of them all; if they are classes, {CURE}"
        )


def _runs_to(values: frozenset[int]) -> int | None:
    """Return n where a mask's values, 0 and void aside, are 1 to n; None for any others."""
    for labels in (values - {0}, values - {0, VOID}):
        if labels == set(range(1, len(labels) + 1)):
            return len(labels)
    return None


def _never_together(seen: Seen, found: Sequence[int]) -> bool:
    """Say whether of three values with 0 the other two are never in one mask."""
    one_or_other = set(found[1:])
    return len(found) == 3 and found[0] == 0 and not any(one_or_other <= s for s in seen.together)


def _two_whites(seen: Seen, found: Sequence[int]) -> Decoding:
    _, one, other = found
    if (one, other) != (1, 255):
        if other == 2:
            return _by_indices(seen, found)
        raise ValueError(
            f"masks hold 0 with {one} ({_with(seen, one)}) or with {other} ({_with(seen, other)}), "
            f"never both: one class in two codings, or two classes; {CURE}"
        )
    note = (
        f"masks: values 0 with 1 ({_with(seen, 1)}) or with 255 ({_with(seen, 255)}), never both; "
        f"0 is background, 1 and 255 foreground ({seen.how_many})"
    )
    coding = MaskCoding(values={0: 0, 1: 1, 255: 1})
    return Decoding(coding=coding, classes=two_classes(), notes=(note,))


def _with(seen: Seen, value: int) -> str:
    return counted(seen.masks_with[value], "mask")


def _by_lossy_levels(seen: Seen, masks: Sequence[Path]) -> Decoding:
    """Return the coding of grey masks that went through lossy compression: the nearest level."""
    levels: list[int] = []
    for value, n in seen.values.most_common():
        if n < 0.001 * seen.values.total():
            break
        if all(abs(value - level) >= APART for level in levels):
            levels.append(value)
    close = sum(
        n for value, n in seen.values.items() if any(2 * abs(value - x) <= APART for x in levels)
    )
    if not 2 <= len(levels) <= MAX_COLOURS or close < MOST * seen.values.total():
        raise ValueError(
            f"masks: lossy compression (JPEG) has changed the labels to {shares(seen)}; save them "
            "as PNG"
        )
    levels.sort()
    refuse_swallowed(seen, masks, [(level,) * 3 for level in levels], APART)
    note = (
        f"masks: grey, changed by lossy compression; the nearest of the levels "
        f"{listed(list(map(str, levels)))} are the classes ({seen.how_many}); to name them, {CURE}"
    )
    classes = (
        two_classes()
        if len(levels) == 2
        else tuple(
            ClassInfo(name=f"level {level}", colour=class_colour(index))
            for index, level in enumerate(levels)
        )
    )
    coding = MaskCoding(values={level: i for i, level in enumerate(levels)}, nearest=True)
    return Decoding(coding=coding, classes=classes, notes=(note,))


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
    if max(labels) >= MAX_CLASSES or min(labels) < 0:
        shown = listed([str(value) for value in found])
        raise ValueError(f"masks hold values {shown}, which are no class indices; {CURE}")
    if VOID in found and max(found, key=lambda value: seen.values[value]) == VOID:
        raise ValueError(
            f"masks hold {shares(seen)}: 255 would be void, and is the commonest of all; {CURE}"
        )
    alone = sum(values == {0, VOID} for values in seen.together)
    if seen.palette is None and len(labels) > 2 and 0 < alone == seen.masks_with[VOID]:
        shown = listed([str(value) for value in labels if value])
        raise ValueError(
            f"masks hold 255 beside 0 alone ({counted(alone, 'mask')}), and never with {shown}: "
            f"it may be void, or the foreground of another coding; {CURE}"
        )
    objects = sum(seen.values[value] for value in labels if value)
    if objects <= RARE * seen.values.total() < seen.values[VOID] and VOID in found:
        raise ValueError(
            f"masks hold {shares(seen)}: 255 may be void or the foreground, since what is neither "
            f"it nor 0 is hardly there; {CURE}"
        )
    values = {value: index for index, value in enumerate(labels)}
    void = ""
    if VOID in found:
        values[VOID] = VOID
        void = f", 255 is void, {100 * seen.values[VOID] / seen.values.total():.1f} % of the pixels"
    together = labels == list(range(max(labels) + 1))
    shown = f"indices 0 to {max(labels)}" if together else listed(list(map(str, labels)))
    beyond = labels[-1] >= NEARLY_VOID and len(labels) > 2 and labels[-2] < NEARLY_VOID // 2
    asked = f"; if {labels[-1]} is void, {CURE}" if beyond else ""
    note = f"masks: class {shown}{void} ({seen.how_many}){asked}"
    colours = _palette_colours(seen, max(labels) + 1)
    if labels == [0, 1]:
        return Decoding(coding=MaskCoding(values=values), classes=two_classes(), notes=(note,))
    classes = tuple(ClassInfo(name=f"class {value}", colour=colours[value]) for value in labels)
    left_out = f"class 0, which scores leave out as the background, is {classes[0].name}"
    notes = (note, left_out) if len(labels) == 2 and labels[0] else (note,)
    return Decoding(coding=MaskCoding(values=values), classes=classes, notes=notes)


def _palette_colours(seen: Seen, number: int) -> list[Colour]:
    made_up = [class_colour(index) for index in range(number)]
    if seen.palette is None:
        return made_up
    stored = [seen.palette.get(index) for index in range(number)]
    used = [colour for colour in stored if colour is not None]
    if len(set(used)) < len(used) or all(max(colour) < 64 for colour in used):
        return made_up  # an empty or nearly black palette shows nothing
    return [own or other for own, other in zip(stored, made_up, strict=True)]
