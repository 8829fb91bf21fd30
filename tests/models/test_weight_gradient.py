"""The convolution with a quicker weight gradient is the plain one: same output, gradients by finite differences."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from simteacher.config import Network
from simteacher.models.build import build_network
from simteacher.models.weight_gradient import PlanarGradientConv2d, pays, quicken_weight_gradients


@pytest.mark.parametrize(("kernel", "stride", "bias"), [((3, 3), 1, True), ((3, 3), 2, False), ((5, 1), 1, False)])
def test_output_and_gradients_are_the_plain_ones(kernel: tuple[int, int], stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(16, 8, kernel, stride, (kernel[0] // 2, kernel[1] // 2), bias=bias)
    plain = plain.to(memory_format=torch.channels_last)
    quick = copy.deepcopy(plain)
    quicken_weight_gradients(quick)
    assert type(quick) is PlanarGradientConv2d
    results = []
    for conv in (plain, quick):
        x = torch.linspace(-1, 1, 2 * 16 * 11 * 14).sin().view(2, 16, 11, 14).clone().requires_grad_()
        y = conv(x.to(memory_format=torch.channels_last))
        (y * torch.linspace(-1, 1, y.numel()).cos().view(y.shape)).sum().backward()
        results.append([y.detach(), x.grad, *(p.grad for p in conv.parameters())])
    assert torch.equal(results[0][0], results[1][0])
    assert results[1][0].is_contiguous(memory_format=torch.channels_last)
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(16, 2, 3, padding=1)
    quicken_weight_gradients(conv)
    x = torch.rand(1, 16, 5, 6, requires_grad=True)
    loss = conv(x).square().sum()
    loss.backward()
    exact = copy.deepcopy(conv).double()
    for parameter, name in ((conv.weight, "weight"), (conv.bias, "bias")):
        assert parameter is not None and parameter.grad is not None
        for at in range(0, parameter.numel(), 37):
            found = []
            for step in (1e-4, -1e-4):
                moved = copy.deepcopy(exact)
                with torch.no_grad():
                    getattr(moved, name).view(-1)[at] += step
                found.append(moved(x.double()).square().sum())
            slope = float((found[0] - found[1]).detach() / 2e-4)
            assert slope == pytest.approx(float(parameter.grad.reshape(-1)[at]), rel=1e-3, abs=1e-3)


def test_only_what_is_wanted_is_computed_and_frozen_ones_are_plain() -> None:
    conv = nn.Conv2d(16, 4, 3, padding=1, bias=False)
    quicken_weight_gradients(conv)
    out = conv(torch.rand(1, 16, 6, 6))  # an input without a gradient
    assert "Planar" in type(out.grad_fn).__name__
    out.sum().backward()
    assert conv.weight.grad is not None
    conv.requires_grad_(False)
    assert "Planar" not in type(conv(torch.rand(1, 16, 6, 6, requires_grad=True)).grad_fn).__name__


def test_which_convolutions_it_is_for() -> None:
    others = [
        nn.Conv2d(3, 16, 3),  # reads an image
        nn.Conv2d(16, 16, 1),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 16, 3, dilation=2),
        nn.Conv2d(16, 16, 3, padding="same"),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect"),
    ]
    for conv in others:
        quicken_weight_gradients(conv)
        assert type(conv) is nn.Conv2d
    network = build_network(Network(weights="none"), 5)
    assert any(isinstance(m, PlanarGradientConv2d) for m in network.decoder.modules()) == pays()
