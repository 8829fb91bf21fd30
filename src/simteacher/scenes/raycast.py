"""World and camera to a G-buffer: what each pixel centre sees, exactly. Embree casts, numpy holds.

All coordinates are world axes with the camera at the origin, so that float32 is finest where the image is sharpest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simteacher.scenes.classes import CLASS_ID, LABEL_ID
from simteacher.scenes.hulls import owners
from simteacher.scenes.mesh import F32, I32, Material, World
from simteacher.scenes.optics import Optics
from simteacher.scenes.vectors import Index, dot, rows, some


class Caster(Protocol):
    """Answers rays against fixed triangles."""

    def nearest(self, origin_N3: F32, ray_N3: F32) -> tuple[I32, F32, F32, F32]:
        """Face index (-1 for none), barycentric u and v (2nd and 3rd corner), and ray parameter of the nearest hit."""

    def blocked(self, origin_N3: F32, ray_N3: F32) -> npt.NDArray[np.bool_]:
        """Whether anything lies on the ray within its length (parameter below 1)."""


MakeCaster = Callable[[F32, I32], Caster]


@dataclass(frozen=True, slots=True)
class Scene:
    """A world as triangles around one camera.

    Attributes:
        world: Where it came from.
        origin_3: The camera's place in the world, float64; subtracted from every vertex.
        vertices_V3, faces_F3, uv_F32: All things in one list, in world axes relative to ``origin_3``.
        material_F: Index into ``materials``.
        thing_F: Index into ``world.things``.
        face_at_T: First face of each thing, with the total at the end, shape (T + 1,).
        class_T: cityscapes19 index of each thing, 255 for none.
        instance_T: Cityscapes instance id of each thing (labelId, or labelId * 1000 + count).
    """

    world: World
    origin_3: npt.NDArray[np.float64]
    vertices_V3: F32
    faces_F3: I32
    uv_F32: F32
    material_F: I32
    thing_F: I32
    face_at_T: I32
    materials: tuple[Material, ...]
    class_T: npt.NDArray[np.uint8]
    instance_T: npt.NDArray[np.uint16]
    caster: Caster
    make_caster: MakeCaster

    def spans(self, face_K: npt.NDArray[np.integer]) -> tuple[F32, F32]:
        """Cross products of the edges of faces (twice the area, along the normal), and their unit normals."""
        area = self.areas(face_K).T
        length = np.sqrt(np.einsum("ij,ij->i", area, area))
        return area, (area / np.maximum(length, 1e-20)[:, None]).astype(np.float32)

    def areas(self, face_K: npt.NDArray[np.integer]) -> F32:
        """The first of `spans` alone, as three rows."""
        corner_K3 = self.faces_F3.take(face_K, 0)
        a, b, c = (rows(self.vertices_V3.take(corner_K3[:, k], 0)) for k in range(3))
        (x, y, z), (u, v, w) = b - a, c - a
        return np.stack([y * w - z * v, z * u - x * w, x * v - y * u])

    def seen(self, face_N: I32) -> tuple[npt.NDArray[np.intp], I32]:
        """The faces that occur in ``face_N`` (-1 is none), and the row of each in them; rows of none are arbitrary."""
        mask = np.zeros(len(self.faces_F3) + 1, bool)
        mask[face_N] = True  # -1 falls on the row after the last
        row = np.cumsum(mask, dtype=np.int32) - 1
        return np.flatnonzero(mask[:-1]), row.take(face_N)


@dataclass(frozen=True, slots=True)
class Hits:
    """Nearest surfaces along N rays; rows without a hit have face -1 and depth inf."""

    face_N: I32
    u_N: F32
    v_N: F32
    depth_N: F32

    def take(self, index: Index) -> Hits:
        """The rows of ``index``."""
        return Hits(some(self.face_N, index), some(self.u_N, index), some(self.v_N, index), some(self.depth_N, index))


@dataclass(frozen=True, slots=True)
class GBuffer:
    """What every pixel centre sees, raster order, N = H * W; vectors lie in memory as three rows (`vectors.rows`).

    Attributes:
        size: Width and height.
        ray_N3: Directions in world axes whose parameter is the depth along the optical axis.
        hits: Face, barycentrics and depth (metres along the optical axis; inf for sky).
        thing_N: Index into ``world.things``, -1 for sky.
        owner_N: The same, but see-through things own what is seen through them (`hulls.py`): whose label it is.
        class_N: cityscapes19 index; sky where nothing is hit, 255 for things without a class.
        instance_N: Cityscapes instance id (uint16).
        point_N3: Hit points, world axes relative to the scene's origin; undefined for sky.
        normal_N3: Unit face normals turned towards the camera; zero for sky.
    """

    size: tuple[int, int]
    ray_N3: F32
    hits: Hits
    thing_N: I32
    owner_N: I32
    class_N: npt.NDArray[np.uint8]
    instance_N: npt.NDArray[np.uint16]
    point_N3: F32
    normal_N3: F32


def trace(scene: Scene, ray_N3: F32, origin_N3: F32 | None = None) -> Hits:
    """Nearest hits of rays in world axes from the camera, or from ``origin_N3`` (relative to the scene's origin)."""
    start = np.broadcast_to(np.zeros(3, np.float32), ray_N3.shape) if origin_N3 is None else origin_N3
    face, u, v, depth = scene.caster.nearest(start, ray_N3)
    return Hits(face, u, v, np.where(face < 0, np.float32(np.inf), depth))


def world_rays(world: World, optics: Optics, xy_N2: npt.NDArray[np.float64]) -> F32:
    """Rays through image points in world axes, parameter = depth; they lie in memory as three rows."""
    return (world.camera.pose_44[:3, :3] @ optics.rays(xy_N2).T).astype(np.float32).T


def points(scene: Scene, hits: Hits) -> F32:
    """Hit points relative to the scene's origin, from barycentrics (finer than along the ray); rows must be hits."""
    a, b, c = (scene.vertices_V3[scene.faces_F3[hits.face_N, k]] for k in range(3))
    out: F32 = a + hits.u_N[:, None] * (b - a) + hits.v_N[:, None] * (c - a)
    return out


def gbuffer(scene: Scene, size: tuple[int, int]) -> GBuffer:
    """Cast one ray through every pixel centre."""
    optics = Optics.of(scene.world.camera, size)
    ray = world_rays(scene.world, optics, optics.grid())
    hits = trace(scene, ray)
    face = hits.face_N
    seen = face >= 0
    thing = np.append(scene.thing_F, np.int32(-1)).take(face)  # -1, for none, falls on the row after the last
    owner = owners(scene, ray, hits.depth_N, thing)
    sky = CLASS_ID["sky"]
    faces, row = scene.seen(face)
    ray_3N = rows(ray)
    if len(faces):
        normal_3N = rows(scene.spans(faces)[1]).take(row, 1, mode="clip")
        normal_3N *= np.where(dot(normal_3N, ray_3N) > 0, np.float32(-1), np.float32(1)) * seen
    else:
        normal_3N = np.zeros_like(ray_3N)
    return GBuffer(
        size,
        ray,
        hits,
        thing,
        owner,
        np.append(scene.class_T, np.uint8(sky)).take(owner),
        np.append(scene.instance_T, np.uint16(LABEL_ID[sky])).take(owner),
        (ray_3N * np.where(seen, hits.depth_N, np.float32(0))).T,
        normal_3N.T,
    )
