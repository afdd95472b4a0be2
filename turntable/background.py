"""The floor, the turntable and the wall behind the car, with the car's shadow.

The camera looks along x and is held level, so what a ray meets first depends on its row alone.
"""

from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from turntable.mesh import Mesh
from turntable.raster import Camera, Pixels, covered
from turntable.studio import Studio
from turntable.surfaces import FLOOR_METRES, WALL_METRES

SHADOW_METRES = 10.0
SHADOW_PIXELS = 200


@dataclass(frozen=True, kw_only=True)
class FloorLight:
    """What falls on the floor: share of main light and of ambient light, and the disc's turn."""

    key: Pixels
    ambient: Pixels
    heading: float


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Per row of the picture: where its rays meet floor (``x``) or wall (``y``), and how far."""

    is_wall: NDArray[np.bool_]
    x: Pixels
    y: Pixels
    distance: Pixels
    steepness: Pixels


def background(studio: Studio, camera: Camera, light: FloorLight) -> Pixels:
    """Return (height, width, 3) linear light of the empty studio with the car's shadow."""
    rows = _rows(studio, camera)
    columns = (np.arange(camera.width) + 0.5 - camera.centre[0]) / camera.focal
    z = (camera.position[2] + rows.distance[:, None] * columns[None].astype(np.float32)).astype(
        np.float32
    )
    first_floor = int(rows.is_wall.sum())
    picture = np.empty((camera.height, camera.width, 3), np.float32)
    picture[:first_floor] = _wall(studio, rows.y[:first_floor], z[:first_floor])
    ground = _floor(studio, light, rows.x[first_floor:], z[first_floor:])
    if studio.cove:
        edge = np.full(1, 0.02, np.float32)
        rise = 1 - (studio.wall_distance - rows.x[first_floor:]) / np.float32(studio.cove)
        blend = np.clip(rise, 0, 1)[:, None, None] ** 2
        ground = ground + (_wall(studio, edge, z[first_floor : first_floor + 1]) - ground) * blend
    picture[first_floor:] = ground
    return picture


def floor_mirror(studio: Studio, camera: Camera) -> Pixels:
    """Return (height,): the share of light that the floor mirrors in each row."""
    rows = _rows(studio, camera)
    flat = (1 - rows.steepness) * (1 - rows.steepness)
    return np.where(rows.is_wall, 0, np.float32(studio.gloss) * (0.2 + 0.8 * flat)).astype(
        np.float32
    )


def floor_light(
    studio: Studio, mesh: Mesh, footprint: list[tuple[float, float]], heading: float
) -> FloorLight:
    """Return the car's shadows on the floor: a soft one from the lamp, a dark one beneath.

    ``footprint`` is its outline from above, (x, z) in its own axes.
    """
    lamp = _blurred(_cast(mesh, studio.key[0] / studio.key[1], studio.key[2] / studio.key[1]), 2.4)
    image = Image.new("L", (SHADOW_PIXELS, SHADOW_PIXELS))
    middle, scale = SHADOW_PIXELS / 2, SHADOW_PIXELS / SHADOW_METRES
    ImageDraw.Draw(image).polygon(
        [
            (
                middle + scale * (z * cos(heading) - x * sin(heading)),
                middle + scale * (x * cos(heading) + z * sin(heading)),
            )
            for x, z in footprint
        ],
        fill=255,
    )
    beneath = np.asarray(image).astype(np.float32) / np.float32(255)
    near = _blurred(beneath, 4)
    return FloorLight(key=1 - lamp, ambient=1 - 0.8 * near, heading=heading)


def _cast(mesh: Mesh, x_per_metre: float, z_per_metre: float) -> Pixels:
    """Return the mesh's shadow on the floor map, 1 in the shade."""
    x = mesh.positions[:, 0] - x_per_metre * mesh.positions[:, 1]
    z = mesh.positions[:, 2] - z_per_metre * mesh.positions[:, 1]
    scale = SHADOW_PIXELS / SHADOW_METRES
    screen = np.stack(
        [(z + SHADOW_METRES / 2) * scale, (x + SHADOW_METRES / 2) * scale, np.ones(len(x))], 1
    )
    return covered(screen, mesh.triangles, SHADOW_PIXELS, SHADOW_PIXELS)


