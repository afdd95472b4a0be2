"""The studio round the turntable: surfaces, light, and what stands about."""

from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from turntable import surfaces
from turntable.materials import linear
from turntable.mesh import Mesh, Point, merged
from turntable.props import scattered
from turntable.surfaces import NEUTRALS, STUDIO_COLOURS, pick

Light = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Softbox:
    """A glowing panel that the paint mirrors: its direction, its two edges, its half sizes."""

    axis: Point
    across: Point
    along: Point
    half: tuple[float, float]
    strength: float


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Everything that stays while the turntable turns. Light is linear RGB, 1 is paper white."""

    wall: Light
    floor: Light
    disc: Light
    wall_colour: Point
    floor_colour: Point
    """What paint mirrors of wall and floor."""
    disc_radius: float
    wall_distance: float
    cove: float
    """Length in metres over which floor and wall run into each other; 0 is a sharp edge."""
    gloss: float
    """Share of light that the floor mirrors when looked at flatly."""
    key: Point
    """Direction towards the main lamp."""
    key_colour: Point
    ambient: Point
    pool: float
    """How far the light reaches over floor and wall, metres."""
    softboxes: tuple[Softbox, ...]
    props: Mesh | None


def random_studio(rng: np.random.Generator, *, like: tuple[int, int, int] | None = None) -> Studio:
    """Return a studio; with ``like``, its wall comes close to that display colour."""
    # Most studios are white or grey, as studios are.
    colours = NEUTRALS if rng.random() < 0.6 else STUDIO_COLOURS
    wall_colour = pick(rng, (like,)) if like else pick(rng, colours)
    same = rng.random() < 0.5
    floor_colour = wall_colour if same else pick(rng, colours)
    disc_colour = pick(rng, colours)
    distance = 4.2 + 3.0 * rng.random()
    table = light_of_display()
    props = scattered(rng, wall=distance)
    turn, high = pi * (0.55 + 0.9 * rng.random()), 0.6 + 0.75 * rng.random()
    warm = 0.12 * (2 * rng.random() - 1)
    key, ambient = 0.45 + 0.75 * rng.random(), 0.3 + 0.35 * rng.random()
    return Studio(
        wall=surfaces.as_light(surfaces.wall(rng, wall_colour), table),
        floor=surfaces.as_light(surfaces.floor(rng, floor_colour), table),
        disc=surfaces.as_light(surfaces.disc(rng, disc_colour), table),
        wall_colour=linear(*wall_colour),
        floor_colour=linear(*disc_colour),
        disc_radius=2.75 + 0.55 * rng.random(),
        wall_distance=distance,
        cove=1.6 * rng.random() if same else 0.0,
        gloss=0.5 * rng.random() if rng.random() < 0.4 else 0.0,
        key=(cos(turn) * cos(high), sin(high), sin(turn) * cos(high)),
        key_colour=(key * (1 + warm), key, key * (1 - warm)),
        ambient=(ambient * (1 - warm / 2), ambient, ambient * (1 + warm / 2)),
        pool=3.0 + 6.0 * rng.random(),
        softboxes=_softboxes(rng),
        props=merged(props) if props else None,
    )


@cache
def light_of_display() -> Light:
    """Return (256,): the linear light that each display value stands for."""
    return np.array([linear(value, value, value)[0] for value in range(256)], np.float32)


def _softboxes(rng: np.random.Generator) -> tuple[Softbox, ...]:
    overhead = Softbox(
        axis=(0.0, 1.0, 0.0),
        across=(1.0, 0.0, 0.0),
        along=(0.0, 0.0, 1.0),
        half=(0.25 + 0.5 * rng.random(), 0.7 + 0.9 * rng.random()),
        strength=1.2 + 1.6 * rng.random(),
    )
    boxes = [overhead]
    for _ in range(int(rng.integers(1, 4))):
        turn, high = 2 * pi * rng.random(), 0.25 + 0.6 * rng.random()
        boxes.append(
            Softbox(
                axis=(cos(turn) * cos(high), sin(high), sin(turn) * cos(high)),
                across=(-sin(turn), 0.0, cos(turn)),
                along=(-cos(turn) * sin(high), cos(high), -sin(turn) * sin(high)),
                half=(0.2 + 0.35 * rng.random(), 0.15 + 0.35 * rng.random()),
                strength=0.8 + 1.8 * rng.random(),
            )
        )
    return tuple(boxes)
