"""Curves over epochs as SVG: sharp on paper, readable in either theme, without a script."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweeps.reporting.elements import Element, element
from trainer.palette import curve_style

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 40
DASHES = {"solid": "none", "dash": "7 4", "dot": "2 3"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A configuration's curve: ``scores`` of each epoch (rows) and seed; epochs of its dips."""

    label: str
    scores: pd.DataFrame
    dips: Sequence[int] = ()


def curves(lines: Sequence[Line], *, y: str) -> Element:
    """Return the mean over seeds of each line, the range over them shaded, dips ringed."""
    known = [line.scores.to_numpy(dtype=float) for line in lines if line.scores.size]
    if not known or not np.isfinite(values := np.concatenate([k.ravel() for k in known])).any():
        return element("p", "No epoch has a score.")
    epochs = sorted({int(epoch) for line in lines for epoch in line.scores.index})
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    air = 0.04 * (high - low) or 0.01
    plane = _Plane(x=(epochs[0], max(epochs[-1], epochs[0] + 1)), y=(low - air, high + air))
    drawn = [each for at, line in enumerate(lines) for each in _line(line, at, plane)]
    figure = element(
        "svg",
        *plane.axes(y),
        *drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{y} by epoch",
    )
    return element("figure", figure, _legend(lines))


@dataclass(frozen=True, kw_only=True)
class _Plane:
    """The ranges of both axes, and where their values lie in the picture."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
        )

    def axes(self, y: str) -> list[Element]:
        made: list[Element] = []
        steps, digits = _ticks(*self.y, 6)
        for tick in steps:
            left, height = self.at(self.x[0], tick)
            ends = {"x1": left, "x2": WIDTH - RIGHT, "y1": height, "y2": height}
            made.append(element("line", class_="grid", **ends))
            made.append(_text(f"{tick:.{digits}f}", left - 8, height + 4, anchor="end"))
        for tick in _ticks(*self.x, 12, least=1.0)[0]:
            across, bottom = self.at(tick, self.y[0])
            made.append(_text(f"{tick:.0f}", across, bottom + 16))
        middle = (HEIGHT - BOTTOM + TOP) / 2
        turned = {"transform": f"translate(12 {middle}) rotate(-90)"}
        made.append(_text("epoch", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4))
        return [*made, element("g", _text(y, 0, 0), **turned)]


def _text(said: str, x: float, y: float, *, anchor: str = "middle") -> Element:
    return element("text", said, x=x, y=y, text_anchor=anchor)


def _line(line: Line, position: int, plane: _Plane) -> list[Element]:
    scores = line.scores.dropna(how="all")
    if scores.empty:
        return []
    values, epochs = scores.to_numpy(dtype=float), scores.index.to_numpy(dtype=float)
    stroke = _stroke(position)

    def points(levels: np.ndarray) -> list[tuple[float, float]]:
        return [plane.at(x, y) for x, y in zip(epochs, levels, strict=True)]

    mean = points(np.nanmean(values, axis=1))
    made = []
    if values.shape[1] > 1:
        around = points(np.nanmin(values, axis=1)) + points(np.nanmax(values, axis=1))[::-1]
        shade = {"fill": stroke["stroke"], "fill_opacity": 0.15}
        made.append(element("polygon", points=_joined(around), **shade))
    made.append(element("polyline", points=_joined(mean), fill="none", stroke_width=1.8, **stroke))
    lowest = dict(zip(scores.index, points(np.nanmin(values, axis=1)), strict=True))
    rings = [lowest[epoch] for epoch in line.dips]
    for x, y in [*rings, *mean * (len(mean) == 1)]:
        made.append(element("circle", cx=x, cy=y, r=5, class_="ring", stroke=stroke["stroke"]))
    return made


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _legend(lines: Sequence[Line]) -> Element:
    entries = []
    for position, line in enumerate(lines):
        stroke = element("line", x1=0, x2=26, y1=6, y2=6, stroke_width=2.5, **_stroke(position))
        swatch = element("svg", stroke, viewBox="0 0 26 12", width=26, height=12)
        entries.append(element("span", swatch, f" {line.label}"))
    return element("figcaption", *entries)


def _stroke(position: int) -> dict[str, str]:
    colour, dash = curve_style(position)
    return {"stroke": colour, "stroke_dasharray": DASHES[dash]}


def _ticks(low: float, high: float, most: int, least: float = 0.0) -> tuple[list[float], int]:
    """Return round values between two ends, ``most`` or fewer, and the digits that they need."""
    rough = max((high - low) / most, least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    ticks = [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]
    return ticks, max(0, -math.floor(math.log10(step)))
