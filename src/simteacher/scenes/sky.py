"""The sky as a function of direction: gradient, clouds, glow around the sun. Surfaces, mirrors and fog all ask it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from simteacher.scenes.mesh import F32, Light

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


def noise_at(uv_N2: F32) -> F32:
    """Bilinear noise at coordinates in repeats, shape (N,)."""
    x, y = uv_N2[:, 0] * SIDE, uv_N2[:, 1] * SIDE
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    i, j = y0.astype(np.int32) & (SIDE - 1), x0.astype(np.int32) & (SIDE - 1)
    flat, below, right = noise_field().ravel(), ((i + 1) & (SIDE - 1)) * SIDE, (j + 1) & (SIDE - 1)
    i = i * SIDE
    upper = flat[i + j] * (1 - fx) + flat[i + right] * fx
    lower = flat[below + j] * (1 - fx) + flat[below + right] * fx
    out: F32 = (upper + (lower - upper) * fy).astype(np.float32)
    return out


def sky_radiance(light: Light, unit_N3: F32, offset: tuple[float, float] = (0.0, 0.0), *, clouds: bool = True) -> F32:
    """Linear radiance of the sky.

    Args:
        light: Sun and sky.
        unit_N3: Unit directions, world axes; below the horizon the horizon's colour is returned.
        offset: Where in the cloud field this frame looks, in repeats.
        clouds: False for rough reflections, where the pattern would not be seen.

    Returns:
        Shape (N, 3).
    """
    sun, sky, horizon = (np.asarray(v, np.float32) for v in (light.sun_rgb, light.sky_rgb, light.horizon_rgb))
    up = np.clip(unit_N3[:, 2:], 0, 1)
    haze = (1 - up) ** 5
    out = sky * (1 - haze) + horizon * haze
    if clouds and light.cloud > 0:
        plane = unit_N3[:, :2] / (up + 0.15)
        where = np.asarray(offset, np.float32)
        shape = 0.75 * noise_at(plane * np.float32(0.09) + where) + 0.25 * noise_at(plane * np.float32(0.37) - where)
        cover = np.clip((shape - (1.02 - light.cloud)) * 3.5, 0, 1)[:, None]
        thick = np.clip(shape[:, None] * 1.3 - 0.3, 0, 1)
        white = 0.5 * (sky.mean() + horizon.mean()) + 0.22 * sun.mean()
        grey = (0.85 * white + 0.15 * horizon) * (1.15 - (0.25 + 0.3 * light.cloud) * thick)
        out = out + (grey - out) * cover * (0.25 + 0.75 * np.clip(up * 6, 0, 1))
    if sun.any():
        near = np.clip(unit_N3 @ np.asarray(light.sun_3, np.float32), -1, 1)[:, None] - 1
        out = out + sun * (0.06 * np.exp(near * 8) + 0.3 * np.exp(near * 60) + 30 * np.exp(near * 8000))
    return out.astype(np.float32)
