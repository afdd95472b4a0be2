"""One view of an object: the photograph, and the exact mask of the car in it."""

from dataclasses import dataclass
from functools import cache
from math import atan2, cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from turntable.background import background, floor_light, floor_mirror
from turntable.car import Car, build, footprint, random_car, told_apart
from turntable.materials import Finishes, Material, table
from turntable.mesh import Mesh, merged
from turntable.paints import display_colour
from turntable.raster import Camera, Fragments, Pixels, seen
from turntable.shading import shaded
from turntable.studio import Studio, random_studio
from turntable.styles import STYLES

SAMPLES = 3
"""Each pixel is the mean of this many samples each way; odd, so that no mask pixel is a tie."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An object on its turntable, seen from all sides by one photographer."""

    car: Car
    mesh: Mesh
    studio: Studio
    finishes: Finishes
    distance: float
    eye_height: float
    fill: float
    """Share of the picture's width that a car of 5 m takes seen from its side."""
    start: float
    """Heading of the first view, radians."""
    exposure: float


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture of a scene: how the turntable stands, and how the camera was held."""

    heading: float
    camera: Camera
    exposure: float
    blur: float
    noise: float
    vignette: float


def random_scene(rng: np.random.Generator, style: str) -> Scene:
    """Return an object of that body style; a few studios have the colour of their car."""
    car = random_car(rng, STYLES[style])
    like = display_colour(car.finishes[Material.PAINT]) if rng.random() < 0.03 else None
    return Scene(
        car=car,
        mesh=build(car),
        studio=random_studio(rng, like=like),
        finishes=table(car.finishes),
        distance=7.0 + 3.0 * rng.random(),
        eye_height=0.9 + 1.9 * rng.random(),
        fill=0.72 + 0.22 * rng.random(),
        start=2 * pi * rng.random(),
        exposure=0.8 + 0.55 * rng.random(),
    )


def random_view(
    rng: np.random.Generator,
    scene: Scene,
    turn: float,
    height: int,
    width: int,
    *,
    whole: bool = False,
) -> View:
    """Return the picture taken when the turntable has turned by ``turn`` (0 to 1).

    With ``whole`` the car is never cut off on purpose.
    """
    fill = scene.fill * (0.9 + 0.2 * rng.random())
    shift_x, shift_y = 0.07 * (2 * rng.random() - 1), 0.06 * (2 * rng.random() - 1)
    if rng.random() < 0.08 and not whole:
        # Now and then the car is only partly in the picture.
        fill *= 1.25
        shift_x = (0.22 + 0.16 * rng.random()) * (1 if rng.random() < 0.5 else -1)
    high = scene.eye_height + 0.2 * (2 * rng.random() - 1)
    camera = Camera(
        position=(-scene.distance, high, 0.3 * (2 * rng.random() - 1)),
        azimuth=0.0,
        pitch=atan2(high - 0.62, scene.distance),
        focal=fill * width * scene.distance / 5.0,
        centre=((0.5 + shift_x) * width, (0.5 + shift_y) * height),
        height=height,
        width=width,
    )
    # A larger picture of the same scene has the same blur relative to its size.
    scale = height / 160
    return View(
        heading=scene.start + 2 * pi * (turn + 0.02 * (2 * rng.random() - 1)),
        camera=camera,
        exposure=scene.exposure * (0.85 + 0.35 * rng.random()),
        blur=scale * (0.25 + 0.5 * rng.random()),
        noise=1.0 + 3.0 * rng.random(),
        vignette=0.3 * rng.random(),
    )


def draw(
    scene: Scene, view: View, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the image (height, width, 3) and its mask (height, width): 1 on the car, else 0.

    A mask pixel is 1 where more than half of the pixel's samples see the car. ``rng`` makes the
    noise of the sensor.
    """
    mesh = scene.mesh.moved(turn=view.heading)
    light = _empty_studio(scene, view, mesh)
    props = scene.studio.props
    whole = merged([mesh, props]) if props else mesh
    camera = view.camera.scaled(SAMPLES)
    fragments = seen(whole, camera)
    colours = _coloured(scene, view.heading, camera, whole, fragments)
    row, column = np.divmod(fragments.pixel, camera.width)
    pixel = row // SAMPLES * view.camera.width + column // SAMPLES
    _put_before(light, pixel, colours)
    on_car = fragments.triangle < len(mesh.triangles)
    samples = np.bincount(pixel[on_car], minlength=light.shape[0] * light.shape[1])
    mask = (samples * 2 > SAMPLES * SAMPLES).astype(np.uint8).reshape(light.shape[:2])
    return _photograph(light, view, rng), mask


