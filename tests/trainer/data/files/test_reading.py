"""From a file to an array: every kind of image, and two hundred damaged files."""

import os
import time

import numpy as np
import pytest
import tifffile
from PIL import Image

from trainer.data.collection import VOID, MaskCoding, Pair
from trainer.data.files import imagefile
from trainer.data.files.maskfile import look_at_mask
from trainer.data.files.reading import UnreadableFile, read_image, read_mask, read_pair, read_target

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 10, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (6, 10), dtype=np.uint8)
BINARY = MaskCoding(values={0: 0, 255: 1})


def saved(path, array_or_image, **options):
    image = (
        array_or_image
        if isinstance(array_or_image, Image.Image)
        else Image.fromarray(array_or_image)
    )
    image.save(path, **options)
    return path


# --- images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "tga"])
def test_colours_come_as_they_are(tmp_path, suffix):
    assert np.array_equal(read_image(saved(tmp_path / f"a.{suffix}", COLOUR)), COLOUR)


def test_grey_becomes_three_equal_channels(tmp_path):
    read = read_image(saved(tmp_path / "a.png", GREY))
    assert read.dtype == np.uint8
    assert np.array_equal(read, np.stack([GREY] * 3, axis=2))


def test_a_palette_is_looked_up(tmp_path):
    indexed = Image.fromarray(GREY % 3).convert("P")
    indexed.putdata((GREY % 3).ravel().tolist())
    palette = np.array([(10, 20, 30), (200, 100, 50), (1, 2, 3)], dtype=np.uint8)
    indexed.putpalette(palette.ravel().tolist())
    assert np.array_equal(read_image(saved(tmp_path / "a.png", indexed)), palette[GREY % 3])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_by_257(tmp_path, suffix):
    deep = GREY.astype(np.uint16) * 257
    read = read_image(saved(tmp_path / f"a.{suffix}", deep))
    assert np.array_equal(read[..., 0], GREY)


def test_floating_point_from_0_to_1_is_scaled(tmp_path):
    read = read_image(saved(tmp_path / "a.tif", (GREY / 255).astype(np.float32)))
    assert np.array_equal(read[..., 1], GREY)


def test_values_on_no_scale_are_refused(tmp_path):
    deep = np.full((4, 4), 1_000_000, dtype=np.int32)
    with pytest.raises(UnreadableFile, match="8 or 16 bits"):
        read_image(saved(tmp_path / "a.tif", deep))


def test_one_bit_is_black_and_white(tmp_path):
    read = read_image(saved(tmp_path / "a.png", Image.fromarray(GREY > 127)))
    assert np.array_equal(read[..., 0], np.where(GREY > 127, 255, 0))


def test_transparency_is_dropped(tmp_path):
    rgba = np.dstack([COLOUR, GREY])
    assert np.array_equal(read_image(saved(tmp_path / "a.png", rgba)), COLOUR)
    grey_alpha = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(GREY.T.reshape(6, 10))])
    assert np.array_equal(read_image(saved(tmp_path / "b.png", grey_alpha))[..., 2], GREY)


