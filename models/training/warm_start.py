"""A training that begins with exported weights: where the checkpoint is gone, or with one's own rooms.

The exporter folds each batch norm into the convolution before it. Here the norms are set up again: with mean
and variance of what reaches them on some crops, and with scale and shift that take those off again, so that
the net answers as the exported one did, and can be trained as any other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from models.training.crops import Labelled, batch
from models.training.network import HeadNet

CROPS = 128
"""Crops on which the norms' inputs are measured."""


def warm_net(exported: Path, data: Labelled, seed: int) -> HeadNet:
    """The net of the file `exported` (models/training/export.py), in training again. ValueError when that
    file is of a net of another shape."""
    net = HeadNet()
    _load(net, exported)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    inputs: dict[nn.Module, list[torch.Tensor]] = {norm: [] for norm in norms}

    def keep(norm: nn.Module, values: tuple[torch.Tensor], _: torch.Tensor) -> None:
        inputs[norm].append(torch.stack([values[0].mean((0, 2, 3)), (values[0] ** 2).mean((0, 2, 3))]))

    hooks = [norm.register_forward_hook(keep) for norm in norms]
    net.eval()
    with torch.no_grad():
        for start in range(0, CROPS, 16):
            pictures, _ = batch(data, seed, range(start, start + 16))
            net((torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 114) / 64)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            mean, square = torch.stack(inputs[norm]).mean(0)
            variance = (square - mean**2).clamp(min=1e-6)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)
    return net.train()


def _load(net: HeadNet, exported: Path) -> None:
    """The exported convolutions; norms add their shift and change nothing else."""
    graph = onnx.load(str(exported)).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    convolutions = [[values[name] for name in node.input[1:]] for node in nodes]
    ours = _in_order(net)
    if len(ours) != len(convolutions):
        raise ValueError(f"{exported}: {len(convolutions)} convolutions, the net has {len(ours)}")
    with torch.no_grad():
        for (convolution, norm), (weight, *bias) in zip(ours, convolutions, strict=True):
            if convolution.weight.shape != weight.shape:
                raise ValueError(f"{exported}: {weight.shape} where the net has {convolution.weight.shape}")
            convolution.weight.copy_(torch.from_numpy(np.array(weight)))
            shift = norm.bias if norm is not None else convolution.bias
            if bias and shift is not None:
                shift.copy_(torch.from_numpy(np.array(bias[0])))
            if norm is not None:
                assert norm.running_var is not None
                norm.running_var.fill_(1 - norm.eps)


def _in_order(net: HeadNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """The net's convolutions in the order in which they run, each with the norm behind it."""
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d | None]] = []
    hooks = []

    def keep(module: nn.Module, *_: object) -> None:
        if isinstance(module, nn.Conv2d):
            found.append((module, None))
        elif isinstance(module, nn.BatchNorm2d):
            found[-1] = (found[-1][0], module)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return found
