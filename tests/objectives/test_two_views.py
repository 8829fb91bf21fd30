"""UniMatch V2's stream: complementary masks, and the loss written out pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from simteacher.data.mixing import small_box_mask
from simteacher.objectives.two_views import complementary_dropout, two_views
from tests.tiny import batch, network, state

K, H, W = 3, 16, 24


class Inside(nn.Module):
    """A network whose heads read the changed features; keeps images and masks."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.spread, self.main, self.aux = nn.Conv2d(3, 8, 1), nn.Conv2d(8, K, 1), nn.Conv2d(8, K, 1)

    def forward(self, image_BCHW: torch.Tensor, change: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of both heads, of features that went through ``change``."""
        self.image = image_BCHW
        self.given = self.spread(image_BCHW)
        (self.changed,) = change([self.given])
        return self.main(self.changed), self.aux(self.changed)


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_what_one_view_loses_the_other_has_twice(pairs: int) -> None:
    maps = [torch.ones(2 * pairs, c, 4, 5) for c in (3, 64, 64, 96)]
    image, first, again, last = complementary_dropout(pairs, torch.Generator().manual_seed(0))(maps)
    assert torch.equal(image, maps[0]), "the image is no feature"
    assert torch.equal(first, again), "maps of equally many channels share their mask"
    for mask in (first, last):
        one, other = mask.chunk(2)
        assert torch.equal(one + other, torch.full_like(one, 2))
        assert (mask == mask[:, :, :1, :1]).all(), "channels are dropped whole"
        whole = [(m == 1).all().item() for m in one]
        assert sum(whole) == pairs // 2, "half of the pairs stay whole"
        for m, left in zip(one, whole, strict=True):
            if not left:
                assert set(m.unique().tolist()) == {0, 2}
                assert abs((m > 0).float().mean() - 0.5) < 4 * math.sqrt(0.25 / len(m))


def test_the_loss_by_hand() -> None:
    net = Inside()
    made = state(net, two_views=1.0, aux=0.4)
    target = batch(torch.full((2, H, W), 255))
    target.second_BCHW = torch.rand(2, 3, H, W)
    target.inside_BHW = torch.ones(2, H, W, dtype=torch.bool)
    target.inside_BHW[1, :10] = False
    label, confidence = torch.randint(0, K, (2, H, W)), torch.rand(2, H, W) * 0.1 + 0.9
    loss = two_views(made, target, label, confidence)
    generator = made.generator(4)
    boxes = [small_box_mask(label, generator) for _ in range(2)]
    assert any(b.any() for b in boxes)
    mask = complementary_dropout(2, generator)([torch.ones(4, 8, 1, 1)])[0]
    torch.testing.assert_close(net.changed, net.given * mask)
    views = (target.image_BCHW, target.second_BCHW)
    losses = []
    log_main, log_aux = net.main(net.changed).log_softmax(1), net.aux(net.changed).log_softmax(1)
    for v, (view, box) in enumerate(zip(views, boxes, strict=True)):
        total, valid = 0.0, 0
        for b in range(2):
            for y in range(H):
                for x in range(W):
                    of = 1 - b if box[b, y, x] else b  # the other photograph of the two
                    assert torch.equal(net.image[2 * v + b, :, y, x], view[of, :, y, x])
                    if not target.inside_BHW[of, y, x]:
                        continue
                    valid += 1
                    if confidence[of, y, x] >= 0.95:
                        k = label[of, y, x]
                        total -= (log_main[2 * v + b, k, y, x] + 0.4 * log_aux[2 * v + b, k, y, x]).item()
        losses.append(total / valid)
    assert loss.item() == pytest.approx(sum(losses) / 2, rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"decoder": "unet", "decoder_options": {}}, {"encoder": "test_resnet"}])
def test_networks_of_the_recipe_show_their_features(changes: dict[str, Any]) -> None:
    net = network(**changes).eval()
    image, seen = torch.rand(2, 3, 64, 64), list[int]()

    def nothing(features: list[torch.Tensor]) -> list[torch.Tensor]:
        seen.extend(f.shape[1] for f in features)
        return [f * 0 for f in features]

    with torch.no_grad():
        plain, same = net(image), net(image, lambda features: features)
        assert all(torch.equal(a, b) for a, b in zip(plain, same, strict=True))
        main, aux = net(image, nothing)
    assert len(seen) >= 4 and torch.equal(main[0], main[1]) and torch.equal(aux[0], aux[1])
    assert not torch.equal(main, plain[0])
