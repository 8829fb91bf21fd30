"""CycleGAN (Zhu et al. 2017): two generators that undo each other, two discriminators. One step of its training.

Published defaults: least-squares GAN, cycle weight 10, identity weight half of it, pool of 50, Adam 2e-4 (0.5, 0.999).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simteacher.precision import autocast
from simteacher.translate.gan_losses import ImagePool, lsgan
from simteacher.translate.gan_parts import adam, descend, judge_loss, placed
from simteacher.translate.networks import Generator, initialise, patch_discriminator
from simteacher.translate.settings import GanSettings

CYCLE = 10.0
IDENTITY = 0.5  # of CYCLE


def generator_losses(
    to_target: nn.Module,
    to_source: nn.Module,
    judge_target: nn.Module,
    judge_source: nn.Module,
    a: Tensor,
    b: Tensor,
    identity: float = IDENTITY,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """What both generators minimise, G to the target and F back, a source and b target images in [-1, 1].

    ``LSGAN(D_b(G(a))) + LSGAN(D_a(F(b))) + 10 (|F(G(a)) - a| + |G(F(b)) - b|) + 10 identity (|G(b) - b| + |F(a) - a|)``

    Returns:
        The weighted losses by name, G(a) and F(b).
    """
    fake_b, fake_a = to_target(a), to_source(b)
    cycle = (to_source(fake_b) - a).abs().mean() + (to_target(fake_a) - b).abs().mean()
    losses = {
        "fool_target": lsgan(judge_target(fake_b), True),
        "fool_source": lsgan(judge_source(fake_a), True),
        "cycle": CYCLE * cycle,
    }
    if identity:
        same = (to_target(b) - b).abs().mean() + (to_source(a) - a).abs().mean()
        losses["identity"] = CYCLE * identity * same
    return losses, fake_b, fake_a


class CycleGan:
    """Networks, optimisers and pools; `gan_train.train` drives it."""

    def __init__(self, settings: GanSettings, device: torch.device) -> None:
        s = settings
        self.device = device
        # Generators that begin with no change at all are at the identity term's sharp minimum, and a short training
        # never leaves it (tried: 400 steps). What the term is for, keeping colours where nothing calls for others, the
        # skip does already. The paper itself uses it for paintings only; the published code by default.
        self.identity = 0.0 if s.skip else IDENTITY
        self.networks: dict[str, nn.Module] = {
            "to_target": Generator(s.channels, s.blocks, s.skip),
            "to_source": Generator(s.channels, s.blocks, s.skip),
            "judge_target": patch_discriminator(s.channels),
            "judge_source": patch_discriminator(s.channels),
        }
        for network in self.networks.values():
            initialise(network, "normal")
            placed(network, device)
        self.judges = [self.networks["judge_target"], self.networks["judge_source"]]
        self.optimisers = {
            "generators": adam(self.networks["to_target"], self.networks["to_source"]),
            "judges": adam(*self.judges),
        }
        self.pools = {"target": ImagePool(), "source": ImagePool()}

    def step(self, a_BCHW: Tensor, b_BCHW: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """One step of generators, then of discriminators; returns the losses."""
        n = self.networks
        for judge in self.judges:
            judge.requires_grad_(False)
        with autocast(self.device.type):
            losses, fake_b, fake_a = generator_losses(
                n["to_target"], n["to_source"], n["judge_target"], n["judge_source"], a_BCHW, b_BCHW, self.identity
            )
        descend(self.optimisers["generators"], losses)
        for judge in self.judges:
            judge.requires_grad_(True)
        with autocast(self.device.type):
            judged = {
                "judge_target": judge_loss(n["judge_target"], b_BCHW, self.pools["target"].exchange(fake_b, rng)),
                "judge_source": judge_loss(n["judge_source"], a_BCHW, self.pools["source"].exchange(fake_a, rng)),
            }
        descend(self.optimisers["judges"], judged)
        return {k: v.detach() for k, v in {**losses, **judged}.items()}

    @torch.no_grad()
    def sheet(self, a_BCHW: Tensor, b_BCHW: Tensor) -> dict[str, Tensor]:
        """Columns of a sample sheet."""
        with autocast(self.device.type):
            fake_b, fake_a = self.networks["to_target"](a_BCHW), self.networks["to_source"](b_BCHW)
            back = self.networks["to_source"](fake_b)
        return {"source": a_BCHW, "translated": fake_b, "and back": back, "target": b_BCHW, "as source": fake_a}

    def state(self) -> dict[str, Any]:
        """What must survive besides networks and optimisers."""
        return {name: pool.kept for name, pool in self.pools.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
        for name, pool in self.pools.items():
            pool.kept = [image.to(self.device) for image in state[name]]
