"""Optical flow between two worlds, exact per pixel, and where each pixel is hidden in the other frame.

A pixel's point keeps its triangle and its place in it, so flow follows turning, bending and walking things alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32
from simteacher.scenes.optics import Optics
from simteacher.scenes.raycast import GBuffer, Scene

NONE, VISIBLE, HIDDEN = 0, 1, 2
"""States of a pixel: no correspondence; seen in the other frame; behind something or outside the image there."""


def flow(scene: Scene, g: GBuffer, other: Scene) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Where every pixel of ``g`` goes in the frame of ``other``.

    Args:
        scene: The frame the pixels belong to.
        g: Its G-buffer.
        other: The next (or previous) frame; its things are matched by their place in the list.

    Returns:
        Displacement in pixels, shape (H, W, 2) as (x, y), zero without correspondence; and the state, shape (H, W).
    """
    w, h = g.size
    optics = Optics.of(other.world.camera, g.size)
    seen = g.hits.face_N >= 0
    matched = _matched(scene, other)
    thing = np.maximum(g.thing_N, 0)
    have = ~seen | (matched[thing] & (g.thing_N >= 0))
    # sky is a direction: a point so far away that only turning moves it
    point = g.ray_N3.astype(np.float64) * 1e6
    rows = np.flatnonzero(seen & have)
    face = g.hits.face_N[rows] - scene.face_at_T[thing[rows]] + other.face_at_T[thing[rows]]
    u, v = (x[rows].astype(np.float64)[:, None] for x in (g.hits.u_N, g.hits.v_N))
    a, b, c = (other.vertices_V3[other.faces_F3[face, k]].astype(np.float64) for k in range(3))
    point[rows] = a + u * (b - a) + v * (c - a)
    there = point @ other.world.camera.pose_44[:3, :3]
    xy, z = optics.project(there)
    have &= (z > 1e-3) & optics.unfolded(there)
    inside = have & (xy > -0.5).all(1) & (xy[:, 0] < w - 0.5) & (xy[:, 1] < h - 0.5)
    state = np.where(have, HIDDEN, NONE).astype(np.uint8)
    ask = np.flatnonzero(inside)
    reach = np.where(seen[ask], 1 - 2e-3, 1e-3)[:, None]  # just before the point; sky as far as 1 km
    ray = (point[ask] * reach).astype(np.float32)
    free = ~other.caster.blocked(np.broadcast_to(np.zeros(3, np.float32), ray.shape), ray)
    state[ask[free]] = VISIBLE
    optics_here = Optics.of(scene.world.camera, g.size)
    out = np.where(have[:, None], xy - optics_here.grid(), 0).astype(np.float32)
    return out.reshape(h, w, 2), state.reshape(h, w)


def _matched(scene: Scene, other: Scene) -> npt.NDArray[np.bool_]:
    """Things that have the same number of faces at the same place of both lists."""
    mine, theirs = np.diff(scene.face_at_T), np.diff(other.face_at_T)
    out = np.zeros(len(mine), bool)
    n = min(len(mine), len(theirs))
    out[:n] = mine[:n] == theirs[:n]
    return out
