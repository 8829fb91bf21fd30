"""A street of a few boxes that every simulator test can afford."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simteacher.scenes import job
from simteacher.scenes.atlas import Atlas
from simteacher.scenes.mesh import CameraSpec, Light, Material, Mesh, Thing, World

SIZE = (64, 48)


def box(size: tuple[float, float, float], material: Material | None = None) -> Mesh:
    """A box standing on z = 0, centred on x = y = 0."""
    lx, ly, lz = size
    corner = np.array([[x, y, z] for x in (-lx / 2, lx / 2) for y in (-ly / 2, ly / 2) for z in (0, lz)], np.float32)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32)
    p = corner[faces]
    axis = np.abs(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])).argmax(1)
    uv = np.stack([p[i][:, [a for a in range(3) if a != axis[i]]] for i in range(len(p))])
    return Mesh(corner, faces, uv.astype(np.float32), np.zeros(12, np.int32), (material or Material(),))


def ground(half: float = 200.0) -> Mesh:
    """A square on z = 0 facing up."""
    p = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Mesh(p, faces, p[faces][..., :2].copy(), np.zeros(2, np.int32), (Material("plain", (0.2, 0.2, 0.2)),))


def at(x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """A pose on the ground turned about z."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:3, 3] = x, y, z
    return pose


def camera_at(x: float, y: float, z: float, yaw: float = 0.0, down: float = 0.0) -> np.ndarray:
    """A camera looking along +x turned by yaw, pitched down; OpenCV axes."""
    pose = at(x, y, z, yaw)
    c, s = np.cos(down), np.sin(down)
    pitch = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    pose[:3, :3] = pose[:3, :3] @ pitch @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return pose


def small_world() -> World:
    """Ground, a wall, two overlapping cars (one moving and turning), a person, a pole, a thing without a class."""
    paint = Material("plain", (0.6, 0.1, 0.1), gloss=0.4)
    return World(
        [
            Thing(ground(), np.eye(4), "road"),
            Thing(box((30, 1, 8)), at(25, 9, 0, 0.1), "building"),
            Thing(box((4.2, 1.8, 1.5), paint), at(14, -2.5, 0, 0.3), "car", True, (3.0, 1.0, 0.0), 0.2),
            Thing(box((4.2, 1.8, 1.5), paint), at(20, -1.5), "car", True, (-8.0, 0.0, 0.0)),
            Thing(box((0.4, 0.5, 1.7)), at(9, 1.2), "person", True, (0.0, -1.4, 0.0)),
            Thing(box((0.2, 0.2, 5)), at(11, 2.6), "pole"),
            Thing(box((1, 1, 1)), at(8, -3.4), ""),
        ],
        Light((0.36, 0.48, 0.8), (3.0, 2.8, 2.5), (0.5, 0.6, 0.8), (0.8, 0.85, 0.9)),
        CameraSpec(camera_at(0, 0, 1.5, 0.05, 0.06), 1.2),
    )


@pytest.fixture
def world() -> World:
    """`small_world`."""
    return small_world()


def _build(seed: int, frame: int, spec: object, size: tuple[int, int], clip: bool = False) -> World:
    """The small street; the second car's place depends on seed and frame."""
    base = small_world()
    draw = np.random.default_rng([seed, frame])
    car = replace(base.things[3], pose_44=at(draw.uniform(12, 25), draw.uniform(-4, 1)))
    return replace(base, things=[*base.things[:3], car, *base.things[4:]], facts={"draw": frame})


def move(world: World, seconds: float) -> World:
    """Every thing onward along its velocity and yaw rate; the camera stays. For worlds without traffic rules."""
    things = []
    for thing in world.things:
        pose = thing.pose_44.copy()
        angle = thing.yaw_rate * seconds
        c, s = np.cos(angle), np.sin(angle)
        pose[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ pose[:3, :3]
        pose[:3, 3] += np.array(thing.velocity_3) * seconds
        things.append(replace(thing, pose_44=pose))
    return replace(world, things=things)


def _advance(world: World, seconds: float) -> World:
    pose = world.camera.pose_44.copy()
    pose[0, 3] += 5 * seconds
    return replace(move(world, seconds), camera=replace(world.camera, pose_44=pose))


@pytest.fixture
def small_street(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders draw the small street instead of a whole one."""
    monkeypatch.setattr(job, "build_world", _build)
    monkeypatch.setattr(job, "advance", _advance)
    monkeypatch.setattr(job, "atlas", lambda: Atlas(["plain"], np.ones((1, 4, 4, 3), np.float32)))
