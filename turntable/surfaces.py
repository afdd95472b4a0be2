"""Floors, turntable discs and walls of the studio, drawn flat and looked up as textures.

A texture is display RGB, ``uint8``, square for floors and discs; rows of the floor run along x
and columns along z, rows of a wall run downwards.
"""

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

Colour = tuple[int, int, int]

FLOOR_METRES = 12.0
FLOOR_PIXELS = 720
DISC_PIXELS = 512
WALL_METRES = (18.0, 6.0)
WALL_PIXELS = (960, 320)

NEUTRALS: tuple[Colour, ...] = (
    (238, 238, 236),
    (224, 224, 222),
    (208, 209, 210),
    (190, 192, 194),
    (168, 170, 173),
)
# Light and pale: a network with seconds to learn in meets no room as dark as the cars.
STUDIO_COLOURS: tuple[Colour, ...] = (
    (206, 190, 164),
    (214, 208, 176),
    (174, 194, 208),
    (184, 204, 186),
    (206, 184, 190),
    (176, 178, 200),
    (146, 152, 158),
    (196, 168, 152),
    (160, 186, 190),
    (220, 214, 204),
)
ACCENTS: tuple[Colour, ...] = (
    (210, 40, 36),
    (240, 190, 30),
    (110, 112, 116),
    (245, 245, 245),
    (30, 90, 170),
    (40, 130, 70),
    (230, 110, 30),
)


def pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """Return one of the colours, a little lighter or darker."""
    chosen = colours[int(rng.integers(len(colours)))]
    factor = 0.88 + 0.24 * rng.random()
    red, green, blue = (min(255, int(channel * factor)) for channel in chosen)
    return red, green, blue


def floor(rng: np.random.Generator, colour: Colour) -> Image.Image:
    """Return a studio floor: stains, perhaps planks, tiles or lines, cables and stickers."""
    image = Image.new("RGB", (FLOOR_PIXELS, FLOOR_PIXELS), colour)
    draw = ImageDraw.Draw(image)
    pattern = int(rng.integers(10))
    darker, lighter = _scaled(colour, 0.8), _scaled(colour, 1.15)
    if pattern == 1:
        _tiles(draw, int(rng.integers(45, 110)), darker)
    elif pattern == 2:
        _planks(rng, draw, colour)
    elif pattern == 3:
        _squares(draw, int(rng.integers(40, 90)), lighter)
    elif pattern == 4:
        for row in range(60, FLOOR_PIXELS, 220):
            draw.rectangle((row, 0, row + 8, FLOOR_PIXELS), fill=pick(rng, ACCENTS))
    image = _stained(rng, image, strength=0.04 + 0.16 * rng.random())
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 3))):
        _cable(rng, draw)
    for _ in range(int(rng.integers(0, 3))):
        _sticker(rng, draw)
    return image


def disc(rng: np.random.Generator, colour: Colour) -> Image.Image:
    """Return the turntable's top, as large as the texture, with marks at its edge."""
    image = _stained(rng, Image.new("RGB", (DISC_PIXELS, DISC_PIXELS), colour), strength=0.08)
    draw = ImageDraw.Draw(image)
    mark = pick(rng, ACCENTS) if rng.random() < 0.5 else _scaled(colour, 0.6)
    middle = DISC_PIXELS / 2
    pattern = int(rng.integers(5))
    if pattern == 1:
        for step in range(24):
            _ray(draw, 2 * pi * step / 24, (0.86, 0.97), 4, mark)
    elif pattern == 2:
        for step in range(0, 40, 2):
            whole = (4, 4, DISC_PIXELS - 5, DISC_PIXELS - 5)
            draw.arc(whole, 9 * step, 9 * step + 9, fill=mark, width=16)
    elif pattern == 3:
        for step in range(8):
            _ray(draw, 2 * pi * step / 8, (0.0, 1.0), 2, _scaled(colour, 0.75))
        for share in (0.35, 0.7):
            reach = middle * share
            edges = (middle - reach, middle - reach, middle + reach, middle + reach)
            draw.ellipse(edges, outline=_scaled(colour, 0.75), width=3)
    elif pattern == 4:
        _squares(draw, 32, _scaled(colour, 0.9))
    edge = _scaled(colour, 0.45) if rng.random() < 0.6 else pick(rng, ACCENTS)
    draw.ellipse((0, 0, DISC_PIXELS - 1, DISC_PIXELS - 1), outline=edge, width=5)
    return image


def wall(rng: np.random.Generator, colour: Colour) -> Image.Image:
    """Return a wall with its gradient, pattern and posters; the last row is at the floor."""
    width, height = WALL_PIXELS
    other = pick(rng, STUDIO_COLOURS) if rng.random() < 0.4 else _scaled(colour, 0.55)
    ramp = Image.linear_gradient("L").resize((width, height), Image.Resampling.BILINEAR)
    image = Image.composite(
        Image.new("RGB", WALL_PIXELS, colour), Image.new("RGB", WALL_PIXELS, other), ramp
    )
    draw = ImageDraw.Draw(image)
    pattern = int(rng.integers(10))
    scale = height / WALL_METRES[1]
    if pattern == 1:
        top = height - scale * (0.8 + 0.8 * rng.random())
        band = top + scale * (0.2 + 0.5 * rng.random())
        draw.rectangle((0, top, width, band), fill=pick(rng, STUDIO_COLOURS))
    elif pattern == 2:
        step = int(scale * (0.7 + 1.2 * rng.random()))
        for column in range(0, width, step):
            draw.line((column, 0, column, height), fill=_scaled(colour, 0.7), width=3)
    elif pattern == 3:
        _bricks(draw, int(scale * 0.24), _scaled(colour, 0.82))
    elif pattern == 4:
        draw.rectangle((0, height - scale * 1.1, width, height), fill=pick(rng, STUDIO_COLOURS))
    for _ in range(max(0, int(rng.integers(-1, 3)))):
        _poster(rng, draw, scale)
    return image


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


