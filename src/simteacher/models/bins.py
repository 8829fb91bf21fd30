"""Pooling to a few bins by matrix products, for the ONNX exporter: it has none where sizes are open.

`export` alone changes its copy of a network so; training and use in PyTorch keep the library's pooling.
"""

from __future__ import annotations

from typing import Any

import torch
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPBlock
from torch import Tensor, nn
from torch.nn import functional as F


class BinMeans(nn.Module):
    """What ``AdaptiveAvgPool2d`` gives: bins of nearly equal size, which overlap where the size is no multiple.

    Args:
        size: Bins down and across.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x_BChw: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, *size)."""
        down, across = (_shares(x_BChw.shape[axis], n, x_BChw) for axis, n in zip((2, 3), self.size, strict=True))
        return down @ x_BChw @ across.T


def _shares(length: int, bins: int, like: Tensor) -> Tensor:
    """Share of each of ``length`` places in each bin, (bins, length). While a graph is traced, the length is open."""
    at = torch.arange(length, device=like.device)
    number = torch.arange(bins, device=like.device)[:, None]
    first, end = number * length // bins, ((number + 1) * length + bins - 1) // bins
    inside = (at >= first) & (at < end)
    return inside.to(like.dtype) / (end - first).to(like.dtype)


class _Block(PSPBlock):  # type: ignore[misc, unused-ignore]
    """PSPNet's, which in an export goes past its own pooling layer otherwise."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h, w)."""
        height, width = x.shape[2:]
        return F.interpolate(self.pool(x), size=(height, width), mode="bilinear", align_corners=True)


def pool_by_products(network: nn.Module) -> None:
    """Replace, in place, what pools to more than one bin; such layers have no weights."""
    for module in [*network.modules()]:
        if type(module) is PSPBlock:
            module.__class__ = _Block
        for name, child in module.named_children():
            if isinstance(child, nn.AdaptiveAvgPool2d):
                size: Any = child.output_size
                rows, columns = (size, size) if isinstance(size, int) else size
                if None not in (rows, columns) and (rows, columns) != (1, 1):
                    setattr(module, name, BinMeans((rows, columns)))
