"""How much memory a process of its own takes at most, and what it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")

# The kernel's own mark: what `resource` tells begins with the parent's.
MEASURED = """
import json, sys
from pathlib import Path

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

{prepared}
for path in map(Path, sys.argv[1:]):
    before = peak()
    try:
        said = "taken: " + repr({tried})[:200]
    except ValueError as error:
        said = str(error)
    print(json.dumps([path.name, peak() - before, said]))
"""


class Outcome(NamedTuple):
    """The MiB that a path took beyond those before it, and the error's words."""

    name: str
    mib: int
    said: str


def outcomes(prepared: str, tried: str, paths: list[Path]) -> list[Outcome]:
    """Evaluate ``tried`` for each ``path`` in one child process and return what came of it."""
    if not STATUS.is_file():
        pytest.skip("this system does not tell a process's peak memory in /proc")
    script = MEASURED.format(prepared=prepared, tried=tried)
    command = [sys.executable, "-c", script, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [Outcome(*json.loads(line)) for line in done.stdout.splitlines()]
