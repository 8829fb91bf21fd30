"""Rotation and contrast by hand; their heads live in the stage and in no model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from simteacher.config import Objectives
from simteacher.objectives.selfsupervised import Contrast, Pixels, contrast_loss, make_heads, rotation_loss
from tests.tiny import batch, network, state

K = 3


class Mirror(nn.Module):
    """An encoder that answers with the image itself."""

    def forward(self, image_BCHW: torch.Tensor, features: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Both maps."""
        assert features, "the decoder's work would be wasted"
        self.seen = image_BCHW
        return image_BCHW, image_BCHW


@pytest.mark.parametrize("size", [(12, 20), (20, 12), (16, 16)])
def test_rotation_by_hand(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    made, count, side = state(Mirror(), rotation=1.0), 24, min(size)
    made.heads["rotation"] = nn.Linear(3, 4)
    target = batch(torch.full((count, *size), 255))
    loss = rotation_loss(made, target)
    turned, turns, places = made.network.seen.numpy(), [], set()
    assert turned.shape == (count, 3, side, side)
    for image, given in zip(target.image_BCHW.numpy(), turned, strict=True):
        found = [
            (turn, y, x)
            for turn in range(4)
            for y in range(size[0] - side + 1)
            for x in range(size[1] - side + 1)
            if np.array_equal(np.rot90(image[:, y : y + side, x : x + side], turn, (1, 2)), given)
        ]
        assert len(found) == 1
        turns.append(found[0][0])
        places.add(found[0][1:])
    assert set(turns) == {0, 1, 2, 3} and (len(places) > 3 or size[0] == size[1])
    head: Any = made.heads["rotation"]
    scores = turned.mean((2, 3)) @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    expected = -log_softmax(scores, 1)[np.arange(count), turns].mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def _pixels(seed: int, true: bool, weight: torch.Tensor | None = None) -> Pixels:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, K, (2, 4, 6), generator=generator)
    label[0, 0] = 255
    return Pixels(torch.randn(2, 5, 4, 6, generator=generator), label, weight, true)


def test_contrast_by_hand() -> None:
    """Prototypes from true labels of two steps, then ``-log softmax(z c / T)`` of every pixel of a class seen."""
    torch.manual_seed(0)
    made = state(None, contrast=1.0)
    head = made.heads["contrast"] = Contrast(5, K)
    first, second = _pixels(0, True), _pixels(1, True)
    first.label_BHW[first.label_BHW == 2] = 0  # the third class comes in the second step, if it comes
    second.label_BHW[second.label_BHW == 2] = 1
    weight = torch.rand(2, 4, 6)
    guessed = _pixels(2, False, weight)
    mean: dict[int, np.ndarray] = {}

    def directions(p: Pixels) -> np.ndarray:
        z = head.project(p.feature_BChw).detach().double().numpy()
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    for step in (first, second):
        loss = contrast_loss(made, [step, guessed])
        z = directions(step)
        for k in range(K):
            own = [z[b, :, y, x] for b, y, x in np.ndindex(2, 4, 6) if step.label_BHW[b, y, x] == k]
            if own:
                mean[k] = np.mean(own, 0) if k not in mean else 0.9 * mean[k] + 0.1 * np.mean(own, 0)
    assert sorted(mean) == [0, 1] and head.seen_K.tolist() == [True, True, False]
    for k, value in mean.items():
        np.testing.assert_allclose(head.mean_KD[k], value, rtol=1e-4, atol=1e-6)
    centres = np.stack([mean[k] / np.linalg.norm(mean[k]) for k in (0, 1)])
    total = 0.0
    for p, w in ((second, torch.ones(2, 4, 6)), (guessed, weight)):
        z, values = directions(p), []
        for b, y, x in np.ndindex(2, 4, 6):
            k = int(p.label_BHW[b, y, x])
            if k in mean:  # of a class without a prototype nothing can be said
                values.append(-w[b, y, x].item() * log_softmax(centres @ z[b, :, y, x] / 0.1)[k])
        total += float(np.mean(values)) / 2
    assert (guessed.label_BHW == 2).any() and loss.item() == pytest.approx(total, rel=1e-4)
    loss.backward()
    assert not head.mean_KD.requires_grad and head.project[0].weight.grad.any()


def test_labels_are_taken_at_the_middle_of_a_cell() -> None:
    made = state(None, contrast=1.0)
    head = made.heads["contrast"] = Contrast(5, K)
    label = torch.full((1, 8, 8), 255)
    label[:, 2, 2], label[:, 6, 6] = 0, 1  # middles of the cells at two corners of a 2x2 map
    contrast_loss(made, [Pixels(torch.randn(1, 5, 2, 2), label, None, True)])
    assert head.seen_K.tolist() == [True, True, False]


def test_without_labels_contrast_is_silent() -> None:
    made = state(None, contrast=1.0)
    made.heads["contrast"] = Contrast(5, K)
    nothing = Pixels(torch.randn(2, 5, 4, 6, requires_grad=True), torch.full((2, 4, 6), 255), None, True)
    loss = contrast_loss(made, [nothing])
    loss.backward()
    assert loss.item() == 0 and nothing.feature_BChw.grad is not None and not nothing.feature_BChw.grad.any()


@pytest.mark.parametrize("changes", [{}, {"encoder": "test_resnet"}, {"decoder": "unet", "decoder_options": {}}])
def test_heads_fit_the_network_and_teach_its_encoder(changes: dict[str, Any]) -> None:
    net = network(**changes).train()
    before = set(net.state_dict())
    made = state(net, rotation=1.0, contrast=1.0)
    made.heads = make_heads(net, made.weights, K)
    assert make_heads(net, Objectives(), K).state_dict() == {} and set(net.state_dict()) == before
    loss = rotation_loss(made, batch(torch.full((2, 32, 64), 255)))
    loss.backward()
    learnt = {n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert learnt == {"encoder"}
    coarsest, last_but_one = net(torch.rand(2, 3, 64, 64), features=True)
    assert coarsest.shape[1] == made.heads["rotation"].in_features
    assert contrast_loss(made, [Pixels(last_but_one, torch.zeros(2, 64, 64).long(), None, True)]).isfinite()
