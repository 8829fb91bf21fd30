"""Losses on photographs without labels: block masks, the averaged teacher's labels, masked consistency by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from simteacher.losses import head_agreement, min_entropy
from simteacher.objectives.unlabelled import block_mask, masked_consistency, output_losses, teacher_labels, view_losses
from tests.tiny import Fixed, batch, state

K = 3
NO_LABEL = torch.full((2, 70, 130), 255)


def test_blocks_are_whole_and_the_share_is_kept() -> None:
    mask = block_mask((4, 70, 130), 16, 0.7, torch.Generator().manual_seed(0))
    assert mask.shape == (4, 1, 70, 130)
    for y in range(0, 70, 16):
        for x in range(0, 130, 16):
            block = mask[:, :, y : y + 16, x : x + 16]
            assert (block == block[:, :, :1, :1]).all(), (y, x)
    large = block_mask((1, 1000, 1000), 5, 0.7, torch.Generator().manual_seed(0))
    assert large.unique().tolist() == [0, 1]
    assert large.mean().item() == pytest.approx(0.3, abs=3 * math.sqrt(0.21 / 40000))


def test_images_of_a_batch_are_masked_apart() -> None:
    mask = block_mask((2, 64, 64), 8, 0.5, torch.Generator().manual_seed(0))
    assert not torch.equal(mask[0], mask[1])


def test_teacher_labels_are_those_of_the_primary_head_and_give_no_gradient() -> None:
    main, aux = torch.randn(2, K, 4, 5, requires_grad=True), torch.randn(2, K, 4, 5)
    teacher = Fixed(main, aux)
    target = batch(torch.full((2, 4, 5), 255))
    label, confidence = teacher_labels(state(None, teacher), target)
    assert torch.equal(teacher.seen[0], target.plain_BCHW)
    p = main.softmax(1)
    assert torch.equal(label, p.argmax(1)) and not confidence.requires_grad
    torch.testing.assert_close(confidence, p.amax(1))
    target.inside_BHW = torch.ones(2, 4, 5, dtype=torch.bool)
    target.inside_BHW[1, :2] = False  # the filling around a photograph, which the network answers for, too
    label, confidence = teacher_labels(state(None, teacher), target)
    assert (label[1, :2] == 255).all() and not confidence[1, :2].any()
    assert torch.equal(label[0], p.argmax(1)[0]) and torch.equal(label[1, 2:], p.argmax(1)[1, 2:])


def test_teacher_labels_are_without_the_tilt_of_a_weighted_loss() -> None:
    """A network that has learned p(k | x) * w_k labels by p(k | x), wholly or half of the way."""
    p = torch.rand(2, K, 4, 5).softmax(1)
    weight_K = torch.tensor([0.2, 8.0, 3.0])[:K]
    made = state(None, Fixed((p * weight_K.view(1, -1, 1, 1)).log()))
    made.class_weight_K, target = weight_K, batch(torch.full((2, 4, 5), 255))
    assert not torch.equal(teacher_labels(made, target)[0], p.argmax(1))
    made.untilt = 1.0
    label, confidence = teacher_labels(made, target)
    assert torch.equal(label, p.argmax(1))
    torch.testing.assert_close(confidence, p.amax(1))
    made.untilt = 0.5
    half = p * weight_K.view(1, -1, 1, 1) ** 0.5
    torch.testing.assert_close(teacher_labels(made, target)[1], (half / half.sum(1, keepdim=True)).amax(1))


def test_masked_blocks_have_the_colour_that_normalising_makes_nothing() -> None:
    student, teacher = Fixed(torch.zeros(2, K, 70, 130)), Fixed(torch.zeros(2, K, 70, 130))
    mean = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    teacher.register_buffer("mean_C11", mean)
    made, target = state(student, teacher, masked=1.0), batch(NO_LABEL)
    masked_consistency(made, target, teacher_labels(made, target))
    mask = block_mask((2, 70, 130), 64, 0.5, made.generator(3)).bool()
    assert torch.equal(student.seen[0], torch.where(mask, target.image_BCHW, mean))


def test_masked_consistency_by_hand() -> None:
    sure = torch.zeros(2, K, 70, 130)
    sure[0, 1] = 20.0  # sure of class 1 in the whole first image
    sure[1, 2, :35] = 20.0  # and of class 2 in half of the second
    student = Fixed(torch.randn(2, K, 70, 130))
    made = state(student, Fixed(sure, torch.zeros_like(sure)), masked=1.0)
    target = batch(NO_LABEL)
    loss = masked_consistency(made, target, teacher_labels(made, target))
    label = sure.argmax(1)
    assert loss.item() == pytest.approx(0.75 * F.cross_entropy(student.main_BKHW, label).item(), rel=1e-5)
    mask = block_mask((2, 70, 130), 64, 0.5, made.generator(3))
    assert torch.equal(student.seen[0], target.image_BCHW * mask) and 0 < mask.mean() < 1
    assert made.averaged is not None and torch.equal(made.averaged.seen[0], target.plain_BCHW)  # type: ignore[union-attr]


def test_only_what_has_a_weight_is_computed() -> None:
    main, aux = torch.randn(2, K, 70, 130), torch.randn(2, K, 70, 130)
    assert output_losses(state(None), main, aux) == {}
    assert view_losses(state(None), batch(NO_LABEL), lambda: pytest.fail("no loss needs labels")) == {}
    some = output_losses(state(None, agreement=0.1, min_entropy=0.5), main, aux)
    assert some.keys() == {"agreement", "min_entropy"}
    torch.testing.assert_close(some["agreement"], 0.1 * head_agreement(main, aux))
    torch.testing.assert_close(some["min_entropy"], 0.5 * min_entropy(main))
    masked, taught = state(Fixed(main), masked=0.3), (main.argmax(1), main.softmax(1).amax(1))
    only = view_losses(masked, batch(NO_LABEL), lambda: taught)["masked"]
    torch.testing.assert_close(only, 0.3 * masked_consistency(masked, batch(NO_LABEL), taught))


def test_randomness_depends_on_seed_step_and_purpose() -> None:
    made = state(None)

    def drawn(step: int, salt: int) -> float:
        made.step = step
        return torch.rand(1, generator=made.generator(salt)).item()

    values = [drawn(step, salt) for step in range(4) for salt in (1, 3)]
    assert len(set(values)) == len(values)
    assert drawn(2, 1) == values[4]
