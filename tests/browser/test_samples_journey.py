"""In a real Chromium: from a run's dip to its images, and an upload to its mask."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from dashboard.pictures.strips import beside_where_stored, images_beside
from dashboard.predict.uploads import grey_levels, thresholded
from tests.dashboard.errors import error_codes, paint_errors
from trainer.config import TrainConfig
from trainer.data.collection import ClassInfo
from trainer.data.painting import lay_over
from trainer.evaluation.samples import read_predictions, read_samples, read_worst
from trainer.prediction import registry
from trainer.prediction.predictor import Predictor
from trainer.tracking import get_run
from trainer.training.fitting import fit

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
PATIENCE = 60_000

DRAWN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from build_store import insert_runs
from drawn_store import scene_run
from tests.dashboard.errors import error_codes, paint_errors
from trainer.config import TrainConfig
rng = np.random.default_rng(5)
config = TrainConfig(lr=1e-4, epochs=12, data="carvana")
run = scene_run(config, "completed", start=1_700_000_000_000, rng=rng, dips=(8,))
insert_runs(sys.argv[2], [run])
print(run.run_id)
"""


@dataclass(frozen=True)
class Served:
    """A dashboard that listens, and what its store holds."""

    address: str
    run_id: str
    image: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cars: Path) -> Iterator[Served]:
    """Serve a store with a run that dips at epoch 8, and a registered model."""
    folder = tmp_path_factory.mktemp("served")
    uri = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        command = [sys.executable, "-c", DRAWN, str(ROOT / "benchmarks"), uri]
        run_id = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ).stdout.split()[-1]
        config = TrainConfig(
            data=str(cars),
            image_size=(32, 48),
            base_channels=4,
            depth=2,
            epochs=2,
            lr=1e-2,
            batch_size=4,
            val_fraction=0.25,
            samples=2,
            cache="ram",
        )
        registry.register(fit(config, progress=False).run_id, "cars", alias="champion")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"MLFLOW_TRACKING_URI": uri},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server)
            yield Served(address, run_id, sorted((cars / "train").iterdir())[0])
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the dashboard has ended"
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the dashboard does not answer")


@dataclass
class Reader:
    """A page of the browser, and what it has sent to the server."""

    page: Any
    sent: list[object] = field(default_factory=list)

    def go(self, address: str) -> None:
        self.page.goto(address)

    def drawn(self, viewer: int = 0) -> Any:
        """Return a viewer once its pictures are drawn."""
        found = self.page.locator(".viewer").nth(viewer)
        found.locator("canvas").first.wait_for(timeout=PATIENCE)
        self.page.wait_for_function(
            "element => element.dataset.drawn", arg=found.element_handle(), timeout=PATIENCE
        )
        return found

    def pixels(self, viewer: Any, panel: int = 0) -> np.ndarray:
        """Return what a panel's canvas shows, ``(height, width, 3)``."""
        found = (
            viewer.locator("canvas")
            .nth(panel)
            .evaluate(
                "c => [c.height, c.width, Array.from("
                "c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]"
            )
        )
        return np.array(found[2], np.uint8).reshape(found[0], found[1], 4)[..., :3]

    def shows(self, viewer: Any, expected: np.ndarray) -> None:
        """Wait until the first panel's canvas shows this, and no script of the page runs."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not np.array_equal(self.pixels(viewer), expected):
            assert time.monotonic() < deadline, "the canvas shows something else"
            self.page.wait_for_timeout(100)
        self.page.wait_for_selector(
            '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE
        )

    def move(self, viewer: Any, name: str, value: float) -> None:
        """Move one of the viewer's sliders and wait until it has drawn."""
        before = viewer.evaluate("element => element.dataset.drawn")
        viewer.get_by_label(name, exact=True).evaluate(
            "(slider, value) => { slider.value = value;"
            " slider.dispatchEvent(new Event('input', { bubbles: true })) }",
            value,
        )
        self.page.wait_for_function(
            "([element, before]) => element.dataset.drawn !== before",
            arg=[viewer.element_handle(), before],
            timeout=PATIENCE,
        )


