"""Ambient occlusion with few rays: pixels of half the resolution try their own directions, neighbours share results.

Interleaved sampling (Keller and Heidrich 2001): a 4x4 tile of pixels covers 16 directions; an average over pixels of
the same surface puts them together without a grain.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32, I32
from simteacher.scenes.raycast import GBuffer, Scene
from simteacher.scenes.vectors import dot, rows

NEAR = 1.5  # metres within which a blocker also takes away the light that surfaces give each other
FAR = 60.0
RAYS = 1
FEW = np.float32(5)  # neighbours, of 16, that make an average


@lru_cache(maxsize=1)
def _directions() -> F32:
    """Cosine-weighted directions about +z, shape (16, RAYS, 3): R2 sequence (Roberts 2018), shuffled over the tile."""
    k = np.arange(16 * RAYS)
    u, v = (0.5 + 0.7548776662 * k) % 1, (0.5 + 0.5698402910 * k) % 1
    radius, angle = np.sqrt(u), 2 * np.pi * v
    unit = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - u)], 1).astype(np.float32)
    order = np.random.default_rng(3).permutation(16)
    return unit.reshape(16, RAYS, 3)[order]


def _turn(local_3N: F32, normal_3N: F32) -> F32:
    """Directions about +z to directions about the normal (Duff et al., "Building an orthonormal basis", 2017)."""
    x, y, z = normal_3N
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    p, q, r = local_3N
    out: F32 = np.stack(
        [
            p * (1 + sign * x * x * a) + q * b + r * x,
            p * (sign * b) + q * (sign + y * y * a) + r * y,
            p * (-sign * x) - q * y + r * z,
        ]
    )
    return out


def occlusion(scene: Scene, g: GBuffer) -> F32:
    """Share of the hemisphere open to the sky, and share closed by surfaces that are not too near to be lit.

    Returns:
        Shape (2, H*W); arbitrary for sky pixels.
    """
    every, shape = coarse(g)
    seen = np.flatnonzero(g.hits.face_N.take(every) >= 0)
    pick = every.take(seen)
    tile = (np.arange(shape[0])[:, None] % 4 * 4 + np.arange(shape[1]) % 4).ravel().take(seen)
    normal = rows(g.normal_N3).take(pick, 1)
    lift = np.float32(3e-3) + np.float32(2e-4) * g.hits.depth_N.take(pick)
    start = (rows(g.point_N3).take(pick, 1) + normal * lift).T
    got = np.zeros((2, len(pick)), np.float32)
    for k in range(RAYS):
        ray = _turn(rows(_directions()[:, k]).take(tile, 1), normal).T
        _, _, _, distance = scene.caster.nearest(start, ray)
        free = distance > FAR
        got[0] += free
        got[1] += np.where(free, 0, np.minimum(distance * np.float32(1 / NEAR), 1))
    value = np.zeros((2, len(every)), np.float32)
    value[:, seen] = got / RAYS
    return share(value, every, shape, g)


def coarse(g: GBuffer) -> tuple[npt.NDArray[np.intp], tuple[int, int]]:
    """Raster indices of every second pixel of every second row, and how many rows and columns that are."""
    w, h = g.size
    index_HW = np.arange(0, h, 2)[:, None] * w + np.arange(0, w, 2)
    return index_HW.ravel(), index_HW.shape


def share(value_CN: F32, pick_N: npt.NDArray[np.intp], shape: tuple[int, int], g: GBuffer) -> F32:
    """Values at the pixels of `coarse`: smoothed over neighbours on the same surface, then at all pixels, (C, H*W)."""
    thing_HW = g.thing_N.take(pick_N).reshape(shape)
    normal_3HW = rows(g.normal_N3).take(pick_N, 1).reshape(3, *shape)
    return _spread(_share(value_CN.reshape(-1, *shape), normal_3HW, thing_HW), thing_HW, g)


def _share(value_CHW: F32, normal_3HW: F32, thing_HW: I32) -> F32:
    """Average over 5x5 neighbours of the same thing that face the same way, first along columns, then along rows.

    What has few of these, as a kerb's face, would be lit or black as one ray happened to fall: it takes on most of what
    the frame's surfaces get on average.
    """
    mean_C11 = value_CHW[:, thing_HW >= 0].mean(1)[:, None, None] if (thing_HW >= 0).any() else np.float32(0)
    shared = np.ones(thing_HW.shape, np.float32)
    for axis in (0, 1):
        total, weight = value_CHW.copy(), np.ones(thing_HW.shape, np.float32)
        like = {}
        for shift in (1, 2):
            like[shift] = np.roll(thing_HW, shift, axis) == thing_HW
            like[shift] &= dot(np.roll(normal_3HW, shift, axis + 1), normal_3HW) > 0.8
            like[-shift] = np.roll(like[shift], -shift, axis)  # what is like me, I am like
        for shift, part in ((-2, 0.5), (-1, 1.0), (1, 1.0), (2, 0.5)):
            w = like[shift] * np.float32(part)
            total += np.roll(value_CHW, shift, axis + 1) * w
            weight += w
        value_CHW = total / weight
        shared *= weight
    alone = np.clip((FEW - shared) / (FEW - 1), 0, np.float32(0.9))
    value_CHW += (mean_C11 - value_CHW) * alone
    return value_CHW


@lru_cache(maxsize=2)
def _samples(size: tuple[int, int], shape: tuple[int, int]) -> tuple[npt.NDArray[np.intp], ...]:
    """For every pixel the sample at it or left above it, the next to the right, the one below, and right below."""
    (w, h), (high, wide) = size, shape
    i, j = np.arange(h)[:, None] // 2, np.arange(w) // 2
    below, right = np.minimum(i + 1, high - 1), np.minimum(j + 1, wide - 1)
    return tuple((a * wide + b).ravel() for a in (i, below) for b in (j, right))


def _spread(value_CHW: F32, thing_HW: I32, g: GBuffer) -> F32:
    """Back to full resolution: the sample at the pixel or left above it, a neighbour's where that saw another thing."""
    nearest, *others = _samples(g.size, thing_HW.shape)
    thing, value = thing_HW.ravel(), value_CHW.reshape(len(value_CHW), -1)
    out: F32 = value.take(nearest, 1)
    wrong = np.flatnonzero(thing.take(nearest) != g.thing_N)
    for other in others:
        at = other.take(wrong)
        good = thing.take(at) == g.thing_N.take(wrong)
        out[:, wrong[good]] = value.take(at[good], 1)
        wrong = wrong[~good]
    return out  # thin things that no sample met keep what is near
