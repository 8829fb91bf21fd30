"""segmentation-models-pytorch's decoders with their maps laid over each other by pixel centres.

The library scales maps by their corner pixels (``align_corners=True``): 80 rows become 320 by a factor of 319 / 79.
So a map of stride 4 lies up to 1.5 pixels beside the image, the other way at the opposite edge, and convolutions
cannot make up for what depends on the place. Here a factor is what it says. Names of weights stay.
"""

from __future__ import annotations

from functools import reduce
from operator import add

from segmentation_models_pytorch.decoders.fpn.decoder import Conv3x3GNReLU, FPNDecoder
from torch import Tensor, nn
from torch.nn import functional as F


class _Doubled(nn.Module):
    """Convolution, norm and ReLU, then twice the size."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x_BChw: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', 2h, 2w)."""
        return F.interpolate(self.block(x_BChw), scale_factor=2.0, mode="bilinear", align_corners=False)


class _Norm(nn.GroupNorm):
    """In float32: on a CPU its gradient in bf16 takes three times as long, 7 % of a training step in all."""

    def forward(self, x_BChw: Tensor) -> Tensor:
        """Equal shape and precision."""
        return super().forward(x_BChw.float()).to(x_BChw.dtype)


class _Sum(nn.Module):
    """Sum of maps without a copy of all of them, which took 2 % of a training step."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Equal shapes in, their sum out."""
        return reduce(add, maps)


def by_centres(decoder: nn.Module, head: nn.Module) -> None:
    """Change a decoder and a head of the library in place. The head leaves out its last step, to the image's size."""
    for module in [*decoder.modules()]:
        if isinstance(module, nn.Upsample) and module.mode == "bilinear":
            module.align_corners = False
        elif isinstance(module, nn.GroupNorm):
            module.__class__ = _Norm
        for name, child in module.named_children():
            if isinstance(child, Conv3x3GNReLU) and child.upsample:
                setattr(module, name, _Doubled(child.block))
    if isinstance(decoder, FPNDecoder) and decoder.merge.policy == "add":
        decoder.merge = _Sum()
    for name, child in head.named_children():
        if isinstance(child, nn.Upsample):
            setattr(head, name, nn.Identity())
