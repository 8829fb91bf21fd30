"""Hits to surfaces: point, normals, colour and gloss of whatever N rays met. What `shade` lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.mesh import F32, I32
from simteacher.scenes.raycast import Hits, Scene
from simteacher.scenes.vectors import Index, dot, put, rows, some, unit

CREASE = 0.75  # cosine beyond which neighbouring faces share a smooth normal


@dataclass(frozen=True, slots=True)
class Surface:
    """Everything shading needs at N hits, world axes relative to the scene's origin.

    Attributes:
        point_3N, normal_3N, smooth_3N: Place, flat and interpolated unit normal, both turned towards the viewer.
        albedo_3N: Linear colour.
        gloss_N, glow_N: Of the material.
        class_N: cityscapes19 index.
        view_3N: Unit direction from the surface to the viewer.
        range_N: Distance to the viewer in metres.
    """

    point_3N: F32
    normal_3N: F32
    smooth_3N: F32
    albedo_3N: F32
    gloss_N: F32
    glow_N: F32
    class_N: npt.NDArray[np.uint8]
    view_3N: F32
    range_N: F32

    def take(self, index: npt.NDArray[np.intp]) -> Surface:
        """Some of the hits."""
        return Surface(
            self.point_3N.take(index, 1),
            self.normal_3N.take(index, 1),
            self.smooth_3N.take(index, 1),
            self.albedo_3N.take(index, 1),
            self.gloss_N.take(index),
            self.glow_N.take(index),
            self.class_N.take(index),
            self.view_3N.take(index, 1),
            self.range_N.take(index),
        )

    def above(self, near: float, grow: float) -> F32:
        """Starts of further rays, lifted off the surface by ``near`` metres and ``grow`` times the distance, (N, 3)."""
        out: F32 = (self.point_3N + self.normal_3N * (np.float32(near) + np.float32(grow) * self.range_N)).T
        return out


@dataclass(frozen=True, slots=True)
class Materials:
    """The scene's materials as arrays, one row each."""

    tile_M: I32
    tint_M3: F32
    gloss_M: F32
    glow_M: F32
    repeats_M: F32

    @classmethod
    def of(cls, scene: Scene, atlas: Atlas) -> Materials:
        """Look the texture names up once a frame."""
        m = scene.materials
        return cls(
            np.array([atlas.find(x.texture) for x in m], np.int32),
            np.array([x.tint for x in m], np.float32).reshape(-1, 3),
            np.array([x.gloss for x in m], np.float32),
            np.array([x.glow for x in m], np.float32),
            np.array([1 / x.scale for x in m], np.float32),
        )


@dataclass(frozen=True, slots=True)
class Faces:
    """What is the same all over a face, for the K faces that N rays hit: few faces are seen by many pixels.

    Attributes:
        row_N: Column of each hit in the other fields.
        flat_3K: Unit normals.
        first_3K, second_3K, third_3K: Smooth normal at the first corner, and what the other two add to it.
        bent_K: Whether any corner has a normal of its own.
        uv_2K, uv_second_2K, uv_third_2K: Texture coordinates, in repeats, in the same way.
        density_K: Repeats that a pixel covers at one metre's distance, seen squarely.
        tile_K, tint_3K, gloss_K, glow_K: Of the material.
        class_K: cityscapes19 index.
    """

    row_N: I32
    flat_3K: F32
    first_3K: F32
    second_3K: F32
    third_3K: F32
    bent_K: npt.NDArray[np.bool_]
    uv_2K: F32
    uv_second_2K: F32
    uv_third_2K: F32
    density_K: F32
    tile_K: I32
    tint_3K: F32
    gloss_K: F32
    glow_K: F32
    class_K: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, scene: Scene, m: Materials, face_N: I32, pixel: float) -> Faces:
        """Gather geometry and material.

        Args:
            scene: The geometry.
            m: Its materials.
            face_N: Faces that were hit; -1 for none.
            pixel: Angle of a pixel in radians, which sets texture footprints.
        """
        face_K, row_N = scene.seen(face_N)
        area_K3, flat_K3 = scene.spans(face_K)
        vertex = _vertex_normals(scene, face_K)
        shared = np.einsum("kjc,kc->kj", vertex, flat_K3) > CREASE
        corner = np.where(shared[:, :, None], vertex, flat_K3[:, None])
        corner[:, 1:] -= corner[:, :1]
        material_K = scene.material_F.take(face_K)
        uv = scene.uv_F32[face_K] * m.repeats_M.take(material_K)[:, None, None]
        uv[:, 1:] -= uv[:, :1]
        texture = np.abs(uv[:, 1, 0] * uv[:, 2, 1] - uv[:, 1, 1] * uv[:, 2, 0])
        size = np.sqrt(np.einsum("ij,ij->i", area_K3, area_K3))
        return cls(
            row_N,
            rows(flat_K3),
            rows(corner[:, 0]),
            rows(corner[:, 1]),
            rows(corner[:, 2]),
            shared.any(1),
            rows(uv[:, 0]),
            rows(uv[:, 1]),
            rows(uv[:, 2]),
            np.sqrt(texture / np.maximum(size, np.float32(1e-12))) * np.float32(pixel),
            m.tile_M.take(material_K),
            rows(m.tint_M3[material_K]),
            m.gloss_M.take(material_K),
            m.glow_M.take(material_K),
            scene.class_T.take(scene.thing_F.take(face_K)),
        )


