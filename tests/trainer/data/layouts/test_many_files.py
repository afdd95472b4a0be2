"""What it takes to find the pairs grows as the number of files, not as its square."""

import cProfile
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from trainer.data.layouts import open_collection
from trainer.data.layouts.joining import join

NAMES: dict[str, Callable[[int], tuple[str, str]]] = {
    "folders": lambda i: (f"images/{i:04d}.png", f"masks/{i:04d}.png"),
    "affixes": lambda i: (f"images/scan_{i:04d}.png", f"masks/scan_{i:04d}_mask.png"),
    "numbers": lambda i: (f"images/photo{i:04d}.png", f"masks/label{i:04d}.png"),
    "one folder": lambda i: (f"{i:04d}.png", f"{i:04d}_mask.png"),
    "suffixes": lambda i: (f"{i:04d}.jpg", f"{i:04d}.png"),
    "cases": lambda i: (f"case{i:04d}/image.png", f"case{i:04d}/mask.png"),
    "patients": lambda i: (f"p{i // 10:04d}/images/{i}.png", f"p{i // 10:04d}/masks/{i}.png"),
    "splits": lambda i: tuple(  # type: ignore[return-value]
        f"{('train', 'val', 'test')[i % 3]}/{kind}/{i:04d}.png" for kind in ("images", "masks")
    ),
    "widows": lambda i: (f"images/{i:04d}.png", f"masks/{i + i % 2 * 5000:04d}.png"),
}


def drawn(root: Path, name: str, count: int) -> Path:
    """Draw so many images, none like another, with their masks."""
    for number in range(count):
        noise = Image.frombytes("RGB", (4, 4), Random(number).randbytes(48))
        mask = Image.new("L", (4, 4))
        mask.paste(255, (2, 0, 4, 4))
        for path, picture in zip(NAMES[name](number), (noise, mask), strict=True):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            picture.save(root / path)
    return root


def calls(root: Path) -> int:
    profile = cProfile.Profile()
    profile.runcall(open_collection, root)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_eight_times_the_files_are_less_than_eight_times_the_calls(
    tmp_path: Path, name: str
) -> None:
    few, many = (calls(drawn(tmp_path / str(n), name, n)) for n in (80, 640))
    # A part is the same, that looks at a few masks; a part that is a square shows at once.
    assert many < 8 * few


@pytest.mark.parametrize("suffix", ["", "_mask", "_b"])
def test_sixteen_times_the_names_take_nowhere_near_the_square_of_it(suffix: str) -> None:
    """Calls do not tell what a comparison of everything with everything within C costs.

    Seconds do, on any machine: 16 times as many are what is wanted, and 256 times a square.
    """

    def seconds(count: int) -> float:
        images = [Path(f"images/{number}.png") for number in range(count)]
        masks = [Path(f"masks/{number}{suffix}.png") for number in range(count)]
        taken = []
        for _ in range(3):
            began = time.process_time()
            assert len(join(images, masks).pairs) == count
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(16_000) < 64 * seconds(1000)
