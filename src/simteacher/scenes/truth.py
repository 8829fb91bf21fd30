"""Ground truth beyond the G-buffer: boxes in the image and in space, occlusion, truncation, poses, velocities.

2D boxes are [left, top, right, bottom] in pixels with left <= column < right, so they equal the bounds of the instance
mask; 3D boxes are given in world axes (x forward, y left, z up) and camera axes (x right, y down, z forward), in metres
and radians.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.labels import IGNORE
from simteacher.scenes.mesh import F32, I32, Thing
from simteacher.scenes.optics import Optics, ahead_of
from simteacher.scenes.raycast import GBuffer, Scene
from simteacher.scenes.vectors import rows

NEAR = 0.05
AWAY = np.float32(2**14)  # metres that no street reaches; a power of two leaves the digits of a ray as they are
Object = dict[str, Any]
Box = tuple[int, int, int, int]


def camera_facts(scene: Scene, optics: Optics) -> dict[str, Any]:
    """Intrinsics, distortion and pose, ready for JSON."""
    return {
        "size": list(optics.size),
        "intrinsics": optics.matrix().tolist(),
        "k1": optics.k1,
        "camera_to_world": scene.world.camera.pose_44.tolist(),
    }


def outline(scene: Scene, thing: int) -> tuple[F32, I32]:
    """All triangles that count as a thing, its hull included: vertices relative to the scene's origin, and faces."""
    faces = scene.faces_F3[scene.face_at_T[thing] : scene.face_at_T[thing + 1]]
    first, last = (int(faces.min()), int(faces.max()) + 1) if len(faces) else (0, 0)  # its vertices lie together
    vertices, faces = scene.vertices_V3[first:last], faces - np.int32(first)
    hull, pose = scene.world.things[thing].hull, scene.world.things[thing].pose_44
    if hull is not None:
        turn, shift = pose[:3, :3].T.astype(np.float32), (pose[:3, 3] - scene.origin_3).astype(np.float32)
        faces = np.concatenate([faces, hull.faces_F3 + np.int32(len(vertices))])
        vertices = np.concatenate([vertices, hull.vertices_V3 @ turn + shift])
    return vertices, faces


def full_box(p: npt.NDArray[np.float64], faces_F3: I32, optics: Optics) -> list[float] | None:
    """Bounds of a thing's whole projection, as if nothing hid it and the image went on; None when behind the camera.

    What lies behind the near plane is cut off, not mirrored.

    Args:
        p: Its vertices in camera axes, (V, 3).
        faces_F3: Its triangles.
        optics: Of the camera.
    """
    ahead = ahead_of(NEAR, p, faces_F3)
    if ahead is None:
        return None
    xy, _ = optics.project(ahead)
    low, high = xy.min(0) + 0.5, xy.max(0) + 0.5  # pixel j covers [j, j + 1) in box coordinates
    return [float(low[0]), float(low[1]), float(high[0]), float(high[1])]


def solid_box(scene: Scene, thing: Thing) -> dict[str, Any]:
    """The 3D box along a thing's own axes, and how it moves."""
    low, high = thing.mesh.vertices_V3.min(0).astype(float), thing.mesh.vertices_V3.max(0).astype(float)
    pose, camera = thing.pose_44, scene.world.camera.pose_44
    middle = pose[:3, :3] @ ((low + high) / 2) + pose[:3, 3]
    ahead = camera[:3, :3].T @ pose[:3, 0]
    velocity = np.array(thing.velocity_3, float)
    return {
        "dimensions": (high - low).tolist(),
        "world": {
            "centre": middle.tolist(),
            "yaw": float(np.arctan2(pose[1, 0], pose[0, 0])),
            "pose": pose.tolist(),
            "velocity": velocity.tolist(),
            "yaw_rate": float(thing.yaw_rate),
        },
        "camera": {
            "centre": (camera[:3, :3].T @ (middle - camera[:3, 3])).tolist(),
            "rotation_y": float(np.arctan2(-ahead[2], ahead[0])),
            "velocity": (camera[:3, :3].T @ velocity).tolist(),
        },
    }


def _hidden(scene: Scene, g: GBuffer, thing: int, vertices_V3: F32, faces_F3: I32, box: Box) -> int:
    """Pixels inside ``box`` that a thing would own if nothing stood before it."""
    left, top, right, bottom = box
    pixels = (np.arange(top, bottom)[:, None] * g.size[0] + np.arange(left, right)).ravel()
    ask = g.owner_N.take(pixels) != thing
    if scene.world.things[thing].hull is None:  # who sees past its far end does not meet it
        end = float((vertices_V3 @ scene.world.camera.pose_44[:3, 2].astype(np.float32)).max())
        ask &= g.hits.depth_N.take(pixels) <= 1.001 * end + 0.01
    pixels = pixels[ask]
    if not len(pixels):
        return 0
    ray = rows(g.ray_N3).take(pixels, 1).T
    ray *= AWAY
    return int(scene.make_caster(vertices_V3, faces_F3).blocked(np.broadcast_to(np.float32(0), ray.shape), ray).sum())


