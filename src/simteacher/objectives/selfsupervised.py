"""Losses on the encoder's features through small heads of a stage, which no model keeps: rotation and contrast.

Rotation: by which quarter turn was a photograph turned (Gidaris et al. 2018; for segmentation across domains: Xu et al.
2019). Contrast: a pixel is nearer to the prototype of its class than to all others (Xie et al. 2023, its prototypical
form); prototypes are moving averages over pixels with true labels, so that photographs are drawn to the source's
classes.

Shapes: B batch, C channels, K classes, D projected channels, h w the features' size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.config import Objectives
from simteacher.data.stream import Batch
from simteacher.losses import IGNORE, cross_entropy, processes
from simteacher.models.build import SegmentationNetwork
from simteacher.objectives.state import StageState

SURE = 0.9  # confidence of the averaged network from which its label of a photograph counts
TEMPERATURE = 0.1
MOMENTUM = 0.9  # of the prototypes; a step's batch shows few of the rare classes
PROJECTED = 64


class Pixels(NamedTuple):
    """Features of a pass and what is known of its pixels; ``true`` where labels are beyond doubt."""

    feature_BChw: Tensor
    label_BHW: Tensor
    weight_BHW: Tensor | None
    true: bool


class Contrast(nn.Module):
    """Projects features to the unit sphere; keeps a prototype of each class seen so far.

    Args:
        channels: Of the features.
        classes: Number of classes K.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(channels, 128, 1), nn.ReLU(inplace=True), nn.Conv2d(128, PROJECTED, 1))
        self.mean_KD: Tensor
        self.seen_K: Tensor
        self.register_buffer("mean_KD", torch.zeros(classes, PROJECTED))
        self.register_buffer("seen_K", torch.zeros(classes, dtype=torch.bool))

    def forward(self, feature_BChw: Tensor) -> Tensor:
        """Directions (B, D, h, w), in float32."""
        projected: Tensor = self.project(feature_BChw.float())
        return F.normalize(projected, dim=1)

    @torch.no_grad()
    def learn(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Move prototypes to the class means of this step: directions (B, D, h, w) with labels (B, h, w)."""
        classes, d = self.mean_KD.shape
        sums = self.mean_KD.new_zeros(classes, d + 1)
        for direction_BDhw, label_Bhw in pairs:
            valid = label_Bhw != IGNORE
            pixels_ND = direction_BDhw.permute(0, 2, 3, 1)[valid]
            sums.index_add_(0, label_Bhw[valid], torch.cat([pixels_ND, torch.ones_like(pixels_ND[:, :1])], 1))
        if processes() > 1:
            dist.all_reduce(sums)
        shown_K = sums[:, -1] > 0
        now_KD = sums[:, :-1] / sums[:, -1:].clamp(min=1)
        moved_KD = torch.where(self.seen_K[:, None], MOMENTUM * self.mean_KD + (1 - MOMENTUM) * now_KD, now_KD)
        self.mean_KD.copy_(torch.where(shown_K[:, None], moved_KD, self.mean_KD))
        self.seen_K |= shown_K


def make_heads(network: nn.Module, weights: Objectives, classes: int) -> nn.ModuleDict:
    """The heads that a stage's losses need, by name of the loss."""
    heads = nn.ModuleDict()
    if weights.rotation or weights.contrast:
        assert isinstance(network, SegmentationNetwork)
        channels = network.encoder.out_channels
        assert isinstance(channels, (list, tuple))
        if weights.rotation:
            heads["rotation"] = nn.Linear(channels[-1], 4)
        if weights.contrast:
            heads["contrast"] = Contrast(channels[-2], classes)
    return heads


def rotation_loss(state: StageState, target: Batch) -> Tensor:
    """Cross-entropy of the quarter turns by which a random square of each photograph was turned."""
    generator, image_BCHW = state.generator(5), target.image_BCHW
    b, _, h, w = image_BCHW.shape
    side = min(h, w)
    turns = torch.randint(4, (b,), generator=generator).tolist()
    tops, lefts = (torch.randint(span - side + 1, (b,), generator=generator).tolist() for span in (h, w))
    squares = [
        torch.rot90(image[:, y : y + side, x : x + side], turn, (1, 2))
        for image, turn, y, x in zip(image_BCHW, turns, tops, lefts, strict=True)
    ]
    turned = torch.stack(squares).contiguous(memory_format=torch.channels_last)
    coarsest, _ = state.network(turned, features=True)
    scores = state.heads["rotation"](coarsest.float().mean((2, 3)))
    return F.cross_entropy(scores, torch.tensor(turns, device=scores.device))


def contrast_loss(state: StageState, passes: Sequence[Pixels]) -> Tensor:
    """``-log (exp(z c_y / T) / sum_k exp(z c_k / T))``, over pixels whose class has a prototype, T = 0.1.

    The mean over the pixels of each pass, then over passes.

    Args:
        state: Of the stage; its head learns the prototypes of the pixels with true labels first.
        passes: All of this step's.
    """
    head = state.heads["contrast"]
    assert isinstance(head, Contrast)
    directions: list[Tensor] = [head(p.feature_BChw) for p in passes]
    labels = [_at(p.label_BHW, z) for p, z in zip(passes, directions, strict=True)]
    head.learn([(z, y) for p, z, y in zip(passes, directions, labels, strict=True) if p.true])
    centre_KD = F.normalize(head.mean_KD, dim=1)
    total = directions[0].new_zeros(())
    for p, z_BDhw, label_Bhw in zip(passes, directions, labels, strict=True):
        scores = torch.einsum("bdhw,kd->bkhw", z_BDhw, centre_KD) / TEMPERATURE
        scores = scores.masked_fill(~head.seen_K[:, None, None], -1e4)
        known = torch.cat([head.seen_K, head.seen_K.new_zeros(IGNORE + 1 - len(head.seen_K))])[label_Bhw]
        weight = None if p.weight_BHW is None else _at(p.weight_BHW, z_BDhw)
        total = total + cross_entropy(scores, label_Bhw.masked_fill(~known, IGNORE), None, weight)
    return total / len(passes)


def _at(plane_BHW: Tensor, like_BDhw: Tensor) -> Tensor:
    """A plane at the size of features, each cell the pixel at its middle."""
    size = like_BDhw.shape[-2:]
    return F.interpolate(plane_BHW[:, None].float(), size, mode="nearest-exact")[:, 0].to(plane_BHW.dtype)
