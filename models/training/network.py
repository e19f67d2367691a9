"""The head net: a depthwise convolutional network that draws a heatmap of head centres.

Input: (N, 3, H, W), blue green red, (value - 114) / 64, H and W multiples of 32; grey 114 is 0, so that
padding is grey. Output on a grid of stride 4, five channels: one logit of "the centre of a head is in this
cell", the centre's place relative to the cell's corner (x, y, in cells), the natural logarithm of the box's
width and height in cells. Zhou et al., "Objects as Points", 2019, with a feature pyramid down to stride 32
(Lin et al., 2017).

Shaped by what its training costs on an x86 processor in bfloat16: depthwise layers are 3x3 and never
strided (the backward pass of 5x5 takes twelve times as long, that of a stride five times), resolution is
halved by dense 2x2 layers, and little is done at stride 4.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

STRIDE = 4
OUTPUTS = 5
"""Channels out: logit, offset x, offset y, log width, log height."""


class Separable(nn.Module):
    """Depthwise 3x3, pointwise, batch norm, rectifier, and around them what went in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found = self.norm(self.pointwise(self.depthwise(values)))
        return functional.relu(found + values, inplace=True)


def _dense(into: int, out: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, size, stride, (size - stride) // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class HeadNet(nn.Module):
    """`widths`: channels at strides 4, 8, 16, 32; `depths`: separable layers there; `pyramid`: channels of
    the feature pyramid from stride 8 on, `fine`: at stride 4, where most of the time goes."""

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 96, 128, 192),
        depths: tuple[int, int, int, int] = (1, 4, 5, 3),
        pyramid: int = 64,
        fine: int = 48,
    ) -> None:
        super().__init__()
        entries = [_dense(3, widths[0], 8, 4)]
        entries += [_dense(a, b, 2, 2) for a, b in pairwise(widths)]
        self.stages = nn.ModuleList(
            nn.Sequential(entry, *(Separable(width) for _ in range(depth)))
            for entry, width, depth in zip(entries, widths, depths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths[1:])
        self.smooth = nn.ModuleList(Separable(pyramid) for _ in widths[1:])
        self.to_fine = nn.Conv2d(pyramid, fine, 1)
        self.fine = nn.Conv2d(widths[0], fine, 1)
        self.head = nn.Sequential(Separable(fine), nn.Conv2d(fine, OUTPUTS, 1))
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.normal_(last.weight, std=0.01)
        # A head's centre is in about one cell in a hundred: start there, or the first steps learn only that.
        last.bias.data = torch.tensor([-4.6, 0.5, 0.5, 1.5, 1.7])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) to (N, 5, H / 4, W / 4)."""
        levels = []
        values = pictures
        for stage in self.stages:
            values = stage(values)
            levels.append(values)
        found = self.smooth[2](self.laterals[2](levels[3]))
        for level in (1, 0):
            found = functional.interpolate(found, scale_factor=2.0, mode="nearest")
            found = self.smooth[level](found + self.laterals[level](levels[level + 1]))
        found = functional.interpolate(self.to_fine(found), scale_factor=2.0, mode="nearest")
        answer: torch.Tensor = self.head(found + self.fine(levels[0]))
        return answer
