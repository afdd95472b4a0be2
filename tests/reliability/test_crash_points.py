"""A run that dies at any of its durable steps goes on to what it would have been."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.seen import curves, files, repeated
from trainer.config import TrainConfig
from trainer.tracking import find_runs

# Each is two trainings: a campaign takes them all, and most days some.
EVERY = int(os.environ.get("SEGSCOPE_EVERY_POINT", "19"))


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 1 + EVERY // 2] if EVERY > 1 else [1])
def test_a_run_that_dies_at_any_point_goes_on(
    first: int, tiny: TrainConfig, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, died = tmp_path / "config.yaml", tmp_path / "died"
    changes = {"epochs": 2, "samples": 2, "augment": "flips", "schedule": "cosine"}
    config.write_text(tiny.replace(boundary_iou=True, **changes).to_yaml())
    program = [sys.executable, "-m", "tests.reliability.crash_points"]
    done = subprocess.run(
        [*program, str(config), str(store), str(died), str(first), str(EVERY)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    seen = {}
    for folder in died.iterdir():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        assert not find_runs("attributes.status = 'RUNNING'"), folder
        (run,) = find_runs("tags.`segscope.outcome` = 'completed'")
        assert repeated(run.info.run_id) <= 1, folder
        seen[folder.name] = curves(run.info.run_id), files(run.info.run_id)
    assert len(seen) > 4
    print(f"died and went on at {len(seen) - 1} points up to {max(map(int, seen))}")
    whole = seen.pop("0")
    for point, found in seen.items():
        assert found == whole, point
