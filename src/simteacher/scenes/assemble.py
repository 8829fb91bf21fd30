"""A world to one list of triangles around its camera, less what is neither seen nor throws a shadow into view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes.classes import CLASS_ID, instance_ids
from simteacher.scenes.mesh import F32, CameraSpec, Light, Material, World
from simteacher.scenes.optics import Optics
from simteacher.scenes.raycast import MakeCaster, Scene

CLOSE = 10.0  # metres: things this near are kept, they show in mirrors and close the sky
GROUND = -8.0  # shadows are followed down to here below the camera


def assemble(world: World, size: tuple[int, int] | None = None, caster: MakeCaster | None = None) -> Scene:
    """Put every thing in place and hand the triangles to a caster.

    Args:
        world: What there is.
        size: Width and height of the picture, to leave out what does not matter to it; None keeps everything, so that
            scenes of a clip hold the same triangles.
        caster: Who casts the rays; by default Embree.
    """
    origin = np.array(world.camera.pose_44[:3, 3], np.float64)
    planes_K3 = None if size is None else view_planes(world.camera, size)
    vertices, faces, uvs, surfaces = [], [], [], []
    counts = np.zeros(len(world.things), np.int32)
    materials: list[Material] = []
    vertex_at = 0
    known: dict[int, int] = {}  # meshes are shared between things, so are their materials
    for index, thing in enumerate(world.things):
        mesh, pose = thing.mesh, thing.pose_44
        place = mesh.vertices_V3 @ pose[:3, :3].T.astype(np.float32) + (pose[:3, 3] - origin).astype(np.float32)
        if planes_K3 is not None and not matters(place, planes_K3, world.light):
            continue
        vertices.append(place)
        faces.append(mesh.faces_F3 + np.int32(vertex_at))
        uvs.append(mesh.uv_F32)
        if id(mesh.materials) not in known:
            known[id(mesh.materials)] = len(materials)
            materials.extend(mesh.materials)
        surfaces.append(mesh.material_F + np.int32(known[id(mesh.materials)]))
        counts[index] = len(mesh.faces_F3)
        vertex_at += len(place)
    if not vertices:  # nothing but sky: one triangle behind the camera
        back = world.camera.pose_44[:3, 2].astype(np.float32) * -1e4
        vertices, faces = [back + np.eye(3, dtype=np.float32)], [np.array([[0, 1, 2]], np.int32)]
        uvs, surfaces = [np.zeros((1, 3, 2), np.float32)], [np.zeros(1, np.int32)]
        materials.append(Material())
    vertices_V3 = np.ascontiguousarray(np.concatenate(vertices), np.float32)
    faces_F3 = np.ascontiguousarray(np.concatenate(faces), np.int32)
    names = [t.name for t in world.things]
    make = caster or default_caster()
    return Scene(
        world,
        origin,
        vertices_V3,
        faces_F3,
        np.concatenate(uvs).astype(np.float32, copy=False),
        np.concatenate(surfaces).astype(np.int32, copy=False),
        np.repeat(np.arange(len(counts), dtype=np.int32), counts) if counts.any() else np.zeros(1, np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        tuple(materials),
        np.array([CLASS_ID.get(n, 255) for n in names], np.uint8),
        instance_ids(names, [t.countable for t in world.things]),
        make(vertices_V3, faces_F3),
        make,
    )


def default_caster() -> MakeCaster:
    """Embree, or the compiled fallback where it has no wheel."""
    try:
        from simteacher.scenes.embree import make_caster
    except ImportError:
        from simteacher.scenes.treecast import TreeCaster

        return TreeCaster
    return make_caster


def view_planes(camera: CameraSpec, size: tuple[int, int]) -> F32:
    """Inward normals of the four planes through the camera that enclose the picture, and of its own. Shape (5, 3)."""
    optics = Optics.of(camera, size)
    x, y = np.linspace(-0.5, size[0] - 0.5, 33), np.linspace(-0.5, size[1] - 0.5, 33)
    sides = [(x, x * 0 + y[0]), (x, x * 0 + y[-1]), (y * 0 + x[0], y), (y * 0 + x[-1], y)]
    ray = optics.rays(np.concatenate([np.stack(side, 1) for side in sides]))
    (left, top), (right, bottom) = ray[:, :2].min(0) * 1.02, ray[:, :2].max(0) * 1.02
    local = np.array([[1, 0, -left], [-1, 0, right], [0, 1, -top], [0, -1, bottom], [0, 0, 1]])
    return (local @ camera.pose_44[:3, :3].T).astype(np.float32)


def matters(place_V3: F32, planes_K3: F32, light: Light) -> bool:
    """Whether a thing may be seen, may throw a shadow into view, or is close to the camera."""
    few = place_V3[:: len(place_V3) // 8 + 1] @ planes_K3.T
    if few.max(0).min() >= 0:  # most things are seen, which a few of their vertices tell
        return True
    side = place_V3 @ planes_K3.T
    inside: npt.NDArray[np.bool_] = side.max(0) >= 0
    if inside.all():
        return True
    if float(np.einsum("ij,ij->i", place_V3, place_V3).min()) < CLOSE**2:
        return True
    if not any(light.sun_rgb):
        return False
    fall = np.maximum(place_V3[:, 2] - np.float32(GROUND), 0) / np.float32(max(light.sun_3[2], 0.05))
    foot = place_V3 - fall[:, None] * np.asarray(light.sun_3, np.float32)
    return bool((inside | ((foot @ planes_K3.T).max(0) >= 0)).all())
