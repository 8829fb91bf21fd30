"""Batch-norm statistics re-estimated on the target, free adaptation (AdaBN, Li et al. 2016); and of single cells."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from simteacher.precision import autocast


class OneCellBatchNorm(nn.BatchNorm2d):
    """A batch norm that takes its running statistics for a single cell, of which none can be computed.

    One image in a batch, and a decoder that pools it to one cell, as DeepLab v3's does.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalise, (B, C, H, W)."""
        if self.training and x_BCHW.numel() == x_BCHW.shape[1]:
            return nn.functional.batch_norm(
                x_BCHW, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(x_BCHW)


def bear_one_cell(network: nn.Module) -> None:
    """Make all plain batch norms of a network such; weights and their names stay."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = OneCellBatchNorm


@torch.no_grad()
def reestimate(network: nn.Module, batches: Iterable[Tensor], share: float = 1.0) -> None:
    """Move every batch norm's running mean and variance to the plain average over ``batches``, by ``share`` of the way.

    Weights stay as they are. Layers without batch norm are untouched; an empty iterable changes nothing.

    The variance is the mean of the variances within each batch. How means differ from batch to batch is not in it: from
    single images, as `adapt` gives them, it comes out smaller than over all of their pixels together, most of all in
    layers with few pixels and where photographs differ in brightness.

    Args:
        network: Changed in place, left in eval mode.
        batches: Images (B, 3, H, W) in [0, 1], as in use: no augmentation.
        share: 1 takes the new statistics, 0.5 the mean of old and new.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    momenta = [m.momentum for m in norms]
    before = [[b.clone() for b in (m.running_mean, m.running_var) if b is not None] for m in norms]
    network.eval()
    started: set[nn.Module] = set()

    def prepare(m: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Let a norm learn from this input, unless it is a single value a channel, which has no variance."""
        assert isinstance(m, nn.modules.batchnorm._BatchNorm)
        enough = inputs[0].numel() > inputs[0].shape[1]
        if enough and m not in started:
            m.reset_running_stats()
            m.momentum = None  # cumulative average
            started.add(m)
        m.train(enough)

    hooks = [m.register_forward_pre_hook(prepare) for m in norms]
    for image_BCHW in batches:
        with autocast(image_BCHW.device.type):
            network(image_BCHW.contiguous(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum
        m.eval()
    for m, old in zip(norms, before, strict=True):
        for now, then in zip((b for b in (m.running_mean, m.running_var) if b is not None), old, strict=True):
            now.lerp_(then, 1 - share)
    network.eval()
