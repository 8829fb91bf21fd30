"""A model without weights for tests: class scores that follow from the colours, so that every answer is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.labels import LabelSpace
from simteacher.models.store import Model, ModelCard

SPACE = LabelSpace("three", ("dark", "red", "bright"), ((10, 10, 10), (200, 0, 0), (250, 250, 250)), {})
_CENTRES_K3 = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


@dataclass
class StubCard:
    """What `dense` asks of a card."""

    space: LabelSpace = SPACE
    size: tuple[int, int] = (64, 48)
    views: int = 1


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
        return -8 * (image_BCHW[:, None] - _CENTRES_K3[None, :, :, None, None]).square().sum(2)


class StubNetwork(nn.Module):
    """`StubModel`'s scores as a network with two heads, the second silent."""

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Main and auxiliary scores."""
        main = StubModel().logits(image_BCHW.float())
        return main, torch.zeros_like(main)


def stub_loaded(folder: Path, space: LabelSpace = SPACE) -> Model:
    """A `Model` as `load` returns it, with a weights file that has a hash."""
    path = folder / "stub" / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return Model(ModelCard({}, space, (64, 48)), StubNetwork(), path)


def blocks(seed: int, height: int = 48, width: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture of black, red and white blocks, and the label that `StubModel` gives it."""
    label_HW = np.random.default_rng(seed).integers(0, 3, (-(-height // 8), -(-width // 8))).astype(np.uint8)
    label_HW = label_HW.repeat(8, 0).repeat(8, 1)[:height, :width]
    return (_CENTRES_K3.numpy() * 255).astype(np.uint8)[label_HW], label_HW
