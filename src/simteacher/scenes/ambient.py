"""Ambient occlusion with few rays: pixels of half the resolution try their own directions, neighbours share results.

Interleaved sampling (Keller and Heidrich 2001): a 4x4 tile of pixels covers 16 directions; an average over pixels of
the same surface puts them together without a grain.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simteacher.scenes.mesh import F32, I32
from simteacher.scenes.raycast import GBuffer, Scene
from simteacher.scenes.vectors import dot, rows

NEAR = 1.5  # metres within which a blocker also takes away the light that surfaces give each other
FAR = 60.0
RAYS = 1


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
    w, h = g.size
    row, column = np.meshgrid(np.arange(0, h, 2), np.arange(0, w, 2), indexing="ij")
    coarse = (row * w + column).ravel()
    shape = row.shape
    seen = np.flatnonzero(g.hits.face_N.take(coarse) >= 0)
    pick = coarse.take(seen)
    tile = ((row // 2 % 4) * 4 + column // 2 % 4).ravel().take(seen)
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
    value = np.zeros((2, coarse.size), np.float32)
    value[:, seen] = got / RAYS
    thing = g.thing_N.take(coarse).reshape(shape)
    normal_3HW = np.zeros((3, coarse.size), np.float32)
    normal_3HW[:, seen] = normal
    smooth = _share(value.reshape(2, *shape), normal_3HW.reshape(3, *shape), thing)
    return _spread(smooth, thing, g)


def _share(value_2HW: F32, normal_3HW: F32, thing_HW: I32) -> F32:
    """Average over 5x5 neighbours of the same thing that face the same way, first along columns, then along rows."""
    for axis in (0, 1):
        total, weight = value_2HW.copy(), np.ones(thing_HW.shape, np.float32)
        for shift, part in ((-2, 0.5), (-1, 1.0), (1, 1.0), (2, 0.5)):
            same = np.roll(thing_HW, shift, axis) == thing_HW
            same &= dot(np.roll(normal_3HW, shift, axis + 1), normal_3HW) > 0.8
            w = same * np.float32(part)
            total += np.roll(value_2HW, shift, axis + 1) * w
            weight += w
        value_2HW = total / weight
    return value_2HW


def _spread(value_2HW: F32, thing_HW: I32, g: GBuffer) -> F32:
    """Back to full resolution: the sample at the pixel or left above it, a neighbour's where that saw another thing."""
    w, h = g.size
    i, j = np.arange(h) // 2, np.arange(w) // 2
    nearest = (i[:, None] * thing_HW.shape[1] + j).ravel()
    thing, value = thing_HW.ravel(), value_2HW.reshape(2, -1)
    out: F32 = value.take(nearest, 1)
    wrong = np.flatnonzero(thing.take(nearest) != g.thing_N)
    below = np.minimum(i + 1, thing_HW.shape[0] - 1) * thing_HW.shape[1]
    right = np.minimum(j + 1, thing_HW.shape[1] - 1)
    for other in (i[:, None] * thing_HW.shape[1] + right, below[:, None] + j, below[:, None] + right):
        at = other.ravel().take(wrong)
        good = thing.take(at) == g.thing_N.take(wrong)
        out[:, wrong[good]] = value.take(at[good], 1)
        wrong = wrong[~good]
    return out  # thin things that no sample met keep what is near
