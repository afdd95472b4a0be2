"""One palette for every figure, safe for colour-blind people and on either ground.

The colours are Okabe and Ito's (2008) without black and yellow, which vanish on a dark or a light
ground; beyond them the dash tells curves apart.
"""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
DASHES = ("solid", "dash", "dot")


def curve_style(position: int) -> tuple[str, str]:
    """Return the colour and the dash of the curve at ``position`` in a selection, from 0."""
    colour = PALETTE[position % len(PALETTE)]
    return colour, DASHES[position // len(PALETTE) % len(DASHES)]
