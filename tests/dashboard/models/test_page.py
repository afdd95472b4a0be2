"""The page Models: nothing registered, promotion with its comparison, roll-back, read-only."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.models import reads
from dashboard.models.promotion import not_comparable
from dashboard.models.versions import commands, python_lines
from dashboard.settings import READ_ONLY
from trainer.prediction import registry
from trainer.tracking import promotions, reading
from trainer.tracking.client import client
from trainer.tracking.models import set_alias

Open = Callable[..., AppTest]
HOSTILE = "**bold** <img src=x onerror=alert(1)>"


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def add_version(name: str, run_id: str | None, **scores: str) -> str:
    """Register a version without its files: the page reads none of them."""
    api = client()
    if name not in [model.name for model in api.search_registered_models()]:
        api.create_registered_model(name)
    tags = {key.replace("_", ".", 1): value for key, value in scores.items()}
    return str(api.create_model_version(name, "file:///nowhere", run_id, tags=tags).version)


def runs_of(lr: str, seed: str = "0") -> str:
    """Return a run of the made-up grid; all of it was validated on the same images."""
    runs = reading.list_runs()
    found = runs[(runs["params.lr"] == lr) & (runs["params.seed"] == seed)]
    return str(found.index[found["experiment"] == "carvana"][0])


@pytest.fixture
def cars(own_store: str) -> str:
    """Register three versions of ``cars``, the first of them the champion."""
    reads.forget()
    add_version("cars", runs_of("0.0005"), best_val_dice="0.9900")
    add_version("cars", runs_of("5e-05"), best_val_dice="0.9000")
    add_version("cars", runs_of("0.0001"), best_val_dice="0.9500")
    registry.promote("cars", "1")
    return own_store


def champion() -> str:
    return registry.find("models:/cars@champion").version


def test_an_empty_registry_says_what_to_run(own_store: str, open_app: Open) -> None:
    reads.forget()
    app = open_app("models")
    command = next(code.value for code in app.code)
    best = command.split()[2]
    assert command == f"trainer register {best} --name NAME --alias champion"
    overview = reading.list_runs()["metrics.best/val_dice"]
    assert overview[best] == overview.max()


def test_the_table_shows_versions_aliases_and_scores(cars: str, open_app: Open) -> None:
    app = open_app("models")
    assert "champion → version 1" in said(app)
    assert (app.query_params["model"], app.query_params["version"]) == ("cars", "3")
    table = app.dataframe[0].value
    assert table["version"].tolist() == [3, 2, 1]
    assert table["aliases"].tolist() == ["", "", "champion"]
    assert table["dice"].tolist() == [0.95, 0.90, 0.99]
    assert table["run"].notna().all()


def test_the_comparison_comes_before_the_button(cars: str, open_app: Open) -> None:
    app = open_app("models", model="cars", version="2")
    words = said(app)
    assert "Version 2 against the champion" in words
    assert "B better: dice" in words and "16 validation images" in words
    assert app.button(key="promote").label == "Promote version 2 to champion"
    assert champion() == "1"


def test_promote_then_roll_back(cars: str, open_app: Open) -> None:
    app = open_app("models", version="2")
    app.button(key="promote").click().run()
    assert not app.exception and champion() == "2"
    assert "Version 2 is in use" in said(app)
    app.selectbox(key="chosen_version").set_value("3").run()
    app.button(key="promote").click().run()
    assert champion() == "3"
    assert app.button(key="roll_back").label == "Roll champion back to version 2"
    app.button(key="roll_back").click().run()
    assert champion() == "2"
    app.button(key="roll_back").click().run()
    assert champion() == "1"
    assert "roll_back" not in [button.key for button in app.button]


def test_an_alias_moved_elsewhere_is_not_rolled_back_blindly(cars: str, open_app: Open) -> None:
    app = open_app("models", version="2")
    app.button(key="promote").click().run()
    set_alias("cars", "champion", "3")
    reads.forget()
    app = open_app("models", version="3")
    assert "Version 3 is in use" in said(app)
    assert "roll_back" not in [button.key for button in app.button]
    assert promotions.history("cars", "champion") == ["1", "2"]
    reads.promote("cars", "1", alias="champion")
    assert promotions.history("cars", "champion") == ["1", "2", "3", "1"]


def test_the_history_by_hand() -> None:
    assert promotions.moved([], None, "1") == ["1"]
    assert promotions.moved([], "4", "5") == ["4", "5"]
    assert promotions.moved(["1", "2"], "2", "2") == ["1", "2"]
    assert promotions.before(["1", "2"], "2") == ["1"]
    assert promotions.before(["1", "2"], "3") == promotions.before([], None) == []


def test_a_first_promotion_has_nothing_to_compare_with(own_store: str, open_app: Open) -> None:
    reads.forget()
    add_version("cars", runs_of("5e-05"))
    app = open_app("models")
    assert "nothing to compare with" in said(app)
    app.button(key="promote").click().run()
    assert champion() == "1"


def test_read_only_changes_nothing(
    cars: str, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    app = open_app("models", version="2")
    assert "read-only" in said(app) and "B better" in said(app)
    assert not {"promote", "roll_back"} & {button.key for button in app.button}


def test_other_data_is_said_not_compared(cars: str, open_app: Open) -> None:
    runs = reading.list_runs()
    street = str(runs.index[runs["experiment"] == "street"][0])
    add_version("cars", street)
    words = said(open_app("models", version="4"))
    assert "Not comparable: classes: " in words and "better" not in words


def test_what_cannot_be_compared_says_why(cars: str) -> None:
    st.cache_resource.clear()
    first, gone, same = (
        registry.find("models:/cars/1"),
        registry.find(f"models:/cars/{add_version('cars', 'f' * 32)}"),
        registry.find(f"models:/cars/{add_version('cars', runs_of('0.0005'))}"),
    )
    assert not_comparable(first, registry.find("models:/cars/2")) is None
    assert "no longer in this store" in str(not_comparable(first, gone))
    assert "same run" in str(not_comparable(first, same))


def test_a_run_without_scores_per_image_is_said(cars: str, open_app: Open) -> None:
    runs = reading.list_runs()
    foreign = str(runs.index[runs["experiment"] == "another program"][0])
    add_version("cars", foreign)
    assert "Not comparable" in said(open_app("models", version="4"))


def test_names_are_never_markup(own_store: str, open_app: Open) -> None:
    reads.forget()
    add_version(HOSTILE, runs_of("5e-05"))
    app = open_app("models")
    rendered = [*app.markdown, *app.caption, *app.subheader]
    assert not [element for element in rendered if "<img" in str(element.value)]
    assert any(HOSTILE in code.value for code in app.code)


def test_a_version_that_is_not_there_shows_the_newest(cars: str, open_app: Open) -> None:
    assert "Version 3 against" in said(open_app("models", model="cars", version="99"))


def test_the_lines_that_fetch_a_model() -> None:
    lines = python_lines("models:/cars@champion", "sqlite:///mlruns/mlflow.db").splitlines()
    assert len(lines) == 3
    compile("\n".join(lines), "lines", "exec")
    secret = python_lines("models:/cars/1", "postgresql+psycopg://me:hidden@host/db")
    assert "hidden" not in secret
    assert commands("models:/my cars/1", "my cars").splitlines() == [
        "trainer pull 'models:/my cars/1' --out my-cars",
        "trainer predict 'models:/my cars/1' IMAGE --out masks",
    ]


def test_a_trial_leads_to_its_registered_version(cars: str, open_app: Open) -> None:
    runs = reading.list_runs()
    done = runs[(runs["sweep"] == "lr-batch-kernel") & (runs["outcome"] == "completed")]
    trial = done[done["kind"] != "sweep"]
    add_version("cars", str(trial.index[0]))
    reads.forget()
    table = open_app("sweeps", sweep_part="Trials").dataframe[0].value
    shown = table.set_index("number")["model"].dropna()
    assert shown.tolist() == ["cars v4"]
    assert shown.index.tolist() == [int(trial["trial"].iloc[0])]


def test_a_store_that_breaks_is_said(own_store: str, tmp_path: Path, open_app: Open) -> None:
    reads.forget()
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 500)
    st.cache_resource.clear()
    assert "cannot be read" in said(open_app("models"))
