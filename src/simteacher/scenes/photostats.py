"""What can be measured in a photograph without knowing what it shows: tones, colour, sharpness, grain, horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simteacher.scenes.mesh import F32

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
COARSE, FINE = (0.04, 0.16), (0.3, 0.5)  # bands, cycles per pixel
HORIZONS = np.linspace(0.1, 0.9, 81)  # rows tried, as shares of the height


@dataclass(frozen=True, slots=True)
class PhotoStats:
    """Measurements of one picture.

    Attributes:
        mean: Mean luma, 0..1.
        spread: Standard deviation of luma.
        saturation: Mean of (max - min) / max over pixels.
        warmth: Mean log of red over blue.
        sharpness: Power in the finest band against the coarse one, log10.
        grain: Standard deviation of noise in the flattest blocks, 0..1.
        votes: How many edges meet on each row of `HORIZONS`.
    """

    mean: float
    spread: float
    saturation: float
    warmth: float
    sharpness: float
    grain: float
    votes: npt.NDArray[np.float64]


def photo_stats(image_HW3: npt.NDArray[np.uint8]) -> PhotoStats:
    """Measure one picture, uint8 RGB."""
    return PhotoStats(
        **{key: measure(image_HW3) for key, measure in MEASURES.items()}, votes=horizon_votes(luma_of(image_HW3))
    )


def luma_of(image_HW3: npt.NDArray[np.uint8]) -> F32:
    """Luma (BT.601), 0..1."""
    weights_3: F32 = LUMA / np.float32(255)
    out: F32 = image_HW3 @ weights_3
    return out


def _mean(image_HW3: npt.NDArray[np.uint8]) -> float:
    return float(luma_of(image_HW3).mean())


def _spread(image_HW3: npt.NDArray[np.uint8]) -> float:
    return float(luma_of(image_HW3).std())


def _saturation(image_HW3: npt.NDArray[np.uint8]) -> float:
    high, low = image_HW3.max(2).astype(np.float32), image_HW3.min(2).astype(np.float32)
    return float(((high - low) / (high + 2.5)).mean())


def _warmth(image_HW3: npt.NDArray[np.uint8]) -> float:
    red, blue = image_HW3[..., 0].astype(np.float32), image_HW3[..., 2].astype(np.float32)
    return float(np.mean(np.log((red + 5) / (blue + 5))))


def _sharpness(image_HW3: npt.NDArray[np.uint8]) -> float:
    luma_HW = luma_of(image_HW3)
    h, w = luma_HW.shape
    window = np.hanning(h)[:, None] * np.hanning(w)
    power = np.abs(np.fft.rfft2((luma_HW - luma_HW.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w))
    coarse, fine = (float(power[(radius >= a) & (radius < b)].mean()) + 1e-9 for a, b in (COARSE, FINE))
    return float(np.log10(fine / coarse))


def _grain(image_HW3: npt.NDArray[np.uint8]) -> float:
    """Noise by the mean of a Laplacian that ignores slopes (Immerkaer 1996), in the flattest tenth of 8x8 blocks.

    Blocks near black and white are left out: clipping hides noise there.
    """
    luma_HW = luma_of(image_HW3)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rest = _blocks(np.abs(ndimage.convolve(luma_HW, kernel, mode="nearest"))).mean(1)
    flat = _blocks(ndimage.gaussian_filter(luma_HW, 2.0)).std(1)
    light = _blocks(luma_HW).mean(1)
    usable = np.flatnonzero((light > 0.1) & (light < 0.85))
    usable = usable[np.argsort(flat[usable])[: max(len(usable) // 10, 5)]]
    return float(rest[usable].mean() * np.sqrt(np.pi / 2) / 6) if len(usable) else 0.0


def _blocks(values_HW: F32) -> F32:
    """Blocks of 8x8 pixels, shape (blocks, 64)."""
    h, w = (s // 8 for s in values_HW.shape)
    return values_HW[: h * 8, : w * 8].reshape(h, 8, w, 8).swapaxes(1, 2).reshape(-1, 64)


MEASURES = {
    "mean": _mean,
    "spread": _spread,
    "saturation": _saturation,
    "warmth": _warmth,
    "sharpness": _sharpness,
    "grain": _grain,
}


def horizon_votes(luma_HW: F32) -> npt.NDArray[np.float64]:
    """For each row of `HORIZONS`, how well slanted edges meet in one point of it.

    Kerbs, markings, eaves and window rows of a street run to one vanishing point on the horizon: every edge pixel's
    line is followed to the row, and the densest place on the row counts (a Hough transform of one line at a time).
    """
    luma_HW = luma_HW[:: max(1, luma_HW.shape[1] // 240), :: max(1, luma_HW.shape[1] // 240)]
    h, w = luma_HW.shape
    soft = ndimage.gaussian_filter(luma_HW, 1.0)
    gy, gx = np.gradient(soft)
    strength = np.hypot(gx, gy)
    slant = np.abs(gx) / (np.abs(gy) + 1e-6)  # an edge's slope: rows per column
    ok = (strength > np.quantile(strength, 0.85)) & (slant > 0.12) & (slant < 4)
    y, x = np.nonzero(ok)
    step = -gy[ok] / gx[ok]  # columns per row along the edge
    weight = np.minimum(strength[ok], np.quantile(strength, 0.97))
    out = np.zeros(len(HORIZONS))
    for k, share in enumerate(HORIZONS):
        row = share * (h - 1)
        far = np.abs(row - y) > 0.06 * h  # an edge on the row itself says nothing
        meet = x[far] + step[far] * (row - y[far])
        inside = (meet > 0) & (meet < w)
        count, _ = np.histogram(meet[inside], 40, (0, w), weights=weight[far][inside])
        out[k] = np.convolve(count, [0.5, 1, 0.5], "same").max()
    out /= max(float(out.sum()), 1e-9)
    return out
