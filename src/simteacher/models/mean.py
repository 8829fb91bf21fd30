"""Means of weights: networks that went on from each other lie in one basin, where their mean reads better than they do.

Of versions of one teacher (Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482), and of a
stage's end with its start (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903): what a stage learns from the pictures it
sees, it pays for on those that it does not see, and the mean keeps most of both.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mean_weights(parts: list[tuple[dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """Weighted mean of weights by name, in float32; integers and names are the first one's.

    Args:
        parts: Weights and their share, each above 0.

    Returns:
        The first one's names, each with the mean over those parts that have it in the same shape.
    """
    out: dict[str, Tensor] = {}
    for name, first in parts[0][0].items():
        if not first.is_floating_point():
            out[name] = first
            continue
        found = [(w[name].float(), share) for w, share in parts if name in w and w[name].shape == first.shape]
        out[name] = torch.stack([w * share for w, share in found]).sum(0) / sum(share for _, share in found)
    return out


@torch.no_grad()
def lean_back(network: nn.Module, start: dict[str, Tensor], keep: float) -> None:
    """Replace a trained network's weights by ``keep`` of those it started from and the rest of its own, in place.

    Args:
        network: As trained.
        start: Its weights and statistics before.
        keep: Share, 0 <= keep < 1.
    """
    if keep:
        own = network.state_dict()
        begun = {k: v.to(own[k].device) for k, v in start.items()}
        for name, value in mean_weights([(own, 1 - keep), (begun, keep)]).items():
            own[name].copy_(value)
