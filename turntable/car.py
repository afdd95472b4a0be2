"""A car: its shape from a body style, and which material each point of its surface has.

The mesh is coarse and smooth; windows, lamps, door seams and the spokes of the wheels are told
apart per pixel, from the place on the car, so that they stay sharp at any size.
"""

from dataclasses import dataclass, replace
from math import cos, pi, sin
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from turntable.materials import Finish, Material, darker
from turntable.mesh import Array, Mesh, box, lathe, merged, sheet
from turntable.paints import paint
from turntable.raster import Pixels
from turntable.styles import BodyStyle, Outline, rounded

Real = TypeVar("Real", np.float32, np.float64)

# Half a cross-section of the lower body, from the middle of the underside to the middle of the
# top: share of the half width, share of the height.
SECTION = (
    (0.0, 0.0),
    (0.8, 0.0),
    (0.93, 0.03),
    (0.965, 0.1),
    (0.985, 0.25),
    (1.0, 0.45),
    (0.995, 0.62),
    (0.975, 0.78),
    (0.945, 0.9),
    (0.87, 0.97),
    (0.6, 1.0),
    (0.3, 1.012),
    (0.0, 1.016),
)
STATIONS = 40


@dataclass(frozen=True, kw_only=True)
class Car:
    """One car: its style with its own proportions, its paint and the details that vary."""

    style: BodyStyle
    finishes: dict[Material, Finish]
    spokes: int
    spoke_width: float
    steering: float
    two_tone: bool
    plastic_below: float
    rails: bool
    chrome: bool

    @property
    def half_length(self) -> float:
        """Half the car's length in metres."""
        return self.style.length / 2

    def place(self, x: Pixels) -> Pixels:
        """Return how far along the car x is: 0 at the rear, 1 at the front."""
        place: Pixels = x / np.float32(self.style.length) + np.float32(0.5)
        return place


def random_car(rng: np.random.Generator, base: BodyStyle) -> Car:
    """Return a car of that body style, of any colour and trim, with proportions of its own."""
    length, width, height = (1 + 0.05 * (2 * rng.random() - 1) for _ in range(3))
    style = replace(
        base,
        length=base.length * length,
        width=base.width * width,
        deck=tuple((place, y * height) for place, y in base.deck),
        roof=tuple((place, y * height) for place, y in base.roof),
        glass_from=base.glass_from if rng.random() < 0.6 else 0.0,
    )
    coat = paint(rng)
    rim_light = 0.25 + 0.75 * rng.random()
    rim = darker(Finish(scatter=(0.2, 0.2, 0.21), mirror=0.5 * rim_light, tint=1.0), rim_light)
    glass = Finish(scatter=(0.012, 0.015, 0.016), mirror=0.05 + 0.08 * rng.random())
    two_tone = rng.random() < 0.08
    return Car(
        style=style,
        finishes={
            Material.PAINT: coat,
            Material.ROOF_PAINT: paint(rng) if two_tone else coat,
            Material.RIM: rim,
            Material.GLASS: glass,
        },
        spokes=int(rng.integers(5, 11)),
        spoke_width=0.07 + 0.1 * rng.random(),
        steering=0.5 * (2 * rng.random() - 1) if rng.random() < 0.5 else 0.0,
        two_tone=two_tone,
        plastic_below=0.1 + 0.22 * rng.random() if rng.random() < 0.4 else 0.06,
        rails=style.rails and rng.random() < 0.6,
        chrome=rng.random() < 0.3,
    )


def build(car: Car) -> Mesh:
    """Return the car's mesh, standing on the floor (y = 0) with its middle at the origin."""
    parts = [_body(car), _cabin(car), *_wheels(car), *_mirrors(car)]
    if car.style.bed:
        parts += [_bed(car, car.style.bed)]
    if car.rails:
        parts += _rails(car)
    return merged(parts)


def half_width(car: Car, place: NDArray[Real]) -> NDArray[Real]:
    """Return the half width of the lower body in metres at places along the car."""
    from_end = np.minimum(place, 1 - place) * car.style.length
    far, near = np.clip(1 - from_end / 1.0, 0, 1), np.clip(1 - from_end / 0.28, 0, 1)
    share = 1 - 0.07 * far * far - 0.14 * near * near
    return (car.style.width / 2 * share).astype(place.dtype)


def footprint(car: Car) -> list[tuple[float, float]]:
    """Return the car's outline from above: (x, z) in metres, round it once."""
    place = np.linspace(0, 1, 13)
    x = (place - 0.5) * car.style.length
    right = list(zip(x.tolist(), half_width(car, place).tolist(), strict=True))
    return right + [(along, -out) for along, out in reversed(right)]


