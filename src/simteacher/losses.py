"""Losses as plain functions of logits. B batch, K classes, H height, W width; IGNORE (255) pixels never count."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

IGNORE = 255


def cross_entropy(
    logits_BKHW: Tensor, label_BHW: Tensor, class_weight_K: Tensor | None = None, weight_BHW: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy over valid pixels, each weighted by its class and its own weight.

    ``sum(w * ce) / number of valid pixels``: dividing by the count and not by the sum of weights keeps low-confidence
    batches quiet (as in UniMatch). Class weights are expected to average 1 over pixels. Without a valid pixel the loss
    is 0 and has a gradient of 0. Of several processes each divides by the mean of their counts: the mean of their
    losses, and of their gradients, is then that of the whole batch.
    """
    # Class by class in memory: softmax over neighbouring values of few classes takes twice as long in float32.
    logits_BKHW = logits_BKHW.float().contiguous()
    loss_BHW = F.cross_entropy(logits_BKHW, label_BHW, weight=class_weight_K, ignore_index=IGNORE, reduction="none")
    if weight_BHW is not None:
        loss_BHW = loss_BHW * weight_BHW
    return loss_BHW.sum() / share((label_BHW != IGNORE).sum())


def processes() -> int:
    """How many share a batch."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share(count: Tensor) -> Tensor:
    """A count, at least 1, over all processes by their number; with one process the count itself."""
    if processes() == 1:
        return count.clamp(min=1)
    total = count.double()
    dist.all_reduce(total)
    return total.clamp(min=1) / processes()


def entropy_map(logits_BKHW: Tensor) -> Tensor:
    """Weighted self-information ``-p log p / log K``, (B, K, H, W), sum over K in [0, 1] (ADVENT, Vu et al. 2019)."""
    log_p = F.log_softmax(logits_BKHW.float(), dim=1)
    return -log_p.exp() * log_p / torch.log(torch.tensor(float(logits_BKHW.shape[1])))


def min_entropy(logits_BKHW: Tensor) -> Tensor:
    """Mean normalised entropy of the prediction, in [0, 1] (MinEnt, Vu et al. 2019)."""
    return entropy_map(logits_BKHW).sum(1).mean()


def head_agreement(main_BKHW: Tensor, aux_BKHW: Tensor) -> Tensor:
    """Memory regularisation (Zheng and Yang 2020).

    ``KL(m || p_main) + KL(m || p_aux)``, mean over pixels, with ``m = softmax(main + aux / 2)`` detached.
    """
    mean_BKHW = F.softmax((main_BKHW.float() + 0.5 * aux_BKHW.float()).detach(), dim=1)
    total = main_BKHW.new_zeros((), dtype=torch.float32)
    for logits in (main_BKHW, aux_BKHW):
        log_p = F.log_softmax(logits.float(), dim=1)
        total = total + F.kl_div(log_p, mean_BKHW, reduction="none").sum(1).mean()
    return total


def rectified_cross_entropy(
    main_BKHW: Tensor,
    aux_BKHW: Tensor,
    label_BHW: Tensor,
    class_weight_K: Tensor | None = None,
    weight_BHW: Tensor | None = None,
    true_BHW: Tensor | None = None,
) -> Tensor:
    """Cross-entropy damped where the heads disagree (Zheng and Yang 2021).

    ``mean(w CE exp(-D) + D)`` over valid pixels, with ``D = KL(p_main || p_aux)`` and w as in `cross_entropy`. D is 0
    where ``true_BHW`` says that the label is beyond doubt.
    """
    log_main, log_aux = F.log_softmax(main_BKHW.float(), 1), F.log_softmax(aux_BKHW.float(), 1)
    distance_BHW = (log_main.exp() * (log_main - log_aux)).sum(1)
    if true_BHW is not None:
        distance_BHW = distance_BHW * ~true_BHW
    loss_BHW = F.nll_loss(log_main, label_BHW, weight=class_weight_K, ignore_index=IGNORE, reduction="none")
    if weight_BHW is not None:
        loss_BHW = loss_BHW * weight_BHW
    valid_BHW = label_BHW != IGNORE
    both_BHW = loss_BHW * torch.exp(-distance_BHW) + distance_BHW * valid_BHW
    return both_BHW.sum() / share(valid_BHW.sum())
