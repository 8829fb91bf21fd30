"""What `tools/disturb.py` does to a batch, by what must stay and what must follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tools import disturb as d
from tools.varied_teacher import HOW, varied_teacher
from torch import Tensor

from simteacher import train
from simteacher.data import stream
from simteacher.models.store import load
from tests import lookalikes


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 32, 48, generator=rng(7)) * 0.6 + 0.2


@pytest.mark.parametrize(
    "change",
    [
        lambda x, g: d.colour(x, g, 0.0, 0.0, 0.0, 0.0),
        lambda x, g: d.light(x, g, 0.0),
        lambda x, g: d.random_filter(x, g, 0.0),
        lambda x, g: d.spectrum(x, g, 0.0),
        lambda x, g: d.spectrum(x[:1].expand(4, -1, -1, -1), g, 1.0, 1.0),  # other pictures' amplitudes are its own
        lambda x, g: d.sensor(x, g, 0.0),
    ],
)
def test_nothing_where_nothing_is_asked_for(
    images: Tensor, change: Callable[[Tensor, torch.Generator], Tensor]
) -> None:
    changed = change(images, rng())
    torch.testing.assert_close(changed, images if len(changed.unique(dim=0)) > 1 else images[:1].expand_as(changed))


@pytest.mark.parametrize("how", HOW)
def test_repeatable_in_range_and_different(images: Tensor, how: str) -> None:
    label = torch.randint(0, 5, (4, 32, 48), generator=rng(3))
    first, again, other = (HOW[how](images, label, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].min() >= 0 and first[0].max() <= 1 and first[0].shape == images.shape


def test_blur_against_scipys_definition(images: Tensor) -> None:
    sigma, r = 1.3, 4
    kernel = np.exp(-0.5 * (np.arange(-r, r + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    plane = np.pad(images[0, 0].double().numpy(), r, mode="edge")
    expected = sum(kernel[i] * kernel[j] * plane[i : i + 32, j : j + 48] for i in range(9) for j in range(9))
    found = d.blurred(images.double(), sigma)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_spectrum_keeps_phases_and_takes_over_low_amplitudes(images: Tensor) -> None:
    """The mean colour is the lowest frequency: it lies between the two pictures', and the rest keeps its amplitude."""
    mixed = d.spectrum(images, rng(), 1.0, 0.05)
    means = images.mean((2, 3))
    assert (mixed.mean((2, 3)) >= means.min(0).values - 1e-4).all()
    assert (mixed.mean((2, 3)) <= means.max(0).values + 1e-4).all()
    before, after = (torch.fft.fft2(x) for x in (images, mixed))
    inside = ((mixed > 0) & (mixed < 1)).flatten(1).all(1)  # where nothing was cut off
    assert inside.any()
    torch.testing.assert_close(after[inside][..., 8, 9].abs(), before[inside][..., 8, 9].abs(), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(after[inside][..., 0, 0].abs(), before[inside][..., 0, 0].abs())


def test_pasted_classes_bring_their_labels() -> None:
    label = torch.randint(0, 6, (4, 32, 48), generator=rng(5))
    images = label[:, None] / 10 + torch.arange(4).view(4, 1, 1, 1) / 1000
    mixed, labels = d.class_mix(images.expand(4, 3, -1, -1), label, rng(), 1.0)
    torch.testing.assert_close((mixed[:, 0] * 10).floor().long(), labels)  # a pixel's colour says its class
    for i in range(4):
        pasted = torch.unique(label[(i + 1) % 4][mixed[i, 0] != images[i, 0]])
        kept = torch.isin(label[(i + 1) % 4], pasted)
        assert torch.equal(labels[i], torch.where(kept, label[(i + 1) % 4], label[i])) and len(pasted) == 3


def test_statistics_leave_the_pattern_of_a_map(images: Tensor) -> None:
    module = d.Statistics(p=1.0)
    assert torch.equal(module(images), images)  # no generator yet
    module.g = rng()
    changed = module(images)
    assert not torch.allclose(changed, images)
    whitened = [(x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True) for x in (changed, images)]
    torch.testing.assert_close(whitened[0].abs(), whitened[1].abs(), rtol=1e-3, atol=1e-3)
    assert torch.equal(module.eval()(images), images)


def test_a_run_ends_when_it_must_and_leaves_the_loop_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path
    source = lookalikes.gta5(root / "gta5", 6).spec
    monkeypatch.setattr("tools.varied_teacher.PACE", (1, 3))
    before = train.network_losses, train.prefetch, train._Session.__init__, stream.recolour
    small = {"budget.size": [64, 48], "budget.crop": [64, 32], "budget.batch": 2, "cache_gib": 0.1}
    varied_teacher("spectrum-dsu", source, source, str(root / "run"), 3, 100_000, 0.0, **small)
    assert (train.network_losses, train.prefetch, train._Session.__init__, stream.recolour) == before
    model = load(root / "run")
    assert model.card.trained_on["steps"] == 43 and model.card.space.name == "cityscapes19"
