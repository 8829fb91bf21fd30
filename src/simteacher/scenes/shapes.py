"""Primitive meshes, each built for many copies at once so that a world costs few numpy calls.

Every function returns a `Mesh` whose triangles run counter-clockwise seen from outside and whose uv are metres
(or 0..1 where a picture must fit its panel).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import I32, Material, Mesh

Array = npt.NDArray[np.float64]
Numbers = Any  # anything that numpy reads as numbers: nested lists, arrays, a scalar
_QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)  # the triangles of a patch


def v(*numbers: float) -> Array:
    """A short vector."""
    return np.array(numbers, np.float64)


def surface(vertices: Numbers, faces: I32, uv: Numbers, material: Material) -> Mesh:
    """Pack one surface of one material."""
    return Mesh(
        np.asarray(vertices, np.float32).reshape(-1, 3),
        np.ascontiguousarray(faces, np.int32).reshape(-1, 3),
        np.asarray(uv, np.float32).reshape(-1, 3, 2),
        np.zeros(len(faces.reshape(-1, 3)), np.int32),
        (material,),
    )


def lengths(v_N3: Array) -> Array:
    """Euclidean norms along the last axis; `np.linalg.norm` takes longer than the sum for so few vectors."""
    out: Array = np.sqrt(np.add.reduce(v_N3 * v_N3, -1))
    return out


def cross(a_N3: Array, b_N3: Array) -> Array:
    """`np.cross` of rows without its generality, which costs more than the products for so few vectors."""
    (a, b, c), (x, y, z) = a_N3.T, b_N3.T
    out = np.empty((max(len(a_N3), len(b_N3)), 3))
    out[:, 0], out[:, 1], out[:, 2] = b * z - c * y, c * x - a * z, a * y - b * x
    return out


# corners of the two triangles of a patch, and which of them lie at its far end in u and in v
_SIX = _QUAD.ravel()
_FAR = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)[_SIX]


def quads(corners_N43: Numbers, material: Material, uv_N42: Numbers | None = None) -> Mesh:
    """Flat four-cornered patches.

    Args:
        corners_N43: Corners, counter-clockwise seen from the front, metres.
        material: Their surface.
        uv_N42: Texture coordinates of the corners; by default metres along the first and the last edge.
    """
    p = np.asarray(corners_N43, np.float64).reshape(-1, 4, 3)
    if uv_N42 is None:
        uv = lengths(p[:, 1::2] - p[:, :1])[:, None] * _FAR
    else:
        uv = np.empty((len(p), 6, 2), np.float32)
        uv[:] = np.asarray(uv_N42, np.float64)[..., _SIX, :]
    faces = np.arange(0, 4 * len(p), 4, dtype=np.int32)[:, None, None] + _QUAD
    return surface(p, faces, uv, material)


UNIT_UV = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])

_BOX = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]], np.int32)
_BOX_FACES = _BOX[:, _QUAD].reshape(-1, 3)
_BOX_HIGH = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], bool)
_BOX_AXES = np.array([[1, 0], [0, 1], [0, 2], [1, 2], [0, 2], [1, 2]])  # along u and v of each side


def boxes(low_N3: Numbers, high_N3: Numbers, material: Material) -> Mesh:
    """Axis-aligned boxes between two corners each."""
    lo, hi = np.asarray(low_N3, np.float64).reshape(-1, 3), np.asarray(high_N3, np.float64).reshape(-1, 3)
    corner = np.where(_BOX_HIGH, hi[:, None], lo[:, None])
    faces = np.arange(0, 8 * len(lo), 8, dtype=np.int32)[:, None, None] + _BOX_FACES
    uv = np.abs(hi - lo)[:, _BOX_AXES][:, :, None] * _FAR
    return surface(corner, faces, uv, material)


@lru_cache(maxsize=32)
def _bar(sides: int, caps: bool) -> tuple[Array, Array, Array, I32]:
    """Of a round bar: cosines and sines of its ring, (sides, 1); steps (u around, v along) of each corner; faces."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack([np.cos(angle), np.sin(angle)])[:, :, None]
    j, k = np.arange(sides), (np.arange(sides) + 1) % sides
    side = np.stack([np.stack([j, k, sides + k], 1), np.stack([j, sides + k, sides + j], 1)], 1).reshape(-1, 3)
    step = np.repeat(_FAR[None], sides, 0)
    step[:, :, 0] += j[:, None]
    step = step.reshape(-1, 3, 2)
    i = np.arange(1, sides - 1)
    cap = np.concatenate([np.stack([0 * i, i + 1, i], 1), np.stack([0 * i, i, i + 1], 1) + sides])
    if caps:
        side, step = np.concatenate([side, cap]), np.concatenate([step, np.zeros((len(cap), 3, 2))])
    return ring[0], ring[1], step, side.astype(np.int32)