def _heights(outline: Outline, place: NDArray[Real]) -> NDArray[Real]:
    curve = rounded(outline)
    heights = np.interp(place, [x for x, _ in curve], [y for _, y in curve])
    return heights.astype(place.dtype)


def _body(car: Car) -> Mesh:
    style = car.style
    # Closer together at the ends, where the outline turns quickly.
    even = np.linspace(-1, 1, STATIONS)
    place = 0.5 + 0.5 * even * (1.5 - 0.5 * even * even)
    from_end = np.minimum(place, 1 - place) * style.length
    near = np.clip(1 - from_end / 0.35, 0, 1)
    under = style.clearance + 0.12 * near * near
    top = _heights(style.deck, place)
    half = np.array(SECTION)
    ring = np.concatenate([half, (half * [-1, 1])[-2:0:-1]])
    points = np.zeros((STATIONS, len(ring), 3))
    points[..., 0] = ((place - 0.5) * style.length)[:, None]
    points[..., 1] = under[:, None] + (top - under)[:, None] * ring[None, :, 1]
    points[..., 2] = half_width(car, place)[:, None] * ring[None, :, 0]
    points = np.concatenate([_cap(points[0], -1)[::-1], points, _cap(points[-1], 1)])

    def keep(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
        if style.bed is None:
            return np.ones(len(row), np.bool_)
        begin, end = ((edge - 0.5) * style.length for edge in style.bed)
        x = points[row, 0, 0]
        kept: NDArray[np.bool_] = ~((x > begin) & (x < end) & (column >= 9) & (column <= 14))
        return kept

    return sheet(points, Material.BODY, closed=True, keep=keep)


def _cap(end: Array, sign: int) -> Array:
    """Return the sections that close an end of the body, from the outermost ring inwards."""
    middle = np.array([end[0, 0], (end[:, 1].min() + end[:, 1].max()) / 2, 0.0])
    steps = ((0.94, 0.025), (0.75, 0.04), (0.4, 0.05), (0.0, 0.052))
    return np.stack(
        [middle + (end - middle) * size + np.array([sign * out, 0, 0]) for size, out in steps]
    )


def _cabin(car: Car) -> Mesh:
    style = car.style
    curve = np.array(rounded(style.roof, 2))
    # A last station without height at either end closes the cabin there.
    curve = np.concatenate([curve[:1] * [1, 0], curve, curve[-1:] * [1, 0]])
    place, roof = curve[:, 0].copy(), curve[:, 1]
    belt = _heights(style.deck, place) - 0.05
    height = np.maximum(roof - belt, 0.0)
    base = 0.955 * half_width(car, place)
    rounding = np.minimum(height / 0.35, 1.0)
    # Up the side, round the edge of the roof, across to the middle.
    side = [
        (base - style.lean * height * share, belt + height * share)
        for share in (0.0, 0.25, 0.5, 0.72, 0.86)
    ]
    edge = base - style.lean * height
    side += [(edge + 0.012 * rounding, belt + 0.94 * height)]
    side += [(edge - 0.05 * rounding, belt + 0.985 * height)]
    side += [
        (edge * share - 0.05, belt + height * (1 + 0.02 * (1 - share)))
        for share in (0.8, 0.5, 0.25)
    ]
    half = np.stack([np.stack([y, z], 1) for z, y in side], 1)
    middle = np.stack([belt + height * 1.022, np.zeros(len(place))], 1)[:, None]
    outline = np.concatenate([half, middle, (half * [1, -1])[:, ::-1]], 1)
    points = np.zeros((len(place), outline.shape[1], 3))
    points[..., 0] = ((place - 0.5) * style.length)[:, None]
    points[..., 1:] = outline
    return sheet(points, Material.CABIN)


def _wheels(car: Car) -> list[Mesh]:
    style, radius = car.style, car.style.wheel_radius
    # The outer face bulges out a little; then the tread, then the hidden inner face.
    wide = 0.215
    profile = (
        (0.0, 0.01),
        (0.55, 0.0),
        (0.66, 0.022),
        (0.8, 0.03),
        (0.93, 0.02),
        (0.985, -0.02),
        (1.0, -0.05),
        (1.0, -wide + 0.03),
        (0.95, -wide),
        (0.0, -wide),
    )
    wheel = lathe([(share * radius, z) for share, z in profile], Material.WHEEL, segments=26)
    wheels = []
    for axle, place in enumerate(style.axles):
        centre = (place - 0.5) * style.length
        steering = car.steering if axle == 1 else 0.0
        outside = style.width / 2 - 0.015
        for turn, side in ((0.0, 1), (pi, -1)):
            wheels.append(wheel.moved(turn=turn + steering, by=(centre, radius, side * outside)))
    return wheels


def _mirrors(car: Car) -> list[Mesh]:
    style = car.style
    rounds = [(0.11 * sin(pi * step / 6), 0.075 * cos(pi * step / 6)) for step in range(7)]
    ball = lathe(rounds, Material.PAINT, segments=10)
    place = style.roof[-1][0] - 0.075
    spot = np.array([place])
    height = float(_heights(style.deck, spot)[0]) + 0.1
    out = float(half_width(car, spot)[0]) + 0.07
    x = (place - 0.5) * style.length
    return [ball.moved(by=(x, height, side * out)) for side in (-1, 1)]


def _bed(car: Car, bed: tuple[float, float]) -> Mesh:
    style = car.style
    begin, end = ((edge - 0.5) * style.length for edge in bed)
    floor, rail = style.clearance + 0.45, float(_heights(style.deck, np.array([0.08]))[0])
    inner = box((end - begin + 0.12, rail - floor, style.width * 0.86), Material.BED)
    # Its lid faces down, so from above one looks into it.
    return inner.moved(by=((begin + end) / 2, (rail + floor) / 2, 0)).inside_out()


def _rails(car: Car) -> list[Mesh]:
    style = car.style
    top = max(y for _, y in style.roof)
    begin, end = style.roof[3][0] + 0.05, style.roof[-3][0] - 0.04
    rail = box(((end - begin) * style.length, 0.035, 0.04), Material.TRIM)
    out = style.width / 2 * 0.955 - style.lean * (top - style.deck[4][1]) - 0.06
    x = ((begin + end) / 2 - 0.5) * style.length
    return [rail.moved(by=(x, top + 0.012, side * out)) for side in (-1, 1)]


def told_apart(
    car: Car, material: NDArray[np.uint8], at: Pixels, normal: Pixels, local: Pixels
) -> NDArray[np.uint8]:
    """Return the final material of points on the car.

    ``at`` and ``normal`` are (3, n) in the car's own axes, ``local`` (2, n).
    """
    final = material.copy()
    for kind, tell in ((Material.BODY, _tell_body), (Material.CABIN, _tell_cabin)):
        chosen = np.flatnonzero(material == kind)
        final[chosen] = tell(car, at[:, chosen], normal[:, chosen])
    chosen = np.flatnonzero(material == Material.WHEEL)
    final[chosen] = _tell_wheel(car, local[:, chosen])
    return final


def _tell_wheel(car: Car, local: Pixels) -> NDArray[np.uint8]:
    x, y = local
    square = x * x + y * y
    final = np.full(x.shape, Material.TYRE, np.uint8)
    final[square < 0.68 * 0.68] = Material.RIM
    gap = (square < 0.58 * 0.58) & (square > 0.14 * 0.14)
    for spoke in range(car.spokes):
        angle = 2 * pi * spoke / car.spokes
        along, across = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
        gap &= ~((along > 0) & (np.abs(across) < car.spoke_width * 0.7))
    final[gap] = Material.RIM_GAP
    return final


def _tell_cabin(car: Car, at: Pixels, normal: Pixels) -> NDArray[np.uint8]:
    style = car.style
    x, y, z = at
    place = car.place(x)
    belt, roof = _heights(style.deck, place), _heights(style.roof, place)
    top = max(height for _, height in style.roof)
    final = np.full(x.shape, Material.ROOF_PAINT, np.uint8)
    edge = 0.955 * half_width(car, place) - style.lean * np.maximum(y - belt, 0)
    inside = np.abs(z) < edge - 0.075
    for sign, low in ((1, 0.03), (-1, 0.1)):
        facing = (sign * normal[0] > 0.2) & (np.abs(normal[2]) < 0.75)
        screen = facing & inside & (y > belt + low - 0.03) & (y < top - 0.06)
        if sign < 0 and style.glass_from:
            screen &= np.abs(z) > 0.04
        final[screen] = Material.GLASS
    side = np.abs(normal[2]) > 0.6
    window = side & (y > belt + 0.015) & (y < roof - 0.075) & (place > style.glass_from)
    window &= place > style.roof[0][0] + 0.05
    final[window] = Material.GLASS
    for pillar in style.pillars:
        final[window & (np.abs(x - (pillar - 0.5) * style.length) < 0.035)] = Material.TRIM
    strip = side & (y > belt - 0.012) & (y <= belt + 0.015)
    final[strip] = Material.CHROME if car.chrome else Material.TRIM
    return final


def _tell_body(car: Car, at: Pixels, normal: Pixels) -> NDArray[np.uint8]:
    style = car.style
    x, y, z = at
    place = car.place(x)
    deck = _heights(style.deck, place)
    final = np.full(x.shape, Material.PAINT, np.uint8)
    _tell_doors(car, final, x, y, normal, deck)
    _tell_front(car, final, x, y, z, normal)
    _tell_rear(car, final, x, y, z, normal)
    final[y < style.clearance + car.plastic_below] = Material.TRIM
    radius = style.wheel_radius
    for axle in style.axles:
        across, up = x - np.float32((axle - 0.5) * style.length), y - np.float32(radius)
        square = across * across + up * up
        outer = np.abs(z) > 0.55 * style.width / 2
        if car.plastic_below > 0.06:
            final[outer & (square < (1.32 * radius) ** 2)] = Material.TRIM
        final[outer & (square < (1.17 * radius) ** 2)] = Material.UNDERBODY
    final[normal[1] < -0.75] = Material.UNDERBODY
    return final


def _tell_doors(
    car: Car, final: NDArray[np.uint8], x: Pixels, y: Pixels, normal: Pixels, deck: Pixels
) -> None:
    style = car.style
    side = (np.abs(normal[2]) > 0.6) & (y > style.clearance + 0.12) & (y < deck - 0.02)
    for seam in style.seams:
        offset = x - np.float32((seam - 0.5) * style.length)
        final[side & (np.abs(offset) < 0.009)] = Material.SEAM
        handle = (offset > 0.06) & (offset < 0.22) & (np.abs(y - deck + 0.14) < 0.016)
        if seam != style.seams[-1]:
            final[side & handle] = Material.CHROME if car.chrome else Material.SEAM
    first, last = style.seams[0], style.seams[-1]
    along = (x > (first - 0.5) * style.length) & (x < (last - 0.5) * style.length)
    low = np.abs(y - np.float32(style.clearance + 0.125)) < 0.008
    final[side & along & low] = Material.SEAM


def _tell_front(
    car: Car, final: NDArray[np.uint8], x: Pixels, y: Pixels, z: Pixels, normal: Pixels
) -> None:
    style = car.style
    lamp = style.deck[-3][1]  # the nose, where the bonnet begins to fall
    wide, ahead = np.abs(z) / np.float32(style.width / 2), x - np.float32(car.half_length)
    grille = (normal[0] > 0.35) & (wide < 0.5) & (y < lamp - 0.06) & (y > lamp - 0.27)
    final[grille & (ahead > -0.2)] = Material.GRILLE
    if car.chrome:
        final[grille & (ahead > -0.2) & (y > lamp - 0.085)] = Material.CHROME
    intake = (normal[0] > 0.35) & (wide < 0.72) & (y < style.clearance + 0.25) & (ahead > -0.2)
    final[intake] = Material.GRILLE
    lights = (wide > 0.52) & (y < lamp - 0.02 - 0.1 * (1 - wide)) & (y > lamp - 0.17 + 0.04 * wide)
    final[lights & (ahead > -0.36) & (normal[1] < 0.93)] = Material.HEADLIGHT
    plate = (normal[0] > 0.5) & (wide < 0.29) & (np.abs(y - lamp + 0.36) < 0.055)
    final[plate & (ahead > -0.2)] = Material.PLATE


def _tell_rear(
    car: Car, final: NDArray[np.uint8], x: Pixels, y: Pixels, z: Pixels, normal: Pixels
) -> None:
    style = car.style
    top = style.deck[2][1]
    wide, behind = np.abs(z) / np.float32(style.width / 2), -np.float32(car.half_length) - x
    rear = (normal[0] < -0.3) & (behind > -0.3)
    lights = (wide > 0.56) & (y < top - 0.06) & (y > top - 0.24) & (behind > -0.24)
    final[lights] = Material.TAILLIGHT
    final[rear & (wide < 0.29) & (np.abs(y - top + 0.3) < 0.055)] = Material.PLATE
    final[rear & (wide < 0.75) & (np.abs(y - style.clearance - 0.36) < 0.009)] = Material.SEAM
    final[rear & (y < style.clearance + 0.24)] = Material.TRIM
