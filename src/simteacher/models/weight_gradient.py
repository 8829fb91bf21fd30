"""Convolutions whose weight gradient is computed from maps stored channel by channel, on processors with AVX2 alone.

Networks here are channels-last, in which all passes are as fast or faster but one: float32 weight gradients of kernels
larger than a pixel. Measured on one core of Zen 3 with oneDNN of torch 2.14 (4×128×80×112 to 64 channels, 3×3): forward
75 ms, gradient of the input 94 ms, of the weights 388 ms, and 100 ms from maps in the other order, which cost 22 ms to
copy. A training step with one thread is 4 to 10 % shorter so; with two threads it makes no difference. Most laptops'
processors are of this kind.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST = 16  # channels: of an image, which has three, the usual order is the quicker one


@cache
def pays() -> bool:
    """Whether this processor is of the kind that it was measured on: with AVX-512 it was not."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


class _PlanarGradient(torch.autograd.Function):
    """``conv2d`` with maps copied channel by channel for the gradients of weights and bias."""

    @staticmethod
    def forward(
        ctx: Any, x_BCHW: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int]
    ) -> Tensor:
        ctx.save_for_backward(x_BCHW, weight)
        ctx.how = stride, padding
        return F.conv2d(x_BCHW, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x_BCHW, weight = ctx.saved_tensors
        stride, padding = ctx.how

        def part(maps: list[Tensor], *wanted: bool) -> Any:
            how = [len(weight)], stride, padding, [1, 1], False, [0, 0], 1, list(wanted)
            return torch.ops.aten.convolution_backward(*maps, *how)

        maps = [grads[0], x_BCHW, weight]  # one of them channels-last and all would be
        to_x = part(maps, True, False, False)[0] if ctx.needs_input_grad[0] else None
        _, to_weight, to_bias = part([m.contiguous() for m in maps], False, *ctx.needs_input_grad[1:3])
        return to_x, to_weight, to_bias, None, None


class PlanarGradientConv2d(nn.Conv2d):
    """A convolution without groups or dilation, zeros around the map."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        on_cpu = input.device.type == "cpu" and input.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if on_cpu and torch.is_grad_enabled() and self.weight.requires_grad:
            how = list(self.stride), [int(p) for p in self.padding]
            return torch.as_tensor(_PlanarGradient.apply(input, self.weight, self.bias, *how))
        return super().forward(input)


def quicken_weight_gradients(module: nn.Module) -> None:
    """Change, in place, every convolution that this is for; parameters and their names stay."""
    for child in module.modules():
        if type(child) is not nn.Conv2d or child.padding_mode != "zeros" or not isinstance(child.padding, tuple):
            continue
        dense = child.groups == 1 and child.dilation == (1, 1) and child.kernel_size != (1, 1)
        if dense and child.in_channels >= LEAST:
            child.__class__ = PlanarGradientConv2d
