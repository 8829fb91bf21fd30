"""Depthwise convolutions whose backward pass runs in float32 on a CPU: its bf16 kernels are a slow reference code.

Measured on one core with oneDNN of torch 2.14 (4×448×320, EfficientNet-Lite0): 261 ms of a step in bf16, 66 ms in
float32; the forward pass in bf16 is the fast one. Everywhere but in a CPU's bf16 training it is the plain convolution.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import get_same_padding, pad_same
from torch import Tensor, nn
from torch.nn import functional as F


class _Bf16Forward(torch.autograd.Function):
    """``conv2d`` of one filter a channel: forward in bf16, both gradients in float32."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, weight_C1HW: Tensor, stride: list[int], padding: list[int]) -> Tensor:
        x_BCHW = x_BCHW.to(torch.bfloat16)
        ctx.save_for_backward(x_BCHW, weight_C1HW)
        ctx.how = stride, padding
        return F.conv2d(x_BCHW, weight_C1HW.to(torch.bfloat16), None, stride, padding, 1, len(weight_C1HW))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x_BCHW, weight_C1HW = ctx.saved_tensors
        stride, padding = ctx.how
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]
        to_x, to_weight, _ = torch.ops.aten.convolution_backward(
            grads[0].float(), x_BCHW.float(), weight_C1HW.to(torch.bfloat16).float(), None, stride, padding, [1, 1],
            False, [0, 0], len(weight_C1HW), wanted,
        )  # fmt: skip
        return (to_x.to(x_BCHW.dtype) if wanted[0] else None), to_weight, None, None


class DepthwiseConv2d(nn.Conv2d):
    """One filter a channel, without bias or dilation; ``same`` pads as TensorFlow does, by the image's size."""

    same: bool = False

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H', W')."""
        stride, padding, weight = list(self.stride), [int(p) for p in self.padding], self.weight
        on_cpu = input.device.type == "cpu"
        in_float32 = input.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        known = all(type(n) is int for n in input.shape)  # not so where a graph for other sizes is exported
        if self.same and on_cpu and in_float32 and known:
            weight, padding = self._padded_kernel(input)
        elif self.same:
            input, padding = pad_same(input, list(self.kernel_size), stride), [0, 0]
        slow = on_cpu and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()
        if slow and torch.get_autocast_dtype("cpu") == torch.bfloat16 and self.weight.requires_grad:
            return torch.as_tensor(_Bf16Forward.apply(input, self.weight, stride, padding))
        return F.conv2d(input, weight, None, stride, padding, 1, self.groups)

    def _padded_kernel(self, x_BCHW: Tensor) -> tuple[Tensor, list[int]]:
        """Weights and padding, equal on both sides, that do what padding more at the end does.

        Zeros go before the kernel and not around a copy of the map, which took 1 to 3 times as long as the filter.
        """
        how = zip(x_BCHW.shape[-2:], self.kernel_size, self.stride, strict=True)
        total = [get_same_padding(size, kernel, stride, 1) for size, kernel, stride in how]
        odd = [t % 2 for t in total]
        return F.pad(self.weight, (odd[1], 0, odd[0], 0)), [-(-t // 2) for t in total]


def quicken_depthwise(module: nn.Module) -> None:
    """Replace, in place, every depthwise convolution without bias and dilation by one with the same parameters."""
    for name, child in module.named_children():
        if type(child) not in (nn.Conv2d, Conv2dSame):
            quicken_depthwise(child)
            continue
        assert isinstance(child, nn.Conv2d)
        plain = child.bias is None and child.dilation == (1, 1) and child.padding_mode == "zeros"
        if plain and isinstance(child.padding, tuple) and 1 < child.in_channels == child.out_channels == child.groups:
            with torch.device("meta"):
                quick = DepthwiseConv2d(child.in_channels, child.out_channels, 1, groups=child.groups, bias=False)
            for told in ("weight", "kernel_size", "stride", "padding"):
                setattr(quick, told, getattr(child, told))
            quick.same = isinstance(child, Conv2dSame)
            setattr(module, name, quick)
