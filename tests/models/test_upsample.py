"""Learnt upsampling against a loop over pixels, at its beginning against bilinear, and in what it must keep."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from simteacher.labels import load_space
from simteacher.models.build import load_weights
from simteacher.models.prior import tilt
from simteacher.models.rehead import rehead
from simteacher.models.upsample import LearntUpsampling
from tests.tiny import network

C, K = 6, 3


@pytest.fixture
def trained() -> LearntUpsampling:
    """As after some steps: weights that depend on what is seen."""
    torch.manual_seed(0)
    made = LearntUpsampling(C)
    torch.nn.init.normal_(made.weigh.weight)
    return made.eval()


def test_each_pixel_is_a_mean_of_the_nine_scores_around_it(trained: LearntUpsampling) -> None:
    score, decoded, image = torch.randn(2, K, 3, 4), torch.randn(2, C, 3, 4), torch.randn(2, 3, 12, 16)
    with torch.no_grad():
        out = trained(score, decoded, image)
        blocks = image.reshape(2, 3, 3, 4, 4, 4).permute(0, 1, 3, 5, 2, 4).reshape(2, 48, 3, 4)
        raw = trained.weigh(trained.mix(torch.cat([decoded, blocks], 1)).relu()).reshape(2, 9, 4, 4, 3, 4)
    assert out.shape == (2, K, 12, 16)
    for b in range(2):
        for y in range(12):
            for x in range(16):
                weight = raw[b, :, y % 4, x % 4, y // 4, x // 4].softmax(0)
                at = [(min(max(y // 4 + i, 0), 2), min(max(x // 4 + j, 0), 3)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
                expected = sum(w * score[b, :, r, c] for w, (r, c) in zip(weight, at, strict=True))
                torch.testing.assert_close(out[b, :, y, x], expected, rtol=1e-4, atol=1e-5)


def test_it_begins_nearly_bilinear_whatever_is_seen() -> None:
    score = torch.randn(1, K, 5, 7)
    out = LearntUpsampling(C)(score, torch.randn(1, C, 5, 7), torch.randn(1, 3, 20, 28))
    bilinear = F.interpolate(score, scale_factor=4.0, mode="bilinear", align_corners=False)
    assert (out - bilinear).abs().max() < 0.1 * score.abs().max() and not torch.equal(out, bilinear)


def test_what_is_added_to_a_class_everywhere_stays_added(trained: LearntUpsampling) -> None:
    score, decoded, image = torch.randn(1, K, 3, 4), torch.randn(1, C, 3, 4), torch.randn(1, 3, 12, 16)
    more = torch.tensor([1.0, -2.0, 0.5]).view(1, K, 1, 1)
    torch.testing.assert_close(trained(score + more, decoded, image), trained(score, decoded, image) + more)


def test_it_learns_an_outline_that_bilinear_cannot_draw() -> None:
    """Two classes left and right of a line at column 6 of 16: the image shows it, four coarse scores a row do not."""
    torch.manual_seed(0)
    made = LearntUpsampling(C)
    label = (torch.arange(16) >= 6).long().expand(1, 12, 16)
    score = torch.tensor([[4.0, 0, -4, -4], [-4, 0, 4, 4]])[None, :, None].expand(1, 2, 3, 4)
    image = label[:, None].float().expand(1, 3, 12, 16)
    optimiser = torch.optim.Adam(made.parameters(), 0.02)
    losses = []
    for _ in range(60):
        loss = F.cross_entropy(made(score, torch.zeros(1, C, 3, 4), image), label)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_classes_and_tilts_are_changed_below_it() -> None:
    net = network(11).eval()
    image = torch.rand(1, 3, 64, 96)
    before = net(image)[0]
    tilt(net, torch.linspace(0.5, 2, 11), -1.0)
    torch.testing.assert_close(net(image)[0], before - torch.linspace(0.5, 2, 11).log().view(1, 11, 1, 1))
    rehead(net, load_space("camvid11"), load_space("cityscapes19"))
    assert net(image)[0].shape == (1, 19, 64, 96)


def test_models_from_before_load() -> None:
    old = {k: v for k, v in network(5, seed=1).state_dict().items() if not k.startswith("upsample.")}
    new = network(5, seed=2)
    load_weights(new, old, "here")
    assert all(torch.equal(new.state_dict()[k], v) for k, v in old.items())
