"""What CycleGAN and CUT share: interface, discriminator's loss, Adam as both publish it, images as tensors."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from simteacher.translate.gan_losses import lsgan

U8 = npt.NDArray[np.uint8]

RATE = 2e-4


class Gan(Protocol):
    """What the loop asks of `CycleGan` and `Cut`; the generator is ``networks["to_target"]``."""

    device: torch.device
    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Adam]

    def step(self, a_BCHW: Tensor, b_BCHW: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """One step on source and target crops in [-1, 1]; returns the losses."""

    def sheet(self, a_BCHW: Tensor, b_BCHW: Tensor) -> dict[str, Tensor]:
        """Columns of a sample sheet."""

    def state(self) -> dict[str, Any]:
        """What must survive besides networks and optimisers."""

    def restore(self, state: dict[str, Any]) -> None:
        """Undo `state`."""


def judge_loss(judge: nn.Module, real_BCHW: Tensor, fake_BCHW: Tensor) -> Tensor:
    """``(LSGAN(D(real), 1) + LSGAN(D(fake), 0)) / 2``; no gradient flows into the images."""
    return 0.5 * (lsgan(judge(real_BCHW), True) + lsgan(judge(fake_BCHW.detach()), False))


def adam(*networks: nn.Module) -> torch.optim.Adam:
    """Adam over all parameters of the networks, betas 0.5 and 0.999."""
    return torch.optim.Adam([p for n in networks for p in n.parameters()], lr=RATE, betas=(0.5, 0.999), fused=True)


def placed(network: nn.Module, device: torch.device) -> None:
    """Move a network to its device, in the memory order that convolutions like."""
    order: Any = torch.channels_last
    network.to(device).to(memory_format=order)


def descend(optimiser: torch.optim.Optimizer, losses: dict[str, Tensor]) -> None:
    """One optimiser step down the sum of the losses; none where it is not finite, which the caller reports."""
    total = torch.stack(list(losses.values())).sum()
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    if torch.isfinite(total):
        optimiser.step()


def network_input(image_HWC: U8, device: torch.device) -> Tensor:
    """8-bit RGB to (1, 3, H, W) in [-1, 1], in the memory order that convolutions like."""
    image_BCHW = torch.from_numpy(np.array(image_HWC)).permute(2, 0, 1)[None].to(device).float()
    return (image_BCHW / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def pixels(image_BCHW: Tensor) -> U8:
    """The first of a batch in [-1, 1] as 8-bit RGB (H, W, 3), clipped."""
    out_CHW = ((image_BCHW[0].float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(out_CHW.permute(1, 2, 0).cpu().numpy())