def test_cmyk_becomes_the_colours_that_were_meant(tmp_path):
    flat = np.zeros((16, 16, 3), dtype=np.uint8)
    flat[:, :8], flat[:, 8:] = (255, 0, 0), (0, 0, 255)
    for name in ("a.tif", "a.jpg"):
        path = saved(tmp_path / name, Image.fromarray(flat).convert("CMYK"))
        assert np.abs(read_image(path).astype(int) - flat).max() <= 4, name


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_on_its_side_is_turned_pixel_by_pixel(tmp_path, orientation, compression):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, stored in {"a.png": COLOUR, "a.tif": COLOUR, "b.png": GREY, "b.tif": GREY}.items():
        options = {"compression": compression} if name.endswith("tif") else {}
        saved(tmp_path / name, stored, exif=exif, **options)
    for name in ("a", "b"):
        expected = read_image(tmp_path / f"{name}.png")
        assert np.array_equal(read_image(tmp_path / f"{name}.tif"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_orientation_is_applied_to_image_and_mask_alike(tmp_path, orientation, suffix):
    """The upright picture has a bright corner; the file is turned, and flagged so."""
    upright = np.zeros((16, 32), dtype=np.uint8)
    upright[:8, :8] = 255
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(upright)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", stored.convert("RGB"), exif=exif, **options)
    assert np.array_equal(read_image(path)[..., 0] > 127, upright > 127)
    assert np.array_equal(read_mask(path, MaskCoding(threshold=127)), upright // 255)


# --- masks ----------------------------------------------------------------------------------------


def test_a_palette_mask_is_read_by_index_not_by_colour(tmp_path):
    indexed = Image.fromarray(GREY % 2).convert("P")
    indexed.putdata((GREY % 2).ravel().tolist())
    indexed.putpalette([0, 0, 0, 255, 255, 255])
    path = saved(tmp_path / "a.gif", indexed)
    assert np.array_equal(read_mask(path, MaskCoding(values={0: 0, 1: 1})), GREY % 2)


def test_equal_channels_of_a_colour_file_are_grey_levels(tmp_path):
    path = saved(tmp_path / "a.png", np.dstack([(GREY > 9).astype(np.uint8) * 255] * 3))
    assert np.array_equal(read_mask(path, BINARY), GREY > 9)


def test_one_bit_masks_are_0_and_255_and_so_pass_any_threshold(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(GREY > 9))
    assert np.array_equal(read_mask(path, BINARY), GREY > 9)
    assert np.array_equal(read_mask(path, MaskCoding(threshold=127)), GREY > 9)


def test_sixteen_bit_labels_keep_their_values(tmp_path):
    path = saved(tmp_path / "a.png", np.where(GREY > 9, 1000, 0).astype(np.uint16))
    assert np.array_equal(read_mask(path, MaskCoding(values={0: 0, 1000: 3})), (GREY > 9) * 3)


def test_colours_and_void(tmp_path):
    stored = np.zeros((6, 10, 3), dtype=np.uint8)
    stored[0] = (1, 2, 3)
    stored[1] = (255, 255, 255)
    coding = MaskCoding(colours={(0, 0, 0): 0, (1, 2, 3): 1, (255, 255, 255): VOID})
    target = read_mask(saved(tmp_path / "a.png", stored), coding)
    assert target[:3, 0].tolist() == [1, VOID, 0]


def test_an_unexpected_value_is_named_with_its_pixels(tmp_path):
    stored = np.where(GREY > 127, 255, 0).astype(np.uint8)
    stored[0, :3] = 7
    with pytest.raises(UnreadableFile, match="unexpected label value: 7 in 3 pixels") as error:
        read_mask(saved(tmp_path / "a.png", stored), BINARY)
    assert error.value.path == tmp_path / "a.png"
    colours = MaskCoding(colours={(0, 0, 0): 0, (255, 255, 255): 1})
    with pytest.raises(UnreadableFile, match="unexpected label value: #070707 in 3 pixels"):
        read_mask(tmp_path / "a.png", colours)


def test_values_listed_in_another_order_than_their_size(tmp_path):
    deep = np.array([[500, 3, 70_000]], dtype=np.int32)
    coding = MaskCoding(values={70_000: 2, 500: 1, 3: 0})
    assert read_mask(saved(tmp_path / "a.tif", deep), coding).tolist() == [[1, 0, 2]]


def test_outside_the_field_of_view_is_void(tmp_path):
    mask = saved(tmp_path / "m.png", np.where(GREY > 9, 255, 0).astype(np.uint8))
    view = np.full((6, 10), 255, dtype=np.uint8)
    view[:, :2] = 0
    target = read_mask(mask, BINARY, saved(tmp_path / "v.gif", view))
    assert (target[:, :2] == VOID).all()
    assert np.array_equal(target[:, 2:], GREY[:, 2:] > 9)
    wrong = saved(tmp_path / "w.gif", view[:3])
    with pytest.raises(UnreadableFile, match="is 10 x 3, but its mask is 10 x 6"):
        read_mask(mask, BINARY, wrong)


def test_layers_lie_over_each_other(tmp_path):
    first, second = np.zeros((2, 6, 10), dtype=np.uint8)
    first[:3], second[2:] = 255, 255
    pair = Pair(
        name="a",
        image=saved(tmp_path / "i.png", COLOUR),
        mask=saved(tmp_path / "1.png", first),
        more_masks=(saved(tmp_path / "2.png", second),),
        group="a",
    )
    assert read_target(pair, BINARY)[:, 0].tolist() == [1] * 6
    layered = MaskCoding(values={0: 0, 255: 1}, layered=True)
    assert read_target(pair, layered)[:, 0].tolist() == [1, 1, 2, 2, 2, 2]


def test_a_pair_of_two_sizes_is_refused_and_a_turned_one_explained(tmp_path):
    image = saved(tmp_path / "i.png", COLOUR)
    turned = saved(tmp_path / "m.png", np.zeros((10, 6), dtype=np.uint8))
    pair = Pair(name="a", image=image, mask=turned, group="a")
    with pytest.raises(UnreadableFile, match=r"mask is 6 x 10, its image 10 x 6; .*orientation"):
        read_pair(pair, BINARY)


# --- damaged files --------------------------------------------------------------------------------


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", COLOUR)
    monkeypatch.setattr(imagefile, "MAX_PIXELS", 59)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("was decoded"))
    with pytest.raises(UnreadableFile, match="10 x 6 pixels; at most 59 are decoded"):
        read_image(path)


def test_a_real_bomb_is_refused_at_once(tmp_path):
    """A PNG of 50,000 x 50,000 zeros is 3 MB; decoded it would be 7.5 GB."""
    import struct
    import zlib

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes(50_001 * 10))
    body = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(body)
    started = time.monotonic()
    with pytest.raises(UnreadableFile, match="too many pixels"):
        read_image(tmp_path / "bomb.png")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"hello", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
    ],
)
def test_what_is_no_image_says_so(tmp_path, content, problem):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableFile, match=problem) as error:
        read_image(tmp_path / "a.png")
    assert str(error.value).startswith(str(tmp_path / "a.png"))


