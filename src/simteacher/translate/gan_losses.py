"""Losses of CycleGAN and CUT as plain functions, and the pool of earlier fakes that discriminators are shown."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def lsgan(scores: Tensor, real: bool) -> Tensor:
    """Least-squares GAN (Mao et al. 2017): mean squared distance of the scores to 1 (real) or 0 (fake)."""
    return (scores.float() - float(real)).square().mean()


def patch_nce(query_BSC: Tensor, key_BSC: Tensor, temperature: float = 0.07) -> Tensor:
    """PatchNCE (Park et al. 2020): a patch of the new image should know its own place among those of the old one.

    ``-log(exp(q.k+ / t) / (exp(q.k+ / t) + sum exp(q.k- / t)))``, mean over patches, negatives from the same image.

    Args:
        query_BSC: Unit vectors of S places of the new images.
        key_BSC: Those of the same places of the old ones; no gradient flows into them.
        temperature: t.
    """
    score_BSS = query_BSC @ key_BSC.detach().transpose(1, 2) / temperature
    own_S = torch.arange(query_BSC.shape[1], device=query_BSC.device)
    return F.cross_entropy(score_BSS.flatten(0, 1), own_S.repeat(len(query_BSC)))


class ImagePool:
    """Up to ``size`` earlier fakes (Shrivastava et al. 2017): a discriminator sees an old one half of the time."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def exchange(self, fakes_BCHW: Tensor, rng: np.random.Generator) -> Tensor:
        """Take new fakes in; give them back, or old ones in their place, which then leave."""
        out = []
        for fake in fakes_BCHW.detach().clone():
            if len(self.kept) < self.size:
                self.kept.append(fake)
            elif rng.random() < 0.5:
                at = int(rng.integers(self.size))
                fake, self.kept[at] = self.kept[at], fake
            out.append(fake)
        return torch.stack(out)
