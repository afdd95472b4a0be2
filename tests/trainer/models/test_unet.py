"""What every architecture must do, and what makes a U-Net one."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.models import MODELS, build_model
from trainer.models.unet import UNet


def images(batch: int, height: int, width: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randn(batch, channels, height, width, generator=generator)


class ModelContract:
    """Inherited by the test class of each architecture, which names it and gives a small one."""

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]]

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
        assert model(images(2, *size)).shape == (2, out_channels, *size)

    @pytest.mark.parametrize("size", [(32, 48), (31, 47)])
    def test_every_weight_gets_a_gradient(self, size: tuple[int, int]) -> None:
        model = self.build()
        model(images(2, *size)).square().mean().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name

    def test_it_learns(self) -> None:
        model = self.build()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        inputs = images(4, 31, 47)
        wanted = (inputs.mean(dim=1, keepdim=True) > 0).float()
        losses = []
        for _ in range(25):
            loss = nn.functional.binary_cross_entropy_with_logits(model(inputs), wanted)
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
        model(images(2, 31, 47))  # moves the running statistics of the normalisation
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

    @pytest.mark.parametrize("kernel_size", [2, 4])
    def test_an_even_kernel_is_refused(self, kernel_size: int) -> None:
        with pytest.raises(ValueError, match=f"kernel_size: {kernel_size} must be odd"):
            self.build(kernel_size=kernel_size)

    @pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
    def test_the_kernel_does_not_change_the_size(self, kernel_size: int) -> None:
        assert self.build(kernel_size=kernel_size)(images(1, 31, 47)).shape == (1, 1, 31, 47)


class TestUNet(ModelContract):
    """Small: 2 levels, 4 channels."""

    name = "unet"
    settings: ClassVar[dict[str, Any]] = {
        "out_channels": 1,
        "base_channels": 4,
        "depth": 2,
        "kernel_size": 3,
    }

    def test_the_papers_size(self) -> None:
        # 31,037,633: the public PyTorch code of this network, one output channel, 3 x 3, no
        # bias before the normalisation.
        model = UNet(base_channels=64, depth=4, out_channels=1)
        assert sum(p.numel() for p in model.parameters()) == 31_037_633

    @pytest.mark.parametrize("depth", [1, 3, 5])
    def test_depth_is_the_number_of_halvings(self, depth: int) -> None:
        model = UNet(base_channels=2, depth=depth)
        assert model.stride == 2**depth
        widths = [block[1][0].out_channels for block in model.downs]
        assert widths == [2 * 2 ** (level + 1) for level in range(depth)]
        assert model(images(2, 64, 64)).shape == (2, 1, 64, 64)

    def test_padding_repeats_the_border_and_is_cut_off(self) -> None:
        model = self.build().eval()
        small = images(1, 30, 46)
        by_hand = nn.functional.pad(small, (0, 2, 0, 2), mode="replicate")
        assert torch.equal(model(small), model(by_hand)[..., :30, :46])

    def test_other_numbers_of_input_channels(self) -> None:
        assert self.build(in_channels=1)(images(1, 16, 16, channels=1)).shape == (1, 1, 16, 16)


def test_every_architecture_has_its_tests() -> None:
    assert {contract.name for contract in ModelContract.__subclasses__()} == set(MODELS)


def test_an_unknown_architecture_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'unett'.*did you mean 'unet'"):
        build_model("unett")
