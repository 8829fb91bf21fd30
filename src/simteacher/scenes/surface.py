"""Hits to surfaces: point, normals, colour and gloss of whatever N rays met. What `shade` lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import Hits, Scene

CREASE = 0.75  # cosine beyond which neighbouring faces share a smooth normal


def dot(a_N3: npt.NDArray[np.floating], b_N3: npt.NDArray[np.floating]) -> F32:
    """Row by row scalar product, shape (N,)."""
    out: F32 = np.einsum("ij,ij->i", a_N3, b_N3).astype(np.float32, copy=False)
    return out


def unit(a_N3: npt.NDArray[np.floating]) -> F32:
    """Rows of length 1."""
    return (a_N3 / np.maximum(np.sqrt(dot(a_N3, a_N3)), 1e-12)[:, None]).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Surface:
    """Everything shading needs at N hits, world axes relative to the scene's origin.

    Attributes:
        point_N3, normal_N3, smooth_N3: Place, flat and interpolated unit normal, both turned towards the viewer.
        albedo_N3: Linear colour.
        gloss_N, glow_N: Of the material.
        class_N: cityscapes19 index.
        view_N3: Unit direction from the surface to the viewer.
        range_N: Distance to the viewer in metres.
    """

    point_N3: F32
    normal_N3: F32
    smooth_N3: F32
    albedo_N3: F32
    gloss_N: F32
    glow_N: F32
    class_N: npt.NDArray[np.uint8]
    view_N3: F32
    range_N: F32

    def take(self, rows: npt.NDArray[np.intp]) -> Surface:
        """The rows of ``rows``."""
        return Surface(
            self.point_N3[rows],
            self.normal_N3[rows],
            self.smooth_N3[rows],
            self.albedo_N3[rows],
            self.gloss_N[rows],
            self.glow_N[rows],
            self.class_N[rows],
            self.view_N3[rows],
            self.range_N[rows],
        )


@dataclass(frozen=True, slots=True)
class Materials:
    """The scene's materials as arrays, one row each."""

    tile_M: npt.NDArray[np.int32]
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


def surface(scene: Scene, m: Materials, atlas: Atlas, hits: Hits, ray_N3: F32, pixel: float) -> Surface:
    """Gather geometry and material at rows that all hit something.

    Args:
        scene: The geometry.
        m: Its materials.
        atlas: Their textures.
        hits: Where the rays end.
        ray_N3: Directions from the scene's origin, parameter = depth.
        pixel: Angle of a pixel in radians, which sets texture footprints.
    """
    # few faces are seen by many pixels: prepare what is needed once a face
    face, row_N = scene.seen(hits.face_N)
    area, flat = scene.spans(face)
    vertex = _vertex_normals(scene, face)
    shared = np.einsum("nkc,nc->nk", vertex, flat) > CREASE
    corner = np.where(shared[:, :, None], vertex, flat[:, None])
    corner[:, 1:] -= corner[:, :1]
    material = scene.material_F[face]
    uv = scene.uv_F32[face] * m.repeats_M[material][:, None, None]
    uv[:, 1:] -= uv[:, :1]
    texture = np.abs(uv[:, 1, 0] * uv[:, 2, 1] - uv[:, 1, 1] * uv[:, 2, 0])
    density = np.sqrt(texture / np.maximum(np.sqrt(dot(area, area)), 1e-12)) * np.float32(pixel)
    kind = scene.class_T[scene.thing_F[face]]

    u, v = hits.u_N[:, None], hits.v_N[:, None]
    normal = flat[row_N]
    smooth = corner[:, 0][row_N]
    bent = np.flatnonzero(shared.any(1)[row_N])
    if len(bent):
        rows = row_N[bent]
        smooth[bent] = unit(smooth[bent] + u[bent] * corner[:, 1][rows] + v[bent] * corner[:, 2][rows])
    length = np.sqrt(dot(ray_N3, ray_N3))
    view = ray_N3 * (-1 / length)[:, None]
    facing = dot(normal, view)
    back = np.flatnonzero(facing < 0)
    normal[back] *= -1
    smooth[back] *= -1
    distance: F32 = hits.depth_N * length
    width: F32 = distance * density[row_N] / np.sqrt(np.maximum(np.abs(facing), np.float32(0.08)))
    at = uv[:, 0][row_N] + u * uv[:, 1][row_N] + v * uv[:, 2][row_N]
    albedo = atlas.sample(m.tile_M[material][row_N], at, width)
    albedo *= m.tint_M3[material][row_N]
    return Surface(
        ray_N3 * hits.depth_N[:, None],
        normal,
        smooth,
        albedo,
        m.gloss_M[material][row_N],
        m.glow_M[material][row_N],
        kind[row_N],
        view,
        distance,
    )


def _vertex_normals(scene: Scene, face_K: npt.NDArray[np.intp]) -> F32:
    """Unit normals at the corners of faces: the mean over all faces that meet there, by area. Shape (K, 3, 3)."""
    corner = scene.faces_F3[face_K]
    used = np.zeros(len(scene.vertices_V3), bool)
    used[corner] = True
    row = np.cumsum(used, dtype=np.int32) - 1
    meet = np.flatnonzero(used[scene.faces_F3].any(1))
    area, _ = scene.spans(meet)
    total = np.zeros((int(row[-1]) + 1, 3))
    for k in range(3):
        at = scene.faces_F3[meet, k]
        keep = used[at]
        for axis in range(3):
            total[:, axis] += np.bincount(row[at[keep]], area[keep, axis], len(total))
    return unit(total.astype(np.float32))[row[corner]].reshape(-1, 3, 3)