def _empty_studio(scene: Scene, view: View, mesh: Mesh) -> Pixels:
    """Return (height, width, 3): the studio with the car's shadow and its mirror image."""
    finer = view.camera.scaled(2)
    shadow = floor_light(scene.studio, mesh, footprint(scene.car), view.heading)
    light = background(scene.studio, finer, shadow)
    light = (light[:, 0::2] + light[:, 1::2]) * np.float32(0.25)
    light = light[0::2] + light[1::2]
    if scene.studio.gloss > 0:
        _mirror_in_floor(light, scene, view, mesh)
    return light


def _put_before(light: Pixels, pixel: NDArray[np.int64], colours: Pixels) -> None:
    """Blend the samples of cars and props into the picture, each one its share of a pixel."""
    flat = light.reshape(-1, 3)
    flat *= (1 - np.bincount(pixel, minlength=len(flat)) / SAMPLES**2).astype(np.float32)[:, None]
    for channel in range(3):
        # Clipped, so that one glint does not make a jagged edge.
        added = np.bincount(pixel, np.minimum(colours[channel], 2.5), minlength=len(flat))
        flat[:, channel] += added / SAMPLES**2


def _coloured(
    scene: Scene, heading: float, camera: Camera, mesh: Mesh, fragments: Fragments
) -> Pixels:
    back_cos, back_sin = np.float32(cos(-heading)), np.float32(sin(-heading))

    def in_car_axes(vectors: Pixels) -> Pixels:
        x, y, z = vectors
        return np.stack([x * back_cos + z * back_sin, y, z * back_cos - x * back_sin])

    material = told_apart(
        scene.car,
        mesh.materials[fragments.triangle],
        in_car_axes(fragments.position),
        in_car_axes(fragments.normal),
        fragments.local,
    )
    return shaded(
        material,
        scene.finishes,
        fragments.position,
        fragments.normal,
        camera.position,
        scene.studio,
    )


def _mirror_in_floor(light: Pixels, scene: Scene, view: View, mesh: Mesh) -> None:
    """Blend the car's mirror image into a glossy floor; at the picture's own size, it is soft."""
    camera = view.camera
    fragments = seen(mesh, camera, mirrored=True)
    colours = _coloured(scene, view.heading, camera, mesh, fragments)
    layer = np.zeros((camera.height * camera.width, 4), np.uint8)
    layer[fragments.pixel, :3] = (np.clip(colours, 0, 1).T * 255).astype(np.uint8)
    layer[fragments.pixel, 3] = 255
    image = Image.fromarray(layer.reshape(camera.height, camera.width, 4), "RGBA")
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(1.2 * camera.height / 160)))
    mirrored = soft.astype(np.float32) / 255
    share = floor_mirror(scene.studio, camera)[:, None, None]
    light *= 1 - share * mirrored[..., 3:]
    light += share * mirrored[..., :3]


def _photograph(light: Pixels, view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return display values: exposure, vignette, tone curve, blur of the lens, sensor noise."""
    height, width = light.shape[:2]
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    fall = 1 - np.float32(view.vignette) * 0.5 * (x * x + (y * y)[:, None])
    exposed = light * (np.float32(view.exposure) * fall)[..., None]
    # Highlights roll off instead of clipping hard.
    toned = exposed / (1 + 0.25 * exposed * exposed)
    toned = np.where(exposed < 1, exposed - 0.2 * exposed * exposed, np.maximum(toned, 0.8))
    steps = np.clip(toned * (1 / 0.85) * 4095, 0, 4095).astype(np.int16)
    image = Image.fromarray(_display_table()[steps])
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(view.blur)))
    # The sum of four bytes is close to a Gaussian, and exact on every machine.
    grain = rng.integers(0, 256, (4, height, width, 3), dtype=np.uint8)
    total = grain[0].astype(np.int16) + grain[1] + grain[2] + grain[3] - 510
    noisy = soft + total * np.float32(view.noise / 148)
    picture: NDArray[np.uint8] = np.clip(noisy + 0.5, 0, 255).astype(np.uint8)
    return picture


@cache
def _display_table() -> NDArray[np.uint8]:
    """Return (4096,): the display value of each amount of light."""
    return np.array([round(255 * (step / 4095) ** (1 / 2.2)) for step in range(4096)], np.uint8)
