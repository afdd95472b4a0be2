"""What else stands in the studio and is no car: stands, tyres, cones, boxes, boards, plants."""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np

from turntable.materials import Material
from turntable.mesh import Mesh, box, lathe, merged, upright

TYRE_PROFILE = (
    (0.17, 0.06),
    (0.19, 0.09),
    (0.28, 0.1),
    (0.315, 0.07),
    (0.325, 0.0),
    (0.315, -0.07),
    (0.28, -0.1),
    (0.19, -0.09),
    (0.17, -0.06),
)


def light_stand(rng: np.random.Generator) -> Mesh:
    """Return a lamp on a pole with three legs, its softbox turned towards the turntable."""
    high = 1.5 + 1.1 * rng.random()
    pole = upright(lathe([(0.02, 0.0), (0.02, high)], Material.STEEL, segments=6))
    feet = [
        box((0.55, 0.025, 0.025), Material.STEEL).moved(
            turn=2 * pi * leg / 3,
            by=(0.25 * cos(2 * pi * leg / 3), 0.03, -0.25 * sin(2 * pi * leg / 3)),
        )
        for leg in range(3)
    ]
    wide, tall = 0.5 + 0.7 * rng.random(), 0.4 + 0.6 * rng.random()
    lamp = box((0.1, tall, wide), Material.TRIM)
    front = box((0.02, tall * 0.9, wide * 0.9), Material.SOFTBOX).moved(by=(-0.06, 0, 0))
    head = merged([lamp, front]).moved(by=(0, high, 0))
    return merged([pole, *feet, head])


def post(rng: np.random.Generator) -> Mesh:
    """Return a barrier post with a heavy foot."""
    high = 0.75 + 0.5 * rng.random()
    pole = upright(lathe([(0.03, 0.02), (0.03, high)], Material.STEEL, segments=8))
    foot = upright(lathe([(0.2, 0.0), (0.18, 0.03), (0.0, 0.05)], Material.STEEL, segments=14))
    knob = box((0.09, 0.09, 0.09), Material.CONE).moved(by=(0, high, 0))
    return merged([pole, foot, knob])


def leaning_tyre(rng: np.random.Generator) -> Mesh:
    """Return a tyre that stands, leaning back."""
    wheel = lathe(TYRE_PROFILE, Material.TYRE, segments=22)
    return wheel.moved(lean=0.25 * rng.random()).moved(by=(0, 0.32, 0))


def tyre_stack(rng: np.random.Generator) -> Mesh:
    """Return two to four tyres lying on each other."""
    tyre = upright(lathe(TYRE_PROFILE, Material.TYRE, segments=20))
    return merged(
        [
            tyre.moved(by=(0.05 * rng.random(), 0.11 + 0.21 * level, 0.05 * rng.random()))
            for level in range(int(rng.integers(2, 5)))
        ]
    )


def cone(rng: np.random.Generator) -> Mesh:
    """Return a traffic cone with a white band."""
    high = 0.45 + 0.3 * rng.random()
    edges = [(0.16 - 0.13 * share, high * share) for share in (0.02, 0.4, 0.65, 1.0)]
    colours = (Material.CONE, Material.CONE_BAND, Material.CONE)
    rings = [
        upright(lathe([low, top], colour, segments=14))
        for low, top, colour in zip(edges, edges[1:], colours, strict=False)
    ]
    return merged([*rings, box((0.38, 0.03, 0.38), Material.CONE).moved(by=(0, 0.015, 0))])


def toolbox(rng: np.random.Generator) -> Mesh:
    """Return a tool trolley with dark gaps between its drawers."""
    wide, high = 0.6 + 0.3 * rng.random(), 0.6 + 0.4 * rng.random()
    parts = [box((0.45, high, wide), Material.TOOLBOX).moved(by=(0, high / 2 + 0.08, 0))]
    for drawer in range(1, 5):
        gap = box((0.47, 0.02, wide * 0.94), Material.TRIM)
        parts.append(gap.moved(by=(0, 0.08 + high * drawer / 5, 0)))
    return merged(parts)


def board(rng: np.random.Generator) -> Mesh:
    """Return a reflector board that stands on the floor."""
    wide, high = 0.9 + 0.9 * rng.random(), 1.2 + 0.9 * rng.random()
    material = Material.BOARD if rng.random() < 0.7 else Material.TRIM
    return box((0.04, high, wide), material).moved(by=(0, high / 2, 0))


def plant(rng: np.random.Generator) -> Mesh:
    """Return a pot with a few upright leaves."""
    pot = upright(lathe([(0.12, 0.0), (0.19, 0.34), (0.15, 0.34)], Material.POT, segments=14))
    leaves = []
    for _ in range(9):
        turn, reach = 2 * pi * rng.random(), 0.12 + 0.2 * rng.random()
        leaf = box((0.02, 0.5 + 0.5 * rng.random(), 0.11), Material.LEAF)
        spot = (reach * cos(turn), 0.68, reach * sin(turn))
        leaves.append(leaf.moved(turn=turn, lean=0.5 * (rng.random() - 0.5), by=spot))
    return merged([pot, *leaves])


PROPS: tuple[Callable[[np.random.Generator], Mesh], ...] = (
    light_stand,
    light_stand,
    leaning_tyre,
    tyre_stack,
    cone,
    toolbox,
    board,
    plant,
)


def scattered(rng: np.random.Generator, *, wall: float) -> list[Mesh]:
    """Return a few props round the turntable, before the wall at x = ``wall`` metres."""
    placed = []
    for _ in range(int(rng.integers(0, 3))):
        prop = PROPS[int(rng.integers(len(PROPS)))](rng)
        side = 1 if rng.random() < 0.5 else -1
        if rng.random() < 0.65:
            x, z = 3.1 + (wall - 3.5) * rng.random(), side * 4.5 * rng.random()
        else:
            x, z = -1 + 4 * rng.random(), side * (3.0 + 1.6 * rng.random())
        placed.append(prop.moved(turn=0.8 * (rng.random() - 0.5) + side * 0.4, by=(x, 0, z)))
    if rng.random() < 0.03:
        # Between camera and car: it hides a strip of the car in every view.
        placed.append(post(rng).moved(by=(-3.5, 0.0, 3.2 * (rng.random() - 0.5))))
    return placed
