"""Body styles of cars: their proportions, as outlines seen from the side.

``deck`` is the top of the lower body and ``roof`` the outline of the cabin above it, both as
(place, height) points: place runs from 0 at the rear bumper to 1 at the front, height is metres.
"""

from dataclasses import dataclass
from itertools import pairwise

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class BodyStyle:
    """Lengths in metres; places along the car from 0 (rear) to 1 (front)."""

    length: float
    width: float
    clearance: float
    wheel_radius: float
    axles: tuple[float, float]
    deck: Outline
    roof: Outline
    pillars: tuple[float, ...]
    seams: tuple[float, ...]
    lean: float = 0.26
    """How far the cabin's sides lean in, metres per metre of height."""
    glass_from: float = 0.0
    """The side may have no windows behind this place (a panel van)."""
    bed: tuple[float, float] | None = None
    """Where an open load bed begins and ends (a pickup)."""
    rails: bool = False
    """Whether there may be rails on the roof."""


STYLES = {
    "hatchback": BodyStyle(
        length=4.05,
        width=1.76,
        clearance=0.2,
        wheel_radius=0.31,
        axles=(0.17, 0.80),
        deck=(
            (0, 0.5),
            (0.004, 0.78),
            (0.03, 0.93),
            (0.12, 0.97),
            (0.5, 0.94),
            (0.74, 0.95),
            (0.88, 0.86),
            (0.965, 0.74),
            (0.995, 0.6),
            (1, 0.45),
        ),
        roof=(
            (0.03, 0.94),
            (0.055, 1.05),
            (0.1, 1.36),
            (0.16, 1.46),
            (0.38, 1.5),
            (0.53, 1.48),
            (0.6, 1.4),
            (0.78, 0.94),
        ),
        pillars=(0.2, 0.42),
        seams=(0.245, 0.425, 0.685),
    ),
    "sedan": BodyStyle(
        length=4.7,
        width=1.82,
        clearance=0.19,
        wheel_radius=0.325,
        axles=(0.19, 0.81),
        deck=(
            (0, 0.5),
            (0.004, 0.8),
            (0.02, 0.98),
            (0.07, 1.01),
            (0.19, 1.0),
            (0.5, 0.94),
            (0.71, 0.94),
            (0.86, 0.86),
            (0.96, 0.75),
            (0.995, 0.6),
            (1, 0.45),
        ),
        roof=(
            (0.13, 1.0),
            (0.2, 1.15),
            (0.29, 1.38),
            (0.38, 1.45),
            (0.5, 1.45),
            (0.56, 1.41),
            (0.74, 0.94),
        ),
        pillars=(0.26, 0.42),
        seams=(0.27, 0.425, 0.65),
    ),
    "coupe": BodyStyle(
        length=4.4,
        width=1.84,
        clearance=0.15,
        wheel_radius=0.33,
        axles=(0.19, 0.80),
        deck=(
            (0, 0.45),
            (0.004, 0.74),
            (0.02, 0.92),
            (0.1, 0.95),
            (0.25, 0.92),
            (0.5, 0.85),
            (0.68, 0.85),
            (0.85, 0.76),
            (0.96, 0.64),
            (0.995, 0.5),
            (1, 0.4),
        ),
        roof=(
            (0.08, 0.94),
            (0.2, 1.07),
            (0.32, 1.21),
            (0.42, 1.27),
            (0.5, 1.26),
            (0.55, 1.22),
            (0.7, 0.85),
        ),
        pillars=(0.35,),
        seams=(0.35, 0.63),
        lean=0.32,
    ),
    "estate": BodyStyle(
        length=4.75,
        width=1.82,
        clearance=0.19,
        wheel_radius=0.325,
        axles=(0.19, 0.81),
        deck=(
            (0, 0.5),
            (0.004, 0.8),
            (0.025, 0.95),
            (0.1, 0.98),
            (0.5, 0.94),
            (0.71, 0.94),
            (0.86, 0.86),
            (0.96, 0.75),
            (0.995, 0.6),
            (1, 0.45),
        ),
        roof=(
            (0.02, 0.96),
            (0.05, 1.1),
            (0.095, 1.37),
            (0.15, 1.44),
            (0.4, 1.48),
            (0.5, 1.47),
            (0.56, 1.41),
            (0.74, 0.94),
        ),
        pillars=(0.255, 0.43),
        seams=(0.265, 0.435, 0.65),
        rails=True,
    ),
    "suv": BodyStyle(
        length=4.6,
        width=1.9,
        clearance=0.26,
        wheel_radius=0.38,
        axles=(0.18, 0.80),
        deck=(
            (0, 0.6),
            (0.004, 0.92),
            (0.025, 1.08),
            (0.1, 1.1),
            (0.5, 1.06),
            (0.73, 1.07),
            (0.87, 1.02),
            (0.96, 0.94),
            (0.995, 0.75),
            (1, 0.55),
        ),
        roof=(
            (0.02, 1.08),
            (0.04, 1.2),
            (0.075, 1.55),
            (0.13, 1.68),
            (0.38, 1.72),
            (0.54, 1.7),
            (0.6, 1.62),
            (0.76, 1.07),
        ),
        pillars=(0.23, 0.43),
        seams=(0.25, 0.435, 0.67),
        lean=0.2,
        rails=True,
    ),
    "van": BodyStyle(
        length=4.95,
        width=1.92,
        clearance=0.22,
        wheel_radius=0.34,
        axles=(0.19, 0.81),
        deck=(
            (0, 0.55),
            (0.004, 0.85),
            (0.02, 1.08),
            (0.5, 1.1),
            (0.86, 1.08),
            (0.93, 1.0),
            (0.975, 0.88),
            (0.997, 0.7),
            (1, 0.5),
        ),
        roof=(
            (0.008, 1.05),
            (0.012, 1.3),
            (0.03, 1.85),
            (0.08, 1.94),
            (0.4, 1.98),
            (0.68, 1.96),
            (0.75, 1.86),
            (0.905, 1.05),
        ),
        pillars=(0.34, 0.58),
        seams=(0.34, 0.59, 0.775),
        lean=0.13,
        glass_from=0.52,
    ),
    "pickup": BodyStyle(
        length=5.25,
        width=1.9,
        clearance=0.28,
        wheel_radius=0.39,
        axles=(0.2, 0.80),
        deck=(
            (0, 0.6),
            (0.003, 0.9),
            (0.01, 1.07),
            (0.1, 1.1),
            (0.5, 1.1),
            (0.74, 1.09),
            (0.88, 1.04),
            (0.965, 0.96),
            (0.995, 0.8),
            (1, 0.55),
        ),
        roof=(
            (0.385, 1.08),
            (0.395, 1.35),
            (0.41, 1.66),
            (0.44, 1.76),
            (0.55, 1.78),
            (0.61, 1.75),
            (0.65, 1.67),
            (0.765, 1.09),
        ),
        pillars=(0.545,),
        seams=(0.385, 0.55, 0.71),
        lean=0.2,
        bed=(0.055, 0.365),
    ),
}


def rounded(outline: Outline, rounds: int = 3) -> list[tuple[float, float]]:
    """Return the outline with its corners cut again and again (Chaikin): a smooth curve."""
    points = list(outline)
    for _ in range(rounds):
        cut = [points[0]]
        for (x, y), (u, v) in pairwise(points):
            cut.append((0.75 * x + 0.25 * u, 0.75 * y + 0.25 * v))
            cut.append((0.25 * x + 0.75 * u, 0.25 * y + 0.75 * v))
        points = [*cut, points[-1]]
    return points
