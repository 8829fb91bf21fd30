"""Cycles of the learning rate within a stage, and the mean of the weights at their ends (stochastic weight averaging).

Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization" (arXiv:1803.05407): weights
that one network passes through lie around a wide optimum, and their mean lies nearer to its middle. Here each cycle
falls to a rate of nothing, so that every part of the mean has settled.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def cycle(step: int, steps: int, cycles: int) -> tuple[int, int]:
    """Where a step lies: steps into its cycle, and that cycle's length.

    Args:
        step: From 0 to ``steps - 1``.
        steps: Of the stage.
        cycles: As equal as whole steps allow.
    """
    ends = [round(steps * k / cycles) for k in range(cycles + 1)]
    k = next(k for k in range(cycles) if step < ends[k + 1])
    return step - ends[k], ends[k + 1] - ends[k]


class CycleMean:
    """Mean of a network's weights and buffers at the ends of cycles; holds nothing where there is one cycle."""

    def __init__(self, steps: int, cycles: int) -> None:
        self.steps, self.cycles = steps, cycles
        self.mean: dict[str, Tensor] = {}

    def look(self, network: nn.Module, step: int) -> None:
        """After ``step`` steps: take part of the network into the mean, if a cycle has ended."""
        ends = [round(self.steps * k / self.cycles) for k in range(1, self.cycles + 1)]
        if self.cycles == 1 or step not in ends:
            return
        weights, count = network.state_dict(), ends.index(step) + 1
        with torch.no_grad():
            for name, new in weights.items():
                old = self.mean.get(name)
                if old is None or not new.is_floating_point():
                    self.mean[name] = new.detach().clone()
                else:
                    self.mean[name] = torch.lerp(old.to(new.device), new, 1 / count)

    def into(self, network: nn.Module) -> nn.Module:
        """The network with the mean in it, where there is one."""
        if self.mean:
            network.load_state_dict(self.mean)
        return network
