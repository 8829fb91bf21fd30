"""Two-level output-space alignment (AdaptSegNet, Tsai et al. 2018; on entropy maps: ADVENT, Vu et al. 2019).

Discriminators see maps of half the image's size, by the mean of 2x2 pixels. Networks answer at a quarter of it or less,
so that hardly anything is lost, and a discriminator costs a quarter: at full size, in float32, two of them cost seven
times as much as a step of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from simteacher.losses import entropy_map
from simteacher.objectives.state import StageState


def domain_loss(score: Tensor, source: bool) -> Tensor:
    """Binary cross-entropy of a discriminator's patch scores against one domain."""
    return F.binary_cross_entropy_with_logits(score.float(), torch.full_like(score, float(source), dtype=torch.float32))


def _maps(state: StageState, logits_BKHW: Tensor) -> Tensor:
    maps_BKHW = entropy_map(logits_BKHW) if state.weights.entropy_maps else F.softmax(logits_BKHW.float(), dim=1)
    return F.avg_pool2d(maps_BKHW, 2) if min(maps_BKHW.shape[2:]) >= 64 else maps_BKHW  # a score needs 32 pixels


def fool(state: StageState, target: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's part: target maps shall look like source maps.

    Args:
        state: Holds the discriminators by head.
        target: Logits of each head ("main", "aux") on target images.
    """
    out = {}
    for head, weight in (("main", state.weights.adversarial), ("aux", state.weights.adversarial_aux)):
        if weight:
            for p in state.discriminators[head].parameters():
                p.requires_grad_(False)
            out[f"adversarial_{head}"] = weight * domain_loss(
                state.discriminators[head](_maps(state, target[head])), True
            )
    return out


def discriminate(state: StageState, source: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """The discriminators' part: tell the two apart, on detached maps."""
    out = {}
    for head, discriminator in state.discriminators.items():
        for p in discriminator.parameters():
            p.requires_grad_(True)
        real = domain_loss(discriminator(_maps(state, source[head].detach())), True)
        fake = domain_loss(discriminator(_maps(state, target[head].detach())), False)
        out[f"discriminator_{head}"] = (real + fake) / 2
    return out
