"""Logit adjustment: class scores without the tilt that a class-weighted loss gave them (Menon et al. 2021).

With loss weights ``w_k`` a network learns ``p(k | x) * w_k`` and not ``p(k | x)``: rare classes are learnt better and
then called too often. Subtracting ``strength * log w_k`` from the scores takes that back; in the weights themselves, as
a change of the last bias, so that labelling, evaluation and export need not know.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simteacher.models.merge import Merge


def tilt(network: nn.Module, weight_K: Tensor | None, strength: float) -> bool:
    """Add ``strength * log(weight_K)`` to the primary head's class scores, in place.

    Args:
        network: With its primary head as ``head``, or, as a wrapped module of one's own, with ``bias_K``; others are
            left as they are.
        weight_K: Loss weights of the K classes, above 0; None: nothing to do.
        strength: Negative takes the tilt away.

    Returns:
        Whether something was changed.
    """
    head, bias_K = getattr(network, "head", None), getattr(network, "bias_K", None)
    if weight_K is None or strength == 0:
        return False
    if isinstance(bias_K, Tensor):
        bias_K += strength * weight_K.log().to(bias_K)
        return True
    if not isinstance(head, nn.Module):
        return False
    merge = getattr(network, "merge", None)
    if isinstance(merge, Merge):
        weight_K = weight_K[merge.member_J.to(weight_K.device)]  # each row as its class
    biases = [m.bias for m in head.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    last = next((b for b in reversed(biases) if len(b) == len(weight_K)), None)
    if last is None:
        return False
    with torch.no_grad():
        last += strength * weight_K.log().to(last)
    return True
