"""UNet++ of Zhou et al. (DLMIA 2018, arXiv 1807.10165): a U-Net whose skips are networks.

Node (i, j) lies at resolution i; it joins every node before it at its resolution with the
upsampled node below. With deep supervision the nodes (0, 1), (0, 2), … are learnt from too.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .blocks import padded, upsampling
from .unet import DoubleConv, Down


class Column(nn.Module):
    """The nodes after ``before`` others at each resolution but the lowest ones."""

    def __init__(
        self, channels: Sequence[int], before: int, *, kernel_size: int, norm: str
    ) -> None:
        super().__init__()
        levels = list(itertools.pairwise(channels))
        self.ups = nn.ModuleList(upsampling("transpose", deep, wide) for wide, deep in levels)
        bias = norm == "none"
        self.nodes = nn.ModuleList(
            DoubleConv((before + 2) * wide, wide, kernel_size, norm_kind=norm, bias=bias)
            for wide, _ in levels
        )

    def forward(self, rows: list[list[Tensor]]) -> list[Tensor]:
        """Return a node of each resolution but the lowest; ``rows`` holds those before, of each."""
        nodes: list[Tensor] = []
        for row, lower, up, node in zip(rows, rows[1:], self.ups, self.nodes, strict=False):
            nodes.append(node(torch.cat([*row, up(lower[-1])], dim=1)))
        return nodes


class UNetPlusPlus(nn.Module):
    """Map images ``(batch, in_channels, height, width)`` to logits of the same height and width.

    Any size will do, as with `unet.UNet`; the settings are those of the same names there. With
    ``deep_supervision``, and while training, the logits of the shallower sub-networks come after
    them.
    """

    # In the paper the loss is the mean over all of them.
    auxiliary_weight = 1.0
    encoder_parts = ("first", "downs")

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 32,
        depth: int = 4,
        kernel_size: int = 3,
        norm: str = "batch",
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        channels = [base_channels * 2**level for level in range(depth + 1)]
        bias = norm == "none"
        self.stride = 2**depth
        self.first = DoubleConv(in_channels, channels[0], kernel_size, norm_kind=norm, bias=bias)
        self.downs = nn.ModuleList(
            Down(wide, deep, kernel_size, norm_kind=norm, bias=bias)
            for wide, deep in itertools.pairwise(channels)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.columns = nn.ModuleList(
            Column(channels[: depth + 1 - before], before, kernel_size=kernel_size, norm=norm)
            for before in range(depth)
        )
        heads = range(depth) if deep_supervision else range(1)
        self.heads = nn.ModuleList(nn.Conv2d(channels[0], out_channels, 1) for _ in heads)

    def segments(self) -> list[nn.Module]:
        nodes = [node for c in self.columns for node in c.get_submodule("nodes").children()]
        return [self.first, *self.downs, *nodes]

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        height, width = images.shape[-2:]
        features = [self.first(padded(images, self.stride))]
        for down in self.downs:
            features.append(down(features[-1]))
        *above, lowest = features
        # Of each resolution, the nodes so far.
        rows = [[node] for node in (*above, self.dropout(lowest))]
        for column in self.columns:
            for row, node in zip(rows, column(rows), strict=False):
                row.append(node)
        used = self.heads if self.training else self.heads[:1]
        deepest_first = reversed(rows[0][1:])
        logits, *shallower = (
            head(node)[..., :height, :width]
            for head, node in zip(used, deepest_first, strict=False)
        )
        return (logits, *shallower) if shallower else logits
