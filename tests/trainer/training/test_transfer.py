"""Beginning with another model's weights."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainer.training.test_fitting import folder_of
from tests.trainer.training.test_loop import Trained
from trainer.commands.training import fit as train
from trainer.config import TrainConfig
from trainer.models import MODELS, build_model
from trainer.progress import Progress
from trainer.settings import load
from trainer.tracking import get_run
from trainer.training.checkpoints import read_tensors
from trainer.training.fitting import fit, resume
from trainer.training.loop import train_epoch
from trainer.training.transfer import begin_from, encoder_of


@pytest.fixture
def begun(tiny: TrainConfig, store: Path) -> str:
    """Return the id of a run whose weights can be begun with."""
    return fit(tiny.replace(epochs=1), progress=False).run_id


def weights(run_id: str) -> dict[str, Tensor]:
    return read_tensors(folder_of(run_id) / "checkpoints" / "best" / "model.safetensors")


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_an_encoder_that_is_not_all_of_it(name: str) -> None:
    kind = load("model", name, MODELS, "trainer.models")
    assert kind.encoder_parts
    with torch.device("meta"):
        model = build_model(name)
    inside = {id(p) for part in encoder_of(model) for p in part.parameters()}
    assert 0 < len(inside) < len(list(model.parameters()))


def test_all_weights_of_the_same_network_are_taken(
    begun: str, tiny: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    model = build_model("unet", base_channels=tiny.base_channels, depth=tiny.depth)
    with caplog.at_level(logging.INFO):
        begin_from(begun, model)
    found = model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights(begun).items())
    number = len(found)
    assert f"begins with {number} of {number} weights of {begun}" in caplog.text
    assert "at random" not in caplog.text


def test_what_does_not_fit_stays_at_random_and_is_told(
    begun: str, tiny: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    kind = {"base_channels": tiny.base_channels, "depth": tiny.depth, "out_channels": 5}
    model = build_model("unet", **kind)
    before = model.last.weight.detach().clone()
    with caplog.at_level(logging.INFO):
        begin_from(begun, model)
    assert torch.equal(model.last.weight, before)
    assert torch.equal(model.first[0].weight, weights(begun)["first.0.weight"])
    assert "; at random: last.weight, last.bias" in caplog.text


def test_nothing_that_fits_is_refused(begun: str) -> None:
    with pytest.raises(ValueError, match=r"init_from: none of the weights of .* fits this network"):
        begin_from(begun, build_model("pspnet", encoder_depth=18, base_channels=2))
    with pytest.raises(ValueError, match=r"model: .nowhere. is no folder, registered model or run"):
        begin_from("nowhere", build_model("unet"))


def test_a_run_begins_with_them_and_goes_on_with_its_own(begun: str, tiny: TrainConfig) -> None:
    still = tiny.replace(init_from=begun, epochs=1, freeze="encoder", lr=1e-9)
    run_id = fit(still, progress=False).run_id
    first = weights(begun)["first.0.weight"]
    assert torch.equal(weights(run_id)["first.0.weight"], first)
    resume(run_id, epochs=2, progress=False)
    assert torch.equal(weights(run_id)["first.0.weight"], first)


def test_a_frozen_encoder_learns_nothing_and_remembers_no_statistics(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    trained = Trained(tiny.replace(freeze="encoder"), tmp_path / "run")
    model = trained.training.forward.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_epoch(trained.training, trained.data, trained.config, 1, Progress(enabled=False))
    same = {
        name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])
    }
    assert same == {name for name in before if name.split(".")[0] in ("first", "downs")}


def test_an_encoder_may_learn_more_slowly(tiny: TrainConfig, tmp_path: Path) -> None:
    trained = Trained(tiny.replace(encoder_lr=1e-6, schedule="cosine"), tmp_path / "run")
    fast, slow = trained.training.optimizer.param_groups
    assert (fast["lr"], slow["lr"]) == (tiny.lr, 1e-6)
    inside = {
        id(p) for part in encoder_of(trained.training.forward.model) for p in part.parameters()
    }
    assert {id(p) for p in slow["params"]} == inside
    trained.training.schedule.after_epoch(0.5)
    assert slow["lr"] / 1e-6 == pytest.approx(fast["lr"] / tiny.lr) and slow["lr"] < 1e-6


def test_a_rate_of_what_does_not_learn_is_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder_lr: 0\.1 does nothing where freeze is encoder"):
        TrainConfig(freeze="encoder", encoder_lr=0.1)


def test_a_repeat_begins_with_the_model_that_was_meant_first(
    begun: str, tiny: TrainConfig, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """To the second seed ``last`` would be the first one's run."""
    path = tmp_path / "config.yaml"
    path.write_text(tiny.replace(epochs=1).to_yaml())
    assert train(["--config", str(path), "--init-from", "last", "--seeds", "2"]) == 0
    for run_id in capsys.readouterr().out.split():
        assert get_run(run_id).data.params["init_from"] == begun
