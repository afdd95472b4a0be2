"""One image in many files and numbers of channels: the same array, or the file's fault."""

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from trainer.data.checking.faults import examine_pair
from trainer.data.collection import ClassInfo, Collection, ImageCoding, MaskCoding, Pair
from trainer.data.files import imagefile
from trainer.data.files.bands import count_images, count_pixels
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image, read_mask

ONCE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIDES = st.tuples(st.integers(8, 20), st.integers(8, 20))


def stacks(dtype, most=7):
    return st.tuples(SIDES, st.integers(1, most)).flatmap(
        lambda drawn: arrays(dtype, (*drawn[0], drawn[1]))
    )


def tiff(path, image, **options):
    """Write bands as a TIFF that says nothing of their meaning."""
    if image.shape[-1] > 1:
        options["planarconfig"] = "contig"
    tifffile.imwrite(path, np.squeeze(image), photometric="minisblack", **options)


@ONCE
@given(image=stacks(np.uint8))
def test_the_same_bytes_in_every_file_are_the_same_image(tmp_path, image):
    channels = image.shape[2]
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "b.npy", np.moveaxis(image, 2, 0))
    np.savez_compressed(tmp_path / "c.npz", image=image, mask=image[..., 0])
    tiff(tmp_path / "d.tif", image)
    tiff(tmp_path / "e.tif", image, compression="deflate", byteorder=">")
    names = ["a.npy", "b.npy", "c.npz", "d.tif", "e.tif"]
    if channels != 3:
        tifffile.imwrite(tmp_path / "f.tif", np.moveaxis(image, 2, 0), photometric="minisblack")
        names.append("f.tif")
    if channels <= 4:
        Image.fromarray(image[..., 0] if channels == 1 else image).save(tmp_path / "g.png")
        names.append("g.png")
    for name in names:
        read = read_image(tmp_path / name, ImageCoding(channels=channels))
        assert np.array_equal(read, image), name
        assert count_pixels(tmp_path / name) == image.shape[0] * image.shape[1]


@ONCE
@given(image=stacks(np.uint16))
def test_sixteen_bits_are_scaled_alike_in_every_file(tmp_path, image):
    coding = ImageCoding(channels=image.shape[2], value_range=(100, 4095))
    expected = np.rint((image.astype(float).clip(100, 4095) - 100) * (255 / 3995))
    np.save(tmp_path / "a.npy", image)
    tiff(tmp_path / "b.tif", image)
    tiff(tmp_path / "c.tif", image, compression="lzw")
    tiff(tmp_path / "d.tif", image.astype(np.float32), predictor=True, compression="deflate")
    tiff(tmp_path / "e.tif", image.astype(np.int32))
    names = ["a.npy", "b.tif", "c.tif", "d.tif", "e.tif"]
    if image.shape[2] == 3:
        tifffile.imwrite(tmp_path / "f.tif", image, photometric="rgb")
        names.append("f.tif")
    for name in names:
        assert np.array_equal(read_image(tmp_path / name, coding), expected), name
    whole = ImageCoding(channels=image.shape[2])
    for name in ("a.npy", "b.tif"):
        expected = np.rint(image * (255 / 65_535))
        assert np.array_equal(read_image(tmp_path / name, whole), expected), name


@ONCE
@given(labels=arrays(np.uint8, SIDES))
def test_the_same_labels_in_every_file_are_the_same_mask(tmp_path, labels):
    coding = MaskCoding(values={value: value for value in range(256)})
    np.save(tmp_path / "a.npy", labels)
    np.savez(tmp_path / "b.npz", image=labels / 300, mask=labels.astype(float))
    Image.fromarray(labels).save(tmp_path / "c.png")
    for number, dtype in enumerate((np.uint8, np.int16, np.uint32, np.int64, np.float16)):
        tifffile.imwrite(tmp_path / f"{number}.tif", labels.astype(dtype))
    for path in tmp_path.iterdir():
        assert np.array_equal(read_mask(path, coding), labels), path


