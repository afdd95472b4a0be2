"""What an earlier version wrote is read by every command and page.

``fixtures/make_store.py`` tells what the store holds and how it was made; ``store_1.json`` and
``config_1.json`` hold what the commands of that version said of it.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from sweeps.cli import main as sweeps_main
from trainer.cli import main as trainer_main
from trainer.config.parsing import from_yaml

APP = Path(__file__).parents[1] / "dashboard" / "app.py"
PAGE = "{}/page.py"  # As seen from the folder of APP.

FIXTURES = Path(__file__).parent / "fixtures"
PLACE = "/SEGSCOPE-STORE"
SAID: dict[str, Any] = json.loads((FIXTURES / "store_1.json").read_text(encoding="utf-8"))
CONFIGS: dict[str, Any] = json.loads((FIXTURES / "config_1.json").read_text(encoding="utf-8"))
RUNS: dict[str, str] = {name: run["run_id"] for name, run in SAID["runs"].items()}
TRAINED = [name for name, run in SAID["runs"].items() if "best/val_miou" in run["metrics"]]
MODELS = {"run": RUNS["padded"], "alias": "models:/cars@champion", "folder": "model_1"}
IMAGES = [f"cars/images/{name}.png" for name in SAID["predict"]["run"]]
LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
WITHOUT_OUR_PACKAGES = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("trainer", "sweeps", "dashboard"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import mlflow, numpy as np
from PIL import Image
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/cars@champion")
images = np.stack([np.array(Image.open(path)) for path in sys.argv[2:]])
print([int((mask == 1).sum()) for mask in model.predict(images)])
"""

Told = Callable[..., Any]


def copied(folder: Path) -> Path:
    """Copy the store, its data and a pulled model into ``folder`` as they lay when made."""
    shutil.copytree(FIXTURES / "store_1", folder / "mlruns")
    shutil.copytree(FIXTURES / "cars_1", folder / "cars")
    shutil.copytree(FIXTURES / "model_1", folder / "model_1")
    for name in ("dataset.json", "origin.json"):
        for path in folder.rglob(name):
            path.write_text(path.read_text(encoding="utf-8").replace(PLACE, str(folder)))
    with closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as database, database:
        for table, columns in LOCATIONS.items():
            changes = ", ".join(f"{c} = replace({c}, '{PLACE}', :folder)" for c in columns)
            database.execute(f"UPDATE {table} SET {changes}", {"folder": str(folder)})
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy for the tests that only read."""
    return copied(tmp_path_factory.mktemp("old"))


@pytest.fixture
def old(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the folder of the shared copy, with everything pointed at its store."""
    return entered(shared, monkeypatch)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the folder of a copy that the test may change."""
    return entered(copied(tmp_path), monkeypatch)


def entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
    return folder


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return what calls ``trainer`` or ``sweeps`` with ``--json`` and returns what it said."""

    def call(program: str, *words: object) -> Any:
        monkeypatch.setattr(sys, "argv", [program, *map(str, words), "--json"])
        code = {"trainer": trainer_main, "sweeps": sweeps_main}[program]()
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    return call


