"""Images, targets and predictions drawn from simple shapes, and the files that describe them."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 96, 144
VOID = 255
BINARY = (("background", (0, 0, 0)), ("object", (230, 159, 0)))
STREET = (
    ("background", (90, 90, 90)),
    ("building", (0, 114, 178)),
    ("tree", (0, 158, 115)),
    ("car", (204, 121, 167)),
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A validation image: RGB ``(96, 144, 3)``, its target ``(96, 144)``, and how hard it is."""

    name: str
    image: np.ndarray
    target: np.ndarray
    difficulty: float


@lru_cache
def draw_scenes(count: int, num_classes: int, seed: int) -> list[Scene]:
    """Return ``count`` scenes; every fourth is dark, which is what a dip falls on."""
    rng = np.random.default_rng(seed)
    return [_scene(number, num_classes, rng) for number in range(count)]


def _scene(number: int, num_classes: int, rng: np.random.Generator) -> Scene:
    dark = number % 4 == 3
    target = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(target)
    for index in range(1, num_classes):
        for _ in range(1 if num_classes == 2 else 2):
            x, y = rng.integers(10, WIDTH - 60), rng.integers(10, HEIGHT - 45)
            width, height = rng.integers(30, 58), rng.integers(22, 44)
            box = (int(x), int(y), int(x + width), int(y + height))
            (draw.rectangle if index == 1 and num_classes > 2 else draw.ellipse)(box, fill=index)
    labels = np.asarray(target).copy()
    if num_classes > 2:
        labels[:3] = VOID
    shade = rng.integers(60, 230, (num_classes, 3)) // (3 if dark else 1)
    image = shade[np.where(labels == VOID, 0, labels)] + rng.normal(0, 9, (HEIGHT, WIDTH, 3))
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    difficulty = 1.8 if dark else float(rng.uniform(0.5, 1.2))
    return Scene(name=f"scene_{number:03d}", image=pixels, target=labels, difficulty=difficulty)


def predict(scene: Scene, error: float, *, dip: bool, rng: np.random.Generator) -> np.ndarray:
    """Return the target spoilt by about ``error`` (0 to 1); a dip empties the dark scenes."""
    labels = np.where(scene.target == VOID, 0, scene.target).astype(np.uint8)
    if dip and scene.difficulty > 1.5:
        keep = rng.random(labels.shape) < 0.04
        return np.where(keep, labels, 0).astype(np.uint8)
    amount = error * scene.difficulty
    # Each scene errs in a direction of its own, so that curves are smooth but for the dips.
    angle = sum(scene.name.encode()) + rng.normal(0, 0.2)
    length = 1 + 16 * amount
    shift = np.round([length * np.sin(angle), length * np.cos(angle)]).astype(int)
    moved = np.roll(labels, tuple(shift), (0, 1))
    size = 2 * round(4 * amount) + 1
    if size > 1:
        grows = len(scene.name) + scene.target[0, 0] % 2
        moved = (cv2.erode, cv2.dilate)[int(grows) % 2](moved, np.ones((size, size), np.uint8))
    return moved


def count_pixels(predicted: np.ndarray, target: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix ``(num_classes, num_classes)``, rows are targets, void out."""
    counted = target != VOID
    flat = target[counted].astype(int) * num_classes + predicted[counted]
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