def test_grey_and_colour_become_each_other(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    grey = np.array(Image.fromarray(colour).convert("L"))
    Image.fromarray(colour).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", colour)
    Image.fromarray(np.dstack([colour, grey])).save(tmp_path / "c.png")
    for name in ("a.png", "b.npy", "c.png"):
        read = read_image(tmp_path / name, ImageCoding(channels=1))
        assert np.array_equal(read[..., 0], grey), name
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", grey)
    Image.merge("LA", [Image.fromarray(grey)] * 2).save(tmp_path / "c.png")
    for name in ("a.png", "b.npy", "c.png"):
        assert np.array_equal(read_image(tmp_path / name), np.dstack([grey] * 3)), name


def test_a_fourth_band_that_is_no_transparency_is_never_dropped(tmp_path):
    bands = np.random.default_rng(0).integers(0, 256, (9, 8, 4), dtype=np.uint8)
    four = ImageCoding(channels=4)
    for extra, name in enumerate(("unknown", "premultiplied", "alpha")):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, bands, photometric="rgb", extrasamples=[extra])
        if name == "unknown":
            assert np.array_equal(read_image(path, four), bands)
            with pytest.raises(UnreadableFile, match="has 4 bands, where the network sees 3"):
                read_image(path)
        else:
            assert read_image(path).shape == (9, 8, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pages_are_bands_where_they_are_as_many(tmp_path, dtype):
    pages = (np.random.default_rng(0).random((4, 9, 8)) * 255).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    coding = ImageCoding(channels=4, value_range=(0, 255))
    expected = np.rint(np.moveaxis(pages.astype(float), 0, 2))
    assert np.array_equal(read_image(tmp_path / "a.tif", coding), expected)
    first = read_image(tmp_path / "a.tif", ImageCoding(value_range=(0, 255)))
    assert np.array_equal(first, expected[..., :1].repeat(3, axis=2))
    assert [count_images(tmp_path / "a.tif", n) for n in (1, 3, 4)] == [4, 4, 1]
    with pytest.raises(UnreadableFile, match="has 1 band, where the network sees 2"):
        read_image(tmp_path / "a.tif", ImageCoding(channels=2))


def test_pages_unlike_each_other_are_no_bands(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (8, 4):
            file.write(np.full((size, size), size, np.uint8))
    assert count_images(tmp_path / "a.tif", 2) == 2
    with pytest.raises(UnreadableFile, match="has 1 band, where the network sees 2"):
        read_image(tmp_path / "a.tif", ImageCoding(channels=2))
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        for level in (8, 4, 2):  # slices as likely as colours
            file.write(np.full((9, 9), level, np.uint8))
    assert (read_image(tmp_path / "b.tif") == 8).all()
    assert count_images(tmp_path / "b.tif", 3) == 3


def test_what_is_not_read_of_a_stack_is_told(tmp_path):
    tiff(tmp_path / "a.tif", np.zeros((4, 9, 8, 5)))
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "m.png")
    pair = Pair(name="a", image=tmp_path / "a.tif", mask=tmp_path / "m.png", group="a")
    data = Collection(
        root=tmp_path,
        layout="folders",
        pairs=(pair,),
        classes=(ClassInfo(name="background", colour=(0, 0, 0)),),
        coding=MaskCoding(values={0: 0}),
        image_coding=ImageCoding(channels=5),
    )
    told = [fault.problem for fault in examine_pair(pair, data).faults if not fault.refuses]
    assert "holds 4 images, of which only the first is read" in told


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bands", [4, 3])
def test_a_tiff_that_pillow_does_not_read_is_turned_upright_too(tmp_path, orientation, bands):
    stored = np.random.default_rng(0).integers(0, 65_536, (6, 9, bands), dtype=np.uint16)
    tag = (274, "H", 1, orientation, True)
    coding = ImageCoding(channels=bands, value_range=(0, 65_535))
    tiff(tmp_path / "a.tif", stored, extratags=[tag])
    expected = [  # by Pillow, band by band
        read_image(page, ImageCoding(channels=1, value_range=(0, 65_535)))
        for band in range(bands)
        if (page := tmp_path / f"{band}.tif")
        and not tifffile.imwrite(page, stored[..., band], extratags=[tag])
    ]
    assert np.array_equal(read_image(tmp_path / "a.tif", coding), np.concatenate(expected, axis=2))


def test_a_tiff_of_many_bands_is_measured_before_it_is_read(tmp_path, monkeypatch):
    tiff(tmp_path / "a.tif", np.zeros((30, 30, 5), np.float32))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda self: pytest.fail("was decoded"))
    monkeypatch.setattr(imagefile, "MAX_PIXELS", 899)
    with pytest.raises(UnreadableFile, match="has 30 x 30 pixels; at most 899 are decoded"):
        read_image(tmp_path / "a.tif", ImageCoding(channels=5))
    monkeypatch.setattr(imagefile, "MAX_PIXELS", 900)
    with pytest.raises(UnreadableFile, match="30 x 30 pixels of 5 bands; at most 2,700 values"):
        read_image(tmp_path / "a.tif", ImageCoding(channels=5))


def test_a_compression_that_is_not_installed_is_named(tmp_path, monkeypatch):
    tiff(tmp_path / "a.tif", np.zeros((30, 30, 5), np.float32), compression="lzw")

    def absent(self, maxworkers=1):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", absent)
    with pytest.raises(UnreadableFile, match=r"with LZW .* pip install 'segscope\[tiff\]'"):
        read_image(tmp_path / "a.tif", ImageCoding(channels=5))


def test_bits_that_are_not_read_are_not_given_a_range(tmp_path):
    deep = np.random.default_rng(0).integers(0, 4096, (9, 8, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    assert np.array_equal(read_image(tmp_path / "a.png"), deep[..., ::-1] >> 8)
    with pytest.raises(UnreadableFile, match=r"16 bits a colour, .* as a TIFF for --value-range"):
        read_image(tmp_path / "a.png", ImageCoding(value_range=(0, 4095)))
    cv2.imwrite(str(tmp_path / "b.png"), deep[..., 0])
    read = read_image(tmp_path / "b.png", ImageCoding(channels=1, value_range=(0, 4095)))
    assert np.array_equal(read, np.rint(deep[..., :1] * (255 / 4095)))
