"""Cross-entropy of both heads: ``CE(primary) + aux * CE(auxiliary)``, for labels of a set and stored pseudo-labels.

Auxiliary scores come at a quarter of the image's size (`models.anysize`) and learn from every fourth pixel each way.
"""

from __future__ import annotations

from torch import Tensor

from simteacher.losses import cross_entropy, processes, rectified_cross_entropy
from simteacher.models.anysize import COARSE, at_full_size
from simteacher.objectives.state import StageState


def labelled_loss(
    state: StageState, main_BKHW: Tensor, aux_BKHW: Tensor, label_BHW: Tensor, weight_BHW: Tensor | None = None
) -> Tensor:
    """Weighted cross-entropy of both heads."""
    loss = cross_entropy(main_BKHW, label_BHW, state.class_weight_K, weight_BHW)
    return loss + _auxiliary(state, aux_BKHW, label_BHW, weight_BHW)


def rectified_loss(
    state: StageState,
    main_BKHW: Tensor,
    aux_BKHW: Tensor,
    label_BHW: Tensor,
    weight_BHW: Tensor,
    true_BHW: Tensor | None,
) -> Tensor:
    """Likewise, the primary head's damped where the heads disagree on a label that may be wrong."""
    full_BKHW = at_full_size(aux_BKHW, main_BKHW)
    loss = rectified_cross_entropy(main_BKHW, full_BKHW, label_BHW, state.class_weight_K, weight_BHW, true_BHW)
    return loss + _auxiliary(state, aux_BKHW, label_BHW, weight_BHW)


def _auxiliary(state: StageState, aux_BKHW: Tensor, label_BHW: Tensor, weight_BHW: Tensor | None) -> Tensor | float:
    """The auxiliary head's part."""
    if not state.weights.aux and processes() == 1:  # several wait for a gradient of every weight, be it 0
        return 0.0
    if aux_BKHW.shape[-2:] != label_BHW.shape[-2:]:
        fourth = (..., slice(COARSE // 2, None, COARSE), slice(COARSE // 2, None, COARSE))
        label_BHW, weight_BHW = label_BHW[fourth], None if weight_BHW is None else weight_BHW[fourth]
        aux_BKHW = aux_BKHW[..., : label_BHW.shape[-2], : label_BHW.shape[-1]]
    return state.weights.aux * cross_entropy(aux_BKHW, label_BHW, state.class_weight_K, weight_BHW)
