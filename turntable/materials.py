"""What surfaces are made of: how much of each colour they scatter, and how much they mirror."""

from dataclasses import dataclass, replace
from enum import IntEnum
from math import pow as power

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]


class Material(IntEnum):
    """Names of surfaces. `BODY`, `CABIN` and `WHEEL` stand for several, told apart per pixel."""

    BODY = 0
    CABIN = 1
    WHEEL = 2
    PAINT = 3
    ROOF_PAINT = 4
    SEAM = 5
    GLASS = 6
    TRIM = 7
    UNDERBODY = 8
    TYRE = 9
    RIM = 10
    RIM_GAP = 11
    HEADLIGHT = 12
    TAILLIGHT = 13
    PLATE = 14
    GRILLE = 15
    CHROME = 16
    BED = 17
    STEEL = 18
    SOFTBOX = 19
    CONE = 20
    CONE_BAND = 21
    TOOLBOX = 22
    BOARD = 23
    LEAF = 24
    POT = 25


@dataclass(frozen=True, kw_only=True)
class Finish:
    """``scatter`` is linear RGB reflectance, ``mirror`` the share mirrored at right angles.

    A metal tints what it mirrors by its own colour. ``glow`` is light of its own.
    """

    scatter: Colour
    mirror: float = 0.04
    tint: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Finishes:
    """All finishes as arrays with one row per `Material`."""

    scatter: NDArray[np.float32]
    mirror: NDArray[np.float32]
    tint: NDArray[np.float32]
    glow: NDArray[np.float32]


def linear(red: int, green: int, blue: int) -> Colour:
    """Return a display colour (0 to 255 each) as the share of light it stands for."""
    r, g, b = (power(channel / 255, 2.2) for channel in (red, green, blue))
    return r, g, b


BUILT_IN = {
    Material.SEAM: Finish(scatter=(0.008, 0.008, 0.009), mirror=0.0),
    Material.GLASS: Finish(scatter=(0.012, 0.015, 0.016), mirror=0.09),
    Material.TRIM: Finish(scatter=(0.014, 0.014, 0.015), mirror=0.03),
    Material.UNDERBODY: Finish(scatter=(0.008, 0.008, 0.008), mirror=0.0),
    Material.TYRE: Finish(scatter=(0.016, 0.016, 0.017), mirror=0.012),
    Material.RIM: Finish(scatter=(0.16, 0.16, 0.17), mirror=0.38, tint=1.0),
    Material.RIM_GAP: Finish(scatter=(0.02, 0.02, 0.022), mirror=0.02),
    Material.HEADLIGHT: Finish(scatter=(0.42, 0.44, 0.46), mirror=0.3),
    Material.TAILLIGHT: Finish(scatter=(0.36, 0.012, 0.012), mirror=0.1),
    Material.PLATE: Finish(scatter=(0.66, 0.64, 0.52), mirror=0.02),
    Material.GRILLE: Finish(scatter=(0.012, 0.012, 0.013), mirror=0.08),
    Material.CHROME: Finish(scatter=(0.2, 0.2, 0.2), mirror=0.6),
    Material.BED: Finish(scatter=(0.03, 0.03, 0.032), mirror=0.02),
    Material.STEEL: Finish(scatter=(0.04, 0.04, 0.042), mirror=0.12),
    Material.SOFTBOX: Finish(scatter=(0.8, 0.8, 0.8), mirror=0.0, glow=1.4),
    Material.CONE: Finish(scatter=(0.75, 0.12, 0.02), mirror=0.03),
    Material.CONE_BAND: Finish(scatter=(0.75, 0.75, 0.75), mirror=0.03),
    Material.TOOLBOX: Finish(scatter=(0.42, 0.03, 0.03), mirror=0.05),
    Material.BOARD: Finish(scatter=(0.75, 0.74, 0.72), mirror=0.0),
    Material.LEAF: Finish(scatter=(0.03, 0.12, 0.03), mirror=0.03),
    Material.POT: Finish(scatter=(0.3, 0.12, 0.06), mirror=0.03),
}


def table(own: dict[Material, Finish]) -> Finishes:
    """Return the finishes by number, those in ``own`` (the car's paint, …) before the others."""
    finishes = [
        own.get(material, BUILT_IN.get(material, Finish(scatter=(1.0, 0.0, 1.0))))
        for material in Material
    ]
    return Finishes(
        scatter=np.array([finish.scatter for finish in finishes], np.float32).T.copy(),
        mirror=np.array([finish.mirror for finish in finishes], np.float32),
        tint=np.array([finish.tint for finish in finishes], np.float32),
        glow=np.array([finish.glow for finish in finishes], np.float32),
    )


def darker(finish: Finish, factor: float) -> Finish:
    """Return the finish scattering ``factor`` times the light."""
    red, green, blue = finish.scatter
    return replace(finish, scatter=(red * factor, green * factor, blue * factor))
