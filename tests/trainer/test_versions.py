"""What ``--version`` says is so, on all three commands, and no password is in it."""

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import trainer

LOADED = """
import json, sys
from {program}.cli import main
sys.argv = ["{program}", "--version"]
code = main()
heavy = [name for name in {heavy} if name in sys.modules]
print(json.dumps([code, heavy]), file=sys.stderr)
"""


@pytest.mark.parametrize("program", ["trainer", "sweeps", "dashboard"])
def test_every_command_says_what_runs(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And imports for it what knows the device, and nothing else that takes long."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://me:s3cret@127.0.0.1:1/runs")
    heavy = ("mlflow", "optuna", "streamlit", "albumentations", "scipy", "pandas")
    script = LOADED.format(program=program, heavy=heavy)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(done.stderr) == [0, []]
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(said) == ["Segscope", "Python", "torch", "MLflow", "device", "store"]
    assert said["Segscope"] == trainer.__version__
    assert said["Python"] == platform.python_version()
    assert (said["torch"], said["MLflow"]) == (version("torch"), version("mlflow"))
    assert said["device"].split(",")[0] in ("cpu", "cuda")
    assert said["store"] == "postgresql+psycopg://me:***@127.0.0.1:1/runs"
    assert not list(tmp_path.iterdir())
