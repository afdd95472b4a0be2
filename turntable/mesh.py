"""Triangle meshes with a material for every triangle, and how to build them.

Lengths are metres; x points along the car to its front, y up, z to its right. Triangles run so
that ``cross(b - a, c - a)`` points outwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[float, float, float]

# The six sides of a box: (6, 3) directions, (24, 3) corners of the sides, (12, 3) triangles.
BOX_SIDES = np.concatenate([np.eye(3), -np.eye(3)])
BOX_CORNERS = np.concatenate(
    [
        side + u * np.roll(side, 1) + v * np.roll(side, 2) * side.sum()
        for side in BOX_SIDES
        for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
).reshape(24, 3)
BOX_TRIANGLES = np.array(
    [[first, first + j, first + j + 1] for first in range(0, 24, 4) for j in (1, 2)]
)


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """``positions`` and unit ``normals`` are (n, 3), ``local`` (n, 2) is a place on the surface.

    ``triangles`` (m, 3) holds vertex numbers, ``materials`` (m,) a `materials.Material` each.
    """

    positions: Array
    normals: Array
    local: Array
    triangles: NDArray[np.int64]
    materials: NDArray[np.uint8]

    def moved(self, *, by: Point = (0.0, 0.0, 0.0), turn: float = 0.0, lean: float = 0.0) -> "Mesh":
        """Return it leant back about x, then turned about y (radians), then moved."""
        positions = _about_y(_about_x(self.positions, lean), turn) + np.array(by)
        normals = _about_y(_about_x(self.normals, lean), turn)
        return replace(self, positions=positions, normals=normals)

    def inside_out(self) -> "Mesh":
        """Return it facing the other way, such as a box seen from within."""
        return replace(self, normals=-self.normals, triangles=self.triangles[:, ::-1])


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """Return all the meshes as one."""
    starts = np.cumsum([0, *(len(mesh.positions) for mesh in meshes[:-1])])
    return Mesh(
        positions=np.concatenate([mesh.positions for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        local=np.concatenate([mesh.local for mesh in meshes]),
        triangles=np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]
        ),
        materials=np.concatenate([mesh.materials for mesh in meshes]),
    )


def sheet(
    points: Array,
    material: int,
    *,
    closed: bool = False,
    keep: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]] | None = None,
) -> Mesh:
    """Return the smooth surface through a (rows, columns, 3) grid of points.

    ``closed`` joins the last column to the first. ``keep(row, column)`` says which quads exist.
    It faces away from its own middle.
    """
    rows, columns = points.shape[:2]
    row, column = np.mgrid[0 : rows - 1, 0 : columns if closed else columns - 1]
    row, column = row.ravel(), column.ravel()
    if keep is not None:
        kept = keep(row, column)
        row, column = row[kept], column[kept]
    beside = (column + 1) % columns
    a, b = row * columns + column, row * columns + beside
    c, d = (row + 1) * columns + beside, (row + 1) * columns + column
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    positions, normals = points.reshape(-1, 3), _grid_normals(points, closed=closed)
    middle = (positions.max(0) + positions.min(0)) / 2
    if _dot(normals, positions - middle).sum() < 0:
        normals = -normals
    a3, b3, c3 = (positions[triangles[:, corner]] for corner in range(3))
    facing = _dot(_cross(b3 - a3, c3 - a3), normals[triangles].sum(1))
    if facing.sum() < 0:
        triangles = triangles[:, ::-1]
    return Mesh(
        positions=positions,
        normals=normals,
        local=np.zeros((len(positions), 2)),
        triangles=triangles,
        materials=np.full(len(triangles), material, np.uint8),
    )


def box(size: Point, material: int) -> Mesh:
    """Return a box of that size with its middle at the origin and flat sides."""
    return Mesh(
        positions=BOX_CORNERS * (np.array(size) / 2),
        normals=np.repeat(BOX_SIDES, 4, axis=0),
        local=np.zeros((24, 2)),
        triangles=BOX_TRIANGLES,
        materials=np.full(len(BOX_TRIANGLES), material, np.uint8),
    )


def lathe(profile: Sequence[tuple[float, float]], material: int, *, segments: int = 24) -> Mesh:
    """Return the surface swept by (radius, z) points turned round the z axis.

    ``local`` is the place within the wheel: x and y over the largest radius.
    """
    angles = [2 * pi * step / segments for step in range(segments)]
    points = np.array(
        [[(radius * cos(a), radius * sin(a), z) for a in angles] for radius, z in profile]
    )
    mesh = sheet(points, material, closed=True)
    largest = max(radius for radius, _ in profile)
    return replace(mesh, local=mesh.positions[:, :2] / largest)


def upright(mesh: Mesh) -> Mesh:
    """Return a lathed mesh with its axis, z, pointing up."""

    def swap(vectors: Array) -> Array:
        return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], 1)

    return replace(mesh, positions=swap(mesh.positions), normals=swap(mesh.normals))


def _grid_normals(points: Array, *, closed: bool) -> Array:
    along = np.gradient(points, axis=0)
    if closed:
        across = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    else:
        across = np.gradient(points, axis=1)
    normals = _cross(along.reshape(-1, 3), across.reshape(-1, 3))
    # Where a row shrinks to a point, the row before it says which way the surface faces.
    grid = normals.reshape(points.shape)
    for end, before in ((0, 1), (-1, -2)):
        if np.abs(points[end] - points[end][:1]).max() < 1e-6:
            grid[end] = grid[before].mean(0)
    length = np.sqrt(_dot(normals, normals))
    normals = normals / np.maximum(length, 1e-12)[:, None]
    return np.where(length[:, None] < 1e-12, np.array([0.0, 1.0, 0.0]), normals)


def _dot(a: Array, b: Array) -> Array:
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def _cross(a: Array, b: Array) -> Array:
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        1,
    )


def _about_y(vectors: Array, angle: float) -> Array:
    x, y, z = vectors.T
    return np.stack([x * cos(angle) + z * sin(angle), y, z * cos(angle) - x * sin(angle)], 1)


def _about_x(vectors: Array, angle: float) -> Array:
    x, y, z = vectors.T
    return np.stack([x, y * cos(angle) - z * sin(angle), y * sin(angle) + z * cos(angle)], 1)
