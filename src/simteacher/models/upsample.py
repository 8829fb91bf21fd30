"""Learnt upsampling: score maps of a quarter of the image's size to all of it, along the image's own outlines.

Each pixel is a weighted mean of the 3×3 coarse scores around it, with weights that a small network takes from the
image and the decoder's features (convex upsampling: Teed and Deng 2020, RAFT, section 3.3, there of optical flow). It
begins as bilinear upsampling. As weights add up to 1, whatever is added to a class everywhere stays added
(`models.prior`), and classes may be changed below it (`models.rehead`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FACTOR = 4
HIDDEN = 32
LEAST = 0.01  # weight of a neighbour that bilinear upsampling does not look at: with 0 it could never be learnt


class LearntUpsampling(nn.Module):
    """Weights of 3×3 neighbours for each pixel, and what they make of a score map.

    Args:
        channels: Of the decoder's map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + 3 * FACTOR**2, HIDDEN, 3, padding=1)
        self.weigh = nn.Conv2d(HIDDEN, 9 * FACTOR**2, 1)
        nn.init.zeros_(self.weigh.weight)
        with torch.no_grad():
            assert self.weigh.bias is not None
            self.weigh.bias.copy_(_bilinear().clamp(min=LEAST).log().flatten())

    def forward(self, score_BKhw: Tensor, decoded_BChw: Tensor, image_B3HW: Tensor) -> Tensor:
        """Scores (B, K, 4 h, 4 w).

        Args:
            score_BKhw: Class scores.
            decoded_BChw: The decoder's map that they come from.
            image_B3HW: The image, H = 4 h and W = 4 w.
        """
        batch, classes, h, w = score_BKhw.shape
        seen_BChw = torch.cat([decoded_BChw, F.pixel_unshuffle(image_B3HW, FACTOR).to(decoded_BChw.dtype)], 1)
        weight_BNhw = self.weigh(F.relu(self.mix(seen_BChw)))
        # One small product a coarse pixel: its 16 fine ones × 9 neighbours, times 9 neighbours × K classes
        weight_PNF = weight_BNhw.permute(0, 2, 3, 1).reshape(-1, 9, FACTOR**2).float().softmax(1)
        padded_BhwK = F.pad(score_BKhw, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1)
        near = [padded_BhwK[:, y : y + h, x : x + w] for y in range(3) for x in range(3)]
        near_PNK = torch.stack(near, 3).reshape(-1, 9, classes)
        fine_PFK = torch.bmm(weight_PNF.to(near_PNK.dtype).transpose(1, 2), near_PNK)
        fine_BhiwjK = fine_PFK.view(batch, h, w, FACTOR, FACTOR, classes).transpose(2, 3)
        # Rows first and classes after: each is a quick copy, both at once a slow one. Gradients come back likewise
        fine_BHWK = fine_BhiwjK.reshape(batch, FACTOR * h, FACTOR * w, classes)
        if fine_BHWK.requires_grad:
            fine_BHWK.register_hook(Tensor.contiguous)  # type: ignore[no-untyped-call]
        return fine_BHWK.permute(0, 3, 1, 2).contiguous()


def _bilinear() -> Tensor:
    """Weights of bilinear upsampling by pixel centres: (9, fine rows, fine columns), each 9 adding up to 1."""
    at_F = (torch.arange(FACTOR) + 0.5) / FACTOR + 0.5  # in coarse pixels, from the centre of the one before
    share_FN = (1 - (at_F[:, None] - torch.arange(3)).abs()).clamp(min=0)
    return torch.einsum("in,jm->nmij", share_FN, share_FN).flatten(0, 1)
