"""The rules by which RGB colours become classes where no table says what they mean."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from trainer.data.collection import ClassInfo, Colour, MaskCoding
from trainer.data.layouts.decoding import (
    APART,
    CURE,
    MAX_COLOURS,
    MOST,
    SCATTER,
    Decoding,
    hexed,
    listed,
    refuse_swallowed,
)
from trainer.data.layouts.looking import Seen
from trainer.wording import counted


def by_colours(seen: Seen, masks: Sequence[Path]) -> Decoding:
    """Return the coding of RGB masks: each colour a class, or the few that others scatter round.

    Raises ``ValueError`` where there are too many, as in a photograph.
    """
    common = list(seen.colours)
    nearest = len(common) > MAX_COLOURS or seen.lossy
    if nearest:
        common = _dominant(seen.colours)
    if not 2 <= len(common) <= MAX_COLOURS or (nearest and not _flat(seen.colours, common)):
        raise ValueError(f"masks hold {len(seen.colours):,} colours, too many for classes; {CURE}")
    if nearest:
        refuse_swallowed(seen, masks, common, SCATTER)
    else:
        _refuse_soft(seen, common)
    ordered = sorted(common)
    black = (0, 0, 0) in ordered
    if len(ordered) == 2 and not black:
        # Of two, scores leave the first out: more likely than not it is what is commonest.
        ordered.sort(key=lambda colour: -seen.colours[colour])
    classes = tuple(ClassInfo(name=f"colour {hexed(colour)}", colour=colour) for colour in ordered)
    if len(ordered) == 2 and black:
        background, foreground = ordered
        classes = (
            ClassInfo(name="background", colour=background),
            ClassInfo(name="foreground", colour=foreground),
        )
    how = "the nearest of the colours" if nearest else "the colours"
    shown = listed([hexed(colour) for colour in ordered])
    note = f"masks: RGB, {how} {shown} are the classes ({seen.how_many}); to name them, {CURE}"
    coding = MaskCoding(colours={c: i for i, c in enumerate(ordered)}, nearest=nearest)
    left_out = f"class 0, which scores leave out as the background, is {classes[0].name}"
    notes = (note, left_out) if len(ordered) == 2 and not black else (note,)
    return Decoding(coding=coding, classes=classes, notes=notes)


def _refuse_soft(seen: Seen, common: Sequence[Colour]) -> None:
    """Raise ``ValueError`` where all but two colours are rare and mixtures of these two."""
    one, other = (colour for colour, _ in seen.colours.most_common(2))
    mixed = [colour for colour in common if colour not in (one, other)]
    pixels = sum(seen.colours[colour] for colour in mixed)
    if not mixed or pixels > (1 - MOST) * seen.colours.total():
        return
    if all(_is_mixture(colour, one, other) for colour in mixed):
        cut = (one[0] + other[0]) // 2
        cure = "save them without softening, "
        if abs(one[0] - other[0]) > APART:  # what a threshold looks at
            cure += f"cut them with --threshold {cut}, "
        raise ValueError(
            f"masks hold {hexed(one)} and {hexed(other)}, and {counted(len(mixed), 'mixture')} of "
            f"the two in {100 * pixels / seen.colours.total():.1f} % of the pixels, as softened "
            f"edges are; {cure}or say what each means with --mask-values, mixtures as void"
        )


def _is_mixture(colour: Colour, one: Colour, other: Colour) -> bool:
    """Say whether a colour lies on the straight line from one to another, but for rounding."""
    span = [b - a for a, b in zip(one, other, strict=True)]
    step = [c - a for a, c in zip(one, colour, strict=True)]
    share = sum(x * y for x, y in zip(span, step, strict=True)) / sum(x * x for x in span)
    return 0 < share < 1 and all(abs(y - share * x) <= 2 for x, y in zip(span, step, strict=True))


def _dominant(colours: Counter[Colour]) -> list[Colour]:
    """Return the colours that others scatter round: each the most frequent nearby."""
    dominant: list[Colour] = []
    for colour, n in colours.most_common(4096):
        if n < 0.001 * colours.total():
            break
        if all(_distance(colour, other) > SCATTER for other in dominant):
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
