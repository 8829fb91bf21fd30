"""The sky as a function of direction: gradient, clouds, glow around the sun. Surfaces, mirrors and fog all ask it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from simteacher.scenes.mesh import F32, Light
from simteacher.scenes.vectors import column, dot

SIDE = 512


@lru_cache(maxsize=1)
def noise_field() -> F32:
    """Periodic fractal noise in [0, 1] with a flat histogram, shape (512, 512); the same in every process."""
    draw = np.random.default_rng(5)
    field = np.zeros((SIDE, SIDE))
    for octave in range(6):
        layer = ndimage.gaussian_filter(draw.standard_normal((SIDE, SIDE)), 48 / 2**octave, mode="wrap")
        field += layer / layer.std() * 0.55**octave
    rank = np.empty(field.size, np.float32)
    rank[np.argsort(field, axis=None)] = np.linspace(0, 1, field.size, dtype=np.float32)
    return rank.reshape(SIDE, SIDE)


def noise_at(uv_2N: F32) -> F32:
    """Bilinear noise at coordinates in repeats, shape (N,)."""
    x, y = uv_2N[0] * np.float32(SIDE), uv_2N[1] * np.float32(SIDE)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    i, j = y0.astype(np.int32) & (SIDE - 1), x0.astype(np.int32) & (SIDE - 1)
    flat, below, right = noise_field().ravel(), ((i + 1) & (SIDE - 1)) * SIDE, (j + 1) & (SIDE - 1)
    i = i * SIDE
    upper = flat.take(i + j) * (1 - fx) + flat.take(i + right) * fx
    lower = flat.take(below + j) * (1 - fx) + flat.take(below + right) * fx
    out: F32 = upper + (lower - upper) * fy
    return out


def sky_radiance(light: Light, unit_3N: F32, offset: tuple[float, float] = (0.0, 0.0)) -> F32:
    """Linear radiance of the sky.

    Args:
        light: Sun and sky.
        unit_3N: Unit directions, world axes; below the horizon the horizon's colour is returned.
        offset: Where in the cloud field this frame looks, in repeats.

    Returns:
        Shape (3, N).
    """
    sun, sky, horizon = (column(np.asarray(v, np.float32)) for v in (light.sun_rgb, light.sky_rgb, light.horizon_rgb))
    up = np.clip(unit_3N[2], 0, 1)
    haze = (1 - up) ** 5
    out: F32 = sky + (horizon - sky) * haze
    if light.cloud > 0:
        plane = unit_3N[:2] / (up + np.float32(0.15))
        shift = np.asarray(offset, np.float32)[:, None]
        shape = np.float32(0.75) * noise_at(plane * np.float32(0.09) + shift)
        shape += np.float32(0.25) * noise_at(plane * np.float32(0.37) - shift)
        cover = np.clip((shape - np.float32(1.02 - light.cloud)) * np.float32(3.5 + 6.0 * light.relief), 0, 1)
        thick = np.clip(shape * np.float32(1.3) - np.float32(0.3), 0, 1)
        white = np.float32(0.5) * (sky.mean() + horizon.mean()) + np.float32(0.22) * sun.mean()
        if light.relief:  # towers of cloud, lit at the rim
            fine = noise_at(plane * np.float32(0.8) + np.float32(2) * shift) - np.float32(0.5)
            thick = np.clip(thick + np.float32(0.5 * light.relief) * fine, 0, 1)
        bright = (
            np.float32(1.15 + 0.2 * light.relief) - np.float32(0.25 + 0.3 * light.cloud + 0.45 * light.relief) * thick
        )
        grey = (np.float32(0.85) * white + np.float32(0.15) * horizon) * bright
        cover *= np.float32(0.25) + np.float32(0.75) * np.clip(up * 6, 0, 1)
        out += (grey - out) * cover
    if sun.any():
        near = np.minimum(dot(unit_3N, np.asarray(light.sun_3, np.float32)) - 1, 0)
        glow = np.float32(0.06) * np.exp(near * 8) + np.float32(0.3) * np.exp(near * 60)
        out += sun * (glow + np.float32(30) * np.exp(near * 8000))
    return out
