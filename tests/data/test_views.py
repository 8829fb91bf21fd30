"""Random views: geometry moves label and image alike, colour leaves the label alone, the generator decides all."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from simteacher.config import Augment
from simteacher.data.views import _NOISE_CHW, _mapped, crop_box, cut, recolour
from tests.tiny import PLAIN

SIZE = (60, 40)


def _pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A label of blocks, and an image whose grey value is 10 times the label."""
    coarse = np.random.default_rng(seed).integers(0, 12, (SIZE[1] // 4, SIZE[0] // 4)).astype(np.uint8)
    label = coarse.repeat(4, 0).repeat(4, 1)
    return np.repeat(label[..., None] * 10, 3, 2), label


@pytest.mark.parametrize("flip", [False, True])
def test_a_view_at_the_images_own_scale_is_a_slice(flip: bool) -> None:
    image, label = _pair()
    view, (seen,) = cut(image, [label], (8.0, 4.0, 32.0, 24.0), (32, 24), flip)
    expected = label[4:28, 8:40]
    expected = expected[:, ::-1] if flip else expected
    assert np.array_equal(seen, expected) and np.array_equal(view[..., 0], expected * 10)


@pytest.mark.parametrize("seed", range(8))
def test_image_and_label_stay_together_at_any_zoom(seed: int) -> None:
    """Away from the blocks' edges, where the image is interpolated, a pixel's grey value names its label."""
    rng = np.random.default_rng(seed)
    image, label = _pair(seed)
    box = crop_box(rng, SIZE, (48, 32), (0.6, 3.0))
    view, (seen,) = cut(image, [label], box, (48, 32), bool(seed % 2))
    assert view.shape == (32, 48, 3) and seen.shape == (32, 48)
    inside = seen != 255
    same = np.abs(view[..., 0].astype(int) - seen.astype(int) * 10) <= 1
    assert (view[~inside] == 128).all()
    zoom = 48 / box[2]
    assert same[inside].mean() > 1 - 2 * (1 + 1 / zoom) * 0.5 / 4 - 0.1, "more differs than the blocks' edges"
    steps = np.array(Image.fromarray(label).resize((48, 32), Image.Resampling.NEAREST, box=_clip(box)))
    if inside.all():
        assert np.array_equal(seen[:, ::-1] if seed % 2 else seen, steps)


def _clip(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return max(left, 0.0), max(top, 0.0), min(left + width, SIZE[0]), min(top + height, SIZE[1])


def test_what_lies_outside_is_grey_and_ignored() -> None:
    image, label = _pair()
    view, (seen,) = cut(image, [label], (-20.0, -10.0, 100.0, 60.0), (100, 60), False)
    assert np.array_equal(seen[10:50, 20:80], label) and np.array_equal(view[10:50, 20:80], image)
    frame = np.ones((60, 100), bool)
    frame[10:50, 20:80] = False
    assert (seen[frame] == 255).all() and (view[frame] == 128).all()


def test_zooms_are_log_uniform_and_boxes_lie_in_the_image_where_they_fit() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([crop_box(rng, (480, 360), (96, 64), (0.5, 2.0)) for _ in range(2000)])
    zoom = 96 / boxes[:, 2]
    np.testing.assert_allclose(boxes[:, 3], 64 / zoom)
    assert zoom.min() >= 0.5 and zoom.max() <= 2 and abs(np.log(zoom).mean()) < 0.04
    assert np.quantile(np.log2(zoom), [0.25, 0.75]) == pytest.approx([-0.5, 0.5], abs=0.08)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 0] + boxes[:, 2] <= 480 + 1e-9).all() and (boxes[:, 1] + boxes[:, 3] <= 360 + 1e-9).all()
    large = np.array([crop_box(rng, (50, 40), (96, 64), (1.0, 1.0)) for _ in range(100)])
    assert (large[:, 0] <= 0).all() and (large[:, 0] + 96 >= 50).all()


def test_without_strength_colours_stay() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    assert np.array_equal(recolour(np.random.default_rng(1), image, PLAIN), image)


def test_grey_is_rec_601_luma() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    out = recolour(np.random.default_rng(1), image, PLAIN.model_copy(update={"grey": 1.0}))
    expected = np.asarray(Image.fromarray(image).convert("L"))
    assert np.abs(out.astype(int) - expected[..., None]).max() <= 1


def test_statistics_of_a_photograph_are_taken_over() -> None:
    image = np.random.default_rng(0).normal(90, 12, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    like = (np.array([140, 120, 100], np.float32), np.array([20, 25, 30], np.float32))
    out = recolour(np.random.default_rng(1), image, PLAIN, like).astype(float)
    np.testing.assert_allclose(out.mean((0, 1)), like[0], atol=2)
    np.testing.assert_allclose(out.std((0, 1)), like[1], atol=2)


def test_noise_and_blur_do_what_they_say() -> None:
    flat = np.full((64, 64, 3), 120, np.uint8)
    noisy = recolour(np.random.default_rng(3), flat, PLAIN.model_copy(update={"noise": 1.0}))
    assert 0 < noisy.std() < 0.07 * 255 and abs(noisy.mean() - 120) < 2
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    blurred = recolour(np.random.default_rng(1), rough, PLAIN.model_copy(update={"blur": 1.0}))
    assert np.abs(np.diff(blurred.astype(int), axis=0)).mean() < np.abs(np.diff(rough.astype(int), axis=0)).mean()


def test_colours_follow_the_generator_and_the_input_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (600, 700, 3)).astype(np.uint8)
    before = image.copy()
    strong = Augment(noise=1.0, blur=0.0)
    one, same, other = (recolour(np.random.default_rng(s), image, strong) for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other) and np.array_equal(image, before)
    assert one.dtype == np.uint8 and one.shape == image.shape


@pytest.mark.parametrize("size", [(64, 96), (530, 20), (20, 530)])
@pytest.mark.parametrize("noisy", [False, True])
def test_channel_by_channel_is_a_product_of_matrices(size: tuple[int, int], noisy: bool) -> None:
    """Against the product written out in double precision; what falls between two levels may take either."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)[:, ::-1]
    table, mix = rng.random((3, 256)).astype(np.float32), rng.normal(0.3, 0.6, (3, 3)).astype(np.float32)
    noise = 0.05 * _NOISE_CHW[:, 100 : 100 + 512, 7 : 7 + 512] if noisy else None
    seen = np.stack([table[c].astype(float)[image[..., c]] for c in range(3)])
    expected = np.einsum("oc,chw->ohw", mix.astype(float), seen)
    if noise is not None:
        rows, columns = (np.arange(n) % 512 for n in size)  # repeated, to the last pixel
        expected += noise[:, rows[:, None], columns]
    levels = (expected.clip(0, 1) * 255).transpose(1, 2, 0)
    off = np.abs(_mapped(image, table, mix, noise) - levels)
    assert off.max() < 0.5 + 1e-4 and 0 < (levels % 255 == 0).mean() < 0.7
