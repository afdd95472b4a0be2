"""A real Chromium on a real server."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from trainer.tracking.places import ROOTS

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; skips where there is none."""
    found = os.environ.get("SEGSCOPE_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if found is None:
        pytest.skip("no Chromium here (install Debian's chromium, or set SEGSCOPE_CHROMIUM)")
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@dataclass
class Served:
    """A dashboard that runs on a store."""

    address: str
    store: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.store}/mlflow.db"


@pytest.fixture(scope="session")
def served(drawn_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a copy of the made-up store's database, which the journeys may change."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(drawn_store / "mlflow.db", folder / "mlflow.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    environment[ROOTS] = str(drawn_store)  # the files stay where they were drawn
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield Served(f"http://127.0.0.1:{port}", folder)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert process.poll() is None, "the dashboard ended at once"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise AssertionError(f"{address} did not answer within a minute")


@dataclass
class Visit:
    """A page in the browser and what it asked for."""

    page: Page
    address: str
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> Page:
        """Go to a path of the dashboard and wait until it has drawn."""
        self.page.goto(f"{self.address}/{path}")
        return self.settle()

    def settle(self) -> Page:
        """Wait until no script runs."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        self.page.wait_for_timeout(300)
        return self.page


@pytest.fixture(autouse=True)
def drawn_files(drawn_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests themselves read the files of the served store."""
    monkeypatch.setenv(ROOTS, str(drawn_store))


@pytest.fixture(params=["light", "dark"])
def visit(browser: Browser, served: Served, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Open a browser window; fails when anything outside was asked for or a script failed."""
    yield from _visit(browser, served, request.param)


@pytest.fixture
def light_visit(browser: Browser, served: Served) -> Iterator[Visit]:
    """As `visit`, in the light theme alone."""
    yield from _visit(browser, served, "light")


def _visit(browser: Browser, served: Served, theme: str) -> Iterator[Visit]:
    size = {"width": 1280, "height": 1000}
    context = browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    found = Visit(context.new_page(), served.address)

    def note(request) -> None:  # type: ignore[no-untyped-def]
        if not request.url.startswith((served.address, "data:", "blob:")):
            found.outside.append(request.url)

    found.page.on("request", note)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("dialog", lambda dialog: found.errors.append(f"dialog {dialog.message}"))
    yield found
    context.close()
    assert not found.outside, f"asked outside: {found.outside}"
    assert not found.errors, f"scripts failed: {found.errors}"


@pytest.fixture
def screenshot(visit: Visit, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Save a screenshot where SEGSCOPE_SCREENSHOTS names a folder; nothing otherwise."""

    def save(name: str) -> None:
        folder = os.environ.get("SEGSCOPE_SCREENSHOTS")
        if folder:
            theme = request.node.callspec.params["visit"]
            Path(folder).mkdir(parents=True, exist_ok=True)
            visit.page.screenshot(path=str(Path(folder) / f"{name}-{theme}.png"))

    return save
