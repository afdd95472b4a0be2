"""Take the README's pictures of the dashboard from the current store, such as the demo's.

    make demo DEMO_SERVE=0 && .venv/bin/python scripts/pictures.py

Needs Chromium (Debian's package, or SEGSCOPE_CHROMIUM). Writes docs/images/*.png.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from trainer.tracking import reading

IMAGES = Path(__file__).parent.parent / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDTH, LOW, HIGH, TALL = 1280, 640, 800, 1250


def main() -> None:
    """Serve the store, visit the pages, save what they look like."""
    chromium = os.environ.get("SEGSCOPE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("pictures: no Chromium here; install it or set SEGSCOPE_CHROMIUM")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "dashboard", "--port", str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for name, (path, theme, height) in pictures().items():
                size = {"width": WIDTH, "height": height}
                page = browser.new_context(viewport=size, color_scheme=theme).new_page()
                take(page, f"http://127.0.0.1:{port}/{path}", IMAGES / f"{name}.png")
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)


def pictures() -> dict[str, tuple[str, str, int]]:
    """Return each picture's address, theme and height in pixels by its name."""
    runs = reading.list_runs()
    trained = runs[runs["metrics.val/dice"].notna() & ~runs["archived"]]
    best = trained["metrics.best/val_dice"].sort_values(ascending=False).index
    shakiest = trained["metrics.stability/max_drawdown"].idxmax()
    return {
        "runs": ("?order=Best+Dice", "light", LOW),
        "curves": (f"curves?runs={','.join(trained.index[:6])}", "light", HIGH),
        "samples": (f"run?run={best[0]}&part=Samples", "dark", HIGH),
        "dip": (f"dip?run={shakiest}", "light", TALL),
        "compare": (f"compare?runs={best[0]},{best[1]}", "light", HIGH),
    }


def take(page: Page, address: str, path: Path) -> None:
    """Save what the page shows once it has drawn everything."""
    page.goto(address)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(2500)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(path))


def wait_for(address: str) -> None:
    """Return once the server answers."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise SystemExit(f"pictures: {address} did not answer")


if __name__ == "__main__":
    main()
