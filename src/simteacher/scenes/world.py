"""(seed, frame, scene file) to one world: street, buildings, traffic, people, light and camera.

The same input gives the same world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simteacher.scenes import ego, frontage, furniture, roadway, staging
from simteacher.scenes import shapes as sh
from simteacher.scenes.actors import cyclists, parked, pedestrians, traffic
from simteacher.scenes.draw import uniform
from simteacher.scenes.mesh import CameraSpec, Thing, World
from simteacher.scenes.randomise import randomised
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import plan
from simteacher.scenes.weather import make_light

TRIANGLES = 140_000
FIXED = ("road", "sidewalk", "terrain", "building")


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
    lane = street.lanes[int(g.integers(len(street.lanes)))]
    light = make_light(g, spec.light)
    view = ego.camera(g, street, spec.camera, lane[0] + uniform(g, spec.camera.across))
    roadway.lay(g, street)
    staging.stage(g, street, spec)
    staging.guests(g, street, spec, lane)
    parked(g, street, spec)
    speed = traffic(g, street, spec, lane)
    frontage.stand(g, street, spec)
    furniture.furnish(g, street, spec)
    cyclists(g, street, spec)
    pedestrians(g, street, spec)
    things = randomised(g, _thinned(street.things, view), street.surfaces, spec.random_textures)
    if g.random() < spec.camera.bonnet:
        street.things = []
        ego.bonnet(g, street, view, size)
        things += [replace(t, velocity_3=_along(view, speed)) for t in street.things]
    if spec.labels == "exact":
        things = [replace(t, hull=None, veil=None) for t in things]
    curve = float(street.path.heading(1.0) - street.path.heading(-1.0)) / 2
    facts: dict[str, object] = {
        "kind": street.kind,
        "left_hand": street.left_hand,
        "speed": speed,
        "yaw_rate": speed * curve,
    }
    return World(things, light, view, facts)


def _thinned(things: list[Thing], view: CameraSpec) -> list[Thing]:
    """Within the budget of triangles: the farthest plants, cars and furniture go first, what is behind before all."""
    count = np.array([len(t.mesh.faces_F3) for t in things])
    excess = int(count.sum()) - TRIANGLES
    if excess <= 0:
        return things
    place = np.array([t.pose_44[:3, 3] for t in things]) - view.pose_44[:3, 3]
    ahead = place @ view.pose_44[:3, 2]
    away = np.where(ahead < -3, 1e3, 0.0) + np.linalg.norm(place, axis=1)
    keep = np.ones(len(things), bool)
    for i in np.argsort(-away, kind="stable"):
        if excess <= 0:
            break
        if things[i].name not in FIXED and away[i] > 15:
            keep[i] = False
            excess -= int(count[i])
    return [t for t, k in zip(things, keep, strict=True) if k]


def _along(view: CameraSpec, speed: float) -> tuple[float, float, float]:
    """Velocity of the vehicle that carries the camera: level, the way it looks."""
    ahead = view.pose_44[:2, 2] / (np.linalg.norm(view.pose_44[:2, 2]) + 1e-9)
    return (float(ahead[0] * speed), float(ahead[1] * speed), 0.0)


def _turn(angle: float) -> npt.NDArray[np.float64]:
    return sh.pose(0, 0, 0, angle)[:3, :3]


def _moved(
    pose_44: npt.NDArray[np.float64], velocity_3: tuple[float, float, float], yaw_rate: float, seconds: float
) -> npt.NDArray[np.float64]:
    """On along an arc: the chord points half-way between the directions at both ends.

    Going back then ends where it began.
    """
    out = pose_44.copy()
    angle = yaw_rate * seconds
    out[:3, :3] = _turn(angle) @ pose_44[:3, :3]
    out[:3, 3] += _turn(angle / 2) @ np.array(velocity_3) * seconds
    return out


def _later(thing: Thing, seconds: float) -> Thing:
    if thing.velocity_3 == (0.0, 0.0, 0.0) and thing.yaw_rate == 0.0:
        return thing
    v = _turn(thing.yaw_rate * seconds) @ np.array(thing.velocity_3)
    pose = _moved(thing.pose_44, thing.velocity_3, thing.yaw_rate, seconds)
    return replace(thing, pose_44=pose, velocity_3=(float(v[0]), float(v[1]), float(v[2])))


def advance(world: World, seconds: float) -> World:
    """The same world later (or earlier): things move along their arcs, the camera drives on."""
    speed, yaw_rate = (float(world.facts.get(k, 0.0)) for k in ("speed", "yaw_rate"))  # type: ignore[arg-type]
    view = world.camera
    pose = _moved(view.pose_44, _along(view, speed), yaw_rate, seconds)
    return replace(world, things=[_later(t, seconds) for t in world.things], camera=replace(view, pose_44=pose))
