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

if TYPE_CHECKING:
    from simteacher.scenes.raycast import Scene

BEHIND = ("building", "wall")


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
        at = np.flatnonzero(solid[owner_N])
        owner_N[at] = _nearer(scene, [t.veil for t in things], ray_N3[at], depth_N[at], owner_N[at])
    return owner_N


def _nearer(scene: Scene, hulls: list[Mesh | None], ray_N3: F32, depth_N: F32, thing_N: I32) -> I32:
    """Index of the thing whose hull is nearest before what a ray sees, or of what it sees; a hull, or none, a thing."""
    vertices, faces, owner = [], [], []
    at = 0
    for index, (thing, hull) in enumerate(zip(scene.world.things, hulls, strict=True)):
        if hull is None:
            continue
        turn = thing.pose_44[:3, :3].T.astype(np.float32)
        vertices.append(hull.vertices_V3 @ turn + (thing.pose_44[:3, 3] - scene.origin_3).astype(np.float32))
        faces.append(hull.faces_F3 + at)
        owner.append(np.full(len(hull.faces_F3), index, np.int32))
        at += len(hull.vertices_V3)
    if not faces or not len(ray_N3):
        return thing_N.astype(np.int32)
    caster = scene.make_caster(np.concatenate(vertices), np.concatenate(faces).astype(np.int32))
    face, _, _, near = caster.nearest(np.broadcast_to(np.float32(0), ray_N3.shape), ray_N3)
    first = (face >= 0) & (near < depth_N)
    return np.where(first, np.concatenate(owner)[face], thing_N).astype(np.int32)
