"""Predict: uploads and their limits, threshold, files, and the page with a real model."""

import io
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.predict import uploads
from trainer.config import TrainConfig
from trainer.data.collection import ClassInfo, ImageCoding
from trainer.prediction import registry
from trainer.prediction.predictor import Predictor
from trainer.training.fitting import fit

Open = Callable[..., AppTest]
CLASSES = [ClassInfo(name=n, colour=c) for n, c in (("background", (0, 0, 0)), ("car", (9, 8, 7)))]


def file_of(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that announces a huge image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def test_an_upload_is_read_as_rgb() -> None:
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(uploads.read_upload("a.png", file_of(image)), image)
    grey = uploads.read_upload("b", file_of(image[..., 0]))
    np.testing.assert_array_equal(grey, np.repeat(image[..., :1], 3, axis=2))


def test_an_upload_has_the_channels_of_the_model() -> None:
    bands = np.random.default_rng(0).integers(0, 255, (5, 7, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, bands)
    four = ImageCoding(channels=4)
    np.testing.assert_array_equal(uploads.read_upload("a.npy", buffer.getvalue(), four), bands)
    with pytest.raises(ValueError, match=r"a\.npy: has .* megapixels"):
        uploads.read_upload("a.npy", buffer.getvalue(), four, at_most=34)
    with pytest.raises(ValueError, match=r"^b\.png: has 3 bands, where the network sees 4"):
        uploads.read_upload("b.png", file_of(bands[..., :3]), four)


@pytest.mark.parametrize("size", [(20_000, 20_000), (7_000, 7_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"bomb\.png: has .* megapixels; this page takes 40\.0"):
        uploads.read_upload("bomb.png", bomb(*size))


def test_the_limit_of_a_model_is_told() -> None:
    content = file_of(np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="trainer predict"):
        uploads.read_upload("a.png", content, at_most=9_999)
    assert uploads.read_upload("a.png", content, at_most=10_000).shape == (100, 100, 3)
    assert uploads.most_pixels(2) == uploads.MOST_PIXELS
    assert uploads.most_pixels(21) * 21 <= uploads.MOST_LOGITS


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"no image at all", "is not an image"),
        (file_of(np.zeros((50, 50, 3), np.uint8))[:60], "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    ],
)
def test_a_broken_file_is_named_without_a_path(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as told:
        uploads.read_upload("photo.png", content)
    assert str(told.value).startswith("photo.png: ") and "segscope-" not in str(told.value)


def test_a_large_file_is_refused() -> None:
    with pytest.raises(ValueError, match="21 MiB"):
        uploads.read_upload("a.png", bytes(21 * 2**20))


def test_a_name_cannot_choose_where_the_file_is_written() -> None:
    content = file_of(np.zeros((2, 2, 3), np.uint8))
    assert uploads.read_upload("../../x.png/../..", content).shape == (2, 2, 3)


def test_the_threshold_of_one_half_cuts_as_the_model_does() -> None:
    random = np.random.default_rng(0).random(100_000, dtype=np.float32)
    edge = np.nextafter(np.float32(0.5), np.float32([0, 1]))
    probability = np.concatenate([random, edge, np.float32([0, 0.5, 1])])
    levels = uploads.grey_levels(probability)
    np.testing.assert_array_equal(uploads.thresholded(levels, 0.5), probability > 0.5)
    assert np.abs(levels / 255 - probability).max() <= 0.5 / 255 + 1e-6


def test_large_pictures_are_reduced_alike_and_maps_keep_their_classes() -> None:
    image = np.zeros((400, 300, 3), np.uint8)
    mask = np.random.default_rng(0).choice(np.uint8([0, 7, 255]), (400, 300))
    small_image, small_mask = uploads.reduced(image, 3_000), uploads.reduced(mask, 3_000)
    assert small_image.shape[:2] == small_mask.shape
    assert small_mask.size == pytest.approx(3_000, rel=0.05)
    assert set(np.unique(small_mask)) <= {0, 7, 255}
    assert uploads.reduced(mask, 120_000) is mask


def test_shares_and_files_are_exact() -> None:
    mask = np.array([[0, 1], [1, 1]], np.uint8)
    assert uploads.class_shares(mask, 3) == [(1, 0.25), (3, 0.75), (0, 0.0)]
    stored = Image.open(io.BytesIO(uploads.mask_file(mask, CLASSES)))
    assert stored.mode == "P"
    np.testing.assert_array_equal(np.array(stored), mask)
    np.testing.assert_array_equal(np.array(stored.convert("RGB"))[0, 1], [9, 8, 7])
    image = np.full((2, 2, 3), 101, np.uint8)
    painted = np.array(Image.open(io.BytesIO(uploads.overlay_file(image, mask, CLASSES))))
    np.testing.assert_array_equal(painted[0, 0], [101, 101, 101])
    np.testing.assert_array_equal(painted[0, 1], [50, 50, 49])


@pytest.fixture(scope="module")
def registered(
    cars: Path, new_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Return the folder of a store with a model named cars; do not write to it."""
    folder = tmp_path_factory.mktemp("registered")
    shutil.copyfile(new_database, folder / "mlflow.db")
    config = TrainConfig(
        data=str(cars),
        image_size=(32, 48),
        base_channels=4,
        depth=2,
        epochs=2,
        batch_size=4,
        lr=1e-2,
        val_fraction=0.25,
        samples=2,
        cache="ram",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        run_id = fit(config, progress=False).run_id
        registry.register(run_id, "cars", alias="champion")
        registry.register(run_id, "cars")
        yield folder


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "error", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def test_without_a_registered_model_the_page_says_how_to_register(
    full_store: str, open_app: Open
) -> None:
    assert "trainer register RUN_ID" in said(open_app("predict"))


def test_the_champion_is_offered_first_and_the_address_chooses(
    registered: Path, open_app: Open
) -> None:
    app = open_app("predict")
    assert app.selectbox(key="model").value == "cars/1"
    assert "@champion" in said(app) and "Drop an image" in said(app)
    assert open_app("predict", model="cars/2").selectbox(key="model").value == "cars/2"


def test_an_upload_is_predicted_as_the_model_does(
    registered: Path, open_app: Open, cars: Path, tmp_path: Path
) -> None:
    image = np.array(Image.open(sorted((cars / "train").iterdir())[0]))
    app = open_app("predict")
    app.file_uploader(key="upload").set_value(("<b>car</b>.png", file_of(image), "image/png")).run()
    assert not app.exception
    shares = app.dataframe[0].value
    mask = Predictor(registry.resolve_model("models:/cars/1", tmp_path)).predict(image)
    assert shares["pixels"].tolist() == [int((mask == 0).sum()), int((mask == 1).sum())]
    all_foreground = app.slider(key="threshold").set_value(0.0).run()
    assert all_foreground.dataframe[0].value["share"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("content", [b"", b"broken", bomb(20_000, 20_000)])
def test_an_upload_that_is_no_image_is_told(
    registered: Path, open_app: Open, content: bytes
) -> None:
    app = open_app("predict")
    app.file_uploader(key="upload").set_value(("photo.png", content, "image/png")).run()
    assert not app.exception
    assert "This image cannot be used." in said(app) and "photo.png: " in said(app)


@pytest.mark.parametrize("harm", ["weights", "config", "gone"])
def test_a_damaged_model_is_told(registered: Path, open_app: Open, harm: str) -> None:
    st.cache_resource.clear()
    folder = next(registered.rglob("artifacts/model/model.safetensors")).parent
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        if harm == "weights":
            (folder / "model.safetensors").write_bytes(b"not safetensors")
        elif harm == "config":
            (folder / "config.json").write_text('{"format": 1}')
        else:
            (folder / "model.safetensors").unlink()
        # Which of the two versions lies in the folder is MLflow's affair.
        words = [said(_uploaded(open_app("predict", model=f"cars/{n}"))) for n in (1, 2)]
        assert sum("This model cannot be loaded." in word for word in words) == 1
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def _uploaded(app: AppTest) -> AppTest:
    content = file_of(np.zeros((32, 48, 3), np.uint8))
    app.file_uploader(key="upload").set_value(("a.png", content, "image/png")).run()
    assert not app.exception
    return app