def rows(folder: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what the store's database answers."""
    with closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as database:
        return database.execute(query, values).fetchall()


def tags(folder: Path, run_id: str) -> dict[str, str]:
    return dict(rows(folder, "SELECT key, value FROM tags WHERE run_uuid = ?", run_id))  # type: ignore[arg-type]


def holds(found: Any, recorded: Any) -> bool:
    """Return whether all that was said is still said; rounding may move a pixel elsewhere."""
    if isinstance(recorded, dict):
        return all(key in found and holds(found[key], recorded[key]) for key in recorded)
    if isinstance(recorded, list):
        return len(found) == len(recorded) and all(map(holds, found, recorded))
    if isinstance(recorded, float):
        return bool(found == pytest.approx(recorded, abs=5e-3))
    return bool(found == recorded)


# The commands


@pytest.mark.parametrize("model", ["seed 0", *MODELS])
def test_evaluate(old: Path, told: Told, model: str) -> None:
    found = told("trainer", "evaluate", MODELS.get(model) or RUNS[model])
    # As every version has predicted; what these runs were scored in was not recorded yet.
    assert found["precision"] == "float32"
    assert holds(found["splits"], SAID["evaluate"][model])


@pytest.mark.parametrize("model", MODELS)
def test_predict(old: Path, told: Told, tmp_path: Path, model: str) -> None:
    written = told("trainer", "predict", MODELS[model], *IMAGES, "--out", tmp_path / "masks")
    for pair in written:
        car = (np.array(Image.open(pair["mask"])) == 1).sum()
        assert abs(car - SAID["predict"][model][Path(pair["image"]).stem]) <= 8


def test_compare(old: Path, told: Told) -> None:
    found = told("trainer", "compare", RUNS["seed 0"], RUNS["momentum"], "--all-seeds")
    kept = [
        {
            **{key: pair[key] for key in ("a", "b", "score", "images", "seeds")},
            "differences": {
                score: {side: difference[side] for side in "ab"}
                for score, difference in pair["differences"].items()
            },
        }
        for pair in SAID["compare"]
    ]
    assert holds(found, kept)


def test_stability(old: Path, told: Told) -> None:
    found = told("trainer", "stability", RUNS["seed 0"], RUNS["half precision"])
    assert holds(found, SAID["stability"])
    foreign = told("trainer", "stability", RUNS["baseline"], "--metric", "val_dice_coef")
    assert holds(foreign, SAID["foreign stability"])


def test_data(old: Path, told: Told) -> None:
    found = told("trainer", "data", "cars")
    assert holds(found, {key: SAID["data"][key] for key in ("layout", "pairs", "classes")})


def test_an_interrupted_run_goes_on(own: Path, told: Told) -> None:
    run_id = RUNS["interrupted"]
    assert sorted(epochs(own, run_id, "val/dice")) == [1, 2]
    found = told("trainer", "resume", run_id)
    assert (found["run_id"], found["status"], found["epochs"]) == (run_id, "completed", 4)
    assert rows(own, "SELECT status FROM runs WHERE run_uuid = ?", run_id) == [("FINISHED",)]
    # As the earlier version went on without an interruption: weights, optimiser and schedule.
    for key in ("train/loss", "val/loss", "val/dice", "lr"):
        curve = {epoch: said[key] for epoch, said in SAID["uninterrupted"].items()}
        assert holds({str(e): value for e, value in epochs(own, run_id, key).items()}, curve)


@pytest.mark.slow  # It draws the 336 pictures of the built-in data.
def test_a_run_on_the_built_in_data_goes_on(own: Path, told: Told) -> None:
    digest = SAID["runs"]["built-in"]["data_digest"]
    found = told("trainer", "resume", RUNS["built-in"], "--epochs", "3")
    assert (found["status"], found["epochs"]) == ("completed", 3)
    assert tags(own, RUNS["built-in"])["segscope.data_digest"] == digest
    assert told("trainer", "evaluate", RUNS["built-in"], "--split", "val")["images"] == 51


@pytest.mark.parametrize("name", ["momentum", "half precision", "padded"])
def test_a_finished_run_gets_more_epochs(own: Path, told: Told, name: str) -> None:
    done = max(epochs(own, RUNS[name], "val/dice"))
    found = told("trainer", "resume", RUNS[name], "--epochs", "9")
    assert found["status"] in ("completed", "early-stopped")
    assert found["epochs"] > done


def test_a_repeat_joins_the_seeds_of_its_configuration(own: Path, told: Told) -> None:
    config = own / f"mlruns/artifacts/cars/{RUNS['seed 0']}/artifacts/config.yaml"
    found = told("trainer", "fit", "--config", config, "--seed", "7")
    group = tags(own, found["run_id"])["segscope.seed_group"]
    assert group == SAID["runs"]["seed 0"]["seed_group"]
    (pair,) = told("trainer", "compare", RUNS["seed 0"], RUNS["momentum"], "--all-seeds")
    assert pair["seeds"] == [3, 1]


def test_the_registry_goes_on(own: Path, told: Told) -> None:
    found = told("trainer", "promote", "cars", "1")
    assert (found["run_id"], found["aliases"]) == (RUNS["seed 0"], ["champion"])
    made = told("trainer", "register", RUNS["padded"], "--name", "cars", "--alias", "champion")
    assert (made["version"], made["aliases"]) == ("3", ["champion"])
    assert told("trainer", "evaluate", "models:/cars/3", "--split", "val")["images"] == 6
    for version, run_id in (("1", RUNS["seed 0"]), ("2", RUNS["momentum"])):
        pulled = Path(
            told("trainer", "pull", f"models:/cars/{version}", "--out", version)["folder"]
        )
        (origin,) = pulled.rglob("origin.json")
        assert json.loads(origin.read_text())["run_id"] == run_id


def test_a_registered_model_predicts_where_our_packages_are_not(old: Path) -> None:
    uri = f"sqlite:///{old}/mlruns/mlflow.db"
    command = [sys.executable, "-c", WITHOUT_OUR_PACKAGES, uri, *IMAGES]
    done = subprocess.run(command, cwd=old, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    recorded = list(SAID["predict"]["alias"].values())
    assert np.abs(np.array(json.loads(done.stdout)) - recorded).max() <= 8


def test_a_search_is_told(old: Path, told: Told) -> None:
    assert holds(told("sweeps", "status", "rates"), SAID["sweeps"]["status"])
    assert holds(told("sweeps", "status"), [SAID["sweeps"]["status"]])
    assert holds(told("sweeps", "best", "rates"), SAID["sweeps"]["best"])
    found, recorded = told("sweeps", "report", "rates"), SAID["sweeps"]["report"]
    assert holds(found["rows"], recorded["rows"])


def test_a_search_goes_on(own: Path, told: Told) -> None:
    spec = FIXTURES / "sweep_1.yaml"
    # The file is still the search that it was: all its trials are there.
    assert holds(told("sweeps", "run", spec), SAID["sweeps"]["best"])
    found = told("sweeps", "resume", "rates", "--trials", "5")
    assert sum(found["trials"].values()) == 5
    parent = RUNS["rates"]
    query = "SELECT count(*) FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?"
    assert rows(own, query, parent) == [(5,)]


# What each held and its components never read.
UNREAD = {
    "config_1.yaml": {"cache_limit_gib"},
    "config_1_beside.yaml": {
        *("fold", "cache_limit_gib", "augment_probability", "momentum", "min_delta")
    },
    "config_1_defaults.yaml": {"fold", "augment_probability", "momentum", "min_delta"},
    "config_1_folds.yaml": {"augment_probability", "min_delta"},
    "config_1_written_by_hand.yaml": {"fold", "augment_probability"},
}


def still_read(name: str) -> dict[str, str]:
    return {key: value for key, value in CONFIGS[name].items() if key not in UNREAD[name]}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_means_what_it_meant(name: str) -> None:
    params = from_yaml(FIXTURES / name, stored=True).to_params()
    assert still_read(name).items() <= params.items()
    assert not UNREAD[name] & params.keys()


@pytest.mark.parametrize("name", sorted({*CONFIGS} - {"config_1_beside.yaml"}))
def test_a_configuration_is_taken_from_a_user_too(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert from_yaml(FIXTURES / name) == from_yaml(FIXTURES / name, stored=True)
    whole = name in ("config_1.yaml", "config_1_defaults.yaml")
    assert [record.message for record in caplog.records] == (
        [f"{FIXTURES / name} is of an earlier version; not read: {', '.join(said)}"]
        if (said := [key for key in CONFIGS[name] if key in UNREAD[name]]) and whole
        else []
    )


def test_a_configuration_trains(own: Path, told: Told) -> None:
    name = "config_1_beside.yaml"
    with pytest.raises(ValueError, match="momentum: adam has none; sgd and rmsprop have"):
        from_yaml(FIXTURES / name)
    lines = (FIXTURES / name).read_text(encoding="utf-8").splitlines()
    read = [line for line in lines if line.split(":")[0] not in UNREAD[name]]
    (own / "mine.yaml").write_text("\n".join(read), encoding="utf-8")
    found = told("trainer", "fit", "--config", "mine.yaml")
    query = "SELECT key, value FROM params WHERE run_uuid = ?"
    assert still_read(name).items() <= dict(rows(own, query, found["run_id"])).items()  # type: ignore[arg-type]


def epochs(folder: Path, run_id: str, key: str) -> dict[int, float]:
    """Return the metric of a run at each epoch."""
    query = "SELECT step, value FROM metrics WHERE key = ? AND run_uuid = ?"
    return dict(rows(folder, query, key, run_id))  # type: ignore[arg-type]


# The pages


def opened(page: str, **params: str) -> AppTest:
    """Open a page of the app with query parameters; fails when the page raised."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in params.items():
        app.query_params[key] = value
    app.run()
    if page != "runs":  # Runs is the page that opens first.
        app.switch_page(PAGE.format(page))
        for key, value in params.items():
            app.query_params[key] = value
        app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def words(app: AppTest) -> str:
    """Return everything a page says, its tables included."""
    kinds = ("subheader", "text", "caption", "markdown", "code")
    said = [str(element.value) for kind in kinds for element in getattr(app, kind)]
    said += [f"{metric.label} {metric.value}" for metric in app.metric]
    return "\n".join([*said, *(table.value.to_string() for table in app.dataframe)])


def recorded(name: str, key: str = "best/val_dice") -> float:
    return float(SAID["runs"][name]["metrics"][key])


def test_the_table_of_runs(old: Path) -> None:
    app = opened("runs")
    assert app.subheader[0].value == f"Runs: {len(RUNS) - 1} of {len(RUNS)}"
    table = app.dataframe[0].value.set_index("name")
    assert "first try" not in table.index
    for name in set(TRAINED) & set(table.index):
        key = f"best/{table['headline'][name].replace('/', '_')}"
        assert table["best"][name] == pytest.approx(recorded(name, key))
    assert table["headline"]["momentum"] == "val/miou"
    assert (table["headline"]["baseline"], table["best"]["baseline"]) == ("val_dice_coef", 0.9)
    assert table["headline"]["rates (sweep)"] == ""
    assert opened("runs", archived="true").subheader[0].value.startswith(f"Runs: {len(RUNS)} of")
    assert opened("runs", search="report 3").subheader[0].value.startswith("Runs: 2 of")
    assert opened("runs", state="pruned").subheader[0].value.startswith("Runs: 2 of")
    views = [element.proto.label for element in app.get("page_link")]
    assert any("Cars by mIoU" in label for label in views), views


@pytest.mark.parametrize("name", RUNS)
def test_the_page_of_every_run(old: Path, name: str) -> None:
    app = opened("run", run=RUNS[name])
    assert SAID["runs"][name].get("outcome", "finished") in words(app)
    told = "Scored in an arithmetic that was not recorded." in words(app)
    assert told == (name != "baseline"), "another program's run has no arithmetic to tell"
    shown = {metric.label.partition(" · ")[0]: metric.value for metric in app.metric}
    if name in TRAINED:
        assert shown["Best Dice"] == f"{recorded(name):.4f}"
        assert shown["Best mIoU"] == f"{recorded(name, 'best/val_miou'):.4f}"
        # That version's statistics are of Dice; this run is judged by its mIoU, which only rose.
        drawdown = 0.0 if name == "momentum" else recorded(name, "stability/max_drawdown")
        assert shown["MDD"] == f"{drawdown:.4f}"
        headline = "mIoU" if name == "momentum" else "Dice"
        epoch = int(recorded(name, "best/epoch"))
        assert f"Best {headline} · epoch {epoch}" in [metric.label for metric in app.metric]


def test_a_note_and_a_reason(old: Path) -> None:
    assert "Better at the edges?" in words(opened("run", run=RUNS["momentum"]))
    assert "lower lr" in words(opened("run", run=RUNS["too fast"]))


@pytest.mark.parametrize("part", ["Samples", "Classes", "System", "Files"])
def test_the_parts_of_a_runs_page(old: Path, part: str) -> None:
    said = words(opened("run", run=RUNS["seed 0"], part=part))
    wanted = {"Classes": "car", "System": "3.11.7", "Files": "config.yaml"}
    assert wanted.get(part, "") in said


def test_curves(old: Path) -> None:
    app = opened("curves", runs=f"{RUNS['seed 0']},{RUNS['interrupted']}", tab="Table")
    table = app.dataframe[0].value
    assert table.shape[1] == 2
    assert table.max().max() == pytest.approx(recorded("seed 0"))
    opened("curves", runs=RUNS["baseline"], metric="val_dice_coef")


@pytest.mark.parametrize("shown", ["Gallery", "Several runs", "All images"])
def test_samples(old: Path, shown: str) -> None:
    both = f"{RUNS['seed 0']},{RUNS['momentum']}"
    app = opened("samples", run=RUNS["seed 0"], runs=both, shown=shown)
    assert app.selectbox(key="epoch").value == recorded("seed 0", "best/epoch")
    if shown == "All images":
        mean = app.dataframe[0].value["score"].mean()
        assert mean == pytest.approx(SAID["evaluate"]["seed 0"]["val"]["dice_per_image"])


def test_a_dip(old: Path) -> None:
    said = words(opened("dip", run=RUNS["built-in"], epoch="2"))
    assert f"Dice before · epoch 1 {recorded('built-in'):.4f}" in said
    assert "of 51 images fell in Dice" in said


def test_the_verdict(old: Path) -> None:
    names = ("seed 0", "seed 1", "momentum")
    app = opened("compare", runs=",".join(RUNS[name] for name in names))
    assert app.dataframe[0].value["best_dice"].tolist() == pytest.approx(list(map(recorded, names)))
    said = words(app)
    assert "n = 6 images, 2 and 1 seeds" in said
    assert f"and {recorded('momentum'):.4f}, difference" in said
    assert "epoch 4, the best of val/miou" in said
    assert f"dice {SAID['compare'][0]['differences']['dice']['a']:.4f}" in said


def test_the_stability_of_runs(old: Path) -> None:
    app = opened("stability", runs=",".join(RUNS[name] for name in TRAINED))
    drawdowns = [recorded(name, "stability/max_drawdown") for name in TRAINED]
    shown = app.dataframe[0].value["max_drawdown"].tolist()
    assert shown == pytest.approx(sorted(drawdowns, reverse=True))


@pytest.mark.parametrize(
    "part", ["History", "Parameters", "Importance", "Curves", "Trade-off", "Trials"]
)
def test_a_search(old: Path, part: str) -> None:
    app = opened("sweeps", sweep="rates", sweep_part=part)
    best = SAID["sweeps"]["best"]["best"]
    assert app.metric[0].value == f"{best['value']:.4f}"
    if part == "Trials":
        table = app.dataframe[0].value
        trials = SAID["sweeps"]["report"]["rows"]
        assert table["state"].tolist() == [trial["state"] for trial in trials]
        assert table["reached"].tolist() == pytest.approx([trial["scores"][0] for trial in trials])


def test_the_registered_models(own: Path) -> None:
    app = opened("models", model="cars", version="2")
    assert "which arithmetic its recorded scores are of is unknown" in words(app)
    assert "champion → version 2" in words(app)
    dice = [recorded(name) for name in ("momentum", "seed 0")]
    assert app.dataframe[0].value["dice"].tolist() == pytest.approx(dice, abs=1e-5)
    assert app.button(key="roll_back").label == "Roll champion back to version 1"
    app.button(key="roll_back").click().run()
    assert not app.exception and "champion → version 1" in words(app)


def test_an_upload(old: Path) -> None:
    app = opened("predict", model="cars/2")
    image = Path(IMAGES[0])
    app.file_uploader(key="upload").set_value((image.name, image.read_bytes(), "image/png")).run()
    assert not app.exception
    car = app.dataframe[0].value["pixels"]["car"]
    assert abs(car - SAID["predict"]["alias"][image.stem]) <= 8
