"""A model without weights for tests: class scores that follow from the colours, so that every answer is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from simteacher.labels import LabelSpace

SPACE = LabelSpace("three", ("dark", "red", "bright"), ((10, 10, 10), (200, 0, 0), (250, 250, 250)), {})
_CENTRES_K3 = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


@dataclass
class StubCard:
    """What `dense` asks of a card."""

    space: LabelSpace = SPACE
    size: tuple[int, int] = (64, 48)


@dataclass
class StubModel:
    """Scores each pixel by how near its colour, averaged over ``reach`` pixels around, is to that of each class.

    Attributes:
        card: Classes and trained size.
        reach: Radius of the context that the answer depends on.
        seen: Sizes (B, H, W) of the inputs, in the order they came.
    """

    card: StubCard = field(default_factory=StubCard)
    reach: int = 0
    seen: list[tuple[int, int, int]] = field(default_factory=list)

    def logits(self, image_BCHW: Tensor) -> Tensor:
        """Negative distance to each class's colour."""
        self.seen.append((image_BCHW.shape[0], *image_BCHW.shape[-2:]))
        if self.reach:
            padded = F.pad(image_BCHW, [self.reach] * 4, mode="replicate")
            image_BCHW = F.avg_pool2d(padded, 2 * self.reach + 1, 1)
        return -8 * torch.cdist(image_BCHW.permute(0, 2, 3, 1), _CENTRES_K3).permute(0, 3, 1, 2)
