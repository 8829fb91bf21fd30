"""Masks of ClassMix and CutMix against what their papers say, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from simteacher.data.mixing import classmix_mask, cutmix_mask, paste, small_box_mask


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 7, 11])
def test_classmix_takes_half_of_the_classes_whole(classes: int) -> None:
    label = torch.randint(0, classes, (3, 12, 17), generator=_generator())
    label[:, 0] = 255
    mask = classmix_mask(label, _generator(1))
    for b in range(3):
        present = sorted({int(v) for v in label[b].flatten()} - {255})
        taken = sorted({int(v) for v in label[b][mask[b]].flatten()})
        assert len(taken) == math.ceil(len(present) / 2) and set(taken) <= set(present)
        for y in range(12):
            for x in range(17):
                assert bool(mask[b, y, x]) == (int(label[b, y, x]) in taken)


def test_classmix_draws_every_class_alike() -> None:
    label = torch.arange(6).expand(1, 4, 6)
    generator, taken = _generator(), torch.zeros(6)
    draws = 600
    for _ in range(draws):
        taken += classmix_mask(label, generator)[0, 0].float()
    assert (taken.sum() == 3 * draws) and (taken / draws - 0.5).abs().max() < 5 * math.sqrt(0.25 / draws)


def test_classmix_of_an_image_without_known_pixels_pastes_nothing() -> None:
    assert not classmix_mask(torch.full((2, 4, 4), 255), _generator()).any()


def test_cutmix_is_one_box_that_may_lie_anywhere() -> None:
    label = torch.zeros(300, 40, 60, dtype=torch.long)
    mask = cutmix_mask(label, _generator())
    shares, tops, bottoms = [], set(), set()
    for m in mask:
        rows, cols = m.any(1).nonzero().flatten().tolist(), m.any(0).nonzero().flatten().tolist()
        if not rows:
            continue
        box = torch.zeros_like(m)
        box[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = True
        assert torch.equal(m, box)
        # both sides are the same share sqrt(1 - lambda) of the image's
        side = {max(len(rows) / 40, len(cols) / 60), min((len(rows) + 1) / 40, (len(cols) + 1) / 60)}
        assert max(len(rows) / 40, len(cols) / 60) < min((len(rows) + 1) / 40, (len(cols) + 1) / 60), side
        shares.append(m.float().mean().item())
        tops.add(rows[0])
        bottoms.add(rows[-1])
    # lambda is uniform, so the mean share of the box is a half (less what rounding down takes)
    assert sum(shares) / 300 == pytest.approx(0.5, abs=0.07)
    assert 0 in tops and 39 in bottoms and len(tops) > 10


def test_paste_of_images_and_planes() -> None:
    mask = torch.rand(2, 3, 4) > 0.5
    over, under = torch.rand(2, 5, 3, 4), torch.rand(2, 5, 3, 4)
    image, plane = paste(mask, over, under), paste(mask, over[:, 0], under[:, 0])
    for b in range(2):
        for y in range(3):
            for x in range(4):
                expected = (over if mask[b, y, x] else under)[b, :, y, x]
                assert torch.equal(image[b, :, y, x], expected) and plane[b, y, x] == expected[0]


def test_masks_repeat_with_the_generator() -> None:
    label = torch.randint(0, 9, (2, 16, 16), generator=_generator())
    for make in (classmix_mask, cutmix_mask):
        assert torch.equal(make(label, _generator(4)), make(label, _generator(4)))
        assert not torch.equal(make(label, _generator(4)), make(label, _generator(5)))


def test_small_boxes_are_those_of_unimatch() -> None:
    label = torch.zeros(400, 100, 120, dtype=torch.long)
    masks = small_box_mask(label, _generator())
    given, areas = 0, []
    for mask in masks:
        rows, cols = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        if not len(rows):
            continue
        given += 1
        h, w = len(rows), len(cols)
        assert mask[rows[0] : rows[0] + h, cols[0] : cols[0] + w].all() and int(mask.sum()) == h * w, "no box"
        areas.append(h * w / 12000)
        if h < 100 and w < 120:  # not held by the image
            assert (h + 1) * (w + 1) / 12000 >= 0.02 and (h + 1) / w >= 0.3 and h / (w + 1) <= 3.3
    assert abs(given / 400 - 0.5) < 4 * math.sqrt(0.25 / 400)
    assert min(areas) < 0.06 and 0.33 < max(areas) <= 0.4
