"""Measure how long it takes to find the pairs among many files, without decoding them.

python benchmarks/listing.py [--files 100000] [--layout folders lists …] [--profile]

Tiny images and masks are drawn into a temporary folder in several layouts, and `open_collection`
lists and pairs them. Seconds are of the first and the second time; "cpu" is processor time.
"""

import argparse
import cProfile
import io
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from PIL import Image

from trainer.data.layouts import open_collection

Names = Callable[[int], tuple[str, str]]


def png(drawn: Image.Image) -> bytes:
    """Return the bytes of a file."""
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def image(number: int) -> bytes:
    """Return an image that is like no other."""
    return png(Image.frombytes("RGB", (4, 4), Random(number).randbytes(48)))


def mask() -> bytes:
    """Return a mask whose right half is foreground."""
    drawn = Image.new("L", (4, 4))
    drawn.paste(255, (2, 0, 4, 4))
    return png(drawn)


def write(root: Path, files: Iterator[tuple[str, bytes]]) -> None:
    """Write files below ``root``."""
    made: set[str] = set()
    for name, content in files:
        path = root / name
        if (folder := name.rpartition("/")[0]) not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(folder)
        path.write_bytes(content)


# The names of the image and the mask of a pair.
LAYOUTS: dict[str, Names] = {
    "folders": lambda i: (f"images/{i:06d}.png", f"masks/{i:06d}.png"),
    "affixes": lambda i: (f"images/scan_{i:06d}.png", f"masks/scan_{i:06d}_mask.png"),
    "numbers": lambda i: (f"images/photo{i:06d}.png", f"masks/label{i:06d}.png"),
    "one-folder": lambda i: (f"{i:06d}.png", f"{i:06d}_mask.png"),
    "suffixes": lambda i: (f"{i:06d}.jpg", f"{i:06d}.png"),
    "cases": lambda i: (f"case{i:06d}/image.png", f"case{i:06d}/mask.png"),
    "patients": lambda i: (f"p{i // 100:04d}/images/{i}.png", f"p{i // 100:04d}/masks/{i}.png"),
    "splits": lambda i: (f"{part(i)}/images/{i:06d}.png", f"{part(i)}/masks/{i:06d}.png"),
    "lists": lambda i: (f"images/{i:06d}.png", f"masks/{i:06d}.png"),
}


def part(number: int) -> str:
    """Return the split of a pair."""
    return ("train", "train", "train", "val", "test")[number % 5]


def draw(root: Path, layout: str, pairs: int) -> None:
    """Write ``pairs`` images and masks in a layout of `LAYOUTS`."""
    names, one_mask = LAYOUTS[layout], mask()
    both = (zip(names(i), (image(i), one_mask), strict=True) for i in range(pairs))
    write(root, (file for pair in both for file in pair))
    if layout == "lists":
        for split in ("train", "val", "test"):
            listed = (f"{i:06d}" for i in range(pairs) if part(i) == split)
            (root / f"{split}.txt").write_text("\n".join(listed), encoding="utf-8")


def main() -> None:
    """Print the seconds that each layout takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--profile", action="store_true", help="print what took the time")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # What is imported late is not measured.
        draw(Path(folder), "folders", 10)
        open_collection(Path(folder))
    print(f"{args.files:,} files: {'':10} {'first':>8} {'again':>8} {'cpu':>8}   s")
    for layout in args.layout:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            draw(root, layout, args.files // 2)
            walls = []
            for _ in range(2):
                wall, cpu = time.perf_counter(), time.process_time()
                collection = open_collection(root)
                walls.append(time.perf_counter() - wall)
                cpu = time.process_time() - cpu
            assert len(collection.pairs) == args.files // 2 and not collection.faults
            print(f"{layout:<24} {walls[0]:8.1f} {walls[1]:8.1f} {cpu:8.1f}", flush=True)
            if args.profile:
                with cProfile.Profile() as profile:
                    open_collection(root)
                pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


if __name__ == "__main__":
    main()
