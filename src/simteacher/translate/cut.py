"""CUT (Park et al. 2020): one generator; patches keep their place by contrast (PatchNCE). One step of its training.

Published defaults: least-squares GAN and PatchNCE both of weight 1, 256 patches of each of five layers, temperature
0.07, identity term, no image pool, Adam 2e-4 (0.5, 0.999).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simteacher.precision import autocast
from simteacher.translate.gan_losses import lsgan, patch_nce
from simteacher.translate.gan_parts import adam, descend, judge_loss, placed
from simteacher.translate.networks import Generator, PatchHeads, initialise, patch_discriminator
from simteacher.translate.settings import GanSettings

PATCHES = 256
TEMPERATURE = 0.07
NCE = 1.0


def draw_places(features: list[Tensor], rng: np.random.Generator) -> list[Tensor]:
    """Up to `PATCHES` different places of each layer, the same for all images."""
    sizes = [layer.shape[2] * layer.shape[3] for layer in features]
    drawn = [rng.permutation(size)[:PATCHES] for size in sizes]
    return [torch.from_numpy(place).to(features[0].device) for place in drawn]


def generator_losses(
    generator: Generator, heads: PatchHeads, judge: nn.Module, a: Tensor, b: Tensor, rng: np.random.Generator
) -> tuple[dict[str, Tensor], Tensor]:
    """What generator and heads minimise: ``LSGAN(D(G(a))) + (NCE(a, G(a)) + NCE(b, G(b))) / 2``.

    Each NCE is the mean over the compared layers; a and b are source and target images in [-1, 1] of the same batch.

    Returns:
        The weighted losses by name, and G(a).
    """
    both = torch.cat([a, b])
    deep, old = generator.encode(both)
    new = generator.decode(deep, both)
    places = draw_places(old, rng)
    _, seen = generator.encode(new)
    with torch.autocast(a.device.type, enabled=False):
        with torch.no_grad():
            keys = heads([layer.detach() for layer in old], places)
        queries = heads(seen, places)
        half, layers = len(a), len(keys)
        nce_a = torch.stack([patch_nce(q[:half], k[:half], TEMPERATURE) for q, k in zip(queries, keys, strict=True)])
        nce_b = torch.stack([patch_nce(q[half:], k[half:], TEMPERATURE) for q, k in zip(queries, keys, strict=True)])
    losses = {
        "fool": lsgan(judge(new[:half]), True),
        "nce": NCE * nce_a.sum() / layers / 2,
        "identity": NCE * nce_b.sum() / layers / 2,
    }
    return losses, new[:half]


class Cut:
    """Networks and optimisers; `gan_train.train` drives it."""

    def __init__(self, settings: GanSettings, device: torch.device) -> None:
        s = settings
        self.device = device
        self.generator = Generator(s.channels, s.blocks, s.skip)
        self.heads = PatchHeads(self.generator.tap_channels)
        self.judge: nn.Module = patch_discriminator(s.channels)
        self.networks: dict[str, nn.Module] = {
            "to_target": self.generator,
            "heads": self.heads,
            "judge": self.judge,
        }
        for network in self.networks.values():
            initialise(network, "xavier")
            placed(network, device)
        self.optimisers = {"generator": adam(self.generator, self.heads), "judge": adam(self.judge)}

    def step(self, a_BCHW: Tensor, b_BCHW: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """One step of the generator, then of the discriminator; returns the losses."""
        self.judge.requires_grad_(False)
        with autocast(self.device.type):
            losses, fake = generator_losses(self.generator, self.heads, self.judge, a_BCHW, b_BCHW, rng)
        descend(self.optimisers["generator"], losses)
        self.judge.requires_grad_(True)
        with autocast(self.device.type):
            judged = {"judge": judge_loss(self.judge, b_BCHW, fake)}
        descend(self.optimisers["judge"], judged)
        return {k: v.detach() for k, v in {**losses, **judged}.items()}

    @torch.no_grad()
    def sheet(self, a_BCHW: Tensor, b_BCHW: Tensor) -> dict[str, Tensor]:
        """Columns of a sample sheet."""
        with autocast(self.device.type):
            fake, same = self.generator(a_BCHW), self.generator(b_BCHW)
        return {"source": a_BCHW, "translated": fake, "target": b_BCHW, "target through it": same}

    def state(self) -> dict[str, Any]:
        """What must survive besides networks and optimisers: nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
