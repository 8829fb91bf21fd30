"""Hits to surfaces: point, normals, colour and gloss of whatever N rays met. What `shade` lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.mesh import F32, I32
from simteacher.scenes.raycast import Hits, Scene
from simteacher.scenes.vectors import dot, rows, unit

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


def surface(scene: Scene, m: Materials, atlas: Atlas, hits: Hits, ray_3N: F32, pixel: float) -> Surface:
    """Gather geometry and material at rays that all hit something.

    Args:
        scene: The geometry.
        m: Its materials.
        atlas: Their textures.
        hits: Where the rays end.
        ray_3N: Directions from the scene's origin, parameter = depth.
        pixel: Angle of a pixel in radians, which sets texture footprints.
    """
    # few faces are seen by many pixels: prepare what is needed once a face, K of them
    face_K, row_N = scene.seen(hits.face_N)
    area_K3, flat_K3 = scene.spans(face_K)
    vertex = _vertex_normals(scene, face_K)
    shared = np.einsum("kjc,kc->kj", vertex, flat_K3) > CREASE
    corner = np.where(shared[:, :, None], vertex, flat_K3[:, None])
    corner[:, 1:] -= corner[:, :1]
    material_K = scene.material_F[face_K]
    uv = scene.uv_F32[face_K] * m.repeats_M[material_K][:, None, None]
    uv[:, 1:] -= uv[:, :1]
    texture = np.abs(uv[:, 1, 0] * uv[:, 2, 1] - uv[:, 1, 1] * uv[:, 2, 0])
    size = np.sqrt(np.einsum("ij,ij->i", area_K3, area_K3))
    density_K = np.sqrt(texture / np.maximum(size, np.float32(1e-12))) * np.float32(pixel)

    def spread(value_KC: F32) -> F32:
        return rows(value_KC.take(row_N, 0))

    u, v = hits.u_N, hits.v_N
    normal, smooth = spread(flat_K3), spread(corner[:, 0])
    bent = np.flatnonzero(shared.any(1).take(row_N))
    if len(bent):
        at = row_N.take(bent)
        more = u.take(bent) * rows(corner[:, 1].take(at, 0)) + v.take(bent) * rows(corner[:, 2].take(at, 0))
        smooth[:, bent] = unit(smooth.take(bent, 1) + more)
    length: F32 = np.sqrt(dot(ray_3N, ray_3N))
    view = ray_3N * (np.float32(-1) / length)
    facing = dot(normal, view)
    turn = np.where(facing < 0, np.float32(-1), np.float32(1))
    distance = hits.depth_N * length
    width = distance * density_K.take(row_N) / np.sqrt(np.maximum(np.abs(facing), np.float32(0.08)))
    place = spread(uv[:, 0]) + u * spread(uv[:, 1]) + v * spread(uv[:, 2])
    albedo = atlas.sample(m.tile_M[material_K].take(row_N), place, width)
    albedo *= spread(m.tint_M3[material_K])
    return Surface(
        ray_3N * hits.depth_N,
        normal * turn,
        smooth * turn,
        albedo,
        m.gloss_M[material_K].take(row_N),
        m.glow_M[material_K].take(row_N),
        scene.class_T[scene.thing_F[face_K]].take(row_N),
        view,
        distance,
    )


def _vertex_normals(scene: Scene, face_K: npt.NDArray[np.intp]) -> F32:
    """Unit normals at the corners of faces: the mean over all faces that meet there, by area. Shape (K, 3, 3)."""
    corner = scene.faces_F3[face_K]
    used = np.zeros(len(scene.vertices_V3), bool)
    used[corner] = True
    row = np.cumsum(used, dtype=np.int32) - 1
    meet = np.flatnonzero(used.take(scene.faces_F3).any(1))
    area, _ = scene.spans(meet)
    total = np.zeros((3, int(row[-1]) + 1))
    for k in range(3):
        at = scene.faces_F3[meet, k]
        keep = np.flatnonzero(used[at])
        to, part = row[at[keep]], area[keep]
        for axis in range(3):
            total[axis] += np.bincount(to, part[:, axis], total.shape[1])
    return unit(total.astype(np.float32)).T[row[corner]].reshape(-1, 3, 3)
