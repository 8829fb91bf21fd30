"""Ambient occlusion with few rays: pixels of half the resolution try their own directions, neighbours share results.

Interleaved sampling (Keller and Heidrich 2001): a 4x4 tile of pixels covers 32 directions; an average over pixels of
the same surface puts them together without a grain.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import GBuffer, Scene

NEAR = 1.5  # metres within which a blocker also takes away the light that surfaces give each other
FAR = 60.0
RAYS = 2


@lru_cache(maxsize=1)
def _directions() -> F32:
    """Cosine-weighted directions about +z, shape (16, RAYS, 3): R2 sequence (Roberts 2018), shuffled over the tile."""
    k = np.arange(16 * RAYS)
    u, v = (0.5 + 0.7548776662 * k) % 1, (0.5 + 0.5698402910 * k) % 1
    radius, angle = np.sqrt(u), 2 * np.pi * v
    unit = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - u)], 1).astype(np.float32)
    order = np.random.default_rng(3).permutation(16)
    return unit.reshape(16, RAYS, 3)[order]


def _turn(local_N3: F32, normal_N3: F32) -> F32:
    """Directions about +z to directions about the normal (Duff et al., "Building an orthonormal basis", 2017)."""
    x, y, z = normal_N3.T
    sign = np.where(z < 0, np.float32(-1), np.float32(1))
    a = -1 / (sign + z)
    b = x * y * a
    t = np.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    s = np.stack([b, sign + y * y * a, -y], 1)
    out: F32 = local_N3[:, :1] * t + local_N3[:, 1:2] * s + local_N3[:, 2:] * normal_N3
    return out


def occlusion(scene: Scene, g: GBuffer) -> F32:
    """Share of the hemisphere open to the sky, and share closed by surfaces that are not too near to be lit.

    Returns:
        Shape (H*W, 2); zeros for sky pixels.
    """
    w, h = g.size
    row, column = np.meshgrid(np.arange(0, h, 2), np.arange(0, w, 2), indexing="ij")
    coarse = (row * w + column).ravel()
    sh, sw = row.shape
    seen = g.hits.face_N[coarse] >= 0
    pick = coarse[seen]
    tile = ((row // 2 % 4) * 4 + column // 2 % 4).ravel()[seen]
    normal = g.normal_N3[pick]
    start = g.point_N3[pick] + normal * (3e-3 + 2e-4 * g.hits.depth_N[pick])[:, None]
    value = np.zeros((sh * sw, 2), np.float32)
    got = np.zeros((len(pick), 2), np.float32)
    for k in range(RAYS):
        ray = _turn(_directions()[tile, k], normal)
        _, _, _, distance = scene.caster.nearest(start, ray)
        free = distance > FAR
        got[:, 0] += free
        got[:, 1] += np.where(free, 0, np.minimum(distance / NEAR, 1))
    value[seen] = got / RAYS
    thing = np.where(seen, g.thing_N[coarse], -1)
    smooth = _share(value.reshape(sh, sw, 2), g.normal_N3[coarse].reshape(sh, sw, 3), thing.reshape(sh, sw))
    return _spread(smooth, thing.reshape(sh, sw), g)


def _share(value_HW2: F32, normal_HW3: F32, thing_HW: npt.NDArray[np.int32]) -> F32:
    """Average over 4x4 neighbours of the same thing that face the same way, first along rows, then along columns."""
    for axis in (0, 1):
        total, weight = np.zeros_like(value_HW2), np.zeros(thing_HW.shape, np.float32)
        for shift, part in ((-2, 0.5), (-1, 1.0), (0, 1.0), (1, 1.0), (2, 0.5)):
            same = np.roll(thing_HW, shift, axis) == thing_HW
            if shift:
                same &= np.einsum("ijk,ijk->ij", np.roll(normal_HW3, shift, axis), normal_HW3) > 0.8
            w = same * np.float32(part)
            total += np.roll(value_HW2, shift, axis) * w[..., None]
            weight += w
        value_HW2 = (total / np.maximum(weight, 1e-6)[..., None]).astype(np.float32)
    return value_HW2


def _spread(value_HW2: F32, thing_HW: npt.NDArray[np.int32], g: GBuffer) -> F32:
    """Back to full resolution: of the two nearest samples along each axis, those of the same thing."""
    w, h = g.size
    thing = g.thing_N.reshape(h, w)
    total, weight = np.zeros((h, w, 2), np.float32), np.full((h, w), 1e-6, np.float32)
    row, column = np.arange(h), np.arange(w)
    for di in (0, 1):
        for dj in (0, 1):
            i = np.minimum((row + di) // 2, value_HW2.shape[0] - 1)
            j = np.minimum((column + dj) // 2, value_HW2.shape[1] - 1)
            same = (thing_HW[i][:, j] == thing) + np.float32(1e-3)  # thin things between samples take what is near
            total += value_HW2[i][:, j] * same[..., None]
            weight += same
    return (total / weight[..., None]).reshape(-1, 2).astype(np.float32)
