"""A new version goes into use: compare it with the champion, promote it, go back."""

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from trainer.prediction import registry
from trainer.tracking import reading
from trainer.tracking.client import client

if TYPE_CHECKING:
    from .conftest import Served, Visit

pytestmark = pytest.mark.browser
NAME = "journey"


@pytest.fixture
def two_versions(served: "Served", monkeypatch: pytest.MonkeyPatch) -> str:
    """Register two runs that were validated on the same images, the first as champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.uri)
    runs = reading.list_runs()
    grid = runs[(runs["experiment"] == "carvana") & (runs["params.seed"] == "0")]
    api = client()
    api.create_registered_model(NAME)
    for lr in ("0.0005", "5e-05"):
        run_id = str(grid.index[grid["params.lr"] == lr][0])
        api.create_model_version(NAME, "file:///nowhere", run_id)
    registry.promote(NAME, "1")
    return NAME


def champion() -> str:
    return registry.find(f"models:/{NAME}@champion").version


def test_promote_a_model_and_roll_it_back(two_versions: str, light_visit: "Visit") -> None:
    page = light_visit.open(f"models?model={two_versions}&version=2")
    expect(page.get_by_text("Version 2 against the champion")).to_be_visible()
    expect(page.get_by_text(re.compile("^(A better|B better|not distinguishable)"))).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    assert champion() == "1"

    page.get_by_role("button", name="Promote version 2 to champion").click()
    expect(page.get_by_text("champion → version 2")).to_be_visible()
    expect(page.get_by_text("Version 2 is in use")).to_be_visible()
    assert champion() == "2"
    expect(page.get_by_text(f"trainer pull models:/{NAME}@champion")).to_be_visible()

    page.get_by_role("button", name="Roll champion back to version 1").click()
    expect(page.get_by_text("champion → version 1")).to_be_visible()
    assert champion() == "1"
    light_visit.settle()
    assert f"model={two_versions}" in page.url
