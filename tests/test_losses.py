"""Losses against loops in numpy, against scipy, and at points where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax
from torch.nn import functional as F

from simteacher.losses import cross_entropy, entropy_map, head_agreement, min_entropy, rectified_cross_entropy

B, K, H, W = 2, 4, 3, 5


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(B, K, H, W, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def other() -> torch.Tensor:
    return torch.randn(B, K, H, W, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def label() -> torch.Tensor:
    drawn = torch.randint(0, K, (B, H, W), generator=torch.Generator().manual_seed(2))
    drawn[0, 0], drawn[1, 2, 2] = 255, 255
    return drawn


def test_cross_entropy_by_hand(logits: torch.Tensor, label: torch.Tensor) -> None:
    class_weight = np.array([0.5, 1.0, 2.0, 3.0])
    weight = np.random.default_rng(0).random((B, H, W))
    log_p = log_softmax(logits.double().numpy(), axis=1)
    total, valid = 0.0, 0
    for b, y, x in np.ndindex(B, H, W):
        k = int(label[b, y, x])
        if k != 255:
            total -= class_weight[k] * weight[b, y, x] * log_p[b, k, y, x]
            valid += 1
    ours = cross_entropy(logits, label, torch.tensor(class_weight).float(), torch.tensor(weight).float())
    assert ours.item() == pytest.approx(total / valid, rel=1e-5)


def test_cross_entropy_without_weights_is_torchs(logits: torch.Tensor, label: torch.Tensor) -> None:
    expected = F.cross_entropy(logits, label, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, label), expected)
    torch.testing.assert_close(cross_entropy(logits, label, weight_BHW=torch.full((B, H, W), 0.25)), expected / 4)


def test_cross_entropy_of_nothing_is_zero_and_pulls_nowhere(logits: torch.Tensor) -> None:
    logits.requires_grad_(True)
    loss = cross_entropy(logits, torch.full((B, H, W), 255), torch.ones(K))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None and not logits.grad.any()


def test_entropy_map_is_entropy_over_that_of_a_guess(logits: torch.Tensor) -> None:
    p = softmax(logits.double().numpy(), axis=1)
    expected = -(p * np.log(p)) / math.log(K)
    np.testing.assert_allclose(entropy_map(logits).numpy(), expected, atol=1e-6)
    assert min_entropy(logits).item() == pytest.approx(expected.sum(1).mean(), rel=1e-5)


def test_entropy_of_a_guess_is_one_and_of_certainty_zero() -> None:
    assert min_entropy(torch.zeros(1, K, H, W)).item() == pytest.approx(1.0)
    certain = torch.zeros(1, K, H, W)
    certain[:, 1] = 500.0
    assert min_entropy(certain).item() == pytest.approx(0.0, abs=1e-6)


def test_head_agreement_is_two_divergences_from_the_mean(logits: torch.Tensor, other: torch.Tensor) -> None:
    a, b = logits.double().numpy(), other.double().numpy()
    mean = softmax(a + 0.5 * b, axis=1)
    expected = sum(rel_entr(mean, softmax(x, axis=1)).sum(1).mean() for x in (a, b))
    assert head_agreement(logits, other).item() == pytest.approx(expected, rel=1e-5)


def test_head_agreement_does_not_move_the_mean(logits: torch.Tensor, other: torch.Tensor) -> None:
    """The gradient of KL(m || softmax(z)) with m held is (softmax(z) - m) / pixels."""
    logits.requires_grad_(True)
    head_agreement(logits, other).backward()
    a, b = logits.detach().double().numpy(), other.double().numpy()
    expected = (softmax(a, axis=1) - softmax(a + 0.5 * b, axis=1)) / (B * H * W)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("weights", [False, True])
def test_rectified_by_hand(logits: torch.Tensor, other: torch.Tensor, label: torch.Tensor, weights: bool) -> None:
    p, q = softmax(logits.double().numpy(), axis=1), softmax(other.double().numpy(), axis=1)
    rng, distance = np.random.default_rng(0), rel_entr(p, q).sum(1)
    by_class = rng.random(K) if weights else np.ones(K)
    weight, true = rng.random((B, H, W)) if weights else np.ones((B, H, W)), rng.random((B, H, W)) < 0.3
    values = []
    for b, y, x in np.ndindex(B, H, W):
        k = int(label[b, y, x])
        d = 0.0 if weights and true[b, y, x] else distance[b, y, x]
        if k != 255:
            values.append(-by_class[k] * weight[b, y, x] * math.log(p[b, k, y, x]) * math.exp(-d) + d)
    given = (torch.tensor(by_class).float(), torch.tensor(weight).float(), torch.tensor(true)) if weights else ()
    assert rectified_cross_entropy(logits, other, label, *given).item() == pytest.approx(np.mean(values), rel=1e-5)


def test_rectified_with_heads_that_agree_is_cross_entropy(logits: torch.Tensor, label: torch.Tensor) -> None:
    torch.testing.assert_close(rectified_cross_entropy(logits, logits, label), cross_entropy(logits, label))
