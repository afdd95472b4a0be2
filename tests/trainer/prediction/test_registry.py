"""Register, promote and pull, on a real store; the model then loads without our packages."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.config import TrainConfig
from trainer.prediction import registry
from trainer.prediction.predictor import Predictor
from trainer.tracking import get_run
from trainer.tracking.models import set_alias
from trainer.training.fitting import fit

WITHOUT_OUR_PACKAGES = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("trainer", "sweeps", "dashboard", "turntable"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/cars@champion")
np.save(sys.argv[3], model.predict(np.load(sys.argv[2])))
"""


@pytest.fixture
def run_id(tiny: TrainConfig, store: Path) -> str:
    return fit(tiny, progress=False).run_id


def test_what_chose_a_model_is_said_of_sweeps_and_of_runs_without_test_images() -> None:
    class Logged:
        params = {"monitor": "val/miou"}  # noqa: RUF012
        tags = {"segscope.sweep": "wide"}  # noqa: RUF012
        metrics = {"val/miou": 0.5}  # noqa: RUF012

    assert registry._selected_on(Logged, {"val": ["a", "b"], "test": []}) == (
        "its best epoch by val/miou on 2 validation images, in the sweep wide, which judges its "
        "trials on the same images; no score is of images that chose nothing"
    )


def test_a_registered_model_predicts_where_our_packages_are_not(
    run_id: str, store: Path, tmp_path: Path, cars: Path
) -> None:
    before = get_run(run_id).info
    made = registry.register(run_id, "cars", alias="champion")
    assert (made.version, made.aliases, made.run_id) == ("1", ("champion",), run_id)
    assert get_run(run_id).info.end_time == before.end_time
    assert made.selected_on == (
        "its best epoch by val/dice on 6 validation images; the test scores are of 6 that chose "
        "nothing"
    )
    folder = registry.pull("models:/cars@champion", tmp_path / "pulled")
    image = np.array(Image.open(next((cars / "train").iterdir())).resize((61, 37)))
    expected = Predictor(folder / "artifacts/model").predict(image)
    assert expected.shape == (37, 61)
    np.save(tmp_path / "in.npy", image[None])
    uri = f"sqlite:///{store}/mlflow.db"
    command = [sys.executable, "-c", WITHOUT_OUR_PACKAGES, uri]
    paths = [str(tmp_path / "in.npy"), str(tmp_path / "out.npy")]
    done = subprocess.run([*command, *paths], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npy")
    assert found.dtype == np.uint8
    assert (found == expected[None]).all()


def test_versions_count_up_and_the_alias_moves(run_id: str) -> None:
    registry.register(run_id, "cars", alias="champion")
    registry.register(run_id, "cars")
    assert registry.find("models:/cars@champion").version == "1"
    assert registry.promote("cars", "2").aliases == ("champion",)
    assert registry.find("models:/cars@champion").version == "2"
    newest, oldest = registry.list_models()["cars"]
    assert (newest.version, newest.aliases, oldest.aliases) == ("2", ("champion",), ())
    assert float(newest.tags["best.val_dice"]) > 0


def test_an_alias_goes_back_the_way_it_came(run_id: str) -> None:
    for alias in ("champion", "champion", None):
        registry.register(run_id, "cars", alias=alias)
    registry.promote("cars", "3")
    assert [registry.roll_back("cars").version for _ in range(2)] == ["2", "1"]
    with pytest.raises(ValueError, match="nothing is known of where champion of cars pointed"):
        registry.roll_back("cars")
    set_alias("cars", "champion", "3")  # By another program: where it was before is not known.
    with pytest.raises(ValueError, match="nothing is known"):
        registry.roll_back("cars")
    registry.promote("cars", "1")
    assert registry.roll_back("cars").version == "3"


def test_what_is_pulled_is_data_and_never_unpickled(run_id: str, tmp_path: Path) -> None:
    registry.register(run_id, "cars")
    folder = registry.pull("models:/cars/1", tmp_path / "pulled")
    data = sorted(p.name for p in (folder / "artifacts/model").iterdir())
    assert data == ["config.json", "model.safetensors", "origin.json"]
    assert not [p for p in folder.rglob("*") if p.suffix in (".pkl", ".pt", ".pth", ".bin")]
    with pytest.raises(ValueError, match="not empty"):
        registry.pull("models:/cars/1", folder)


def test_the_model_folder_knows_the_split_it_was_trained_on(run_id: str, tmp_path: Path) -> None:
    folder = registry.export_run(run_id, tmp_path / "model")
    origin = json.loads((folder / "origin.json").read_text())
    assert origin["run_id"] == run_id
    assert {part for part in origin["split"] if origin["split"][part]} == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("models:/cars", "neither"),
        ("models:/cars@nobody", "there is no models:/cars@nobody"),
        ("models:/cars/9", "there is no models:/cars/9"),
        ("models:/../../etc/1", "neither"),
    ],
)
def test_an_address_that_names_no_model(run_id: str, uri: str, said: str) -> None:
    registry.register(run_id, "cars")
    with pytest.raises(ValueError, match=said):
        registry.find(uri)


