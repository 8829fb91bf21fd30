"""Losses on target images without labels: entropy, head agreement, masked consistency with the EMA teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from simteacher.data.stream import Batch
from simteacher.losses import IGNORE, cross_entropy, head_agreement, min_entropy
from simteacher.objectives.selfsupervised import rotation_loss
from simteacher.objectives.state import StageState
from simteacher.objectives.two_views import two_views
from simteacher.precision import autocast

Taught = tuple[Tensor, Tensor]  # labels (B, H, W) and weights or confidences (B, H, W)


@torch.no_grad()
def teacher_labels(state: StageState, target: Batch) -> Taught:
    """Labels and confidences (B, H, W) of the EMA teacher for plain images; outside of them `IGNORE` and 0.

    Without the tilt that a class-weighted loss gives its scores while it trains (`models.prior`): with it rare classes
    would be called too often, and the loss would weigh those labels up once more.
    """
    assert state.averaged is not None
    with autocast(target.plain_BCHW.device.type):  # in the precision that it will be used in
        main, _ = state.averaged(target.plain_BCHW)
    main = main.float()
    if state.class_weight_K is not None and state.untilt:
        main = main - state.untilt * state.class_weight_K.log().view(1, -1, 1, 1)
    confidence, label = F.softmax(main, dim=1).max(1)
    if target.inside_BHW is None:
        return label, confidence
    return label.masked_fill(~target.inside_BHW, IGNORE), confidence * target.inside_BHW


def block_mask(shape: tuple[int, int, int], block: int, ratio: float, generator: torch.Generator) -> Tensor:
    """Random mask (B, 1, H, W) of square blocks, a share ``ratio`` of which is 0 (MIC, Hoyer et al. 2023)."""
    batch, height, width = shape
    cells = (torch.rand(batch, 1, -(-height // block), -(-width // block), generator=generator) > ratio).float()
    return F.interpolate(cells, scale_factor=block, mode="nearest")[..., :height, :width]


def masked_consistency(state: StageState, target: Batch, taught: Taught, threshold: float = 0.9) -> Tensor:
    """``q * CE(f(M x), teacher label)``: the student reads a masked image as the EMA teacher reads the whole one.

    ``q`` is the share of the photographs' pixels above ``threshold``, one number a batch as in the paper; masked
    blocks have the mean colour of the network's pretraining, which normalising makes 0.
    """
    label, confidence = taught
    b, _, h, w = target.image_BCHW.shape
    mask = block_mask((b, h, w), 64, 0.5, state.generator(3)).to(target.image_BCHW)
    filling = getattr(state.averaged, "mean_C11", 0.0) * (1 - mask)
    main, _ = state.network(target.image_BCHW * mask + filling)
    seen = (label != IGNORE).sum().clamp(min=1)
    return (confidence > threshold).sum() / seen * cross_entropy(main, label)


def output_losses(state: StageState, main_BKHW: Tensor, aux_BKHW: Tensor) -> dict[str, Tensor]:
    """Weighted losses on the network's output for target images."""
    w = state.weights
    out: dict[str, Tensor] = {}
    if w.min_entropy:
        out["min_entropy"] = w.min_entropy * min_entropy(main_BKHW)
    if w.agreement:
        out["agreement"] = w.agreement * head_agreement(main_BKHW, aux_BKHW)
    return out


def view_losses(state: StageState, target: Batch, taught: Callable[[], Taught]) -> dict[str, Tensor]:
    """Weighted losses that make views of the target images of their own.

    Args:
        state: Of the stage.
        target: The images.
        taught: Gives the labels and confidences of the EMA teacher for them; asked only where a loss needs them.
    """
    w = state.weights
    out: dict[str, Tensor] = {}
    if w.masked:
        out["masked"] = w.masked * masked_consistency(state, target, taught())
    if w.rotation:
        out["rotation"] = w.rotation * rotation_loss(state, target)
    if w.two_views:
        out["two_views"] = w.two_views * two_views(state, target, *taught())
    return out
