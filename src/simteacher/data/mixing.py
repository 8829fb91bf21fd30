"""Mixing of two images inside one: ClassMix (Olsson et al. 2021, DACS) and the boxes of CutMix and UniMatch."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def classmix_mask(label_BHW: Tensor, generator: torch.Generator, ignore: int = 255) -> Tensor:
    """True where the label is one of a random half, ``ceil(n / 2)``, of the n classes present in each image."""
    masks = []
    for label_HW in label_BHW:
        present = label_HW.unique()
        present = present[present != ignore]
        order = torch.randperm(len(present), generator=generator)[: math.ceil(len(present) / 2)]
        masks.append(torch.isin(label_HW, present[order.to(present.device)]))
    return torch.stack(masks)


def cutmix_mask(label_BHW: Tensor, generator: torch.Generator) -> Tensor:
    """True inside one random box an image: sides ``sqrt(1 - lambda)`` of the image's, lambda uniform in (0, 1)."""
    batch, height, width = label_BHW.shape
    mask = torch.zeros_like(label_BHW, dtype=torch.bool)
    for b in range(batch):
        lam, u, v = torch.rand(3, generator=generator).tolist()
        h, w = int(height * math.sqrt(1 - lam)), int(width * math.sqrt(1 - lam))
        y, x = int(u * (height - h + 1)), int(v * (width - w + 1))
        mask[b, y : y + h, x : x + w] = True
    return mask


def small_box_mask(label_BHW: Tensor, generator: torch.Generator, chance: float = 0.5) -> Tensor:
    """True inside one random box of some of the images (UniMatch, Yang et al. 2023).

    Of an image, with ``chance``: 2 to 40 % of its area, height to width 0.3 to 3.3, held inside of the image.
    """
    batch, height, width = label_BHW.shape
    mask = torch.zeros_like(label_BHW, dtype=torch.bool)
    for b in range(batch):
        given, size, shape, u, v = torch.rand(5, generator=generator).tolist()
        area, ratio = (0.02 + 0.38 * size) * height * width, 0.3 + 3.0 * shape
        h, w = min(height, int(math.sqrt(area * ratio))), min(width, int(math.sqrt(area / ratio)))
        y, x = int(u * (height - h + 1)), int(v * (width - w + 1))
        if given < chance:
            mask[b, y : y + h, x : x + w] = True
    return mask


def paste(mask_BHW: Tensor, over: Tensor, under: Tensor) -> Tensor:
    """``over`` where the mask is true, else ``under``; for images (B, C, H, W) or planes (B, H, W)."""
    return torch.where(mask_BHW[:, None] if over.ndim == 4 else mask_BHW, over, under)
