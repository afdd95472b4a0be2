"""A contact sheet: images beside their masks, and what augmentation does to one of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.data.collection import VOID, ClassInfo, Collection, Colour, Pair
from trainer.data.files.imagefile import Array, UnreadableFile
from trainer.data.files.reading import read_pair
from trainer.data.painting import VOID_CHEQUERS, in_colour, lay_outlined, save_image
from trainer.wording import counted

# A callable of image, target and seed that returns the two transformed alike.
Augmentation = Callable[[Array, Array, int], tuple[Array, Array]]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, INK, FAINT = (250, 250, 248), (30, 30, 30), (120, 120, 120)
CELL, GAP, LINE, MARGIN = 200, 10, 18, 20
PAIRS_A_ROW = 3


def write_sheet(
    collection: Collection,
    path: Path,
    *,
    augmentation: Augmentation | None = None,
    count: int = 12,
) -> int:
    """Write a contact sheet of ``count`` pairs, evenly spread, and return how many it shows.

    Each pair shows the image and the same image with its target laid over it. With
    ``augmentation`` the last row shows what it makes of one image with seven seeds. Raises
    ``ValueError`` when ``path`` is no image file's name or cannot be written, or when not one
    pair can be read.
    """
    shown = _readable_pairs(collection, count)
    if not shown:
        raise ValueError(f"sheet: not one pair of {collection.root} can be read")
    columns = min(PAIRS_A_ROW, max(2, len(shown)))
    rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    width = 2 * MARGIN + columns * (2 * CELL + GAP) + (columns - 1) * 2 * GAP
    with_void = any((target == VOID).any() for _, _, target in shown)
    strips = [_heading(collection, width), _legend(collection.classes, with_void, width)]
    strips += [_row(row, collection.classes, width) for row in rows]
    if augmentation is not None:
        strips.append(_augmented(shown, collection.classes, augmentation, width))
    sheet = Image.new("RGB", (width, sum(strip.height for strip in strips) + MARGIN), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    _save(sheet, path)
    return len(shown)


def _save(sheet: Image.Image, path: Path) -> None:
    try:
        save_image(sheet, path)
    except (OSError, ValueError) as error:
        raise ValueError(f"sheet: cannot write {path}: {error}") from error


def _readable_pairs(collection: Collection, count: int) -> list[tuple[Pair, Array, Array]]:
    """Return up to ``count`` pairs, evenly spread; a damaged one gives way to its neighbour."""
    pairs = collection.pairs
    starts = np.linspace(0, len(pairs), min(count, len(pairs)), endpoint=False).astype(int)
    stops = [*starts[1:], len(pairs)]
    shown = []
    for start, stop in zip(starts, stops, strict=True):
        for pair in pairs[start:stop]:
            try:
                image, target = read_pair(pair, collection.coding, collection.image_coding)
            except UnreadableFile:
                continue
            shown.append((pair, in_colour(image), target))
            break
    return shown


def _fitted(image: Array, target: Array, cell: int) -> tuple[Array, Array]:
    """Scale both so that the longer side is ``cell``; labels are never interpolated."""
    height, width = target.shape
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    small = Image.fromarray(image).resize(size, smooth)
    labels = Image.fromarray(target).resize(size, Image.Resampling.NEAREST)
    return np.asarray(small), np.asarray(labels)


def _heading(collection: Collection, width: int) -> Image.Image:
    strip = Image.new("RGB", (width, MARGIN + 2 * LINE + GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    pairs = counted(len(collection.pairs), "pair")
    title = f"{collection.root.name}: {pairs}, layout {collection.layout}"
    draw.text((MARGIN, MARGIN), _cut(title, _font(17), width - 2 * MARGIN), INK, _font(17))
    note = collection.notes[0] if collection.notes else ""
    note = _cut(note, _font(12), width - 2 * MARGIN)
    draw.text((MARGIN, MARGIN + LINE + 6), note, FAINT, _font(12))
    return strip


def _legend(classes: Sequence[ClassInfo], with_void: bool, width: int) -> Image.Image:
    font = _font(12)
    entries: list[tuple[str, Colour | None]] = [(info.name, info.colour) for info in classes]
    if with_void:
        entries.append(("void", None))
    places, left, top = [], MARGIN, 0
    for name, _ in entries:
        needed = 20 + round(font.getlength(name)) + 16
        if left + needed > width - MARGIN:
            left, top = MARGIN, top + LINE + 4
        places.append((left, top))
        left += needed
    strip = Image.new("RGB", (width, top + LINE + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    for (name, colour), (x, y) in zip(entries, places, strict=True):
        draw.rectangle((x, y + 2, x + 14, y + 14), fill=colour or VOID_CHEQUERS[0], outline=FAINT)
        if colour is None:
            draw.rectangle((x + 1, y + 3, x + 7, y + 8), fill=VOID_CHEQUERS[1])
            draw.rectangle((x + 8, y + 9, x + 13, y + 13), fill=VOID_CHEQUERS[1])
        draw.text((x + 20, y), name, INK, font)
    return strip


def _row(
    row: Sequence[tuple[Pair, Array, Array]], classes: Sequence[ClassInfo], width: int
) -> Image.Image:
    panels = []
    for pair, image, target in row:
        small, labels = _fitted(image, target, CELL)
        size = f"{target.shape[1]} x {target.shape[0]}"
        label = f"{pair.name} · {pair.split} · {size}" if pair.split else f"{pair.name} · {size}"
        panels.append((label, small, lay_outlined(small, labels, classes)))
    tallest = max(small.shape[0] for _, small, _ in panels)
    strip = Image.new("RGB", (width, tallest + LINE + GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    for place, (label, small, laid) in enumerate(panels):
        left = MARGIN + place * (2 * CELL + 3 * GAP)
        draw.text((left, 0), _cut(label, _font(12), 2 * CELL), FAINT, _font(12))
        strip.paste(Image.fromarray(small), (left, LINE))
        strip.paste(Image.fromarray(laid), (left + small.shape[1] + GAP // 2, LINE))
    return strip


def _augmented(
    shown: Sequence[tuple[Pair, Array, Array]],
    classes: Sequence[ClassInfo],
    augmentation: Augmentation,
    width: int,
) -> Image.Image:
    """Draw one pair as it is and as seven seeds change it, the one with the most to see."""
    pair, image, target = max(shown, key=lambda item: len(np.unique(item[2])))
    seeds = 7
    cell = (width - 2 * MARGIN - seeds * GAP) // (seeds + 1)
    image, target = _fitted(image, target, 2 * cell)
    versions = [(image, target), *(augmentation(image, target, seed) for seed in range(seeds))]
    panels = []
    for changed, labels in versions:
        small, few = _fitted(changed, labels, cell)
        panels.append(lay_outlined(small, few, classes))
    tallest = max(panel.shape[0] for panel in panels)
    strip = Image.new("RGB", (width, tallest + 2 * LINE + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(strip)
    title = f"Augmentation of {pair.name}: as it is, then seven random seeds"
    draw.text((MARGIN, GAP), _cut(title, _font(14), width - 2 * MARGIN), INK, _font(14))
    for place, panel in enumerate(panels):
        strip.paste(Image.fromarray(panel), (MARGIN + place * (cell + GAP), GAP + LINE + 8))
    return strip


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _cut(text: str, font: Font, width: float) -> str:
    """Shorten a text in its middle to ``width`` pixels; names differ at their ends."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    keep = len(text)
    while keep > 2 and font.getlength(f"{text[: keep // 2]}…{text[-keep // 2 :]}") > width:
        keep -= 1
    return f"{text[: keep // 2]}…{text[-keep // 2 :]}"
