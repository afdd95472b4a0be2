"""The curve of a range test as a picture: loss over the learning rate, and what it suggests."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.analysis.learning_rates import LEAST, limit, smoothed
from trainer.analysis.scores import Floats

WIDTH, HEIGHT, MARGIN = 900, 480, 60
PAPER, INK, FAINT, LINE = (250, 250, 248), (30, 30, 30), (150, 150, 150), (31, 100, 180)
MARKS = ((200, 90, 20), (30, 130, 70))


def picture(rates: Floats, losses: Floats, suggested: Mapping[str, float | None]) -> Image.Image:
    """Draw the losses ``(steps,)`` as dots, their smooth curve, and a line a suggestion."""
    finite = np.isfinite(losses)
    rates, losses = rates[finite], losses[finite]
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    if rates.size < LEAST:
        draw.text((MARGIN, HEIGHT / 2), "too few finite losses for a curve", INK, font)
        return image
    curve, shown = smoothed(rates, losses), np.minimum(losses, limit(losses))
    low, high = float(shown.min()), float(shown.max())
    first, last = np.log10(rates[0]), np.log10(rates[-1])

    def across(rate: float) -> float:
        return float(MARGIN + (np.log10(rate) - first) / (last - first) * (WIDTH - 2 * MARGIN))

    def down(loss: float) -> float:
        share = (loss - low) / ((high - low) or 1.0)
        return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)

    box = (MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN)
    draw.rectangle(box, outline=FAINT)
    for decade in range(int(np.ceil(first)), int(np.floor(last)) + 1):
        x = across(10.0**decade)
        draw.line((x, HEIGHT - MARGIN, x, HEIGHT - MARGIN + 5), INK)
        draw.text((x, HEIGHT - MARGIN + 8), f"{10.0**decade:g}", INK, font, anchor="ma")
    for loss in np.linspace(low, high, 5):
        draw.text((MARGIN - 6, down(loss)), f"{loss:.3g}", INK, font, anchor="rm")
    draw.text((WIDTH / 2, HEIGHT - 22), "learning rate", INK, font, anchor="ma")
    draw.text((MARGIN, MARGIN - 10), "loss of a step, and its smooth curve", INK, font, anchor="ls")
    for rate, loss in zip(rates, shown, strict=True):
        x, y = across(rate), down(loss)
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=FAINT)
    draw.line([(across(r), down(v)) for r, v in zip(rates, curve, strict=True)], LINE, 3)
    known = {name: rate for name, rate in suggested.items() if rate is not None}
    for (name, rate), colour, y in zip(known.items(), MARKS, (20, 36), strict=False):
        x = min(max(across(rate), MARGIN), WIDTH - MARGIN)
        draw.line((x, MARGIN, x, HEIGHT - MARGIN), colour, 2)
        said = f"{name.replace('_', ' ')}: {rate:.2g}"
        draw.text((WIDTH - MARGIN, y), said, colour, font, anchor="ra")
    return image
