"""A process that gets no more memory ends its run with one line, which names settings that fit."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.conftest import Shell
from trainer.config import TrainConfig
from trainer.tracking import get_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # A crowded machine takes many times as long.
    pytest.mark.skipif(sys.platform != "linux", reason="other systems do not refuse memory"),
]
# So much more than what torch and MLflow take: a map of one image here has 48 MiB.
LIMITED = """
import resource, sys
import mlflow, torch
from pathlib import Path
import trainer.training.fitting
from trainer.cli import main

taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**31, resource.RLIM_INFINITY))
sys.exit(main())
"""


def limited(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", LIMITED, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_memory_that_is_refused(shell: Shell, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tmp_path / "large.yaml"
    # A kernel of one pixel: much to keep, little to compute.
    changes = {"image_size": (1024, 1536), "base_channels": 8, "depth": 1, "kernel_size": 1}
    large = tiny.replace(**changes, batch_size=12, epochs=1, samples=0, precision="float32")
    config.write_text(large.to_yaml())
    failed = limited("fit", "--config", str(config))
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    (line,) = [line for line in failed.stderr.splitlines() if "out of memory" in line]
    run = get_run(failed.stdout.strip())
    assert (run.info.status, run.data.tags["segscope.outcome"]) == ("FAILED", "failed")
    assert line == f"failed: {run.data.tags['segscope.reason']}"
    first, *_ = line.partition("what fits here: ")[2].split(", ")
    assert first.startswith("--batch-size ")
