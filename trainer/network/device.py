"""Where and in which numbers to compute, and how much memory that took."""

import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from trainer.catalogue import PRECISIONS
from trainer.names import check
from trainer.network.arithmetic import DTYPES

CPU_INFO = Path("/proc/cpuinfo")
AUTO_VARIABLE = "SEGSCOPE_AUTO_PRECISION"


def peak_memory_mib(device: torch.device) -> float:
    """Return the peak in MiB: of the GPU's memory, or of this process's on a processor."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@contextmanager
def repeatable(*, asked: bool) -> Iterator[None]:
    """Compute with what gives the same result each time on one machine, if ``asked``.

    Raises ``ValueError`` where a network does what has no such form on its device.
    """
    before = torch.are_deterministic_algorithms_enabled()
    if asked:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # As CUDA's manual wants it.
    torch.use_deterministic_algorithms(asked or before)
    try:
        yield
    except RuntimeError as error:
        if asked and "deterministic" in str(error):
            what = str(error).split()[0]
            raise ValueError(
                f"deterministic: {what} has no such form here; leave it out"
            ) from error
        raise
    finally:
        torch.use_deterministic_algorithms(before)


def choose_device(name: str) -> torch.device:
    """Return the device that ``name`` means; ``auto`` is the first GPU, else the processor.

    Raises ``ValueError`` for a device that is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: unknown {name!r}; give auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: {name!r} is not supported; give auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device: {name} is not there; this machine has "
            f"{torch.cuda.device_count()} CUDA devices"
        )
    return device


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type to train in; ``auto`` is bfloat16 where the hardware computes in it.

    A processor without such instructions emulates it more slowly than ``float32``. What ``auto``
    means is said for all of a machine, or of a mixed cluster, by ``SEGSCOPE_AUTO_PRECISION``;
    ``ValueError`` when that is no precision.
    """
    if precision == "auto":
        precision = os.environ.get(AUTO_VARIABLE) or (
            "bfloat16" if _computes_bfloat16(device) else "float32"
        )
        check(AUTO_VARIABLE, precision, DTYPES)
    check("precision", precision, PRECISIONS)
    return DTYPES[precision]


def processor_name(device: torch.device) -> str:
    """Return what computes: the GPU's name, or the processor's; empty where neither is known."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = _processor_lines("model name")
    return next(iter(lines), "") or platform.processor() or platform.machine()


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_processor_flags())


def _processor_flags() -> set[str]:
    return set(next(iter(_processor_lines("flags", "Features")), "").split())


def _processor_lines(*keys: str) -> list[str]:
    try:
        text = CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return []  # Not Linux: float32 is always right.
    pairs = (line.partition(":") for line in text.splitlines())
    return [value.strip() for key, _, value in pairs if key.strip() in keys]
