"""What a run leaves beside its checkpoints is rubbish: one part is named and left out."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import open_app  # noqa: F401  the fixture: a page, unless it raised
from tests.dashboard.test_pages import said
from tests.reliability.rubbish import (
    DEEP,
    PAGES,
    as_json,
    assert_right,
    bounded,
    damaged,
    documents,
)
from tests.test_old_store import RUNS, copied
from trainer.evaluation.per_image import read_part, read_parts
from trainer.evaluation.samples import read_predictions, read_samples, read_worst, sampled_epochs
from trainer.run_files import SCHEMAS, read_run_file

STORE = Path(__file__).parents[1] / "fixtures" / "store_1"
RUN = RUNS["padded"]
OTHER = next(run_id for run_id in RUNS.values() if run_id != RUN)


def stored(run_id: str = RUN, store: Path = STORE) -> Path:
    (folder,) = store.glob(f"artifacts/*/{run_id}/artifacts")
    return folder


JSON = sorted(path for path in STORE.rglob("*.json") if path.name in SCHEMAS)


@pytest.mark.parametrize("kind", sorted({path.name for path in JSON}))
def test_every_json_of_the_store_of_before_is_read_and_rubbish_told(
    tmp_path: Path, kind: str
) -> None:
    paths = [path for path in JSON if path.name == kind]
    for path in paths:
        read_run_file(path)
    longest = max(paths, key=lambda path: path.stat().st_size)
    inputs = documents(json.loads(longest.read_bytes()), kind)
    assert_right(inputs, tmp_path / kind, read_run_file)


SAMPLES: dict[str, Callable[[Path], object]] = {
    "index.json": read_samples,
    "images.png": read_samples,
    "targets.png": read_samples,
    "epoch-0001.png": lambda folder: read_predictions(folder, 1),
    "worst/epoch-0001.json": lambda folder: read_worst(folder, 1),
    "worst/epoch-0001.jpg": lambda folder: read_worst(folder, 1),
    "worst/epoch-0001.png": lambda folder: read_worst(folder, 1),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_pictures(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(stored() / "samples", folder)
    SAMPLES[name](folder)
    sound = (folder / name).read_bytes()
    is_json = name.endswith(".json")
    inputs = documents(json.loads(sound), name) if is_json else damaged(sound, name)
    assert_right(inputs, folder / name, lambda _: SAMPLES[name](folder))


def test_a_file_of_another_name_is_no_epoch(tmp_path: Path) -> None:
    for name in ("epoch-0002.png", "epoch-final.png", "epoch-²².png", "epoch-.png"):
        (tmp_path / name).touch()
    assert sampled_epochs(tmp_path) == [2]


def test_a_part_of_the_scores_per_image(tmp_path: Path) -> None:
    part = tmp_path / "epoch-0001.parquet"
    sound = (stored() / "evaluation" / "per_image" / part.name).read_bytes()
    part.write_bytes(sound)
    assert len(read_part(part))
    assert_right(damaged(sound, "part"), part, read_part)


@pytest.mark.parametrize(("rows", "length"), [(20_000_000, 0), (1, 2**28)])
def test_a_small_part_that_stands_for_much(tmp_path: Path, rows: int, length: int) -> None:
    part = tmp_path / "epoch-0001.parquet"
    table = pa.table({"image": ["x" * length], "epoch": [0]}).take(np.zeros(rows, np.int64))
    pq.write_table(table, part, compression="zstd", use_dictionary=False)
    assert part.stat().st_size < 2**20
    with bounded(), pytest.raises(ValueError, match=r"epoch-0001\.parquet: .*it tells of .* rows"):
        read_part(part)


def test_the_other_parts_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(stored() / "evaluation" / "per_image", tmp_path, dirs_exist_ok=True)
    whole = set(read_parts(tmp_path)["epoch"])
    (tmp_path / "epoch-0001.parquet").write_bytes(b"")
    assert set(read_parts(tmp_path)["epoch"]) == whole - {1}
    assert "epoch-0001.parquet: is damaged" in caplog.text


RUBBISH = {
    "cut": lambda sound: sound[: len(sound) // 2],
    "empty": lambda sound: b"",
    "deep": lambda sound: b"[" * DEEP,
    "another type": lambda sound: as_json(["x", None, {"a": 1}]),
}


@pytest.fixture
def rubbish_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[bytes], bytes]], list[str]]]:
    copied(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")

    def damage(harm: Callable[[bytes], bytes]) -> list[str]:
        names = []
        for path in sorted(stored(store=tmp_path / "mlruns").rglob("*")):
            if path.is_file() and path.suffix in (".json", ".png", ".jpg", ".parquet"):
                path.write_bytes(harm(path.read_bytes()))
                names.append(path.name)
        return names

    yield damage


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind != "cut")) for kind in RUBBISH]
)
def test_no_page_dies_of_a_runs_files(
    rubbish_store: Callable[[Callable[[bytes], bytes]], list[str]],
    open_app: Callable[..., AppTest],  # noqa: F811
    kind: str,
) -> None:
    names = rubbish_store(RUBBISH[kind])
    shown = ""
    for page, query in PAGES:
        shown += said(open_app(page, run=RUN, runs=f"{RUN},{OTHER}", **query))
    assert "Left out, for it cannot be read" in shown
    for name in ("diagnoses.json", "confusion.json", "index.json", "epoch-0001.parquet"):
        assert name in names
        assert f"{name}: " in shown