@pytest.fixture
def reader(served: Served, browser: Browser) -> Iterator[Reader]:
    """Return a fresh page; any error that the page raises fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    opened = Reader(page)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("websocket", lambda made: made.on("framesent", lambda frame: opened.sent.append(frame)))
    yield opened
    context.close()
    assert not errors


def _samples(run_id: str) -> Path:
    return Path(get_run(run_id).info.artifact_uri.removeprefix("file://")) / "samples"


def test_from_a_dip_to_its_images(served: Served, reader: Reader) -> None:
    page = reader.page
    reader.go(f"{served.address}/dip?run={served.run_id}")
    page.get_by_text("1 dip:").wait_for()
    _click_epoch(page, 5)
    page.wait_for_url("**epoch=5*")
    page.get_by_role("button", name="Epoch 8 ·").click()
    page.get_by_text("Dice at · epoch 8").wait_for()
    page.wait_for_timeout(1500)
    viewer = reader.drawn()
    names = viewer.locator("figcaption b").all_inner_texts()

    shown = reader.pixels(viewer)
    np.testing.assert_array_equal(shown, _masks_around(_samples(served.run_id), names[0], 8, 0.55))
    reader.page.wait_for_timeout(1500)
    sent = len(reader.sent)
    reader.move(viewer, "Opacity", 1.0)
    shown = reader.pixels(viewer)
    np.testing.assert_array_equal(shown, _masks_around(_samples(served.run_id), names[0], 8, 1.0))
    assert len(reader.sent) == sent  # The browser did it alone.

    page.get_by_text("Its samples at this epoch").click()
    page.wait_for_url("**/samples?**")
    page.get_by_role("tab", name="Gallery").wait_for()
    gallery = reader.drawn()
    dice = [float(t.split()[1]) for t in gallery.locator("figcaption span").all_inner_texts()]
    assert len(dice) >= 6 and dice == sorted(dice) and dice[0] < 0.5


def test_the_epochs_of_the_gallery_move_in_the_browser(served: Served, reader: Reader) -> None:
    reader.go(f"{served.address}/samples?run={served.run_id}&epoch=8")
    viewer = reader.drawn()
    names = viewer.locator("figcaption b").all_inner_texts()
    folder = _samples(served.run_id)
    strip, _ = read_samples(folder)
    place = names.index(strip.names[0])
    reader.page.wait_for_timeout(1500)
    sent = len(reader.sent)
    for epoch in (2, 12):
        reader.move(viewer, "Epoch", epoch - 1)
        predicted = read_predictions(folder, epoch)[0]
        codes = error_codes(predicted, strip.targets[0])
        expected = paint_errors(strip.images[0], codes, 0.55)
        np.testing.assert_array_equal(reader.pixels(viewer, place), expected)
    assert len(reader.sent) == sent


def test_an_upload_is_predicted(served: Served, reader: Reader, tmp_path: Path) -> None:
    page = reader.page
    reader.go(f"{served.address}/predict")
    page.get_by_text("Drop an image above").wait_for()
    page.locator("input[type=file]").set_input_files(str(served.image))
    viewer = reader.drawn()
    image = np.array(Image.open(served.image).convert("RGB"))
    predictor = Predictor(registry.resolve_model("models:/cars/1", tmp_path))
    classes = [
        ClassInfo(name=name, colour=(colour[0], colour[1], colour[2]))
        for name, colour in zip(predictor.classes, predictor.colours, strict=True)
    ]
    levels = grey_levels(predictor.probabilities(image)[1])
    thumb = page.get_by_role("slider", name="Threshold of the probability")
    for presses, threshold in ((0, 0.5), (10, 0.6), (-25, 0.35)):
        thumb.focus()
        for _ in range(abs(presses)):
            page.keyboard.press("ArrowRight" if presses > 0 else "ArrowLeft")
        wanted = thresholded(levels, threshold)
        expected = lay_over(image, wanted, classes)
        reader.shows(viewer, expected)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save the mask").click()
        assert saved.value.suggested_filename == f"{served.image.stem}_mask.png"
        np.testing.assert_array_equal(np.array(Image.open(saved.value.path())), wanted)
        if threshold == 0.5:
            np.testing.assert_array_equal(wanted, predictor.predict(image))


def _click_epoch(page: Any, epoch: int) -> None:
    """Click the point of an epoch on the curve."""
    points = page.locator(".js-plotly-plot").first.locator(".scatterlayer .trace").first
    points.locator(".point").first.wait_for()
    box = points.locator(".point").nth(epoch - 1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)


def _masks_around(folder: Path, name: str, epoch: int, opacity: float) -> np.ndarray:
    """Return what the viewer must show: the masks before, at and after, side by side."""
    strip, _ = read_samples(folder)
    epochs = (epoch - 1, epoch, epoch + 1)
    found: dict[int, Any] = {}
    if name in strip.names:
        at = strip.names.index(name)
        image, target = strip.images[at], strip.targets[at]
        found = {e: read_predictions(folder, e)[at] for e in epochs}
    else:
        for e in (epoch, epoch - 1, epoch + 1):
            worst, predicted, _ = read_worst(folder, e)
            if name in worst.names:
                at = worst.names.index(name)
                if e == epoch:
                    image, target = worst.images[at], worst.targets[at]
                found[e] = predicted[at]
    targets, masks = beside_where_stored([target] * 3, [found.get(e) for e in epochs])
    return paint_errors(images_beside([image] * 3), error_codes(masks, targets), opacity)
