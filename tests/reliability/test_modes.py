"""What is written has the mode that the umask gives, so that others who may, can read it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.config import TrainConfig
from trainer.prediction.registry import pull, register
from trainer.training.fitting import fit

MASK = 0o027


@pytest.fixture
def umask() -> Iterator[None]:
    """Let the group read and nobody else."""
    before = os.umask(MASK)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_run_a_model_and_the_cache_have_the_umasks_modes(
    tiny: TrainConfig, store: Path, tmp_path: Path
) -> None:
    result = fit(tiny.replace(cache="disk", augment="flips"), progress=False)
    register(result.run_id, "cars", alias="champion")
    pull("models:/cars@champion", tmp_path / "pulled")
    others = []
    assert (store / "cache").is_dir()
    for folder in (store, tmp_path / "pulled"):
        assert any(folder.rglob("*")), folder
        for path in folder.rglob("*"):
            whole = 0o777 if path.is_dir() else 0o666
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode != whole & ~MASK:
                others.append(f"{path.relative_to(folder)}: {mode:o}")
    assert not others
