"""Colours of paint: half of them white, grey or black, as in a real car park."""

import numpy as np

from turntable.materials import Finish, linear

PAINTS: dict[str, tuple[int, tuple[int, int, int], float]] = {
    # name: how common, display colour, how metallic
    "white": (5, (232, 233, 230), 0.0),
    "pearl": (2, (222, 218, 206), 0.2),
    "silver": (4, (168, 172, 176), 0.7),
    "grey": (3, (106, 110, 114), 0.6),
    "anthracite": (3, (52, 55, 59), 0.5),
    "black": (4, (19, 19, 21), 0.2),
    "red": (4, (176, 24, 28), 0.1),
    "wine": (1, (92, 16, 30), 0.5),
    "blue": (3, (28, 66, 140), 0.5),
    "sky": (2, (112, 160, 196), 0.2),
    "green": (2, (26, 74, 50), 0.4),
    "mint": (1, (150, 192, 170), 0.0),
    "yellow": (2, (226, 178, 30), 0.0),
    "orange": (2, (208, 88, 22), 0.3),
    "beige": (1, (176, 158, 128), 0.4),
    "brown": (1, (82, 58, 42), 0.5),
    "teal": (2, (20, 110, 118), 0.4),
}


def paint(rng: np.random.Generator) -> Finish:
    """Return a coat of paint: common colours come up more often, each a little different."""
    tickets = [name for name, (common, _, _) in PAINTS.items() for _ in range(common)]
    _, colour, metallic = PAINTS[tickets[int(rng.integers(len(tickets)))]]
    shade = 0.85 + 0.3 * rng.random()
    # A metallic coat scatters less and mirrors more.
    red, green, blue = (channel * shade * (1 - 0.45 * metallic) for channel in linear(*colour))
    return Finish(
        scatter=(red, green, blue),
        mirror=0.045 + 0.16 * metallic,
        tint=metallic,
    )


def display_colour(finish: Finish) -> tuple[int, int, int]:
    """Return the display colour (0 to 255) nearest to a finish, as a wall would be painted."""
    scale = 1 - 0.45 * finish.tint
    red, green, blue = (
        min(255, round(255 * (channel / scale) ** (1 / 2.2))) for channel in finish.scatter
    )
    return red, green, blue
