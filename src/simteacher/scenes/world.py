"""(seed, frame, scene file) to one world: street, buildings, traffic, people, light and camera. The same input gives the same world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simteacher.scenes import furniture, frontage, roadway, staging, textures
from simteacher.scenes import shapes as sh
from simteacher.scenes.actors import cyclists, parked, pedestrians, place_vehicle, traffic
from simteacher.scenes.draw import uniform
from simteacher.scenes.mesh import CameraSpec, Material, Thing, World
from simteacher.scenes.palette import Rng, anycolour
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import Street, plan
from simteacher.scenes.weather import make_light


def build_world(seed: int, frame: int, spec: SceneSpec, size: tuple[int, int]) -> World:
    """Draw the world of one frame.

    Args:
        seed: Of the set.
        frame: Index in the set; frames are independent of each other.
        spec: The distributions.
        size: Width and height of the picture, pixels.
    """
    g = np.random.default_rng([seed, frame])
    street = plan(g, spec)
    ego = street.lanes[int(g.integers(len(street.lanes)))]
    ego_d = ego[0] + g.normal(0, 0.35)
    light = make_light(g, spec.light)
    roadway.lay(g, street)
    staging.stage(g, street, spec)
    staging.guests(g, street, spec, ego)
    parked(g, street, spec)
    traffic(g, street, spec, ego)
    frontage.stand(g, street, spec)
    furniture.furnish(g, street, spec)
    cyclists(g, street, spec)
    pedestrians(g, street, spec)
    things = _randomised(g, street.things, spec.random_textures)
    camera = _camera(g, street, spec, ego_d)
    facts: dict[str, object] = {"kind": street.kind, "left_hand": street.left_hand, "speed": float(g.uniform(4, 13))}
    return World(things, light, camera, facts)


def _camera(g: Rng, street: Street, spec: SceneSpec, d: float) -> CameraSpec:
    c = spec.camera
    up = uniform(g, c.height)
    at = street.path.pose(0.0, d, up)
    yaw, pitch, roll = (np.deg2rad(uniform(g, r)) for r in (c.yaw, c.pitch, c.roll))
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]]) @ np.array([[cp, 0, -sp], [0, 1, 0], [sp, 0, cp]]) @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    body = at[:3, :3] @ turn  # columns forward, left, up
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([-body[:, 1], -body[:, 2], body[:, 0]])
    pose[:3, 3] = at[:3, 3]
    warm = uniform(g, c.warmth)
    green = g.normal(0, 0.012)
    blur = uniform(g, c.blur)
    return CameraSpec(
        pose, float(np.deg2rad(uniform(g, c.fov))), uniform(g, c.distortion) if g.random() < 0.5 else 0.0, uniform(g, c.exposure),
        (float(1 + warm), float(1 + green), float(1 - warm)), (uniform(g, c.gamma), uniform(g, c.contrast)), uniform(g, c.saturation),
        blur, uniform(g, c.noise) * float(g.random()), uniform(g, c.vignette), round(uniform(g, c.jpeg)),
    )  # fmt: skip


def _randomised(g: Rng, things: list[Thing], chance: float) -> list[Thing]:
    """Domain randomisation: some things, and now and then a whole world, get arbitrary textures and tints."""
    wild = g.random() < chance * 0.2
    patterns = [*textures.family("random"), *textures.family("brick"), *textures.family("render"), *textures.family("cloth"), "gravel", "cobble", "plain", *textures.family("grass")]
    out = []
    for thing in things:
        if g.random() > (0.5 if wild else chance * 0.3):
            out.append(thing)
            continue
        swap: dict[Material, Material] = {}
        ground = thing.name in ("road", "sidewalk", "terrain")
        one = anycolour(g)
        pattern = patterns[int(g.integers(len(patterns)))]
        for m in thing.mesh.materials:
            if m not in swap:
                keep = m.glow > 0 or m.gloss > 0.5 or (not ground and g.random() < 0.3)
                tint = one if ground else anycolour(g)
                swap[m] = m if keep else Material(pattern if ground or g.random() < 0.7 else m.texture, tint if "random" not in pattern else (1, 1, 1), m.gloss, 0.0, float(g.uniform(0.5, 4)))
        out.append(replace(thing, mesh=replace(thing.mesh, materials=tuple(swap[m] for m in thing.mesh.materials))))
    return out


def _shifted(pose_44: npt.NDArray[np.float64], shift_3: npt.NDArray[np.float64], angle: float) -> npt.NDArray[np.float64]:
    out = pose_44.copy()
    out[:3, :3] = sh.pose(0, 0, 0, angle)[:3, :3] @ pose_44[:3, :3]
    out[:3, 3] += shift_3
    return out


def advance(world: World, seconds: float) -> World:
    """The same world later: things move along their velocities, the camera drives ahead."""
    things = [
        t if t.velocity_3 == (0.0, 0.0, 0.0) and t.yaw_rate == 0.0 else replace(t, pose_44=_shifted(t.pose_44, np.array(t.velocity_3) * seconds, t.yaw_rate * seconds))
        for t in world.things
    ]
    ahead = world.camera.pose_44[:3, 2] * [1, 1, 0]
    speed = float(world.facts.get("speed", 0.0))  # type: ignore[arg-type]
    camera = replace(world.camera, pose_44=_shifted(world.camera.pose_44, ahead / np.linalg.norm(ahead) * speed * seconds, 0.0))
    return replace(world, things=things, camera=camera)


__all__ = ["advance", "build_world", "place_vehicle"]