def test_a_plain_name_is_its_champion_and_a_run_is_said_by_anything(
    run_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.register(run_id, "cars")
    with pytest.raises(ValueError, match=r"'cars' has no champion; say which: models:/cars/1$"):
        registry.resolve_model("cars", tmp_path / "none")
    registry.promote("cars", "1", alias="trial")
    with pytest.raises(ValueError, match=r"say which: models:/cars@trial, models:/cars/1$"):
        registry.version_named("cars")
    registry.promote("cars", "1")
    with caplog.at_level(logging.INFO):
        assert registry.model_named("cars") == registry.version_named("cars") == "models:/cars/1"
    assert "cars is models:/cars/1, its champion" in caplog.text
    assert registry.model_named("last") == registry.model_named(run_id[:7]) == run_id
    assert registry.settled("models:/cars@champion") == "models:/cars@champion"
    folder = registry.resolve_model("cars", tmp_path / "one")
    again = registry.resolve_model(run_id[:7], tmp_path / "two")
    assert (folder / "config.json").read_text() == (again / "config.json").read_text()


def test_a_folder_that_is_there_comes_first(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register(run_id, "cars", alias="champion")
    monkeypatch.chdir(tmp_path)
    registry.pull("models:/cars/1", Path("cars"))
    assert registry.settled("cars") == "cars"
    assert registry.resolve_model("cars", tmp_path / "s") == Path("cars/artifacts/model")


def test_a_model_and_a_run_of_one_name_are_not_guessed(run_id: str) -> None:
    registry.register(run_id, run_id[:8], alias="champion")
    with pytest.raises(ValueError, match="is a registered model and a run") as error:
        registry.model_named(run_id[:8])
    assert f"models:/{run_id[:8]}@champion" in str(error.value)


def test_what_is_no_model_lists_the_nearest(run_id: str) -> None:
    registry.register(run_id, "cars")
    for named in (registry.model_named, registry.version_named):
        with pytest.raises(ValueError, match="nearest registered model: cars"):
            named("carz")
    with pytest.raises(ValueError, match=f"run of this store; nearest: {run_id[:8]} "):
        registry.model_named(get_run(run_id).info.run_name[:-1])


def test_names_that_mlflow_or_the_address_could_not_take(run_id: str) -> None:
    for name in ("", "a/b", "a@b", "a:b"):
        with pytest.raises(ValueError, match="name"):
            registry.register(run_id, name)
    for alias in ("v1", "latest", "a b", ""):
        with pytest.raises(ValueError, match="alias"):
            registry.register(run_id, "cars", alias=alias)
    with pytest.raises(ValueError, match="no run"):
        registry.register("0" * 32, "cars")
    with pytest.raises(ValueError, match="model"):
        registry.promote("cars", "7")


@pytest.mark.parametrize("damage", ["empty", "cut off", "no numbers"])
def test_what_cannot_be_opened_becomes_no_version(run_id: str, store: Path, damage: str) -> None:
    registry.register(run_id, "cars", alias="champion")
    [weights] = store.glob(f"artifacts/*/{run_id}/artifacts/checkpoints/best/model.safetensors")
    content = bytearray(weights.read_bytes())
    if damage == "no numbers":
        content[-4:] = b"\xff" * 4
    weights.unlink()  # it may share its bytes with another checkpoint
    weights.write_bytes({"empty": b"", "cut off": content[:-64]}.get(damage, content))
    with pytest.raises(ValueError, match=r"model: cannot load .*model\.safetensors"):
        registry.register(run_id, "cars", alias="champion")
    assert registry.find("models:/cars@champion").version == "1"
    assert len(registry.list_models()["cars"]) == 1


def test_a_damaged_model_folder_is_refused(run_id: str, tmp_path: Path) -> None:
    folder = registry.export_run(run_id, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot load"):
        Predictor(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="lacks"):
        Predictor(folder)
