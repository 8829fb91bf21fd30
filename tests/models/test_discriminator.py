"""The discriminator is the published one: layers, strides, number of weights."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from simteacher.models.discriminator import output_discriminator


@pytest.mark.parametrize("classes", [11, 19])
def test_layers_of_the_papers(classes: int) -> None:
    network = output_discriminator(classes)
    channels = [classes, 64, 128, 256, 512, 1]
    expected = sum(a * b * 16 + b for a, b in pairwise(channels))
    assert sum(p.numel() for p in network.parameters()) == expected
    convolutions = [m for m in network if isinstance(m, nn.Conv2d)]
    assert all((m.kernel_size, m.stride, m.padding) == ((4, 4), (2, 2), (1, 1)) for m in convolutions)
    slopes = [m.negative_slope for m in network if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 4 and isinstance(network[-1], nn.Conv2d)
    assert network(torch.rand(2, classes, 64, 96)).shape == (2, 1, 2, 3)