def frusta(
    a_N3: Numbers,
    b_N3: Numbers,
    ra: Numbers,
    rb: Numbers,
    sides: int,
    material: Material,
    *,
    caps: bool = True,
) -> Mesh:
    """Straight round bars from a to b with a radius at each end: poles, limbs, branches, spokes."""
    a, b = np.asarray(a_N3, np.float64).reshape(-1, 3), np.asarray(b_N3, np.float64).reshape(-1, 3)
    n = len(a)
    r = np.empty((n, 2))
    r[:, 0], r[:, 1] = ra, rb
    axis = b - a
    length = lengths(axis)[:, None] + 1e-9
    axis = axis / length
    helper = np.where(np.abs(axis[:, 2:3]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    e1 = cross(helper, axis)
    e1 /= lengths(e1)[:, None]
    cosine, sine, step, faces = _bar(sides, caps)
    ring = e1[:, None] * cosine + cross(axis, e1)[:, None] * sine
    ends = np.empty((n, 2, 1, 3))
    ends[:, 0, 0], ends[:, 1, 0] = a, b
    vertices = ends + ring[:, None] * r[:, :, None, None]  # N, 2, sides, 3
    reach = np.empty((n, 1, 1, 2))
    reach[:, 0, 0, 0], reach[:, 0, 0, 1] = 2 * np.pi * r.mean(1) / sides, length[:, 0]
    stacked = np.arange(0, n * 2 * sides, 2 * sides, dtype=np.int32)[:, None, None] + faces
    return surface(vertices, stacked, step * reach, material)


@lru_cache(maxsize=8)
def _ball(rings: int, sides: int) -> tuple[Array, I32, Array]:
    """Unit sphere with poles on z: vertices, faces, and uv of their corners."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)[1:-1]
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack(
        [
            np.cos(latitude)[:, None] * np.cos(angle),
            np.cos(latitude)[:, None] * np.sin(angle),
            np.sin(latitude)[:, None] + 0 * angle,
        ],
        -1,
    )
    vertices = np.concatenate([[[0, 0, -1.0]], ring.reshape(-1, 3), [[0, 0, 1.0]]])
    j, k = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = [np.stack([0 * j, 1 + k, 1 + j], 1)]
    for row in range(rings - 2):
        low, high = 1 + row * sides, 1 + (row + 1) * sides
        faces += [np.stack([low + j, low + k, high + k], 1), np.stack([low + j, high + k, high + j], 1)]
    last, top = 1 + (rings - 2) * sides, len(vertices) - 1
    faces.append(np.stack([last + j, last + k, 0 * j + top], 1))
    face = np.concatenate(faces).astype(np.int32)
    uv = np.stack([np.arctan2(vertices[:, 1], vertices[:, 0]), vertices[:, 2]], -1)[face]
    uv[..., 0] -= np.round((uv[..., 0] - uv[:, :1, 0]) / (2 * np.pi)) * 2 * np.pi  # close the seam
    return vertices, face, uv


def balls(centre_N3: Numbers, radius_N3: Numbers, material: Material, rings: int = 4, sides: int = 6) -> Mesh:
    """Ellipsoids with their own radii along x, y, z: heads, leaf clumps, bushes."""
    centre = np.asarray(centre_N3, np.float64).reshape(-1, 3)
    radius = np.broadcast_to(np.asarray(radius_N3, np.float64), centre.shape)
    unit, faces, spread = _ball(rings, sides)
    vertices = centre[:, None] + unit[None] * radius[:, None]
    stacked = np.arange(0, len(centre) * len(unit), len(unit), dtype=np.int32)[:, None, None] + faces
    return surface(vertices, stacked, spread[None] * radius.mean(1)[:, None, None, None], material)


def loft(
    sections_SK3: Numbers,
    materials: Sequence[Material],
    which_SK: Numbers | None = None,
    *,
    caps: bool = True,
) -> Mesh:
    """Skin over closed cross-sections.

    Args:
        sections_SK3: S rings of K points; seen from the far end (rising S) each ring runs counter-clockwise.
        materials: Surfaces used.
        which_SK: Material index of each strip (S-1, K); 0 everywhere by default.
        caps: Close both ends with material 0.
    """
    p = np.asarray(sections_SK3, np.float64)
    s, k = p.shape[:2]
    which = np.zeros((s - 1, k), np.int32) if which_SK is None else np.asarray(which_SK, np.int32)
    i, j = np.meshgrid(np.arange(s - 1), np.arange(k), indexing="ij")
    n = (j + 1) % k
    a, b, c, d = i * k + j, i * k + n, (i + 1) * k + n, (i + 1) * k + j
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p.mean(1), axis=0), axis=1))])
    around = np.concatenate([[0], np.cumsum(np.linalg.norm(np.roll(p[s // 2], -1, 0) - p[s // 2], axis=1))])
    u0, u1, v0, v1 = along[i], along[i + 1], around[j], around[j + 1]
    corner = [np.stack(c, -1) for c in ((u0, v0), (u0, v1), (u1, v1), (u0, v0), (u1, v1), (u1, v0))]
    uv = np.stack(corner, 2).reshape(-1, 3, 2)
    material = np.repeat(which.reshape(-1), 2)
    if caps:
        m = np.arange(1, k - 1)
        zero = np.zeros_like(m)
        cap = np.concatenate([np.stack([zero, m + 1, m], 1), np.stack([zero, m, m + 1], 1) + (s - 1) * k])
        faces = np.concatenate([faces, cap])
        uv = np.concatenate([uv, p.reshape(-1, 3)[cap][..., 1:]])
        material = np.concatenate([material, np.zeros(len(cap), np.int32)])
    return Mesh(
        p.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        uv.astype(np.float32),
        material.astype(np.int32),
        tuple(materials),
    )


def prism(
    outline_K2: Numbers, depth: float, face: Material, side: Material | None = None, *, fit: bool = False
) -> Mesh:
    """Convex outline in the y-z plane, counter-clockwise seen from +x, pulled back from x=0 to x=-depth: sign plates.

    Args:
        outline_K2: Outline points (y, z).
        depth: Thickness, metres.
        face: Surface of the front (+x) face.
        side: Surface of rim and back.
        fit: Stretch uv of the front to 0..1 over the outline's bounds (u to the right seen from the front).
    """
    o = np.asarray(outline_K2, np.float64)
    k = len(o)
    front, back = np.column_stack([np.zeros(k), o]), np.column_stack([np.full(k, -depth), o])
    vertices = np.concatenate([front, back])
    m, j, n = np.arange(1, k - 1), np.arange(k), (np.arange(k) + 1) % k
    zero = np.zeros_like(m)
    faces = np.concatenate(
        [
            np.stack([zero, m, m + 1], 1),
            np.stack([zero, m + 1, m], 1) + k,
            np.stack([j, k + j, k + n], 1),
            np.stack([j, k + n, n], 1),
        ]
    )
    flat = o.copy()
    if fit:
        flat = (o - o.min(0)) / (o.max(0) - o.min(0))
    uv = np.concatenate([flat, flat])[faces]
    material = np.concatenate([np.zeros(k - 2), np.ones(3 * k - 2)])[: len(faces)]
    return Mesh(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        uv.astype(np.float32),
        material.astype(np.int32),
        (face, side or face),
    )


def wheel_ring(radius: float, tube: float, material: Material, around: int = 14, sides: int = 4) -> Mesh:
    """Torus in the x-z plane (axis y): tyres, rims, hoops."""
    t, q = np.arange(around) * 2 * np.pi / around, np.arange(sides) * 2 * np.pi / sides
    rad = radius + tube * np.cos(q)[None]
    p = np.stack(
        [
            rad * np.cos(t)[:, None],
            np.broadcast_to(tube * np.sin(q), (around, sides)),
            rad * np.sin(t)[:, None],
        ],
        -1,
    )
    i, j = np.meshgrid(np.arange(around), np.arange(sides), indexing="ij")
    i2, j2 = (i + 1) % around, (j + 1) % sides
    a, b, c, d = i * sides + j, i2 * sides + j, i2 * sides + j2, i * sides + j2
    faces = np.stack([np.stack([a, c, b], -1), np.stack([a, d, c], -1)], 2).reshape(-1, 3)
    return surface(p, faces.astype(np.int32), np.zeros((len(faces), 3, 2)), material)


def compact(mesh: Mesh) -> Mesh:
    """The same mesh with every material listed once, in order of first appearance."""
    known: dict[Material, int] = {}
    index = np.array([known.setdefault(m, len(known)) for m in mesh.materials], np.int32)
    return Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, index[mesh.material_F], tuple(known))


def fattened(mesh: Mesh, by: float) -> Mesh:
    """The mesh blown up along its vertex normals, metres."""
    corner = mesh.vertices_V3[mesh.faces_F3]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal = np.zeros_like(mesh.vertices_V3)
    for k in range(3):
        np.add.at(normal, mesh.faces_F3[:, k], area)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    vertices = (mesh.vertices_V3 + by * normal).astype(np.float32)
    return Mesh(vertices, mesh.faces_F3, mesh.uv_F32, mesh.material_F, mesh.materials)


def moved(
    mesh: Mesh,
    x: float = 0.0,
    y: float = 0.0,
    z: float = 0.0,
    yaw: float = 0.0,
    scale: float | tuple[float, float, float] = 1.0,
) -> Mesh:
    """A copy scaled, turned about z and shifted (uv stay as they are)."""
    vertices = mesh.vertices_V3 * np.asarray(scale, np.float64)
    if yaw:
        c, s = np.cos(yaw), np.sin(yaw)
        vertices = vertices @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    vertices += np.array([x, y, z])
    return Mesh(vertices.astype(np.float32), mesh.faces_F3, mesh.uv_F32, mesh.material_F, mesh.materials)


def mirrored(mesh: Mesh) -> Mesh:
    """The mirror image in y (left becomes right), winding kept outward."""
    return Mesh(
        mesh.vertices_V3 * np.array([1, -1, 1], np.float32),
        np.ascontiguousarray(mesh.faces_F3[:, ::-1]),
        np.ascontiguousarray(mesh.uv_F32[:, ::-1]),
        mesh.material_F,
        mesh.materials,
    )


def pose(x: float, y: float, z: float, yaw: float = 0.0, pitch: float = 0.0) -> Array:
    """Local to world: pitch about y (nose up positive), then yaw about z, then the shift; shape (4, 4)."""
    c, s, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    return np.array([[c * cp, -s, -c * sp, x], [s * cp, c, -s * sp, y], [sp, 0.0, cp, z], [0.0, 0.0, 0.0, 1.0]])
