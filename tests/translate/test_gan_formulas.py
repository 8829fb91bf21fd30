"""CycleGAN's and CUT's losses against loops and cases with a known answer; networks against what the papers state."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simteacher.translate.cut import draw_places
from simteacher.translate.cut import generator_losses as cut_losses
from simteacher.translate.cyclegan import generator_losses as cycle_losses
from simteacher.translate.gan_losses import ImagePool, lsgan, patch_nce
from simteacher.translate.gan_parts import judge_loss
from simteacher.translate.networks import Generator, PatchHeads, initialise, patch_discriminator


class Add(nn.Module):
    """The image plus a number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, image: Tensor) -> Tensor:
        """Same shape."""
        return image + self.number


class MeanScore(nn.Module):
    """One score an image: its mean."""

    def forward(self, image: Tensor) -> Tensor:
        """Shape (B, 1, 1, 1)."""
        return image.mean((1, 2, 3), keepdim=True)


def unit(seed: int, *shape: int) -> Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(drawn, dim=-1)


def test_lsgan_and_the_discriminators_loss() -> None:
    scores = torch.tensor([0.5, -1.0])
    assert lsgan(scores, True).item() == pytest.approx((0.25 + 4) / 2)
    assert lsgan(scores, False).item() == pytest.approx((0.25 + 1) / 2)
    real, fake = torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    loss = judge_loss(MeanScore(), real, fake)
    assert loss.item() == pytest.approx(0.5 * (0.25**2 + 0.5**2))
    assert not loss.requires_grad


def test_patch_nce_is_the_papers_formula() -> None:
    query, key, t = unit(0, 2, 5, 8).requires_grad_(), unit(1, 2, 5, 8).requires_grad_(), 0.07
    slow = []
    for q_SC, k_SC in zip(query.detach().double().numpy(), key.detach().double().numpy(), strict=True):
        for s in range(5):
            own = math.exp(q_SC[s] @ k_SC[s] / t)
            others = sum(math.exp(q_SC[s] @ k_SC[n] / t) for n in range(5) if n != s)
            slow.append(-math.log(own / (own + others)))
    loss = patch_nce(query, key, t)
    assert loss.item() == pytest.approx(np.mean(slow), rel=1e-5)
    loss.backward()
    assert query.grad is not None and key.grad is None
    same = torch.eye(6)[None]
    assert patch_nce(same, same, 0.5).item() == pytest.approx(math.log(1 + 5 * math.exp(-2)), rel=1e-5)


def test_cyclegan_generators_minimise_the_papers_sum() -> None:
    a, b = torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 8, 8), -0.3)
    losses, fake_b, fake_a = cycle_losses(Add(0.5), Add(-0.2), MeanScore(), Add(0.0), a, b)
    assert torch.equal(fake_b, a + 0.5) and torch.equal(fake_a, b - 0.2)
    assert losses["fool_target"].item() == pytest.approx((0.7 - 1) ** 2)
    assert losses["fool_source"].item() == pytest.approx((-0.5 - 1) ** 2)
    assert losses["cycle"].item() == pytest.approx(10 * (0.3 + 0.3))
    assert losses["identity"].item() == pytest.approx(5 * (0.5 + 0.2))
    assert cycle_losses(Add(0.5), Add(-0.2), MeanScore(), Add(0.0), a, b, 0.0)[0].keys() == losses.keys() - {"identity"}


def test_patch_heads_look_at_their_places() -> None:
    heads = PatchHeads((3, 2), width=4)
    layers = [torch.randn(2, 3, 5, 6), torch.randn(2, 2, 3, 3)]
    out = heads(layers, [torch.tensor([0, 13]), torch.tensor([8])])
    assert [o.shape for o in out] == [(2, 2, 4), (2, 1, 4)]
    by_hand = heads.heads[0](layers[0][1, :, 2, 1])
    torch.testing.assert_close(out[0][1, 1], by_hand / by_hand.norm())


def test_cut_generator_minimises_the_papers_sum() -> None:
    torch.manual_seed(3)
    generator, judge = Generator(4, 6), MeanScore()
    heads = PatchHeads(generator.tap_channels)
    a, b = torch.rand(1, 3, 16, 16) * 2 - 1, torch.rand(1, 3, 16, 16) * 2 - 1
    losses, fake = cut_losses(generator, heads, judge, a, b, np.random.default_rng(5))
    torch.testing.assert_close(fake, generator(a))
    assert losses["fool"].item() == pytest.approx((generator(a).mean().item() - 1) ** 2, rel=1e-4)
    for name, image in (("nce", a), ("identity", b)):
        old, new = generator.encode(image)[1], generator.encode(generator(image))[1]
        assert [layer.shape[1] for layer in old] == [3, 8, 16, 16, 16]
        places = draw_places(old, np.random.default_rng(5))
        assert [len(p) for p in places] == [256, 64, 16, 16, 16]
        pairs = zip(heads(new, places), heads(old, places), strict=True)
        assert losses[name].item() == pytest.approx(np.mean([patch_nce(q, k).item() for q, k in pairs]) / 2, rel=1e-3)


def test_generators_take_any_size_and_a_skip_begins_with_nothing() -> None:
    plain, kept = Generator(4, 2), Generator(4, 2, skip=True)
    for network in (plain, kept):
        initialise(network, "normal")
    image = torch.rand(1, 3, 37, 50) * 2 - 1
    assert torch.equal(kept(image), image)
    assert plain(image).shape == image.shape
    assert plain(image).abs().max() <= 1
    half = torch.rand(1, 3, 36, 48)
    with torch.autocast("cpu", torch.bfloat16):
        rough = plain(half)
    assert rough.dtype == torch.float32
    assert (rough - plain(half)).abs().max() < 0.05


def test_initial_weights() -> None:
    deviation = {}
    for how in ("normal", "xavier"):
        torch.manual_seed(0)
        network = patch_discriminator(16)
        initialise(network, how)
        layer = network[5]
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None and not layer.bias.any()
        deviation[how] = layer.weight.std().item()
    assert deviation["normal"] == pytest.approx(0.02, rel=0.05)
    assert deviation["xavier"] == pytest.approx(0.02 * math.sqrt(2 / (16 * 32 + 16 * 64)), rel=0.05)


def test_each_score_of_the_discriminator_looks_at_70_pixels() -> None:
    network = patch_discriminator(2)
    for number, layer in enumerate(network):
        if isinstance(layer, nn.InstanceNorm2d):  # it would look at everything
            network[number] = nn.Identity()
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    scores = network(image)
    assert scores.shape == (1, 1, 14, 14)
    scores[0, 0, 7, 7].backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert len(rows) == rows[-1] - rows[0] + 1 == 70


def test_the_pool_fills_up_and_then_gives_old_ones_half_of_the_time() -> None:
    pool, rng = ImagePool(50), np.random.default_rng(0)
    images = [torch.full((1, 1, 1, 1), float(i)) for i in range(1000)]
    given = [pool.exchange(image, rng).item() for image in images]
    assert given[:50] == list(range(50))
    fresh = sum(g == i for i, g in enumerate(given[50:], start=50))
    assert 0.4 < fresh / 950 < 0.6
    assert sorted([*given[50:], *(k.item() for k in pool.kept)]) == sorted(i.item() for i in images)
