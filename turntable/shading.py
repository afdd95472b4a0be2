"""The colour of every fragment: scattered light, and the studio mirrored in paint and glass."""

import numpy as np
from numpy.typing import NDArray

from turntable.materials import Finishes
from turntable.mesh import Point
from turntable.raster import Pixels
from turntable.studio import Softbox, Studio


def shaded(
    material: NDArray[np.uint8],
    finishes: Finishes,
    position: Pixels,
    normal: Pixels,
    eye: Point,
    studio: Studio,
) -> Pixels:
    """Return (3, n) linear light towards the ``eye`` from points with that material.

    ``position`` and ``normal`` are (3, n) in the studio's axes.
    """
    towards = np.array(eye, np.float32)[:, None] - position
    towards /= np.sqrt(_dot(towards, towards))
    facing = np.maximum(_dot(normal, towards), 0)
    mirrored_way = normal * (2 * facing) - towards
    scatter = np.take(finishes.scatter, material, axis=1)
    fresnel = (1 - facing) ** 2
    fresnel = fresnel * fresnel * (1 - facing)
    mirror = finishes.mirror[material]
    mirror = mirror + np.minimum(1 - mirror, 5 * mirror) * fresnel * 0.8
    tint = finishes.tint[material]
    shine = 1 + (np.minimum(scatter * 4, 1) - 1) * (tint * 0.7)
    light = scatter * _falling(position, normal, studio)
    light += mirror * shine * _surroundings(mirrored_way, position, studio)
    return light + finishes.glow[material]


def _falling(position: Pixels, normal: Pixels, studio: Studio) -> Pixels:
    """Return (3, n): the light that falls on the surface, less under and near the car."""
    key = sum(normal[axis] * np.float32(studio.key[axis]) for axis in range(3))
    up = 0.5 + 0.5 * normal[1]
    openness = np.minimum(0.3 + 1.1 * position[1], 1) * (1 - up) + up
    direct = np.maximum(key, 0)
    return np.stack(
        [
            np.float32(studio.ambient[channel]) * openness * (0.45 + 0.55 * up)
            + np.float32(studio.key_colour[channel]) * direct
            for channel in range(3)
        ]
    )


def _surroundings(way: Pixels, position: Pixels, studio: Studio) -> Pixels:
    """Return (3, n): what is seen of the studio in a direction, softboxes included."""
    floor, wall = studio.floor_colour, studio.wall_colour
    brightness = [a + 0.4 * k for a, k in zip(studio.ambient, studio.key_colour, strict=True)]
    up = way[1]
    level = np.clip(up * 6 + 0.5, 0, 1)
    ceiling = np.clip(up * 1.5 - 0.2, 0, 1)
    shadow = np.clip(0.25 + position[1] * 0.9, 0, 1)
    light = np.empty_like(way)
    for channel in range(3):
        below = np.float32(0.7 * floor[channel] * brightness[channel]) * shadow
        beside = np.float32(wall[channel] * brightness[channel])
        above = beside + (np.float32(0.12 * brightness[channel]) - beside) * ceiling
        light[channel] = below + (above - below) * level
    for softbox in studio.softboxes:
        light += _glow(softbox, way)
    return light


def _glow(softbox: Softbox, way: Pixels) -> Pixels:
    ahead, across, along = (
        sum(way[axis] * np.float32(vector[axis]) for axis in range(3))
        for vector in (softbox.axis, softbox.across, softbox.along)
    )
    scale = 1 / np.maximum(ahead, 0.05)
    # Edges fade over a tenth of a radian or so, as a diffuser's do.
    wide = np.clip((softbox.half[0] - np.abs(across * scale)) * 9 + 0.5, 0, 1)
    tall = np.clip((softbox.half[1] - np.abs(along * scale)) * 9 + 0.5, 0, 1)
    return np.where(ahead > 0.05, wide * tall, 0) * np.float32(softbox.strength)


def _dot(a: Pixels, b: Pixels) -> Pixels:
    product: Pixels = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product
