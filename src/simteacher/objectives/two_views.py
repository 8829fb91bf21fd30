"""Two strong views of a photograph learn what the averaged network sees in it (UniMatch V2, Yang et al. 2025).

Both are recoloured, a box of another photograph is pasted into half of them, and complementary halves of the feature
channels are dropped. Pixels count where the averaged network is sure; the sum is divided by all pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simteacher.data.mixing import paste, small_box_mask
from simteacher.data.stream import Batch
from simteacher.losses import IGNORE
from simteacher.models.build import Change
from simteacher.objectives.labelled import labelled_loss
from simteacher.objectives.state import StageState

SURE = 0.95


def complementary_dropout(pairs: int, generator: torch.Generator) -> Change:
    """Of ``2 * pairs`` images' feature maps, the first half times m, the second times ``2 - m``.

    m is 0 or 2 with equal chance, for each channel, and 1 for half of the pairs. Maps of equally many channels share
    their mask. The image itself, which some encoders return as their first map, stays whole.
    """
    whole = torch.randperm(pairs, generator=generator)[: pairs // 2]
    drawn: dict[int, Tensor] = {}

    def masks(channels: int) -> Tensor:
        if channels not in drawn:
            first = 2.0 * torch.randint(2, (pairs, channels), generator=generator)
            first[whole] = 1.0
            drawn[channels] = torch.cat([first, 2 - first])[:, :, None, None]
        return drawn[channels]

    def change(features: list[Tensor]) -> list[Tensor]:
        return [f if f.shape[1] <= 3 else f * masks(f.shape[1]).to(f) for f in features]

    return change


def two_views(state: StageState, target: Batch, label_BHW: Tensor, confidence_BHW: Tensor) -> Tensor:
    """``(CE(view 1) + CE(view 2)) / 2`` against the averaged network's labels of the plain view.

    Args:
        state: Of the stage; its network takes ``change``.
        target: With a second view.
        label_BHW: Of the averaged network.
        confidence_BHW: Likewise, in [0, 1].
    """
    assert target.second_BCHW is not None and target.inside_BHW is not None
    label_BHW = label_BHW.where(target.inside_BHW, torch.full_like(label_BHW, IGNORE))
    sure_BHW = (confidence_BHW >= SURE).float()
    generator, n = state.generator(4), len(label_BHW)
    images, labels, weights = list[Tensor](), list[Tensor](), list[Tensor]()
    for image_BCHW in (target.image_BCHW, target.second_BCHW):
        mask_BHW = small_box_mask(label_BHW, generator)
        for whole, parts in ((image_BCHW, images), (label_BHW, labels), (sure_BHW, weights)):
            parts.append(paste(mask_BHW, whole.roll(1, 0), whole))
    main, aux = state.network(torch.cat(images), complementary_dropout(n, generator))
    losses = [
        labelled_loss(state, main_BKHW, aux_BKHW, *known)
        for main_BKHW, aux_BKHW, *known in zip(main.chunk(2), aux.chunk(2), labels, weights, strict=True)
    ]
    return (losses[0] + losses[1]) / 2