def _blurred(share: Pixels, radius: float) -> Pixels:
    image = Image.fromarray((share * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).astype(
        np.float32
    ) / np.float32(255)


def _rows(studio: Studio, camera: Camera) -> Rows:
    up = (camera.centre[1] - (np.arange(camera.height) + 0.5)) / camera.focal
    ahead = cos(camera.pitch) + up * sin(camera.pitch)
    rising = up * cos(camera.pitch) - sin(camera.pitch)
    to_wall = (studio.wall_distance - camera.position[0]) / ahead
    to_floor = np.where(rising < -1e-6, camera.position[1] / np.maximum(-rising, 1e-6), np.inf)
    distance = np.minimum(to_wall, to_floor)
    steepness = np.clip(-rising / np.sqrt(ahead * ahead + rising * rising), 0, 1)
    return Rows(
        is_wall=to_wall < to_floor,
        x=(camera.position[0] + distance * ahead).astype(np.float32),
        y=(camera.position[1] + distance * rising).astype(np.float32),
        distance=distance.astype(np.float32),
        steepness=steepness.astype(np.float32),
    )


def _wall(studio: Studio, y: Pixels, z: Pixels) -> Pixels:
    height, width = studio.wall.shape[:2]
    row = np.clip(height - 1 - (y * (height / WALL_METRES[1])).astype(np.int32), 0, height - 1)
    column = ((z + WALL_METRES[0] / 2) * np.float32(width / WALL_METRES[0])).astype(np.int32)
    texture = studio.wall.reshape(-1, 3)[row[:, None] * width + np.clip(column, 0, width - 1)]
    above = (y - 1)[:, None]
    lit = np.float32(0.35) + np.float32(0.65) / (1 + (z * z + above * above) / studio.pool**2)
    strength = np.array(studio.ambient) + 0.6 * np.array(studio.key_colour)
    return np.asarray(texture * lit[..., None] * strength.astype(np.float32), np.float32)


def _floor(studio: Studio, light: FloorLight, x: Pixels, z: Pixels) -> Pixels:
    texture = _looked_up(studio.floor, np.broadcast_to(x[:, None], z.shape), z, FLOOR_METRES / 2)
    square = z * z + (x * x)[:, None]
    row, column = np.nonzero(square < studio.disc_radius**2)
    there_x, there_z = x[row], z[row, column]
    turn_cos, turn_sin = np.float32(cos(-light.heading)), np.float32(sin(-light.heading))
    texture[row, column] = _looked_up(
        studio.disc,
        there_x * turn_cos + there_z * turn_sin,
        there_z * turn_cos - there_x * turn_sin,
        studio.disc_radius,
    )
    rows = np.clip((x + SHADOW_METRES / 2) * (SHADOW_PIXELS / SHADOW_METRES), 0, SHADOW_PIXELS - 1)
    columns = (z + SHADOW_METRES / 2) * np.float32(SHADOW_PIXELS / SHADOW_METRES)
    place = rows.astype(np.int32)[:, None] * SHADOW_PIXELS + np.clip(
        columns.astype(np.int32), 0, SHADOW_PIXELS - 1
    )
    pool = 1 / (1 + square / np.float32(2 * studio.pool**2))
    key = light.key.ravel()[place] * np.float32(studio.key[1]) * pool
    ambient = light.ambient.ravel()[place]
    for channel in range(3):
        falling = key * np.float32(studio.key_colour[channel])
        texture[..., channel] *= falling + ambient * np.float32(studio.ambient[channel])
    return texture


def _looked_up(texture: Pixels, x: Pixels, z: Pixels, reach: float) -> Pixels:
    """Return the texture that covers ±``reach`` metres, at those places; its edge goes on."""
    size = texture.shape[0]
    scale = np.float32(size / (2 * reach))
    row = np.clip(((x + np.float32(reach)) * scale).astype(np.int32), 0, size - 1)
    column = np.clip(((z + np.float32(reach)) * scale).astype(np.int32), 0, size - 1)
    return np.asarray(texture.reshape(-1, 3)[row * size + column])