def objects(scene: Scene, g: GBuffer) -> list[Object]:
    """All countable things with at least one visible pixel, in the order of the world's list.

    Each has ``class``, ``instance`` (its id in the instance image), ``visible_box``, ``full_box``, ``pixels``,
    ``occlusion`` (share of its pixels inside the image that others hide), ``truncation`` (share of its full box outside
    the image; of its surface where it reaches beside the camera, as such a box has no end), ``distance`` (median depth)
    and the entries of `solid_box`.
    """
    optics = Optics.of(scene.world.camera, g.size)
    counts = np.array([t.countable for t in scene.world.things], bool) & (scene.class_T != IGNORE)
    shown = np.flatnonzero((g.owner_N >= 0) & counts.take(g.owner_N))
    owner = g.owner_N.take(shown)
    order = np.argsort(owner, kind="stable")
    shown, owner = shown.take(order), owner.take(order)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    return [
        _object(scene, g, optics, int(owner[start]), shown[start:stop])
        for start, stop in zip(starts, np.append(starts, len(owner))[1:], strict=True)
    ]


def _object(scene: Scene, g: GBuffer, optics: Optics, index: int, pixels: npt.NDArray[np.intp]) -> Object:
    """One entry of `objects`; ``pixels`` are the raster indices that it owns, rising."""
    w, h = g.size
    column = pixels % w
    visible = [int(column.min()), int(pixels[0]) // w, int(column.max()) + 1, int(pixels[-1]) // w + 1]
    vertices, faces = outline(scene, index)
    local = vertices.astype(np.float64) @ scene.world.camera.pose_44[:3, :3]
    full = full_box(local, faces, optics) or [float(v) for v in visible]
    inside = (
        min(max(int(full[0]), 0), visible[0]),
        min(max(int(full[1]), 0), visible[1]),
        max(min(int(full[2]) + 1, w), visible[2]),
        max(min(int(full[3]) + 1, h), visible[3]),
    )
    cut = _cut(local, faces, optics)
    alone = len(pixels) + _hidden(scene, g, index, vertices, faces, inside)
    own = pixels[g.thing_N.take(pixels) == index]
    return {
        "class": scene.world.things[index].name,
        "instance": int(scene.instance_T[index]),
        "visible_box": visible,
        "full_box": full,
        "pixels": len(pixels),
        "occlusion": 1 - len(pixels) / alone,
        "truncation": _outside(full, w, h) if cut is None else cut,
        "distance": float(np.median(g.hits.depth_N.take(own if len(own) else pixels))),
        **solid_box(scene, scene.world.things[index]),
    }


def _cut(p: npt.NDArray[np.float64], faces_F3: I32, optics: Optics) -> float | None:
    """Share of a thing's surface that lies outside the image or behind it; None where all is before the camera."""
    if (p[:, 2] > NEAR).all():
        return None
    corner = p[faces_F3]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    middle = corner.mean(1)
    before = middle[:, 2] > NEAR
    xy, _ = optics.project(middle[before])
    size = np.array(optics.size)
    within = ((xy > -0.5) & (xy < size - 0.5)).all(1)
    return float(1 - area[before][within].sum() / area.sum())


def _outside(box: list[float], w: int, h: int) -> float:
    """Share of a box that lies outside the image."""
    area = max((box[2] - box[0]) * (box[3] - box[1]), 1e-9)
    width = max(0.0, min(box[2], w) - max(box[0], 0))
    height = max(0.0, min(box[3], h) - max(box[1], 0))
    return min(max(1 - width * height / area, 0.0), 1.0)


def camera_normals(scene: Scene, g: GBuffer) -> npt.NDArray[np.uint8]:
    """Normals in camera axes as 8-bit colours, (n + 1) / 2 * 255; 0 where there is none. Shape (H, W, 3)."""
    n = g.normal_N3 @ scene.world.camera.pose_44[:3, :3].astype(np.float32)
    n += 1
    n *= np.float32(127.5)
    n += np.float32(0.5)
    out = n.astype(np.uint8)
    out[g.hits.face_N < 0] = 0
    return out.reshape(g.size[1], g.size[0], 3)
