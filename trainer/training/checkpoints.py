"""Checkpoints: weights, optimiser and JSON state, written whole or not at all.

Weights and the optimiser's tensors are safetensors, the rest is JSON: loading one never executes
anything that it holds.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from trainer.files import aside, link_or_copy, replacing_folder
from trainer.run_files import CHECKPOINT_FORMAT, read_run_file

WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    state: Mapping[str, Any],
    beside: Mapping[str, nn.Module] = MappingProxyType({}),
) -> None:
    """Write ``folder`` with the weights, the optimiser and ``state``, a JSON mapping.

    ``beside`` are networks whose weights are kept too, by the names of their files.
    A process killed at any moment leaves the earlier checkpoint or the new one.
    """
    with replacing_folder(folder) as partial:
        tensors, plain = _split_optimizer(optimizer.state_dict())
        told = {"format": CHECKPOINT_FORMAT, **state, "optimizer": plain}
        (partial / STATE).write_text(json.dumps(told), encoding="utf-8")
        weights = {n: _on_cpu(each.state_dict()) for n, each in {WEIGHTS: model, **beside}.items()}
        for name, kept in {**weights, OPTIMIZER: tensors}.items():
            save_file(kept, partial / name)
            # safetensors makes a file that its writer alone may read, whatever the umask.
            shutil.copymode(partial / STATE, partial / name)


def copy_checkpoint(source: Path, folder: Path) -> None:
    """Make ``folder`` the same checkpoint as ``source``, sharing the bytes where links work."""
    with replacing_folder(folder) as partial:
        for path in source.iterdir():
            link_or_copy(path, partial / path.name)


def find_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint at ``folder``, or the one that it was about to replace, or None."""
    for candidate in (folder, aside(folder)):
        if (candidate / STATE).is_file():
            return candidate
    return None


def load_state(folder: Path, needed: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON state of a checkpoint.

    Raises ``ValueError`` when it is damaged, of a later version or lacks a part that is needed.
    """
    try:
        state: dict[str, Any] = read_run_file(folder / STATE)
        if lacking := [name for name in needed if name not in state]:
            raise ValueError(f"{folder / STATE}: lacks {', '.join(lacking)}")
    except ValueError as error:
        raise ValueError(f"checkpoint: {error}") from error
    return state


def load_weights(folder: Path, model: nn.Module, name: str = WEIGHTS) -> None:
    """Load the weights into ``model``; ``name`` is their file.

    Raises ``ValueError`` when they are damaged or belong to another architecture.
    """
    weights = read_tensors(folder / name)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"checkpoint: {folder} does not fit the model: {reason}") from error


def load_optimizer(folder: Path, optimizer: Optimizer) -> None:
    """Load the optimiser's tensors and settings; ``ValueError`` when they are damaged."""
    stored, tensors = load_state(folder), read_tensors(folder / OPTIMIZER)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    with fitting(folder, "optimiser"):
        plain = stored["optimizer"]
        state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in plain["state"].items()}
        for key, tensor in tensors.items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = _laid_out_like(parameters[int(index)], tensor)
        optimizer.load_state_dict({"state": state, "param_groups": plain["param_groups"]})


@contextmanager
def fitting(folder: Path, what: str) -> Iterator[None]:
    """Make one ``ValueError`` of what is raised where a checkpoint is of another ``what``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as e:
        reason = " ".join(str(e).split())[:200]
        raise ValueError(f"checkpoint: {folder} does not fit the {what}: {reason}") from e


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name; ``ValueError`` when it is damaged or not there."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"checkpoint: cannot read {path}: {error}") from error
    return tensors


def _split_optimizer(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous()
            else:
                plain.setdefault(str(index), {})[name] = value
    return tensors, {"state": plain, "param_groups": state["param_groups"]}


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    # Fused optimisers walk weights and moments through memory side by side, unchecked: row-major
    # moments beside channels-last weights would pair the wrong elements.
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors stores plain row-major tensors; channels-last weights are not.
    return {
        name: tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
