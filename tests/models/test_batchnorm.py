"""Batch-norm statistics against means and variances taken by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from simteacher.config import Network
from simteacher.models.batchnorm import bear_one_cell, reestimate
from simteacher.models.build import build_network


def _batches(count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(2, 3, 5 + i, 7, generator=generator) * (i + 1) for i in range(count)]


def _by_hand(batches: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Plain averages over batches of each batch's mean and unbiased variance, by channel."""
    rows = [b.double().numpy().transpose(1, 0, 2, 3).reshape(3, -1) for b in batches]
    return np.mean([r.mean(1) for r in rows], 0), np.mean([r.var(1, ddof=1) for r in rows], 0)


@pytest.mark.parametrize("share", [1.0, 0.25, 0.0])
def test_plain_average_over_batches(share: float) -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean, norm.running_var = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    mean, var = _by_hand(_batches())
    reestimate(nn.Sequential(norm), _batches(), share)
    np.testing.assert_allclose(norm.running_mean, share * mean + (1 - share) * np.array([1, 2, 3]), rtol=1e-3)
    np.testing.assert_allclose(norm.running_var, share * var + (1 - share) * np.array([4, 5, 6]), rtol=1e-3)


def test_a_second_norm_sees_what_the_first_makes_of_each_batch() -> None:
    """As in training on the target: the first norm uses the batch's own statistics, not the average."""
    first, second = nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3)
    reestimate(nn.Sequential(first, nn.ReLU(), second), _batches())
    normal = []
    for b in _batches():
        x = b.double().numpy()
        y = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + first.eps)
        normal.append(torch.from_numpy(np.maximum(y, 0)))
    mean, var = _by_hand(normal)
    np.testing.assert_allclose(second.running_mean, mean, rtol=0.01)
    np.testing.assert_allclose(second.running_var, var, rtol=0.01)


def test_leaves_weights_dropout_and_momentum_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, momentum=0.07), nn.Dropout(0.9), nn.BatchNorm2d(3))
    network.train()
    before = {k: v.clone() for k, v in network.named_parameters()}
    random = torch.get_rng_state()
    reestimate(network, _batches())
    assert all(torch.equal(v, before[k]) for k, v in network.named_parameters())
    assert torch.equal(torch.get_rng_state(), random), "dropout was active"
    assert isinstance(network[1], nn.BatchNorm2d) and network[1].momentum == 0.07
    assert not any(m.training for m in network.modules())
    again = {k: v.clone() for k, v in network.state_dict().items()}
    network(_batches()[0])  # the hooks are gone
    assert all(torch.equal(v, again[k]) for k, v in network.state_dict().items())


def test_nothing_seen_changes_nothing() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean = torch.tensor([1.0, 2.0, 3.0])
    reestimate(nn.Sequential(norm), [])
    assert norm.running_mean.tolist() == [1, 2, 3] and not norm.training


def test_one_value_a_channel_has_no_variance_and_is_left_alone() -> None:
    """As behind global pooling, when photographs come one by one."""
    norm, deep = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    deep.running_mean, deep.running_var = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    reestimate(nn.Sequential(norm, nn.AdaptiveAvgPool2d(1), deep), [_batches()[0][:1]])
    assert deep.running_mean.tolist() == [1, 2, 3] and deep.running_var.tolist() == [4, 5, 6]
    assert norm.running_mean is not None and norm.running_mean.any()


def test_norms_without_statistics_are_left_alone() -> None:
    reestimate(nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.GroupNorm(3, 3)), _batches())


def test_one_cell_is_normalised_by_what_is_known_and_more_as_ever() -> None:
    norm, plain = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    bear_one_cell(nn.Sequential(norm))
    one = torch.tensor([2.0, -1.0, 0.5]).view(1, 3, 1, 1)
    torch.testing.assert_close(norm(one), one / np.sqrt(1 + 1e-5))
    assert norm.running_mean is not None and not norm.running_mean.any()
    for batch in _batches():
        torch.testing.assert_close(norm(batch), plain(batch))
    torch.testing.assert_close(norm.running_var, plain.running_var)


def test_deeplab_learns_from_one_image_at_a_time() -> None:
    """It pools each image to one cell."""
    network = build_network(Network(encoder="resnet18", decoder="deeplabv3plus", weights="none"), 4).train()
    main, _ = network(torch.rand(1, 3, 64, 64))
    main.sum().backward()
    assert main.shape == (1, 4, 64, 64)
