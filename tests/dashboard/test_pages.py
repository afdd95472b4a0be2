"""Every page on an empty, a full and a broken store."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.settings import READ_ONLY
from trainer.analysis.learning_rates import KIND, PICTURE
from trainer.tracking import reading
from trainer.tracking.client import begin
from trainer.tracking.standing import run_lock

PAGES = ["runs", "curves", "run", "compare", "stability"]
Open = Callable[..., AppTest]


def said(app: AppTest) -> str:
    """Return everything a page says in words."""
    kinds = ("subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def ids(count: int, **wanted: str) -> str:
    runs = reading.list_runs()
    for column, value in wanted.items():
        runs = runs[runs[column] == value]
    return ",".join(runs.index[:count])


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_says_what_to_run(store: Path, open_app: Open, page: str) -> None:
    begin()
    assert "trainer fit" in said(open_app(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: Open, page: str
) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 500)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert "cannot be read" in said(open_app())


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_full_store(full_store: str, open_app: Open, page: str) -> None:
    open_app(page)
    open_app(page, runs=ids(4, experiment="carvana"))


def test_the_table_holds_every_run_but_the_archived(full_store: str, open_app: Open) -> None:
    app = open_app()
    assert app.subheader[0].value == "Runs: 39 of 40"
    table = app.dataframe[0].value
    assert len(table) == 39
    assert "<img src=x onerror=alert(1)>" in " ".join(table["name"])


def test_filters_are_part_of_the_address(full_store: str, open_app: Open) -> None:
    assert open_app(search="keras").subheader[0].value == "Runs: 2 of 40"
    assert open_app(state="pruned").subheader[0].value == "Runs: 2 of 40"
    assert open_app(filter="params.lr = '0.05'").subheader[0].value == "Runs: 1 of 40"
    assert open_app(archived="true").subheader[0].value == "Runs: 40 of 40"
    assert "No run matches" in said(open_app(search="nothing like this"))


def test_a_malformed_filter_is_told_in_mlflows_words(full_store: str, open_app: Open) -> None:
    assert "filter: " in said(open_app(filter="lr >> 3"))


def test_groups_show_mean_and_spread(full_store: str, open_app: Open) -> None:
    app = open_app(view="Groups", experiment="carvana", by="lr")
    table = app.dataframe[0].value
    assert table["runs"].tolist() == [6, 6, 6]
    assert all("±" in text for text in table["best_text"])


@pytest.mark.parametrize(
    "name",
    [
        "collapsed",
        "diverged",
        "one epoch",
        "still training",
        "keras_baseline_0",
        "half-written",
        "archived",
        "lr-batch-kernel",
        "street none",
        "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1)) $x^2$",
    ],
)
@pytest.mark.parametrize("part", ["Overview", "Samples", "Classes", "System", "Files"])
def test_every_kind_of_run_has_its_page(
    full_store: str, open_app: Open, run_named: Callable[[str], str], name: str, part: str
) -> None:
    app = open_app("run", run=run_named(name), part=part)
    assert "\\<img" in said(app) if name.startswith("<img") else True


def test_a_run_page_tells_the_reason_of_a_failure(
    full_store: str, open_app: Open, run_named: Callable[[str], str]
) -> None:
    assert "lower lr" in said(open_app("run", run=run_named("diverged")))


def test_a_dead_run_is_dead_on_its_page_and_in_the_table(own_store: str, open_app: Open) -> None:
    tags = {"segscope.kind": "run"}
    run_id = MlflowClient(own_store).create_run("1", run_name="killed", tags=tags).info.run_id
    assert "running · " in said(open_app("run", run=run_id))
    lock = run_lock(run_id, own_store)
    lock.parent.mkdir()
    lock.touch()
    app = open_app("run", run=run_id)
    for _ in range(40):  # What was read a moment ago is kept for a second.
        if "dead · " in said(app):
            break
        time.sleep(0.25)
        app = open_app("run", run=run_id)
    assert "dead · " in said(app)
    assert f"its process is gone; go on with: trainer resume {run_id}" in said(app)
    assert open_app(state="dead").dataframe[0].value["name"].tolist() == ["killed"]


def test_a_test_of_learning_rates_is_told_from_a_training(
    own_store: str, open_app: Open, tmp_path: Path
) -> None:
    api = MlflowClient(own_store)
    run_id = api.create_run("1", run_name="lr-find unet", tags={"segscope.kind": KIND}).info.run_id
    api.log_metric(run_id, "lr-find/steepest", 0.01, step=0)
    assert "has left no curve" in said(open_app("run", run=run_id))
    Image.new("RGB", (9, 9)).save(tmp_path / PICTURE)
    api.log_artifact(run_id, str(tmp_path / PICTURE))
    api.set_terminated(run_id)
    app = open_app("run", run=run_id)
    assert len(app.get("image")) == 1 and "No headline" not in said(app)
    assert not app.get("plotly_chart")
    # It is no run to begin with where none is chosen, though it is the newest.
    assert "find unet" not in said(open_app("run"))
    (tmp_path / PICTURE).write_bytes(b"rubbish")
    api.log_artifact(run_id, str(tmp_path / PICTURE))
    assert f"{PICTURE}: is not an image" in said(open_app("run", run=run_id))


def test_the_run_of_a_sweep_leads_to_its_trials_and_is_ranked_nowhere(
    full_store: str, open_app: Open, run_named: Callable[[str], str]
) -> None:
    parent = run_named("lr-batch-kernel")
    app = open_app("run", run=parent)
    assert not app.metric and not app.get("plotly_chart")
    assert " of 6" not in said(app) and "no epoch" not in said(app)
    labels = [link.proto.label for link in app.get("page_link")]
    assert "Its trials and what they found lr\\-batch\\-kernel" in labels
    assert "Its curves" not in labels
    runs = reading.list_runs()
    trial = runs.index[runs["parent"] == parent][0]
    labels = [link.proto.label for link in open_app("run", run=trial).get("page_link")]
    assert "Part of the sweep lr\\-batch\\-kernel" in labels
    groups = open_app(view="Groups", by="lr").dataframe[0].value
    ended = runs["state"].isin(["completed", "early-stopped", "finished"]) & ~runs["archived"]
    assert groups["runs"].sum() == (ended & (runs["kind"] != "sweep")).sum()
    figure = open_app("curves").get("plotly_chart")[0]
    assert "lr-batch-kernel" not in figure.proto.spec


def test_a_run_that_does_not_exist_is_said(full_store: str, open_app: Open) -> None:
    assert "has no run" in said(open_app("run", run="0" * 32))


def test_the_verdict_needs_two_configurations(full_store: str, open_app: Open) -> None:
    assert "Choose two or more" in said(open_app("compare"))
    seeds = reading.list_runs()
    group = seeds[seeds["experiment"] == "carvana"].groupby("seed_group").head(3)
    same = group["seed_group"].iloc[0]
    chosen = ",".join(group.index[group["seed_group"] == same])
    assert "seeds of one configuration" in said(open_app("compare", runs=chosen))


def test_the_spread_over_seeds_says_what_its_risk_is(full_store: str, open_app: Open) -> None:
    seeds = reading.list_runs()
    carvana = seeds[seeds["experiment"] == "carvana"]
    chosen = carvana.index[carvana["seed_group"] == carvana["seed_group"].iloc[0]]
    app = open_app("curves", runs=",".join(chosen), tab="Seeds")
    (table,) = (d.value for d in app.dataframe if "risk" in d.value.columns)
    assert table["risk_is"].tolist() == ["worst seed"]
    assert table["seeds"].iloc[0] == len(chosen) > 1
    assert "Risk across runs (RR)" in said(app).replace("\\", "")


def test_two_configurations_get_a_verdict_with_its_numbers(full_store: str, open_app: Open) -> None:
    words = said(open_app("compare", runs=ids(18, experiment="carvana")))
    assert "resamples" in words
    assert "n = " in words


def test_read_only_hides_what_writes(
    full_store: str, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ids(2, experiment="carvana")
    assert any(button.key == "archive" for button in open_app(runs=chosen).button)
    monkeypatch.setenv(READ_ONLY, "1")
    assert not any(button.key == "archive" for button in open_app(runs=chosen).button)


def test_archiving_can_be_undone(own_store: str, open_app: Open) -> None:
    chosen = ids(1, name="collapsed")
    app = open_app(runs=chosen)
    app.button(key="archive").click().run()
    assert reading.list_runs().loc[chosen, "archived"]
    assert app.subheader[0].value == "Runs: 38 of 40"
    app.button(key="undo_archive").click().run()
    assert not reading.list_runs().loc[chosen, "archived"]
    assert app.subheader[0].value == "Runs: 39 of 40"


def test_the_router_is_short() -> None:
    lines = (Path(__file__).parents[2] / "dashboard/app.py").read_text().splitlines()
    assert len(lines) < 40


FIRST_ON_THE_PATH = """
import runpy, sys
from pathlib import Path
from mlflow import MlflowClient
from PIL import Image
from streamlit.testing.v1 import AppTest

app = Path(sys.argv[1])
sys.path.insert(0, str(app.parent))
shown = AppTest.from_file(str(app), default_timeout=60).run()
assert not shown.exception, shown.exception
import sweeps
assert Path(sweeps.__file__).parent == app.parents[1] / "sweeps", sweeps.__file__
import sweeps.reading
"""


def test_no_folder_of_ours_hides_a_package(full_store: str) -> None:
    """Streamlit puts `dashboard/` first on the path, and a page's folder is called `sweeps`."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FIRST_ON_THE_PATH, str(root / "dashboard" / "app.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
