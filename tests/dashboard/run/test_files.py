"""The files of a run, of a store that somebody sent."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


@pytest.mark.parametrize("place", ["outside", "another machine"])
def test_a_folder_that_is_not_the_stores_is_told_and_nothing_of_it_is_shown(
    own_store: str,
    tmp_path_factory: pytest.TempPathFactory,
    open_app: Callable[..., AppTest],
    run_named: Callable[[str], str],
    place: str,
) -> None:
    secret = tmp_path_factory.mktemp("secret")
    for name in ("config.yaml", "log.txt", "environment.json"):
        (secret / name).write_text('{"hidden": "words"}')
    run_id = run_named("collapsed")
    uri = secret.as_uri() if place == "outside" else f"file://elsewhere{secret}"
    with closing(sqlite3.connect(Path(own_store.removeprefix("sqlite:///")))) as database, database:
        database.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (uri, run_id))
    for part in ("Overview", "Samples", "Classes", "System", "Files"):
        app = open_app("run", run=run_id, part=part)
        shown = [str(each.value) for each in (*app.code, *app.text, *app.caption, *app.dataframe)]
        assert not any("hidden" in text or "environment.json" in text for text in shown), part
    [line] = [text for text in shown if text.startswith("store: it names ")]
    assert "\n" not in line
