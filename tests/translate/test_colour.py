"""Colour transfer against scikit-image, against the plain definition of FDA, and in cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simteacher.translate.colour import fda, lab_of, match_histogram, reinhard, rgb_of

U8 = NDArray[np.uint8]


def picture(seed: int, height: int = 40, width: int = 53) -> U8:
    """Smooth colours with a little noise, away from the ends of the range."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    phase_C, tilt_C2 = rng.uniform(0, 6, 3), rng.uniform(1, 7, (3, 2))
    waves = np.sin(phase_C + y[..., None] * tilt_C2[:, 0] + x[..., None] * tilt_C2[:, 1])
    return (128 + 55 * waves + rng.normal(0, 4, waves.shape)).clip(20, 235).astype(np.uint8)


def test_lab_is_that_of_scikit_image_and_comes_back() -> None:
    color = pytest.importorskip("skimage.color")
    every = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    every[0, :2] = [[0, 0, 0], [255, 255, 255]]
    np.testing.assert_allclose(lab_of(every), color.rgb2lab(every), atol=0.02)
    assert np.array_equal(rgb_of(lab_of(every)), every)
    outside = lab_of(every) * np.float32(1.4)
    with np.errstate(all="ignore"):
        theirs = color.lab2rgb(outside.astype(np.float64)).clip(0, 1) * 255
    # theirs cuts negative XYZ off before the matrix; most colours have none
    assert (np.abs(rgb_of(outside) - theirs) > 1).mean() < 0.03


def test_reinhard_takes_over_mean_and_deviation() -> None:
    color = pytest.importorskip("skimage.color")
    image, like = picture(1), picture(2, 30, 71)
    lab, other = color.rgb2lab(image), color.rgb2lab(like)
    wanted = (lab - lab.mean((0, 1))) / lab.std((0, 1)) * other.std((0, 1)) + other.mean((0, 1))
    theirs = color.lab2rgb(wanted) * 255
    ours = reinhard(image, like)
    inside = ((theirs > 0.5) & (theirs < 254.5)).all(2)
    assert inside.mean() > 0.5
    assert np.abs(ours[inside] - theirs[inside]).max() <= 1
    assert np.abs(reinhard(image, image).astype(int) - image).max() <= 1


def test_reinhard_of_one_flat_colour_is_the_mean_of_the_other() -> None:
    flat = np.full((8, 8, 3), (90, 120, 60), np.uint8)
    out = reinhard(flat, picture(3))
    assert np.ptp(out.reshape(-1, 3), axis=0).max() == 0
    np.testing.assert_allclose(lab_of(out)[0, 0], lab_of(picture(3)).mean((0, 1)), atol=0.6)


def test_histogram_matching_is_that_of_scikit_image() -> None:
    exposure = pytest.importorskip("skimage.exposure")
    image, like = picture(4), picture(5, 64, 31)
    theirs = exposure.match_histograms(image.astype(np.float64), like.astype(np.float64), channel_axis=-1)
    assert np.abs(match_histogram(image, like) - theirs).max() <= 0.5 + 1e-9
    assert np.array_equal(match_histogram(image, image), image)


def slow_fda(image: U8, like: U8, beta: float) -> NDArray[np.float64]:
    """As the paper has it: the whole spectrum, centred, a square of half side b around the centre."""
    height, width = image.shape[:2]
    b, cy, cx = int(np.floor(min(height, width) * beta)), height // 2, width // 2
    out = np.empty(image.shape)
    for c in range(3):
        source, target = (np.fft.fftshift(np.fft.fft2(i[..., c].astype(float))) for i in (image, like))
        amplitude = np.abs(source)
        square = slice(cy - b, cy + b + 1), slice(cx - b, cx + b + 1)
        amplitude[square] = np.abs(target)[square]
        out[..., c] = np.fft.ifft2(np.fft.ifftshift(amplitude * np.exp(1j * np.angle(source)))).real
    return out.clip(0, 255)


@pytest.mark.parametrize("size", [(40, 53), (33, 48), (36, 36)])
@pytest.mark.parametrize("beta", [0.0, 0.01, 0.09, 0.3])
def test_fda_is_the_papers_formula(size: tuple[int, int], beta: float) -> None:
    image, like = picture(6, *size), picture(7, *size)
    assert np.abs(fda(image, like, beta) - slow_fda(image, like, beta)).max() <= 0.51


def test_fda_without_a_window_changes_the_mean_alone() -> None:
    image, like = picture(8), picture(9)
    moved = image + like.mean((0, 1)) - image.mean((0, 1))
    assert np.abs(fda(image, like, 0.0) - moved.clip(0, 255)).max() <= 0.51
    other_size = fda(image, picture(9, 80, 106), 0.05)
    assert other_size.shape == image.shape
    assert np.abs(other_size.mean((0, 1)) - picture(9, 80, 106).mean((0, 1))).max() < 1.5
