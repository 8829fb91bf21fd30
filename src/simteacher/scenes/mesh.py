"""Geometry of the simulator: what a scene is made of, before any ray is cast.

World axes: x forward along the street, y left, z up, metres. A `World` is a list of `Thing`s; the ray caster sees only
triangles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
Course = Callable[[float], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface looks.

    Attributes:
        texture: Name in the texture library (``textures.py``); "plain" is a constant.
        tint: Linear RGB in [0, 1] multiplied with the texture.
        gloss: 0 matt to 1 mirror-like (car paint 0.4, glass 0.8); drives highlights and sky reflection.
        glow: Emitted light in multiples of the tint (lamps, lit windows at night).
        scale: Metres covered by one repeat of the texture; uv are in metres.
    """

    texture: str = "plain"
    tint: tuple[float, float, float] = (0.5, 0.5, 0.5)
    gloss: float = 0.0
    glow: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles in local coordinates.

    Attributes:
        vertices_V3: Metres.
        faces_F3: Vertex indices, counter-clockwise seen from outside.
        uv_F32: Texture coordinates of each face corner, metres, shape (F, 3, 2).
        material_F: Index into ``materials`` of each face.
        materials: The surfaces used.
    """

    vertices_V3: F32
    faces_F3: I32
    uv_F32: F32
    material_F: I32
    materials: tuple[Material, ...]


def merge(parts: Sequence[Mesh]) -> Mesh:
    """Join meshes that share one local frame into one; materials are concatenated."""
    faces, surfaces, vertex_at, material_at = [], [], 0, 0
    for p in parts:
        faces.append(p.faces_F3 + vertex_at if vertex_at else p.faces_F3)
        surfaces.append(p.material_F + material_at if material_at else p.material_F)
        vertex_at += len(p.vertices_V3)
        material_at += len(p.materials)
    return Mesh(
        np.concatenate([p.vertices_V3 for p in parts]).astype(np.float32, copy=False),
        np.concatenate(faces).astype(np.int32, copy=False),
        np.concatenate([p.uv_F32 for p in parts]).astype(np.float32, copy=False),
        np.concatenate(surfaces).astype(np.int32, copy=False),
        tuple(m for p in parts for m in p.materials),
    )


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a world.

    Attributes:
        mesh: Its triangles.
        pose_44: Local to world, float64, shape (4, 4).
        name: Class name of ``cityscapes19``, or "" for what has none (labelled IGNORE).
        countable: Whether it gets an instance id (Cityscapes convention: people and vehicles).
        velocity_3: World metres per second.
        yaw_rate: Radians per second about its own z axis.
        hull: Region that counts as this thing although one looks through it (`hulls.py`), or None.
        veil: Larger region that counts as this thing where a building or a wall is seen through it, or None.
        course: Its pose a time (seconds) after the world was drawn, where that is more than an arc; see `drive`.
        asked: Which of a scene file's staged things and meshes it is, from 1: it is never left out. 0 for all else.
    """

    mesh: Mesh
    pose_44: npt.NDArray[np.float64]
    name: str
    countable: bool = False
    velocity_3: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_rate: float = 0.0
    hull: Mesh | None = None
    veil: Mesh | None = None
    course: Course | None = None
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Light:
    """Sun, sky and air.

    Attributes:
        sun_3: Unit vector towards the sun (z > 0 by day).
        sun_rgb: Linear radiance of direct light; zeros when overcast or at night.
        sky_rgb: Linear ambient radiance from above.
        horizon_rgb: Linear radiance of the sky at the horizon (also the fog colour).
        cloud: 0 clear to 1 closed.
        relief: 0 soft clouds to 1 with sharp edges and dark undersides.
        fog: Extinction per metre (0.0 clear, 0.02 thick).
        wet: 0 dry to 1 rain-wet ground.
        night: Whether lamps are lit.
        paths: Paths a pixel that Mitsuba traces for the light between surfaces; 0 for `ambient`'s quick guess.
    """

    sun_3: tuple[float, float, float]
    sun_rgb: tuple[float, float, float]
    sky_rgb: tuple[float, float, float]
    horizon_rgb: tuple[float, float, float]
    cloud: float = 0.0
    relief: float = 0.0
    fog: float = 0.0
    wet: float = 0.0
    night: bool = False
    paths: int = 0


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """Where the camera is and what its sensor does; angles in radians.

    Attributes:
        pose_44: Camera to world; camera axes x right, y down, z forward (OpenCV).
        fov: Horizontal field of view.
        k1: First radial distortion coefficient (0 for a pinhole).
        exposure: Multiplier of linear radiance.
        white_balance: RGB gains.
        gamma_contrast: (gamma, contrast) of the tone curve; (2.2, 1.0) is neutral.
        saturation: 1 neutral.
        blur: Gaussian sigma in pixels.
        noise: Standard deviation of sensor noise at mid grey, 0..1 scale.
        vignette: Darkening at the corners, 0..1.
        jpeg: JPEG quality, or 0 for none.
    """

    pose_44: npt.NDArray[np.float64]
    fov: float
    k1: float = 0.0
    exposure: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma_contrast: tuple[float, float] = (2.2, 1.0)
    saturation: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    vignette: float = 0.0
    jpeg: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a frame shows.

    Attributes:
        clock: Seconds since it was drawn.
        course: Of the camera, as a thing's; None on an arc that ``facts`` give by ``speed`` and ``yaw_rate``.
    """

    things: list[Thing]
    light: Light
    camera: CameraSpec
    facts: dict[str, object] = field(default_factory=dict)
    clock: float = 0.0
    course: Course | None = None
