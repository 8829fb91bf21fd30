"""The quick depthwise convolution is the plain one: same output, gradients nearer to the exact ones than bf16's."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from simteacher.models.depthwise import DepthwiseConv2d, quicken_depthwise


def gradients(module: nn.Module, x: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        y = module(x if dtype == torch.bfloat16 else x.to(dtype))
    y.backward(torch.linspace(-1, 1, y.numel()).reshape(y.shape).to(y.dtype))
    assert x.grad is not None
    return y.detach().double(), x.grad.double(), next(module.parameters()).grad.double()  # type: ignore[union-attr]


@pytest.mark.parametrize(("kernel", "stride", "same"), [(5, 1, False), (5, 2, True), (3, 2, True), (3, 1, False)])
def test_same_forward_and_no_worse_gradients(kernel: int, stride: int, same: bool) -> None:
    torch.manual_seed(0)
    kind = timm.layers.Conv2dSame if same else nn.Conv2d
    plain = nn.Sequential(kind(24, 24, kernel, stride, 0 if same else kernel // 2, groups=24, bias=False))
    quick = copy.deepcopy(plain)
    quicken_depthwise(quick)
    assert isinstance(quick[0], DepthwiseConv2d)
    assert list(quick.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 24, 17, 14).to(torch.bfloat16).float()  # what autocast would round is already round
    exact = gradients(copy.deepcopy(plain).double(), x.double(), torch.float64)
    ours, theirs = gradients(quick, x, torch.bfloat16), gradients(plain, x, torch.bfloat16)
    assert torch.equal(ours[0], theirs[0])  # bit for bit
    for mine, bf16, true in zip(ours[1:], theirs[1:], exact[1:], strict=True):
        scale = true.abs().max()
        assert (mine - true).abs().max() <= (bf16 - true).abs().max() + 0.01 * scale
        assert (mine - true).abs().max() < 0.02 * scale


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(16, 20), (17, 20), (16, 21), (17, 21)])
def test_zeros_before_the_kernel_do_what_padding_does(kernel: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(timm.layers.Conv2dSame(6, 6, kernel, 2, 0, groups=6, bias=False))
    quick = copy.deepcopy(plain)
    quicken_depthwise(quick)
    x = torch.randn(2, 6, *size)
    for mine, theirs in zip(*(gradients(net, x, torch.float32) for net in (quick, plain)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_all_of_a_network_and_nothing_else() -> None:
    net = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False).eval()
    quick = copy.deepcopy(net)
    quicken_depthwise(quick)
    wanted = sum(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in net.modules())
    assert sum(isinstance(m, DepthwiseConv2d) for m in quick.modules()) == wanted > 10
    x = torch.rand(1, 3, 75, 101)
    for a, b in zip(net(x), quick(x), strict=True):
        assert torch.equal(a, b)
    frozen = quick.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        assert frozen(x)[-1].isfinite().all()
