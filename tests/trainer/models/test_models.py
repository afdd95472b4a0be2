"""What every architecture must do, and what makes some of them what they are."""

import inspect
import json
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.models import MODELS, blocks, build_model
from trainer.models.resnet import ResNet
from trainer.models.unet import UNet
from trainer.network.device import repeatable
from trainer.network.recomputation import recompute
from trainer.settings import load


def images(batch: int, height: int, width: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randn(batch, channels, height, width, generator=generator)


def outputs(model: nn.Module, inputs: Tensor) -> tuple[Tensor, ...]:
    """Return logits, and what auxiliary ones come after them."""
    given = model(inputs)
    return given if isinstance(given, tuple) else (given,)


def count(model: nn.Module) -> tuple[int, int]:
    """Return the numbers of parameters, and of running statistics."""
    statistics = [b for name, b in model.named_buffers() if name.rpartition(".")[2] in STATISTICS]
    return sum(p.numel() for p in model.parameters()), sum(b.numel() for b in statistics)


STATISTICS = ("running_mean", "running_var")
NORMS = {
    "batch": nn.BatchNorm2d,
    "group": nn.GroupNorm,
    "instance": nn.InstanceNorm2d,
    "none": None,
}


def kept_bytes(model: nn.Module) -> int:
    """Return how much of a forward pass lies there until the way back, beside the weights."""
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        given = outputs(model, images(1, 64, 96))
    assert given[0].requires_grad
    return sum(kept.values())


class ModelContract:
    """Inherited by the test class of each architecture, which names it and gives a small one."""

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]]
    grain: ClassVar[int] = 1
    """Side of the least that it can tell apart, in pixels."""

    def build(self, seed: int = 0, **changes: Any) -> nn.Module:
        torch.manual_seed(seed)
        model: nn.Module = build_model(self.name, **{**self.settings, **changes})
        return model

    @pytest.mark.parametrize("out_channels", [1, 4])
    @pytest.mark.parametrize("size", [(32, 48), (31, 47), (33, 17), (8, 8), (5, 100)])
    def test_logits_have_the_size_of_the_image(
        self, size: tuple[int, int], out_channels: int
    ) -> None:
        model = self.build(out_channels=out_channels)
        for logits in outputs(model, images(2, *size)):
            assert logits.shape == (2, out_channels, *size)
        (logits,) = outputs(model.eval(), images(1, *size))
        assert logits.shape == (1, out_channels, *size)

    def test_a_batch_of_one_trains_at_the_least_size(self) -> None:
        least = MODELS[self.name].settings(**self.chosen()).least_size
        for logits in outputs(self.build(), images(1, 1, least)):
            assert torch.isfinite(logits).all()

    @pytest.mark.parametrize("channels", [1, 4])
    def test_images_of_any_number_of_channels(self, channels: int) -> None:
        model = self.build(in_channels=channels).eval()
        assert model(images(1, 31, 47, channels)).shape == (1, 1, 31, 47)

    def test_its_settings_are_the_keywords_of_its_network(self) -> None:
        kind = MODELS[self.name].settings
        takes = inspect.signature(load("model", self.name, MODELS, "trainer.models")).parameters
        assert {*kind.names(), "in_channels", "out_channels"} == set(takes)
        assert self.build().stride == kind(**self.chosen()).stride

    def chosen(self) -> dict[str, Any]:
        return {k: v for k, v in self.settings.items() if k != "out_channels"}

    @pytest.mark.parametrize("size", [(32, 48), (31, 47)])
    def test_every_weight_gets_a_gradient(self, size: tuple[int, int]) -> None:
        model = self.build()
        with repeatable(asked=True):  # Which must be possible on a processor.
            sum(logits.square().mean() for logits in outputs(model, images(2, *size))).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_what_is_computed_again_gives_the_same_numbers(self, dtype: torch.dtype) -> None:
        drops = {"dropout": 0.3} if "dropout" in MODELS[self.name].settings.names() else {}
        models = [self.build(**drops), self.build(**drops)]
        recompute(models[1])
        for model in models:
            torch.manual_seed(7)
            for size in ((32, 48), (31, 47)):
                with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                    given = outputs(model, images(2, *size))
                sum(logits.float().square().mean() for logits in given).backward()
        kept, again = models
        assert kept.state_dict().keys() == again.state_dict().keys()
        for name, tensor in kept.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name]), name
        gradients = dict(again.named_parameters())
        for name, parameter in kept.named_parameters():
            assert torch.equal(parameter.grad, gradients[name].grad), name
        inputs = images(1, 31, 47)
        with torch.inference_mode():
            assert torch.equal(kept.eval()(inputs), again.eval()(inputs))

    def test_what_is_computed_again_is_not_kept(self) -> None:
        kept, again = self.build(), self.build()
        recompute(again)
        assert kept_bytes(again) < 0.6 * kept_bytes(kept)

    def test_its_segments_lie_apart(self) -> None:
        parts = [part for segment in self.build().segments() for part in segment.modules()]
        assert len(parts) == len(set(parts))

    def test_it_learns(self) -> None:
        model = self.build()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        cells = images(4, -(-31 // self.grain), -(-47 // self.grain))
        inputs = cells.repeat_interleave(self.grain, 2).repeat_interleave(self.grain, 3)
        wanted = (inputs.mean(dim=1, keepdim=True) > 0).float()
        losses = []
        for _ in range(25):
            logits, *_ = outputs(model, inputs)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.6 * losses[0]

    def test_the_same_seed_is_the_same_model(self) -> None:
        inputs = images(2, 31, 47)
        assert torch.equal(self.build(3).eval()(inputs), self.build(3).eval()(inputs))
        assert not torch.equal(self.build(3).eval()(inputs), self.build(4).eval()(inputs))

    def test_an_image_does_not_depend_on_its_neighbours(self) -> None:
        model = self.build().eval()
        inputs = images(3, 31, 47)
        alone = torch.cat([model(image[None]) for image in inputs])
        torch.testing.assert_close(model(inputs), alone, rtol=1e-4, atol=1e-5)

    def test_weights_go_through_a_file(self, tmp_path: Path) -> None:
        model = self.build()
        outputs(model, images(2, 31, 47))  # moves the running statistics of the normalisation
        save_file(model.state_dict(), tmp_path / "model.safetensors")
        restored = self.build(seed=1)
        restored.load_state_dict(load_file(tmp_path / "model.safetensors"))
        inputs = images(2, 31, 47)
        assert torch.equal(restored.eval()(inputs), model.eval()(inputs))

    def test_stride_says_which_sizes_need_no_padding(self) -> None:
        stride = self.build().stride
        assert isinstance(stride, int)
        assert stride >= 1

    def test_channels_last_changes_nothing_but_the_speed(self) -> None:
        model = self.build().eval()
        inputs = images(2, 31, 47)
        expected = model(inputs)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found = model(inputs.to(memory_format=torch.channels_last))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)

    def test_bfloat16_stays_close(self) -> None:
        model = self.build().eval()
        inputs = images(2, 31, 47)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(inputs).float()
        assert (found - model(inputs)).abs().max() < 0.1


class LevelContract(ModelContract):
    """Of those that go down by levels."""

    settings: ClassVar[dict[str, Any]] = {"out_channels": 1, "base_channels": 4, "depth": 2}

    @pytest.mark.parametrize("kernel_size", [2, 4])
    def test_an_even_kernel_is_refused(self, kernel_size: int) -> None:
        with pytest.raises(ValueError, match=f"kernel_size: {kernel_size} must be odd"):
            self.build(kernel_size=kernel_size)

    @pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
    def test_the_kernel_does_not_change_the_size(self, kernel_size: int) -> None:
        logits, *_ = outputs(self.build(kernel_size=kernel_size), images(1, 31, 47))
        assert logits.shape == (1, 1, 31, 47)

    @pytest.mark.parametrize("norm", ["batch", "group", "instance", "none"])
    def test_every_normalisation_trains(self, norm: str) -> None:
        model = self.build(norm=norm, dropout=0.3)
        for logits in outputs(model, images(1, 31, 47)):
            assert torch.isfinite(logits).all()
        kinds = {type(module) for module in model.modules() if "Norm" in type(module).__name__}
        assert kinds == {NORMS[norm]} - {None}

    @pytest.mark.parametrize("depth", [1, 3, 5])
    def test_depth_is_the_number_of_halvings(self, depth: int) -> None:
        model = self.build(base_channels=2, depth=depth)
        assert model.stride == 2**depth
        assert outputs(model, images(2, 64, 64))[0].shape == (2, 1, 64, 64)


class TestUNet(LevelContract):
    name = "unet"

    def test_the_papers_size(self) -> None:
        # 31,037,633: the public PyTorch code of this network, one output channel, 3 x 3, no
        # bias before the normalisation.
        model = UNet(base_channels=64, depth=4, out_channels=1)
        assert sum(p.numel() for p in model.parameters()) == 31_037_633

    def test_each_level_doubles_the_channels(self) -> None:
        widths = [block[1][0].out_channels for block in UNet(base_channels=2, depth=3).downs]
        assert widths == [4, 8, 16]

    def test_levels_of_any_widths(self) -> None:
        model = build_model(self.name, base_channels=1, level_widths=(3, 10, 4))
        assert model.stride == 4
        assert [block[1][0].out_channels for block in model.downs] == [10, 4]
        assert model(images(1, 31, 47)).shape == (1, 1, 31, 47)

    @pytest.mark.parametrize("upsampling", ["transpose", "bilinear", "nearest", "pixel-shuffle"])
    def test_ways_up(self, upsampling: str) -> None:
        model = self.build(upsampling=upsampling)
        assert model(images(1, 31, 47)).shape == (1, 1, 31, 47)

    def test_a_convolution_before_an_interpolation_is_one_after_it(self) -> None:
        deep = images(1, 5, 7, channels=4)
        for kind in ("bilinear", "nearest"):
            convolve, enlarge = blocks.upsampling(kind, 4, 2)
            torch.testing.assert_close(enlarge(convolve(deep)), convolve(enlarge(deep)))

    def test_padding_repeats_the_border_and_is_cut_off(self) -> None:
        model = self.build().eval()
        small = images(1, 30, 46)
        by_hand = nn.functional.pad(small, (0, 2, 0, 2), mode="replicate")
        assert torch.equal(model(small), model(by_hand)[..., :30, :46])


class TestUNetOriginal(LevelContract):
    name = "unet-original"


class TestUNetMedium(LevelContract):
    name = "unet-medium"


class TestUNetSmall(ModelContract):
    name = "unet-small"
    settings: ClassVar[dict[str, Any]] = {
        "out_channels": 1,
        "base_channels": 2,
        "level_widths": (2, 3, 5),
    }


class TestUNetSmall3(LevelContract):
    name = "unet-small-3"


class TestUNetDeep(LevelContract):
    name = "unet-deep"


class TestResUNet(LevelContract):
    name = "resunet"


class TestAttentionUNet(LevelContract):
    name = "attention-unet"


class TestUNetPlusPlus(LevelContract):
    name = "unetplusplus"
    settings: ClassVar[dict[str, Any]] = {**LevelContract.settings, "deep_supervision": True}

    def test_without_deep_supervision_there_is_one_output(self) -> None:
        assert len(outputs(self.build(), images(2, 8, 8))) == 2
        assert len(outputs(self.build(deep_supervision=False), images(2, 8, 8))) == 1


class TestFCN(ModelContract):
    name = "fcn"
    grain = 16
    settings: ClassVar[dict[str, Any]] = {
        "out_channels": 1,
        "base_channels": 4,
        "fc_channels": 16,
        "dropout": 0.0,
    }


class TestPSPNet(ModelContract):
    name = "pspnet"
    grain = 16
    settings: ClassVar[dict[str, Any]] = {
        "out_channels": 1,
        "base_channels": 4,
        "encoder_depth": 18,
        "dropout": 0.0,
    }

    def test_it_learns_from_the_third_block_too_while_training(self) -> None:
        assert len(outputs(self.build(), images(2, 16, 16))) == 2
        assert self.build().auxiliary_weight == 0.4


class TestDeepLabV3Plus(ModelContract):
    name = "deeplabv3plus"
    grain = 16
    settings: ClassVar[dict[str, Any]] = TestPSPNet.settings


TINY = {
    "model_type": "resnet",
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [4, 8, 12, 16],
    "embedding_size": 4,
    "layer_type": "basic",
}


class TestBackboneUNet(ModelContract):
    name = "backbone-unet"
    grain = 16
    settings: ClassVar[dict[str, Any]] = {
        "out_channels": 1,
        "backbone": json.dumps(TINY),
        "base_channels": 4,
    }

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return a folder in which a classifier of this encoder was saved."""
        from transformers import AutoConfig, AutoModelForImageClassification

        torch.manual_seed(5)
        config = AutoConfig.for_model(**TINY)
        AutoModelForImageClassification.from_config(config).save_pretrained(tmp_path / "saved")
        return tmp_path / "saved"

    def test_it_starts_from_the_weights_of_a_folder(self, folder: Path) -> None:
        saved = load_file(folder / "model.safetensors")
        name = "embedder.embedder.convolution.weight"
        for pretrained in (True, False):
            model = self.build(backbone=str(folder), pretrained=pretrained)
            found = model.encoder.state_dict()[name]
            assert torch.equal(found, saved[f"resnet.{name}"]) == pretrained

    def test_it_is_built_again_without_the_folder(self, folder: Path) -> None:
        model = self.build(backbone=str(folder), pretrained=True)
        shutil.rmtree(folder)
        again = self.build(seed=1, **model.travels)
        again.load_state_dict(model.state_dict())
        inputs = images(1, 31, 47)
        assert torch.equal(again.eval()(inputs), model.eval()(inputs))

    @pytest.mark.parametrize(
        "written",
        [
            {"model_type": "convnext", "depths": [1] * 4, "hidden_sizes": [4, 8, 12, 16]},
            {"model_type": "swin", "embed_dim": 8, "depths": [1] * 4, "num_heads": [1] * 4},
        ],
    )
    def test_other_encoders(self, written: dict[str, Any]) -> None:
        model = self.build(backbone=json.dumps(written), in_channels=1)
        recompute(model)
        logits = model(images(1, 31, 47, 1))
        logits.sum().backward()
        assert logits.shape == (1, 1, 31, 47)
        assert all(p.grad is not None for p in model.last.parameters())

    @pytest.mark.parametrize(
        ("backbone", "said"),
        [
            ("no/such folder", "is neither a folder"),
            ("{}", "is neither a folder"),
            ("[" * 10_000, "is neither a folder"),
            ('{"model_type": "resnet", "depths": "x"}', "backbone: "),
            ('{"model_type": "bert"}', "is no encoder of four levels"),
            (
                '{"model_type": "dinov2", "hidden_size": 12, "num_hidden_layers": 4}',
                "is no encoder",
            ),
        ],
    )
    def test_what_is_no_encoder_is_refused(
        self, backbone: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(ValueError, match=said):
            self.build(backbone=backbone)

    def test_without_transformers_the_cure_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ValueError, match=r"pip install 'segscope\[backbones\]'"):
            self.build()

    def test_what_is_built_in_has_no_weights(self) -> None:
        with pytest.raises(ValueError, match="pretrained: resnet-18 has no weights"):
            build_model(self.name, pretrained=True)
        assert self.build(backbone="resnet-18").encoder.channels == [64, 128, 256, 512]


@pytest.mark.parametrize("encoder_depth", [18, 34, 50, 101])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_residual_encoder(encoder_depth: int, output_stride: int) -> None:
    encoder = ResNet(
        in_channels=3, encoder_depth=encoder_depth, base_channels=2, output_stride=output_stride
    )
    features = encoder.eval()(images(1, 64, 96))
    strides = [4, 8, *[min(reached, output_stride) for reached in (16, 32)]]
    assert [tuple(each.shape[1:]) for each in features] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip(encoder.channels, strides, strict=True)
    ]


# Trainable parameters, and what BatchNorm keeps as buffers.
GOLDEN = {
    "the paper's, one output": ("unet", {"base_channels": 64}, 31_037_633, 11_776),
    "the paper's, two outputs": (
        "unet",
        {"base_channels": 64, "out_channels": 2},
        31_037_698,
        11_776,
    ),
    "original": (
        "unet",
        {"base_channels": 64, "decoder_norm": "none", "out_channels": 21},
        31_040_981,
        7_936,
    ),
    "original by name": ("unet-original", {"out_channels": 21}, 31_040_981, 7_936),
    "medium": ("unet-medium", {"out_channels": 21}, 7_702_485, 3_840),
    "small": ("unet-small", {"out_channels": 21}, 4_062_933, 2_816),
    "fcn": ("fcn", {"out_channels": 21}, 34_397_525, 0),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_the_numbers_of_parameters_that_reports_print(case: str) -> None:
    name, settings, trainable, buffers = GOLDEN[case]
    with torch.device("meta"):
        model = build_model(name, **settings)
    assert count(model) == (trainable, buffers)


def test_the_residual_encoder_has_the_papers_number_of_parameters() -> None:
    """25,557,032 of the published ResNet-50, without its classifier of 2,049,000."""
    with torch.device("meta"):
        encoder = ResNet(in_channels=3, encoder_depth=50, base_channels=64, output_stride=8)
    assert count(encoder)[0] == 25_557_032 - 2_049_000


def contracts(kind: type) -> list[type]:
    """Return the test classes that have a name of an architecture."""
    found = [below for each in kind.__subclasses__() for below in [each, *contracts(each)]]
    return [each for each in found if "name" in vars(each)]


def test_every_architecture_has_its_tests() -> None:
    assert {contract.name for contract in contracts(ModelContract)} == set(MODELS)


def test_an_unknown_architecture_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'unett'.*did you mean 'unet'"):
        build_model("unett")
