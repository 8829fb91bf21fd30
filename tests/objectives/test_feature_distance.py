"""Feature distance by hand, and that the pretrained network it measures from is fixed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simteacher.config import Network
from simteacher.labels import IGNORE, SPACES
from simteacher.models.build import build_network
from simteacher.objectives.compose import Plan, network_losses
from simteacher.objectives.feature_distance import Reference, feature_distance, thing_cells
from simteacher.precision import autocast
from tests.tiny import batch, state

SPACE = SPACES["camvid11"]
CAR, ROAD, PEDESTRIAN = (SPACE.classes.index(n) for n in ("car", "road", "pedestrian"))


def test_things_are_the_papers() -> None:
    named = {SPACE.classes[k] for k in Reference(Network(), SPACE).things}
    assert named == {"sign", "car", "pedestrian", "bicyclist"}
    cityscapes = SPACES["cityscapes19"]
    assert Reference(Network(), cityscapes).things == [6, 7, *range(11, 19)]


def test_a_cell_counts_where_one_thing_covers_three_quarters() -> None:
    rng = np.random.default_rng(0)
    label = rng.choice([CAR, ROAD, PEDESTRIAN, IGNORE], (2, 16, 24), p=[0.75, 0.1, 0.1, 0.05])
    expected = np.zeros((2, 4, 6), bool)
    for b, y, x in np.ndindex(2, 4, 6):
        cell = label[b, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
        expected[b, y, x] = any((cell == k).mean() >= 0.75 for k in (CAR, PEDESTRIAN))
    assert 10 < expected.sum() < 38
    np.testing.assert_array_equal(thing_cells(torch.from_numpy(label), [CAR, PEDESTRIAN], (4, 6)), expected)
    assert not thing_cells(torch.from_numpy(label), [], (4, 6)).any()


def test_distance_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(2, 5, 3, 4, generator=generator) for _ in range(2))
    cells = torch.rand(2, 3, 4, generator=generator) < 0.4
    each = [np.linalg.norm(ours[b, :, y, x] - theirs[b, :, y, x]) for b, y, x in cells.nonzero().tolist()]
    assert len(each) > 3
    assert feature_distance(ours, theirs, cells).item() == pytest.approx(np.mean(each), rel=1e-5)
    ours.requires_grad_()
    nothing = feature_distance(ours, theirs, torch.zeros_like(cells))
    nothing.backward()
    assert nothing.item() == 0 and ours.grad is not None and not ours.grad.any()


def test_it_is_measured_from_the_pretrained_network_and_draws_only_ours() -> None:
    net = build_network(Network(freeze=0), len(SPACE)).eval()
    made = state(net, feature_distance=0.005)
    made.reference = reference = Reference(Network(weights="street"), SPACE)
    reference.train()
    assert not any(m.training for m in reference.modules())
    assert not any(p.requires_grad for p in reference.parameters())
    label = torch.full((2, 64, 96), CAR)
    with autocast("cpu"):  # as the reference
        same, *_ = network_losses(made, Plan(), {"source": batch(label)})
    assert same["feature_distance"].item() == pytest.approx(0, abs=1e-4), "at its start it is the pretrained one"

    weight = next(p for name, p in net.encoder.named_parameters() if p.ndim == 4)
    with torch.no_grad():
        weight.mul_(1.5)
    moved, *_ = network_losses(made, Plan(), {"source": batch(label)})
    image = batch(label).image_BCHW
    with torch.no_grad():
        far = net(image, features=True)[0].float() - reference(image).float()
    expected = 0.005 * far.norm(dim=1).mean().item()
    assert moved["feature_distance"].item() == pytest.approx(expected, rel=0.02) and expected > 1e-3
    moved["feature_distance"].backward()
    assert weight.grad is not None and weight.grad.any()
    assert all(p.grad is None for p in net.decoder.parameters())

    roads, *_ = network_losses(made, Plan(), {"source": batch(torch.full((2, 64, 96), ROAD))})
    assert roads["feature_distance"].item() == 0, "a road is no thing"