def _stained(rng: np.random.Generator, image: Image.Image, strength: float) -> Image.Image:
    """Return the image with soft blotches up to ``strength`` darker."""
    blotches = np.zeros((24, 24), np.uint8)
    blotches[:] = 255 - (rng.random((24, 24)) * 255 * strength).astype(np.uint8)
    stains = Image.fromarray(blotches).resize(image.size, Image.Resampling.BICUBIC)
    return ImageChops.multiply(image, Image.merge("RGB", (stains, stains, stains)))


def _tiles(draw: ImageDraw.ImageDraw, step: int, colour: Colour) -> None:
    for at in range(step // 2, FLOOR_PIXELS, step):
        draw.line((at, 0, at, FLOOR_PIXELS), fill=colour, width=2)
        draw.line((0, at, FLOOR_PIXELS, at), fill=colour, width=2)


def _planks(rng: np.random.Generator, draw: ImageDraw.ImageDraw, colour: Colour) -> None:
    for at in range(0, FLOOR_PIXELS, 22):
        shade = _scaled(colour, 0.82 + 0.25 * rng.random())
        draw.rectangle((0, at, FLOOR_PIXELS, at + 20), fill=shade)


def _squares(draw: ImageDraw.ImageDraw, step: int, colour: Colour) -> None:
    for row in range(0, FLOOR_PIXELS, step):
        for column in range((row // step % 2) * step, FLOOR_PIXELS, 2 * step):
            draw.rectangle((column, row, column + step - 1, row + step - 1), fill=colour)


def _bricks(draw: ImageDraw.ImageDraw, step: int, colour: Colour) -> None:
    width, height = WALL_PIXELS
    for number, row in enumerate(range(height, 0, -step)):
        draw.line((0, row, width, row), fill=colour, width=1)
        for column in range((number % 2) * step, width, 2 * step):
            draw.line((column, row - step, column, row), fill=colour, width=1)


def _ray(
    draw: ImageDraw.ImageDraw, angle: float, reach: tuple[float, float], width: int, colour: Colour
) -> None:
    middle = DISC_PIXELS / 2
    points = [
        (middle + share * middle * cos(angle), middle + share * middle * sin(angle))
        for share in reach
    ]
    draw.line(points, fill=colour, width=width)


def _cable(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    at, heading = rng.random(2) * FLOOR_PIXELS, 2 * pi * rng.random()
    points = [(float(at[0]), float(at[1]))]
    for _ in range(24):
        heading += 0.9 * (rng.random() - 0.5)
        at = at + np.array([cos(heading), sin(heading)]) * 22
        points.append((float(at[0]), float(at[1])))
    colour = ((16, 16, 18), (16, 16, 18), (200, 90, 20), (230, 230, 225))[int(rng.integers(4))]
    draw.line(points, fill=colour, width=3, joint="curve")


def _sticker(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    row, column = rng.random(2) * FLOOR_PIXELS
    size, colour = 10 + 26 * rng.random(), pick(rng, ACCENTS)
    edges = (column - size, row - size, column + size, row + size)
    shape = int(rng.integers(4))
    if shape == 0:
        draw.ellipse(edges, fill=colour)
    elif shape == 1:
        draw.rectangle(edges, outline=colour, width=5)
    elif shape == 2:
        draw.polygon(
            [(column, row - size), (column + size, row + size), (column - size, row + size)],
            fill=colour,
        )
    else:
        draw.line((column - size, row, column + size, row), fill=colour, width=7)
        draw.line((column, row - size, column, row + size), fill=colour, width=7)


def _poster(rng: np.random.Generator, draw: ImageDraw.ImageDraw, scale: float) -> None:
    width, height = WALL_PIXELS
    wide, tall = scale * (0.7 + 1.6 * rng.random()), scale * (0.6 + 0.9 * rng.random())
    left = width * (0.25 + 0.5 * rng.random()) - wide / 2
    low = height - scale * (0.9 + 1.3 * rng.random())
    paper, ink = pick(rng, STUDIO_COLOURS), pick(rng, ACCENTS)
    draw.rectangle((left - 3, low - tall - 3, left + wide + 3, low + 3), fill=(22, 22, 24))
    draw.rectangle((left, low - tall, left + wide, low), fill=paper)
    kind = int(rng.integers(3))
    if kind == 0:
        # The picture of a car on the wall is no car.
        side = (
            (0.05, 0.75),
            (0.08, 0.55),
            (0.28, 0.5),
            (0.38, 0.3),
            (0.65, 0.3),
            (0.76, 0.5),
            (0.93, 0.57),
            (0.95, 0.75),
        )
        draw.polygon([(left + x * wide, low - tall + y * tall) for x, y in side], fill=ink)
        for x in (0.24, 0.76):
            middle, row, size = left + x * wide, low - 0.25 * tall, 0.09 * wide
            draw.ellipse((middle - size, row - size, middle + size, row + size), fill=(15, 15, 16))
    elif kind == 1:
        for line in range(5):
            row = low - tall * (0.85 - 0.16 * line)
            end = left + wide * (0.4 + 0.5 * rng.random())
            draw.line((left + 0.1 * wide, row, end, row), fill=ink, width=4)
    else:
        draw.ellipse(
            (left + 0.2 * wide, low - 0.85 * tall, left + 0.8 * wide, low - 0.15 * tall), fill=ink
        )


def as_light(image: Image.Image, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a texture as rows of linear RGB, (height, width, 3)."""
    light: NDArray[np.float32] = table[np.asarray(image)]
    return light
