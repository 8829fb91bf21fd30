"""Pooling by matrix products gives what PyTorch's pooling gives, at any size, and leaves names of weights alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from simteacher.config import Network
from simteacher.models.bins import BinMeans, pool_by_products
from simteacher.models.build import build_network


@pytest.mark.parametrize("bins", [(1, 1), (2, 2), (3, 3), (6, 6), (3, 5)])
@pytest.mark.parametrize("size", [(6, 6), (12, 20), (13, 7), (5, 4), (1, 9)])
def test_it_is_adaptive_average_pooling(bins: tuple[int, int], size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(BinMeans(bins)(x), nn.AdaptiveAvgPool2d(bins)(x))


@pytest.mark.parametrize("decoder", ["pspnet", "upernet"])
def test_a_network_answers_the_same_and_keeps_its_names(decoder: str) -> None:
    torch.manual_seed(0)
    network = build_network(Network(encoder="test_resnet", weights="none", decoder=decoder), 4).eval()  # type: ignore[arg-type]
    changed = copy.deepcopy(network)
    pool_by_products(changed)
    assert any(isinstance(m, BinMeans) for m in changed.modules())
    assert list(changed.state_dict()) == list(network.state_dict())
    image = torch.rand(1, 3, 70, 101)
    with torch.no_grad():
        torch.testing.assert_close(changed(image)[0], network(image)[0], rtol=1e-4, atol=1e-4)