def test_what_is_no_file_says_so(tmp_path):
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_image(tmp_path / "a.png")
    with pytest.raises(UnreadableFile, match="is not a file"):
        read_image(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableFile, match="is not a file"):  # and does not wait for ever
        read_image(tmp_path / "pipe.png")


FORMATS = {
    "png": {},
    "jpg": {"quality": 80},
    "gif": {},
    "tif": {"compression": "tiff_lzw"},
    "bmp": {},
    "webp": {"quality": 80},
    "ppm": {},
    "tga": {},
    "jp2": {},
    "cmyk.jpg": {},
    "palette.png": {},
    "deep.png": {},
    "plain.tif": {},
    "bands.tif": {},
    "npy": {},
    "npz": {},
}


WRITERS = {
    "bands.tif": lambda path, image: tifffile.imwrite(path, image, compression="lzw"),
    "npy": np.save,
    "npz": np.savez_compressed,
}


def originals(folder):
    """Write one sound file of each format and return their bytes."""
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    colour = Image.fromarray(np.dstack([ramp, ramp[::-1], GREY[0, 0] + ramp]))
    found = {}
    for suffix, options in FORMATS.items():
        image = {"cmyk.jpg": colour.convert("CMYK"), "palette.png": colour.convert("P")}.get(
            suffix, colour
        )
        if suffix == "deep.png":
            image = Image.fromarray(ramp.astype(np.uint16) * 200)
        if suffix in WRITERS:
            WRITERS[suffix](folder / f"sound.{suffix}", np.dstack([ramp] * 3) * np.float32(1))
            found[suffix] = (folder / f"sound.{suffix}").read_bytes()
            continue
        found[suffix] = saved(folder / f"sound.{suffix}", image, **options).read_bytes()
    return found


def damaged(content, rng):
    """Cut a file off, or flip some of its bytes, or both."""
    kind = rng.integers(3)
    if kind != 1:
        content = content[: rng.integers(0, len(content))]
    content = bytearray(content)
    if kind != 0 and content:
        # Half of the flips fall on the header, where sizes and offsets are.
        reach = len(content) if rng.random() < 0.5 else min(64, len(content))
        for place in rng.integers(0, reach, rng.integers(1, 12)):
            content[place] = rng.integers(256)
    return bytes(content)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of the damage before it raises
def test_hundreds_of_damaged_files_never_crash_or_hang(tmp_path):
    rng = np.random.default_rng(2026)
    sound = list(originals(tmp_path).items())
    coding = MaskCoding(threshold=127)
    refused = 0
    for number in range(240):
        suffix, content = sound[number % len(sound)]
        path = tmp_path / f"{number}.{suffix}"
        path.write_bytes(damaged(content, rng))
        started = time.monotonic()
        for read in (read_image, lambda p: read_mask(p, coding), look_at_mask):
            try:
                result = read(path)
            except UnreadableFile as error:
                refused += 1
                assert error.path == path
                assert "\n" not in error.problem
            else:
                assert not isinstance(result, np.ndarray) or result.dtype == np.uint8
        assert time.monotonic() - started < 5, path
    assert refused > 240  # of 720 readings: most damage is noticed
