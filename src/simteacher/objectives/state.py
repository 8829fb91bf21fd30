"""What objectives may see of a stage: networks, step, weights of the losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from simteacher.config import Objectives
from simteacher.objectives.feature_distance import Reference


@dataclass(slots=True)
class StageState:
    """Everything of a training stage that must survive an interruption, and what its objectives need.

    Attributes:
        network: Returns (main, aux) logits; may be wrapped for several processes.
        averaged: The EMA copy of the network, or None.
        discriminators: By head, where adversarial objectives are on.
        heads: Of self-supervised losses, by name; no model keeps them.
        weights: Of the losses.
        class_weight_K: Of the labelled loss.
        untilt: How much of these weights' tilt is taken from the averaged network's scores before they label.
        step: Steps done.
        steps: Steps to do.
        seed: Of the run.
        reference: The pretrained network that features stay near, where that is asked for.
    """

    network: Any
    averaged: nn.Module | None
    discriminators: dict[str, nn.Module]
    weights: Objectives
    class_weight_K: Tensor | None
    steps: int
    seed: int
    step: int = 0
    heads: nn.ModuleDict = field(default_factory=nn.ModuleDict)
    reference: Reference | None = None
    untilt: float = 0.0

    def generator(self, salt: int) -> torch.Generator:
        """Randomness that depends on (seed, step, salt) alone."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + self.step) * 97 + salt)
