"""Small files that tell of huge images are refused before memory is taken."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.lib import format as npy
from PIL import Image

from tests.reliability.peaks import outcomes

SIDE = 60_000


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png(side: int, *, bits: int, kind: int, pixels: bytes, more: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def patched(format_name: str, old: bytes, new: bytes) -> bytes:
    """Return a small image of 513 x 513 whose header tells of another size."""
    buffer = io.BytesIO()
    Image.new("RGB", (513, 513)).save(buffer, format_name)
    assert old in buffer.getvalue()
    return buffer.getvalue().replace(old, new)


def array(side: int) -> bytes:
    buffer = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (side, side, 3)}
    npy.write_array_header_1_0(buffer, shape)
    return buffer.getvalue()


def deep(suffix: str) -> bytes:
    """Return an image of zeros, 3 bands of 64 bits, of which the header tells of 1.5 GB."""
    buffer = io.BytesIO()
    if suffix == "tif":
        tifffile.imwrite(
            buffer, np.zeros((64, 64, 3)), photometric="rgb", compression="zlib", rowsperstrip=64
        )
        content = buffer.getvalue()
        for tag in (256, 257):  # width and height
            old = struct.pack("<HHII", tag, 4, 1, 64)
            assert content.count(old) == 1
            content = content.replace(old, struct.pack("<HHII", tag, 4, 1, 8000))
        return content
    npy.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (8000, 8000, 3)}
    )
    return buffer.getvalue()


def archive() -> bytes:
    """Return 432 MB of zeros in an archive of less than one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("arr_0.npy", array(12_000) + bytes(3 * 12_000**2))
    return buffer.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "header.png": lambda: png(SIDE, bits=8, kind=2, pixels=zlib.compress(b"")),
    "zeros.png": lambda: png(30_000, bits=1, kind=0, pixels=zlib.compress(bytes(3751 * 30_000))),
    "header.jpg": lambda: patched(
        "JPEG", struct.pack(">HH", 513, 513), struct.pack(">HH", SIDE, SIDE)
    ),
    "header.gif": lambda: patched(
        "GIF", struct.pack("<HH", 513, 513), struct.pack("<HH", SIDE, SIDE)
    ),
    "header.bmp": lambda: patched(
        "BMP", struct.pack("<ii", 513, 513), struct.pack("<ii", SIDE, SIDE)
    ),
    "header.tif": lambda: patched("TIFF", struct.pack("<I", 513), struct.pack("<I", SIDE)),
    "header.webp": lambda: (
        b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0)
        + (SIDE - 1).to_bytes(3, "little") * 2
    ),
    "header.ppm": lambda: b"P6\n%d %d\n255\n" % (SIDE, SIDE),
    "header.tga": lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, SIDE, SIDE, 24, 0),
    "header.npy": lambda: array(SIDE),
    "deep.tif": lambda: deep("tif"),
    "deep.npy": lambda: deep("npy"),
    "zeros.npz": archive,
}  # fmt: skip
PREPARED = """
from trainer.data.collection import MaskCoding
from trainer.data.files.maskfile import look_at_mask
from trainer.data.files.reading import read_image, read_mask
from dashboard.predict.uploads import read_upload
from trainer.evaluation.samples import read_samples
import numpy, tifffile
from PIL import Image
Image.init()
BINARY = MaskCoding(values={{0: 0, 255: 1}})
warm = Path(sys.argv.pop(1))
read_image(warm), read_mask(warm, BINARY), look_at_mask(warm)
read_upload("warm.png", warm.read_bytes())
""".replace("{{", "{").replace("}}", "}")
READERS = {
    "an image": "read_image(path)",
    "a mask": "read_mask(path, BINARY)",
    "a mask looked at": "look_at_mask(path)",
    "an upload": "read_upload(path.name, path.read_bytes())",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bombs")
    for name, content in FILES.items():
        (made / name).write_bytes(content())
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(made / "warm.png")
    return made


@pytest.mark.parametrize("reader", READERS)
def test_a_huge_image_in_a_small_file_is_refused_before_memory_is_taken(
    folder: Path, reader: str
) -> None:
    paths = [folder / name for name in FILES]
    assert max(path.stat().st_size for path in paths) < 2**20
    found = outcomes(PREPARED, READERS[reader], [folder / "warm.png", *paths])
    assert [outcome.name for outcome in found] == list(FILES)
    for outcome in found:
        assert not outcome.said.startswith("taken"), outcome
        assert outcome.name in outcome.said, outcome
        assert "\n" not in outcome.said, outcome
        assert outcome.mib < 30, outcome


def test_a_sample_strip_of_a_sent_store_is_bounded_too(folder: Path, tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("header.png", "zeros.png", "header.jpg", "header.tif")]
    for run in runs:
        run.mkdir()
        (run / "index.json").write_text('{"names": ["a"], "sizes": [[1, 1]], "classes": []}')
        (run / "images.png").write_bytes((folder / run.name).read_bytes())
        (run / "targets.png").write_bytes((folder / "warm.png").read_bytes())
    # What a page takes for damage, as it takes a file that is cut off.
    tried = "refused_or(read_samples, path)"
    prepared = (
        PREPARED
        + """
def refused_or(read, path):
    try:
        return read(path)
    except OSError as error:
        raise ValueError(error) from error
"""
    )
    found = outcomes(prepared, tried, [folder / "warm.png", *runs])
    assert len(found) == len(runs)
    for outcome in found:
        assert not outcome.said.startswith("taken"), outcome
        assert outcome.mib < 30, outcome


SOUND = 5000  # pixels a side
WIDE = {
    "looked at": "look_at_mask(path)",
    "values": "read_mask(path, MaskCoding(values={0: 0, 7: 1}))",
    "no such value": "read_mask(path, MaskCoding(values={3: 0, 7: 1}))",
    "nearest value": "read_mask(path, MaskCoding(values={3: 0, 7: 1}, nearest=True))",
    "colours": "read_mask(path, MaskCoding(colours={(0, 0, 0): 0, (7, 0, 0): 1}))",
    "no such colour": "read_mask(path, MaskCoding(colours={(3, 0, 0): 0, (7, 0, 0): 1}))",
    "nearest colour": (
        "read_mask(path, MaskCoding(colours={(3, 0, 0): 0, (7, 0, 0): 1}, nearest=True))"
    ),
}


@pytest.mark.parametrize("reader", WIDE)
def test_a_sound_mask_takes_few_bytes_a_pixel(folder: Path, tmp_path: Path, reader: str) -> None:
    mode = "RGB" if "colour" in reader else "I;16"
    path = tmp_path / "sound.png"
    Image.new(mode, (SOUND, SOUND)).save(path)
    (found,) = outcomes(PREPARED, WIDE[reader], [folder / "warm.png", path])
    assert ("unexpected label value" in found.said) == reader.startswith("no such"), found
    # Of the largest that is decoded, 89 million pixels: 1.4 GB.
    assert found.mib * 2**20 < 16 * SOUND**2, found
