"""Taking the tilt of a weighted loss away gives back the posterior that an unweighted loss would have learnt."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from simteacher.models.prior import tilt


class Biased(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(2, classes, 1), nn.Identity())


def test_recovers_the_true_frequencies() -> None:
    torch.manual_seed(0)
    share = torch.tensor([0.9, 0.08, 0.02])
    weight = torch.tensor([0.4, 2.0, 5.0])
    net = Biased(3)
    x = torch.zeros(1, 2, 1, 1)  # an image that says nothing: the scores must become the prior
    optimiser = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(400):
        log_p = F.log_softmax(net.head(x).flatten(), 0)
        loss = -(share * weight * log_p).sum()  # expected weighted cross-entropy
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert not torch.allclose(net.head(x).flatten().softmax(0), share, atol=0.05)
    assert tilt(net, weight, -1.0)
    torch.testing.assert_close(net.head(x).flatten().softmax(0), share, atol=1e-3, rtol=0)


def test_there_and_back_and_nothing_to_do() -> None:
    net, weight = Biased(4), torch.tensor([0.5, 1.0, 2.0, 4.0])
    before = net.head[0].bias.clone()
    assert tilt(net, weight, 0.75) and not torch.equal(before, net.head[0].bias)
    assert tilt(net, weight, -0.75)
    torch.testing.assert_close(before, net.head[0].bias)
    assert not tilt(net, None, 1.0)
    assert not tilt(nn.Conv2d(1, 4, 1), weight, 1.0)
