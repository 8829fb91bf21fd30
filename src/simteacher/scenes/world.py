"""(seed, frame, scene file) to one world: street, buildings, traffic, people, light and camera.

The same input gives the same world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simteacher.errors import UserError
from simteacher.scenes import drive, ego, frontage, furniture, roadway, staging
from simteacher.scenes.actors import cyclists, parked, pedestrians, traffic
from simteacher.scenes.draw import uniform
from simteacher.scenes.mesh import CameraSpec, Thing, World
from simteacher.scenes.randomise import randomised
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import Street, plan
from simteacher.scenes.weather import make_light

TRIANGLES = 140_000
TRIES = 64  # streets that are drawn until one has a lane for the camera
FIXED = ("road", "sidewalk", "terrain", "building")


def build_world(seed: int, frame: int, spec: SceneSpec, size: tuple[int, int], clip: bool = False) -> World:
    """Draw the world of one frame.

    Args:
        seed: Of the set.
        frame: Index in the set; frames are independent of each other.
        spec: The distributions.
        size: Width and height of the picture, pixels.
        clip: Whether a clip begins here: the camera then drives along the street, in a lane of its direction.
    """
    g = np.random.default_rng([seed, frame])
    for _ in range(TRIES):
        street = plan(g, spec)
        lane = _own_lane(street, spec, int(g.integers(len(street.lanes))), clip)
        if lane is not None:
            break
    else:
        raise UserError(
            "no lane is left for the camera: what is staged stands in all of them"
            + (" that go its way, as a clip needs one" if clip else ""),
            "the scene file's stage",
            "put things farther ahead or across, or allow more lanes with street.lanes",
        )
    light = make_light(g, spec.light)
    street.lamps_on = light.night
    view = ego.camera(g, street, spec, lane[0] + uniform(g, spec.camera.across))
    roadway.lay(g, street)
    staging.stage(g, street, spec)
    street.treeless = spec.objects.trees[1] == 0  # from here on: a tree may be staged
    staging.guests(g, street, spec, lane)
    parked(g, street, spec)
    speed = traffic(g, street, spec, lane)
    frontage.stand(g, street, spec)
    furniture.furnish(g, street, spec)
    cyclists(g, street, spec)
    pedestrians(g, street, spec)
    roadway.lay_rails(street)
    things = randomised(g, _thinned(street.things, view), street.surfaces, spec.random_textures)
    own = 0
    if g.random() < spec.camera.bonnet:
        street.things = []
        ego.bonnet(g, street, view, size)
        things += [replace(t, velocity_3=drive.along(view, speed)) for t in street.things]
        own = len(street.things)
    if spec.labels == "exact":
        things = [replace(t, hull=None, veil=None) for t in things]
    curve = float(street.path.heading(1.0) - street.path.heading(-1.0)) / 2
    facts: dict[str, object] = {
        "kind": street.kind,
        "left_hand": street.left_hand,
        "speed": speed,
        "yaw_rate": speed * curve,
    }
    world = World(things, light, view, facts)
    return drive.along_the_street(world, street.path, spec.clip, speed, own) if clip else world


def _own_lane(street: Street, spec: SceneSpec, drawn: int, clip: bool) -> tuple[float, int] | None:
    """The camera's lane: the one that was drawn, or where that will not do, the first that no staged thing stands in.

    A clip needs a lane of its direction. None where there is no such lane; another street may have one.
    """
    lanes = street.lanes[drawn:] + street.lanes[:drawn]
    suits = [lane for lane in lanes if (not clip or lane[1] > 0) and spec.free_for_the_camera(lane[0])]
    return suits[0] if suits else None


def _thinned(things: list[Thing], view: CameraSpec) -> list[Thing]:
    """Within the budget of triangles: the farthest plants, cars and furniture go first, what is behind before all.

    What the scene file asks for comes on top: a heavy mesh of one's own must not empty the street.
    """
    count = np.array([0 if t.asked else len(t.mesh.faces_F3) for t in things])
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
        if things[i].name not in FIXED and away[i] > 15 and not things[i].asked:
            keep[i] = False
            excess -= int(count[i])
    return [t for t, k in zip(things, keep, strict=True) if k]
