"""Decoders of the method's networks that segmentation-models-pytorch lacks: FCN, DeepLab v2's ASPP, a light ViT head.

Each takes an encoder's list of features, coarsest last. Shapes: B batch, C channels, H, W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _last(features: Sequence[Tensor]) -> Tensor:
    return features[-1]


class FCN(nn.Module):
    """A 3x3 convolution to ``channels``, batch norm, ReLU and dropout on the last features (Long et al. 2015, dilated).

    Args:
        inputs: Channels of each of the encoder's features.
        channels: Of the result.
        dropout: Chance that a channel is silenced.
    """

    def __init__(self, inputs: Sequence[int], channels: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.outputs = channels
        self.body = nn.Sequential(
            nn.Conv2d(inputs[-1], channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, channels, h, w) at the last features' size."""
        out: Tensor = self.body(_last(features))
        return out


class Last(nn.Module):
    """The last features as they are; the head does all of the work."""

    def __init__(self, inputs: Sequence[int]) -> None:
        super().__init__()
        self.outputs = inputs[-1]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The coarsest map."""
        return _last(features)


class ASPPSum(nn.Module):
    """DeepLab v2's head: the sum of 3x3 classifiers at several dilations (Chen et al. 2017).

    Args:
        inputs: Channels of the map.
        classes: Number of classes K.
        rates: Dilations; the paper's ASPP-L.
    """

    def __init__(self, inputs: int, classes: int, rates: Sequence[int] = (6, 12, 18, 24)) -> None:
        super().__init__()
        branches = [nn.Conv2d(inputs, classes, 3, padding=r, dilation=r) for r in rates]
        for branch in branches:
            nn.init.normal_(branch.weight, std=0.01)
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (B, K, h, w)."""
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class Light(nn.Module):
    """A few weights on a vision transformer: its last feature maps to ``channels``, added, doubled in size, refined.

    Args:
        inputs: Channels of each of the encoder's features, all of one size.
        channels: Of the result.
    """

    def __init__(self, inputs: Sequence[int], channels: int = 128) -> None:
        super().__init__()
        self.outputs = channels
        self.reduce = nn.ModuleList(nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, channels, 1)) for c in inputs)
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, channels, 2 h, 2 w)."""
        total = torch.stack([r(f) for r, f in zip(self.reduce, features, strict=True)]).sum(0)
        out: Tensor = self.refine(F.interpolate(total, scale_factor=2.0, mode="bilinear", align_corners=False))
        return out


class ViTEncoder(nn.Module):
    """A timm vision transformer (DINOv2, DINOv3, …) as an encoder: maps of its last blocks, all at its patch size.

    Args:
        model: From timm, made with ``dynamic_img_size=True``.
        blocks: How many of the last blocks' maps are returned.
    """

    def __init__(self, model: Any, blocks: int = 4) -> None:
        super().__init__()
        self.model = model
        self.blocks = min(blocks, len(model.blocks))
        self.out_channels = [int(model.embed_dim)] * self.blocks
        self.stride = int(model.patch_embed.patch_size[0])

    def forward(self, image_BCHW: Tensor) -> list[Tensor]:
        """Normalised maps (B, C, H / patch, W / patch); height and width are multiples of the patch size."""
        out: list[Tensor] = self.model.forward_intermediates(
            image_BCHW, indices=self.blocks, norm=True, intermediates_only=True
        )
        return out
