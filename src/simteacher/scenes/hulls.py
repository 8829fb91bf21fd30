"""Labels as people draw them: a bare crown, a railing or a spoked wheel counts as filled, though one looks through it.

A thing may have a hull, a mesh that the picture never shows. Where a hull is nearer than what a pixel sees, the
pixel's class and instance are those of the hull's thing. A veil is a larger hull that only owns what it hides of
buildings and walls: people cut the sky out between branches, but not a facade. Depth, normals and flow stay those of
what is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simteacher.scenes.mesh import F32, I32, Mesh
from simteacher.scenes.optics import ahead_of
from simteacher.scenes.vectors import dot, rows

if TYPE_CHECKING:
    from simteacher.scenes.raycast import Scene

BEHIND = ("building", "wall")
NEAR = 1e-4  # metres before the camera where hulls begin
CELLS = 128  # a side


def owners(scene: Scene, ray_N3: F32, depth_N: F32, thing_N: I32) -> I32:
    """Whose label each pixel gets.

    Args:
        scene: The assembled world.
        ray_N3: Rays from the camera, parameter = depth.
        depth_N: Depth of what they see, inf for sky.
        thing_N: Index of the thing they see, -1 for sky.

    Returns:
        Index of the thing that owns each pixel, shape (N,).
    """
    things = scene.world.things
    owner_N = _nearer(scene, [t.hull for t in things], ray_N3, depth_N, thing_N)
    if any(t.veil is not None for t in things):
        solid = np.array([t.name in BEHIND for t in things] + [False])  # the last for -1, the sky
        at = np.flatnonzero(solid.take(owner_N))
        ray = rows(ray_N3).take(at, 1).T
        owner_N[at] = _nearer(scene, [t.veil for t in things], ray, depth_N.take(at), owner_N.take(at))
    return owner_N


def _nearer(scene: Scene, hulls: list[Mesh | None], ray_N3: F32, depth_N: F32, thing_N: I32) -> I32:
    """Index of the thing whose hull is nearest before what a ray sees, or of what it sees; a hull, or none, a thing."""
    out = thing_N.astype(np.int32)
    if not len(out):
        return out
    # only rays that pass a hull's bounds are cast: cells of directions, as x / z and y / z in camera axes
    view, ray_3N = scene.world.camera.pose_44[:3, :3], rows(ray_N3)
    x, y = (dot(ray_3N, view[:, k].astype(np.float32)) for k in (0, 1))
    low = np.array([x.min(), y.min()], np.float64)
    step = CELLS / np.maximum([x.max() - low[0], y.max() - low[1]], 1e-9)
    met = np.zeros((CELLS + 1, CELLS + 1), bool)
    vertices, faces, owner = [], [], []
    at = 0
    for index, (thing, hull) in enumerate(zip(scene.world.things, hulls, strict=True)):
        if hull is None:
            continue
        turn = thing.pose_44[:3, :3].T.astype(np.float32)
        place = hull.vertices_V3 @ turn + (thing.pose_44[:3, 3] - scene.origin_3).astype(np.float32)
        ahead = ahead_of(NEAR, place.astype(np.float64) @ view, hull.faces_F3)
        if ahead is None:
            continue
        cell = (ahead[:, :2] / ahead[:, 2:] - low) * step
        first = np.clip(cell.min(0) - 1, 0, CELLS + 1).astype(int)
        last = np.clip(cell.max(0) + 2, 0, CELLS + 1).astype(int)
        met[first[1] : last[1], first[0] : last[0]] = True
        if (first < last).all():
            vertices.append(place)
            faces.append(hull.faces_F3 + at)
            owner.append(np.full(len(hull.faces_F3), index, np.int32))
            at += len(place)
    column, row = ((v - float(a)) * float(k) for v, a, k in zip((x, y), low, step, strict=True))
    ask = np.flatnonzero(met.ravel().take(row.astype(np.intp) * (CELLS + 1) + column.astype(np.intp)))
    if not len(ask):
        return out
    caster = scene.make_caster(np.concatenate(vertices), np.concatenate(faces).astype(np.int32))
    ray = ray_3N.take(ask, 1).T
    face, _, _, near = caster.nearest(np.broadcast_to(np.float32(0), ray.shape), ray)
    found = np.flatnonzero((face >= 0) & (near < depth_N.take(ask)))
    out[ask.take(found)] = np.concatenate(owner).take(face.take(found))
    return out
