"""Cross-entropy of both heads: ``CE(primary) + aux * CE(auxiliary)``, for labels of a set and stored pseudo-labels."""

from __future__ import annotations

from torch import Tensor

from simteacher.losses import cross_entropy, processes
from simteacher.objectives.state import StageState


def labelled_loss(
    state: StageState, main_BKHW: Tensor, aux_BKHW: Tensor, label_BHW: Tensor, weight_BHW: Tensor | None = None
) -> Tensor:
    """Weighted cross-entropy of both heads."""
    loss = cross_entropy(main_BKHW, label_BHW, state.class_weight_K, weight_BHW)
    if state.weights.aux or processes() > 1:  # several wait for a gradient of every weight, be it 0
        loss = loss + state.weights.aux * cross_entropy(aux_BKHW, label_BHW, state.class_weight_K, weight_BHW)
    return loss
