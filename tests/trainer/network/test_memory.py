"""How much memory there is for this process: of the machine, and of every group that it is in."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.network import memory
from trainer.network.device import peak_memory_mib
from trainer.network.memory import reachable_mib, reset_peak

CPU = torch.device("cpu")
GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a machine of 8 GiB left, with a process of 1 GiB in no group."""
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "groups")
    (tmp_path / "self").mkdir()
    pages = GIB // os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "self/statm").write_text(f"9999999 {pages} 1 1 0 1 0\n")
    (tmp_path / "self/cgroup").write_text("")
    (tmp_path / "meminfo").write_text(
        f"MemTotal: 16777216 kB\nMemAvailable: {8 * 2**20} kB\nHugePages_Total: 0\n"
    )
    return tmp_path


def group(folder: Path, names: tuple[str, str, str], limit: str, used: int, files: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {files}\n")


SECOND = ("memory.max", "memory.current", "inactive_file")
FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def test_the_machine_sets_the_limit(machine: Path) -> None:
    assert reachable_mib(CPU, 1.0) == 9 * 1024
    assert reachable_mib(CPU, 0.5) == 5 * 1024


@pytest.mark.parametrize(
    ("line", "own", "names"),
    [
        ("0::/jobs/mine", "jobs/mine", SECOND),
        ("4:cpu,memory:/jobs/mine", "memory/jobs/mine", FIRST),
        ("0::/jobs/mine", "jobs", SECOND),  # the limit of the group around it
        ("0::/jobs/mine", "", SECOND),  # as a container sees its own
        ("4:memory:/jobs/mine", "memory", FIRST),
    ],
)
def test_so_does_a_control_group(
    machine: Path, line: str, own: str, names: tuple[str, str, str]
) -> None:
    (machine / "self/cgroup").write_text(f"7:pids:/jobs/mine\n{line}\n")
    # 4 GiB, of which 3 are used, but 1 of these by files that make room.
    group(machine / "groups" / own, names, str(4 * GIB), 3 * GIB, GIB)
    assert reachable_mib(CPU, 1.0) == (1 + 2) * 1024


def test_a_group_that_is_full_leaves_nothing(machine: Path) -> None:
    (machine / "self/cgroup").write_text("0::/\n")
    group(machine / "groups", SECOND, str(GIB), 2 * GIB, 0)
    assert reachable_mib(CPU, 1.0) == 1024


def test_a_group_without_a_limit_sets_none(machine: Path) -> None:
    (machine / "self/cgroup").write_text("0::/\n")
    group(machine / "groups", SECOND, "max", 3 * GIB, 0)
    assert reachable_mib(CPU, 1.0) == 9 * 1024


def test_a_peak_begins_anew() -> None:
    large = np.ones(2**27, np.uint8)
    high = peak_memory_mib(CPU)
    del large
    assert peak_memory_mib(CPU) >= high
    reset_peak(CPU)
    assert peak_memory_mib(CPU) < high - 100
    assert peak_memory_mib(CPU) <= reachable_mib(CPU, 0.0) + 10


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    with pytest.raises(ValueError, match="memory: it is measured on Linux and on a GPU alone"):
        reset_peak(CPU)
