"""Images and masks that are cut off anywhere, flipped, or whose headers lie."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.reliability.rubbish import assert_right, damaged, fault_of
from trainer.data.collection import MaskCoding
from trainer.data.files.maskfile import look_at_mask
from trainer.data.files.reading import read_image, read_mask

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (24, 32, 3)).astype(np.uint8)
LABELS = RANDOM.integers(0, 3, (24, 32)).astype(np.uint8)
# Of 6 x so many pixels 5 bands are still decoded.
TALL = 8_388_640
CODING = MaskCoding(values={0: 0, 1: 1, 2: 2})


def by_pillow(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def into(write: Callable[..., object], pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    write(file, pixels)
    return file.getvalue()


def palette() -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(LABELS, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(file, "PNG")
    return file.getvalue()


FILES: dict[str, bytes] = {
    "colours.png": by_pillow(COLOURS, "PNG"),
    "palette.png": palette(),
    "sixteen.png": by_pillow(LABELS.astype(np.uint16) * 1000, "PNG"),
    "one.png": by_pillow(LABELS > 1, "PNG"),
    "colours.jpg": by_pillow(COLOURS, "JPEG"),
    "plain.tif": by_pillow(COLOURS, "TIFF"),
    "lzw.tif": by_pillow(COLOURS, "TIFF", compression="tiff_lzw"),
    "bands.tif": into(tifffile.imwrite, np.dstack([COLOURS, COLOURS]).astype(np.uint16)),
    "fractions.tif": into(tifffile.imwrite, (LABELS / 7).astype(np.float32)),
    "colours.webp": by_pillow(COLOURS, "WEBP"),
    "colours.bmp": by_pillow(COLOURS, "BMP"),
    "labels.gif": by_pillow(LABELS, "GIF"),
    "colours.npy": into(np.save, COLOURS),
    "labels.npy": into(np.save, LABELS),
    "labels.npz": into(np.savez_compressed, LABELS),
}
READERS: dict[str, Callable[[Path], object]] = {
    "an image": read_image,
    "a mask looked at": look_at_mask,
    "a mask": lambda path: read_mask(path, CODING),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_image_is_read_or_told(tmp_path: Path, name: str) -> None:
    for what, read in READERS.items():
        assert_right(damaged(FILES[name], name), tmp_path / name, read, what=what)


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.float32])
@pytest.mark.parametrize("bands", [3, 5])
def test_a_mask_of_few_bytes_that_tells_of_many_pixels(
    tmp_path: Path, bands: int, kind: type[np.generic]
) -> None:
    path = tmp_path / "tall.tif"
    pixels = np.zeros((8, 6, bands), kind)
    tifffile.imwrite(
        path, pixels, compression="zlib", photometric="minisblack", planarconfig="contig"
    )
    with tifffile.TiffFile(path, mode="r+b") as file:
        for tag, value in ("ImageLength", TALL), ("RowsPerStrip", TALL), ("StripByteCounts", 0):
            file.pages.first.tags[tag].overwrite(value)
    for what in ("a mask looked at", "a mask"):
        fault = fault_of(lambda what=what: READERS[what](path), path.name)
        assert fault is None, f"{what}: {fault}"


def test_a_sound_one_is_read() -> None:
    """What is damaged above is no rubbish before."""
    for name, content in FILES.items():
        assert len(list(damaged(content, name, 5))) == 5
    with pytest.raises(AssertionError, match="KeyError"):
        assert_right([b"x"], Path("/dev/null"), lambda path: {}["nothing"], what="a bad reader")
