"""A model folder that tells of more than its weights hold is refused before memory is taken."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.reliability.peaks import outcomes
from tests.trainer.model_folders import model_folder, picture
from trainer.prediction.predictor import Predictor

PREPARED = """
from trainer.prediction.predictor import Predictor
Predictor(Path(sys.argv.pop(1)))
"""
LARGE: dict[str, dict[str, Any]] = {
    "wide": {"base_channels": 2048, "depth": 4},
    "deep": {"depth": 8, "base_channels": 512},
    "wide beyond counting": {"base_channels": 2**31 - 1},
    "many channels": {"in_channels": 10_000, "base_channels": 2**20},
    "large kernels": {"kernel_size": 15, "base_channels": 1024},
}


def test_no_memory_is_taken_for_a_network_that_the_weights_do_not_hold(tmp_path: Path) -> None:
    sound, folders = model_folder(tmp_path / "sound"), []
    for name, changes in LARGE.items():
        folder = model_folder(tmp_path / name)
        config = json.loads((folder / "config.json").read_text())
        config["model"]["settings"] |= changes
        for statistic in ("mean", "std"):
            config[statistic] = [0.5] * changes.get("in_channels", 3)
        (folder / "config.json").write_text(json.dumps(config))
        folders.append(folder)
    found = outcomes(PREPARED, "Predictor(path)", [sound, *folders])
    assert [outcome.name for outcome in found] == list(LARGE)
    for outcome in found:
        assert outcome.said.startswith("model: cannot load"), outcome
        assert "config.json" in outcome.said, outcome
        assert outcome.mib < 50, outcome


def test_a_network_that_computes_no_numbers_predicts_nothing(tmp_path: Path) -> None:
    """Every weight is a number, and still the root of a negative variance is none."""
    folder = model_folder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["first.1.running_var"] -= 10
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match="model: it computes what is no number"):
        Predictor(folder).predict(picture(40, 56))
