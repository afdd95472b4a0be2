"""How much memory a device has for this process, and the most that it has used for a while."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
# Of the second and the first version of control groups: where, the limit, what is used, and what
# of it is files that make room.
MEMORY_CONTROL = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def reset_peak(device: torch.device) -> None:
    """Let `trainer.network.device.peak_memory_mib` begin anew.

    Raises ``ValueError`` where the system does not tell the memory of a while.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        (PROC / "self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        raise ValueError("memory: it is measured on Linux and on a GPU alone") from error


def reachable_mib(device: torch.device, share: float) -> float:
    """Return what this process uses in MiB, and ``share`` of what is free beside it.

    On a processor that is what the machine and every control group leave.
    """
    if device.type == "cuda":
        used = float(torch.cuda.memory_allocated(device))
        cached = torch.cuda.memory_reserved(device) - used
        free = torch.cuda.mem_get_info(device)[0] + cached
    else:
        pages = int((PROC / "self/statm").read_text(encoding="ascii").split()[1])
        used = float(pages * os.sysconf("SC_PAGE_SIZE"))
        free = max(0, min([_values(PROC / "meminfo")["MemAvailable"] * 1024, *_left_by_groups()]))
    return (used + share * free) / 2**20


def _left_by_groups() -> Iterator[int]:
    """Yield what each control group of this process leaves of its limit, in bytes."""
    for line in (PROC / "self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, own = line.split(":", 2)
        for name in MEMORY_CONTROL.keys() & controllers.split(","):
            root, limit, usage, files = MEMORY_CONTROL[name]
            top = CGROUPS / root
            group = top / own.lstrip("/")
            # In a container its own group is the top, whatever it is called outside.
            for folder in [group, *group.parents][: len(group.parts) - len(top.parts) + 1]:
                most = _number(folder / limit)
                if most is not None:
                    yield (
                        most
                        - (_number(folder / usage) or 0)
                        + _values(folder / "memory.stat").get(files, 0)
                    )


def _number(path: Path) -> int | None:
    """Return what a file of a control group says; None where there is none, or no limit."""
    text = path.read_text(encoding="ascii").strip() if path.exists() else ""
    return int(text) if text.isdigit() else None


def _values(path: Path) -> dict[str, int]:
    """Return the lines of a name and a number of one of the kernel's files."""
    words = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {key: int(value) for key, value, *_ in words}