def surface(f: Faces, atlas: Atlas, index: Index, hits: Hits, ray_3N: F32) -> Surface:
    """What rays see that all hit something.

    Args:
        f: Their faces.
        atlas: The textures.
        index: Which of the rays of ``f`` they are.
        hits: Where they end.
        ray_3N: Directions from the scene's origin, parameter = depth.
    """
    row, u, v = some(f.row_N, index).astype(np.intp), hits.u_N, hits.v_N
    normal, smooth = f.flat_3K.take(row, 1), f.first_3K.take(row, 1)
    bent = np.flatnonzero(f.bent_K.take(row))
    if len(bent):
        at = row.take(bent)
        more = u.take(bent) * f.second_3K.take(at, 1) + v.take(bent) * f.third_3K.take(at, 1)
        put(smooth, bent, unit(smooth.take(bent, 1) + more))
    length: F32 = np.sqrt(dot(ray_3N, ray_3N))
    view = ray_3N * (np.float32(-1) / length)
    facing = dot(normal, view)
    turn = np.where(facing < 0, np.float32(-1), np.float32(1))
    distance = hits.depth_N * length
    slant: F32 = np.sqrt(np.maximum(np.abs(facing), np.float32(0.08)))
    width: F32 = distance * f.density_K.take(row)
    width /= slant
    place: F32 = f.uv_2K.take(row, 1) + u * f.uv_second_2K.take(row, 1) + v * f.uv_third_2K.take(row, 1)
    albedo = atlas.sample(f.tile_K.take(row), place, width)
    albedo *= f.tint_3K.take(row, 1)
    normal *= turn
    smooth *= turn
    return Surface(
        ray_3N * hits.depth_N,
        normal,
        smooth,
        albedo,
        f.gloss_K.take(row),
        f.glow_K.take(row),
        f.class_K.take(row),
        view,
        distance,
    )


def _vertex_normals(scene: Scene, face_K: npt.NDArray[np.intp]) -> F32:
    """Unit normals at the corners of faces: the mean over all faces that meet there, by area. Shape (K, 3, 3)."""
    corner = scene.faces_F3.take(face_K, 0)
    used = np.zeros(len(scene.vertices_V3), bool)
    used[corner] = True
    row = np.cumsum(used, dtype=np.int32) - 1
    first, second, third = (used.take(scene.faces_F3[:, k]) for k in range(3))
    meet = np.flatnonzero(first | second | third)
    area_3F = scene.areas(meet)
    total = np.zeros((3, int(row[-1]) + 1))
    for k in range(3):
        at = scene.faces_F3[meet, k]
        keep = np.flatnonzero(used.take(at))
        to = row.take(at.take(keep))
        for axis in range(3):
            total[axis] += np.bincount(to, area_3F[axis].take(keep), total.shape[1])
    return np.ascontiguousarray(unit(total.astype(np.float32)).T).take(row.take(corner), 0)
