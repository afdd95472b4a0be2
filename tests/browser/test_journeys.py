"""The main journeys through the dashboard, in a real Chromium."""

import http.client
import time
from collections.abc import Callable

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from playwright.sync_api import Locator, Page, expect

from tests.dashboard import errors
from trainer.data.painting import lay_over
from trainer.evaluation.samples import read_predictions, read_samples
from trainer.tracking import artifacts, reading

pytestmark = pytest.mark.browser

HEADER, ROW = 38, 30


def click_row(table: Locator, row: int, x: int) -> None:
    """Click a cell of a table by its place: tables are drawn on a canvas."""
    table.click(position={"x": x, "y": HEADER + ROW * row + ROW // 2})


def run_of(uri: str, name: str) -> str:
    runs = reading.list_runs(uri)
    return str(runs.index[runs["name"] == name][0])


def test_from_the_unstable_run_to_its_images(visit, screenshot) -> None:  # type: ignore[no-untyped-def]
    page: Page = visit.open("?order=MDD")
    expect(page.get_by_text("Runs: 39 of")).to_be_visible()
    screenshot("runs")
    click_row(page.get_by_test_id("stDataFrame").first, 0, 120)
    page.wait_for_url("**/run?**")
    visit.settle()
    expect(page.get_by_text("unstable")).to_be_visible()
    screenshot("run")
    page.get_by_role("tab", name="Samples").click()
    canvas = page.locator("canvas[role=img]").first
    expect(canvas).to_be_visible()
    assert "part=Samples" in page.url
    page.get_by_label("Epoch", exact=True).fill("7")
    expect(page.get_by_text("Dice 0.").first).to_be_visible()
    screenshot("samples")


def test_a_click_on_an_epoch_takes_it_apart(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    runs = reading.list_runs(served.uri)
    run_id = runs["metrics.stability/max_drawdown"].idxmax()
    page: Page = light_visit.open(f"curves?runs={run_id}")
    third = page.locator(".scatterlayer path.point").nth(2)
    third.wait_for()
    box = third.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    page.wait_for_url("**/dip?**")
    light_visit.settle()
    assert f"run={run_id}" in page.url
    assert "epoch=3" in page.url


def test_choose_two_runs_and_compare_them(visit, screenshot) -> None:  # type: ignore[no-untyped-def]
    page: Page = visit.open("?experiment=carvana&order=Best+Dice")
    table = page.get_by_test_id("stDataFrame").first
    click_row(table, 0, 16)
    expect(page.get_by_text("1 run selected")).to_be_visible()
    visit.settle()
    click_row(page.get_by_test_id("stDataFrame").first, 17, 16)
    expect(page.get_by_text("2 runs selected")).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url("**/compare?**")
    expect(page.get_by_text("Verdict")).to_be_visible()
    expect(page.get_by_text("n = 16 images").first).to_be_visible()
    screenshot("compare")
    page.get_by_role("link", name="Curves").click()
    page.wait_for_url("**/curves?**")
    visit.settle()
    assert page.url.count("%2C") == 1, "the selection comes along in the address"
    expect(page.get_by_text("every epoch drawn, 24 points")).to_be_visible()
    screenshot("curves")


def test_a_press_on_a_header_orders_all_runs(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    page: Page = light_visit.open(
        "?experiment=carvana&columns=Headline&columns=Best&columns=MDD&order=Best"
    )
    runs = reading.list_runs(served.uri)
    drawdowns = runs["metrics.stability/max_drawdown"][runs["experiment"] == "carvana"]

    def press_last_header() -> None:
        light_visit.settle()
        table = page.get_by_test_id("stDataFrame").first
        box = table.bounding_box()
        assert box is not None
        table.click(position={"x": 0.9 * box["width"], "y": HEADER / 2})

    press_last_header()
    page.wait_for_url("**order=MDD**")
    press_last_header()
    page.wait_for_url("**direction=lowest**")
    press_last_header()
    page.wait_for_url(lambda address: "direction" not in address)
    light_visit.settle()
    click_row(page.get_by_test_id("stDataFrame").first, 0, 16)
    expect(page.get_by_text("1 run selected")).to_be_visible()
    light_visit.settle()
    assert f"runs={drawdowns.idxmax()}" in page.url
    assert "order=MDD" in page.url and "direction" not in page.url


def test_a_view_is_an_address(light_visit) -> None:  # type: ignore[no-untyped-def]
    page: Page = light_visit.open("?view=Groups&experiment=carvana&by=lr")
    expect(page.get_by_text("Mean over the runs of a group")).to_be_visible()
    page.get_by_role("radio", name="Runs", exact=True).click()
    expect(page.get_by_text("Runs: 18 of 40")).to_be_visible()
    page.reload()
    light_visit.settle()
    assert "experiment=carvana" in page.url
    expect(page.get_by_text("Runs: 18 of 40")).to_be_visible()


def test_stability_map(visit, screenshot) -> None:  # type: ignore[no-untyped-def]
    page: Page = visit.open("stability?stability_tab=Epochs")
    expect(page.get_by_text("dips ringed")).to_be_visible()
    screenshot("stability")


def test_a_hostile_name_is_only_text(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    runs = reading.list_runs(served.uri)
    hostile = runs.index[runs["name"].str.startswith("<img")][0]
    page: Page = light_visit.open(f"run?run={hostile}")
    expect(page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
    assert page.locator("img[src='x']").count() == 0
    assert page.get_by_role("link", name="link").count() == 0
    expect(page.get_by_text("<script>alert(1)</script> **not bold**").first).to_be_visible()


def canvas_pixels(canvas: Locator) -> np.ndarray:
    size = canvas.evaluate("c => [c.height, c.width]")
    data = canvas.evaluate(
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )
    return np.array(data, np.uint8).reshape(size[0], size[1], 4)[..., :3]


def wait_for_drawing(page: Page, change: Callable[[], object]) -> None:
    root = page.locator(".viewer")
    before = root.get_attribute("data-drawn")
    change()
    page.wait_for_function(
        "([root, before]) => root.dataset.drawn !== before", arg=[root.element_handle(), before]
    )


def test_the_overlay_in_the_browser_is_exact_to_the_pixel(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    run_id = run_of(served.uri, "street none")
    uri = reading.list_runs(served.uri).loc[run_id, "artifact_uri"]
    folder = artifacts.artifact_path(run_id, uri, "samples")
    assert folder is not None
    (strip, classes), predicted = read_samples(folder), read_predictions(folder, 9)
    page: Page = light_visit.open(f"run?run={run_id}&part=Samples")
    canvas = page.locator("canvas[role=img]").nth(1)
    expect(page.locator(".viewer[data-drawn]")).to_have_count(1)
    codes = errors.error_codes(predicted[1], strip.targets[1])
    expected = errors.paint_errors(strip.images[1], codes, 0.55)
    assert np.array_equal(canvas_pixels(canvas), expected)
    wait_for_drawing(page, lambda: page.get_by_label("Opacity", exact=True).fill("0.3"))
    wait_for_drawing(page, lambda: page.get_by_label("Class", exact=True).select_option("2"))
    codes = errors.error_codes(predicted[1], strip.targets[1], 2)
    assert np.array_equal(canvas_pixels(canvas), errors.paint_errors(strip.images[1], codes, 0.3))
    wait_for_drawing(page, lambda: page.get_by_label("Class", exact=True).select_option("-1"))
    wait_for_drawing(page, lambda: page.get_by_label("Show", exact=True).select_option("target"))
    expected = lay_over(strip.images[1], strip.targets[1], classes, 0.3)
    assert np.array_equal(canvas_pixels(canvas), expected)


def test_a_running_runs_new_epoch_appears_by_itself(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    run_id = run_of(served.uri, "still training")
    page: Page = light_visit.open(f"run?run={run_id}")
    expect(page.get_by_text("epoch 9 of 40")).to_be_visible()
    client = MlflowClient(served.uri)
    now = int(time.time() * 1000)
    client.log_batch(run_id, [Metric("val/dice", 0.95, now, 10), Metric("val/loss", 0.1, now, 10)])
    expect(page.get_by_text("epoch 10 of 40")).to_be_visible(timeout=10_000)


def test_a_new_run_appears_in_the_table_by_itself(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    page: Page = light_visit.open("?search=just+begun")
    expect(page.get_by_text("Runs: 0 of 40")).to_be_visible()
    client = MlflowClient(served.uri)
    run = client.create_run("1", run_name="just begun")
    expect(page.get_by_text("Runs: 1 of 41")).to_be_visible(timeout=10_000)
    client.set_terminated(run.info.run_id)
    client.delete_run(run.info.run_id)


def test_a_foreign_host_and_origin_are_turned_away(served) -> None:  # type: ignore[no-untyped-def]
    def handshake(**headers: str) -> int:
        connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=20)
        given = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        connection.request("GET", "/_stcore/stream", headers=given | headers)
        status = connection.getresponse().status
        connection.close()
        return status

    assert handshake(Origin=served.address) == 101
    assert handshake(Host="evil.example", Origin="http://evil.example") == 403
    assert handshake(Origin="http://evil.example") == 403


def test_archive_and_undo(light_visit, served) -> None:  # type: ignore[no-untyped-def]
    run_id = run_of(served.uri, "collapsed")
    page: Page = light_visit.open(f"?runs={run_id}")
    page.get_by_role("button", name="Archive 1").click()
    expect(page.get_by_text("Runs: 38 of")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Runs: 39 of")).to_be_visible()
    assert not reading.list_runs(served.uri).loc[run_id, "archived"]
