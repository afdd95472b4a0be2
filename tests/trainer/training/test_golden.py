"""Training repeats, step for step, the losses that were written down when it was last right.

A change of these numbers is a change of what users' runs learn: of the data's order, the loss, the
initial weights or the optimiser. Where it is meant, write them anew with
``SEGSCOPE_WRITE_GOLDEN=1 pytest tests/trainer/training/test_golden.py`` and say why in the commit.
"""

import json
import os
from pathlib import Path

import pytest

from trainer.config import TrainConfig
from trainer.tracking import reading
from trainer.training.fitting import fit

GOLDEN = Path(__file__).parents[2] / "golden"
# Convolutions add up in another order on another processor, and training amplifies that.
TOLERANCE = 5e-3


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("unet_bce_adam", {}),
        (
            "unet_cross_entropy_sgd_flips",
            {"loss": "cross-entropy", "optimizer": "sgd", "augment": "flips", "lr": 0.1},
        ),
    ],
)
def test_the_losses_of_every_epoch_are_the_golden_ones(
    name: str, changes: dict[str, object], tiny: TrainConfig, store: Path
) -> None:
    config = tiny.replace(epochs=4, precision="float32", **changes)  # type: ignore[arg-type]
    run_id = fit(config, progress=False).run_id
    history = reading.histories([run_id], ["train/loss", "val/loss"])
    losses = {
        str(key): [round(float(v), 5) for v in rows.sort_values("step")["value"]]
        for key, rows in history.groupby("metric", observed=True)
    }
    path = GOLDEN / f"{name}.json"
    if os.environ.get("SEGSCOPE_WRITE_GOLDEN"):
        path.write_text(json.dumps(losses, indent=2) + "\n")
    golden = json.loads(path.read_text())
    assert losses.keys() == golden.keys()
    for key, values in golden.items():
        assert losses[key] == pytest.approx(values, abs=TOLERANCE), key
