"""The built-in data: cars on a studio turntable, drawn once and kept.

The folder has ``images/<object>_<view>.png``, ``masks/`` with the same names (palette PNG: 0
background, 1 car) and ``turntable.json`` with the settings. The views of one object are near
duplicates, so whoever splits the pairs splits by object. ``unseen/`` and ``unseen_masks/`` hold
one more object, twice as large, that is not part of the data set: something to predict on.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from turntable.picture import draw, random_scene, random_view
from turntable.styles import STYLES

FORMAT = 2
"""Rises when the same settings are drawn differently, so that old pictures are not mixed in."""

SETTINGS_FILE = "turntable.json"
UNSEEN_NAME = "unseen_01.png"
PALETTE = (0, 0, 0, 230, 159, 0)
UNSEEN_OBJECT = 10_000  # beyond every object number, so its seed is its own

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class TurntableSettings:
    """What is drawn. Raises ``ValueError`` naming the field, its value and the cure."""

    objects: int = 112
    views: int = 3
    height: int = 160
    width: int = 240
    seed: int = 7

    def __post_init__(self) -> None:
        limits = {"objects": (1, 9999), "views": (1, 999), "height": (16, 4096)}
        limits |= {"width": (16, 4096), "seed": (0, 2**32 - 1)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: {value} must lie in {low} to {high}")

    def names(self) -> list[str]:
        """Return the file names of the pairs, ``car01_01.png`` and so on."""
        return [
            file_name(number, view) for number in range(self.objects) for view in range(self.views)
        ]


def ensure_turntable(
    folder: Path,
    *,
    objects: int = 112,
    views: int = 3,
    height: int = 160,
    width: int = 240,
    seed: int = 7,
    progress: Progress | None = None,
) -> Path:
    """Draw the built-in data set into ``folder`` unless it is there already, and return it.

    There are ``objects`` x ``views`` pairs of ``height`` x ``width`` pixels. ``progress`` is
    called with the number of pictures drawn so far and of all. What was drawn with other settings
    is drawn anew. Processes that ask for the same folder wait for the first one, and the folder
    appears complete or not at all. Raises ``ValueError`` for a setting out of range, and when the
    folder holds files that were not drawn here.
    """
    settings = TurntableSettings(
        objects=objects, views=views, height=height, width=width, seed=seed
    )
    folder = Path(folder).absolute()
    if _is_complete(folder, settings):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if not _is_complete(folder, settings):
            _refuse_foreign_files(folder)
            with _folder_beside(folder) as unfinished:
                _draw_all(unfinished / "new", settings, progress)
                if folder.exists():
                    folder.rename(unfinished / "old")
                (unfinished / "new").rename(folder)
    return folder


def file_name(number: int, view: int) -> str:
    """Return the name of a pair's files; both are counted from 0 here and from 1 in the name."""
    return f"car{number + 1:03d}_{view + 1:02d}.png"


def _draw_all(folder: Path, settings: TurntableSettings, progress: Progress | None) -> None:
    for part in ("images", "masks", "unseen", "unseen_masks"):
        (folder / part).mkdir(parents=True)
    total, done = settings.objects * settings.views, 0
    # Threads, not processes: the work is numpy's and Pillow's, which let go of the interpreter's
    # lock, and nothing is asked of the program that calls this.
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        jobs = [
            pool.submit(_draw_object, folder, settings, number)
            for number in range(settings.objects)
        ]
        _draw_unseen(folder, settings)
        for job in as_completed(jobs):
            done += job.result()
            if progress is not None:
                progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)
    _write_settings(folder, settings)


def _draw_object(folder: Path, settings: TurntableSettings, number: int) -> int:
    """Draw all views of one object and return how many they are."""
    scene = random_scene(_generator(settings.seed, number), _style(number))
    for view in range(settings.views):
        rng = _generator(settings.seed, number, view)
        how = random_view(rng, scene, view / settings.views, settings.height, settings.width)
        image, mask = draw(scene, how, rng)
        name = file_name(number, view)
        _save(folder / "images" / name, folder / "masks" / name, image, mask)
    return settings.views


def _draw_unseen(folder: Path, settings: TurntableSettings) -> None:
    scene = random_scene(_generator(settings.seed, UNSEEN_OBJECT), "estate")
    rng = _generator(settings.seed, UNSEEN_OBJECT, 0)
    size = (2 * settings.height, 2 * settings.width)
    image, mask = draw(scene, random_view(rng, scene, 0.0, *size, whole=True), rng)
    paths = (folder / "unseen" / UNSEEN_NAME, folder / "unseen_masks" / UNSEEN_NAME)
    _save(*paths, image, mask)


def _style(number: int) -> str:
    """Return the body style of an object: each as often as the others."""
    return list(STYLES)[number % len(STYLES)]


def _generator(*key: int) -> np.random.Generator:
    # Named in full: what default_rng stands for may change with numpy.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _save(
    image_path: Path, mask_path: Path, image: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> None:
    # PNG, since a JPEG decodes to other pixels with another library; noise hardly compresses, so
    # the fastest level costs a tenth of the time and few bytes.
    Image.fromarray(image).save(image_path, compress_level=1)
    indexed = Image.fromarray(mask).convert("P")
    indexed.putpalette(PALETTE)
    indexed.save(mask_path, bits=1)


def _described(settings: TurntableSettings) -> dict[str, int]:
    return {"format": FORMAT, **asdict(settings)}


def _write_settings(folder: Path, settings: TurntableSettings) -> None:
    text = json.dumps(_described(settings), indent=2) + "\n"
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")


def _is_complete(folder: Path, settings: TurntableSettings) -> bool:
    try:
        described = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    expected = {part: set(settings.names()) for part in ("images", "masks")}
    expected |= {part: {UNSEEN_NAME} for part in ("unseen", "unseen_masks")}
    return described == _described(settings) and all(
        names <= _filled_files(folder / part) for part, names in expected.items()
    )


def _filled_files(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file() and entry.stat().st_size > 0}


def _refuse_foreign_files(folder: Path) -> None:
    """Raise ``ValueError`` rather than delete anything that was not drawn here."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder}: is a file; give a folder for the built-in data")
    drawn = re.compile(
        rf"{SETTINGS_FILE}|(images|masks|unseen|unseen_masks)(/(car\d+|unseen)_\d+\.png)?"
    )
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    foreign = sorted(path for path in paths if not drawn.fullmatch(path))
    if foreign or (paths and SETTINGS_FILE not in paths):
        found = foreign[0] if foreign else sorted(paths)[0]
        raise ValueError(
            f"{folder}: holds {found}, which is not the built-in data; give another folder"
        )


@contextmanager
def _folder_beside(folder: Path) -> Iterator[Path]:
    """Give a folder on the same disk that is gone afterwards, with what killed runs left."""
    prefix = f".{folder.name}.drawing-"
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as path:
        yield Path(path)
