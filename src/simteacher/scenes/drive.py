"""A world later or earlier: things go on along their courses, and the camera's vehicle drives along the street."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import CameraSpec, Course, Thing, World
from simteacher.scenes.path import Path
from simteacher.scenes.spec import ClipSpec

Pose = npt.NDArray[np.float64]
Vector = tuple[float, float, float]
MOMENT = 1e-3  # seconds over which a velocity is taken
ROOM = (2.0, 0.8)  # metres before and beside the camera that its vehicle takes
ROAD = 150.0  # metres that a clip may drive: a street ends 40 m later
PACES = (1.0, 0.8, 0.6, 0.45, 0.3, 0.15, 0.0)


def along(view: CameraSpec, speed: float) -> Vector:
    """Velocity of a vehicle that goes where its camera looks, level."""
    ahead = view.pose_44[:2, 2] / (np.linalg.norm(view.pose_44[:2, 2]) + 1e-9)
    return (float(ahead[0] * speed), float(ahead[1] * speed), 0.0)


def along_the_street(world: World, path: Path, clip: ClipSpec, speed: float, own: int) -> World:
    """Send the camera along the street, in the lane where it stands, at the height and with the turn that it has.

    It keeps the speed of its lane unless it would drive into something within the clip, or off the street's end: then
    it is slower, or stands. What it would still meet, as traffic behind it, is left out unless the scene file names it.

    Args:
        world: Of the first frame; the camera stands at s = 0.
        path: The street's line.
        clip: Frames and rate.
        speed: Of its lane.
        own: How many things at the end of the list are the camera's vehicle's.
    """
    place_44 = np.linalg.inv(path.pose(0.0, 0.0)) @ world.camera.pose_44
    d = float(place_44[1, 3])
    place_44[1, 3] = 0.0
    seconds = np.arange(clip.frames) / clip.rate
    speed = min(speed, ROAD / max(float(seconds[-1]), 1e-6))
    others = [t for t in world.things if t.countable]
    met: dict[float, set[int]] = {}
    for pace in PACES:
        met[pace] = _met(others, path.course(0.0, d, 0.0, 0.0, pace * speed), seconds)
        if not met[pace]:
            break
    pace = min(met, key=lambda p: len(met[p]))
    things = [t for t in world.things if id(t) not in met[pace] or t.asked]
    mine = _carried(path.course(0.0, d, 0.0, 0.0, pace * speed), place_44)
    back = np.linalg.inv(world.camera.pose_44)
    for i in range(len(things) - own, len(things)):
        things[i] = replace(things[i], course=_carried(mine, back @ things[i].pose_44))
    return advance(replace(world, things=things, course=mine), 0.0)


def _carried(course: Course, place_44: Pose) -> Course:
    return lambda seconds: course(seconds) @ place_44


def _met(things: list[Thing], course: Course, seconds: npt.NDArray[np.float64]) -> set[int]:
    """Which things' boxes, on the ground, a vehicle on this course touches within a clip, by ``id``."""
    out, room = set(), np.array(ROOM)
    poses = [course(float(t)) for t in seconds]
    for thing in things:
        low, high = (v[:2].astype(float) for v in (thing.mesh.vertices_V3.min(0), thing.mesh.vertices_V3.max(0)))
        reach = float(np.linalg.norm(np.maximum(-low, high)) + np.linalg.norm(room))
        for t, mine in zip(seconds, poses, strict=True):
            pose = _pose(thing, float(t))
            away = (mine[:3, 3] - pose[:3, 3]) @ pose[:3, :2]
            if np.hypot(*away) > reach:
                continue
            about = np.abs(pose[:3, :2].T @ mine[:3, :2]) @ room  # the room that a turned vehicle takes
            if (away > low - about).all() and (away < high + about).all():
                out.add(id(thing))
                break
    return out


def _pose(thing: Thing, seconds: float) -> Pose:
    return thing.course(seconds) if thing.course else _moved(thing.pose_44, thing.velocity_3, thing.yaw_rate, seconds)


def _turn(angle: float) -> Pose:
    return sh.pose(0, 0, 0, angle)[:3, :3]


def _moved(pose_44: Pose, velocity_3: Vector, yaw_rate: float, seconds: float) -> Pose:
    """On along an arc: the chord points half-way between the directions at both ends.

    Going back then ends where it began.
    """
    out = pose_44.copy()
    angle = yaw_rate * seconds
    out[:3, :3] = _turn(angle) @ pose_44[:3, :3]
    out[:3, 3] += _turn(angle / 2) @ np.array(velocity_3) * seconds
    return out


def _motion(course: Course, seconds: float) -> tuple[Vector, float]:
    """Velocity and yaw rate of a course at a time."""
    a, b = course(seconds - MOMENT), course(seconds + MOMENT)
    v = (b[:3, 3] - a[:3, 3]) / (2 * MOMENT)
    turned = b[:3, :3] @ a[:3, :3].T
    rate = float(np.arctan2(turned[1, 0] - turned[0, 1], turned[0, 0] + turned[1, 1])) / (2 * MOMENT)
    return (float(v[0]), float(v[1]), float(v[2])), rate


def _later(thing: Thing, clock: float, seconds: float) -> Thing:
    if thing.course is not None:
        velocity, rate = _motion(thing.course, clock)
        return replace(thing, pose_44=thing.course(clock), velocity_3=velocity, yaw_rate=rate)
    if thing.velocity_3 == (0.0, 0.0, 0.0) and thing.yaw_rate == 0.0:
        return thing
    v = _turn(thing.yaw_rate * seconds) @ np.array(thing.velocity_3)
    pose = _moved(thing.pose_44, thing.velocity_3, thing.yaw_rate, seconds)
    return replace(thing, pose_44=pose, velocity_3=(float(v[0]), float(v[1]), float(v[2])))


def advance(world: World, seconds: float) -> World:
    """The same world later (or earlier): things and the camera move on."""
    clock, view, facts = world.clock + seconds, world.camera, world.facts
    if world.course is not None:
        pose = world.course(clock)
        velocity, rate = _motion(world.course, clock)
        facts = {**facts, "speed": float(np.linalg.norm(velocity)), "yaw_rate": rate}
    else:
        speed, yaw_rate = (float(facts.get(k, 0.0)) for k in ("speed", "yaw_rate"))  # type: ignore[arg-type]
        pose = _moved(view.pose_44, along(view, speed), yaw_rate, seconds)
    things = [_later(t, clock, seconds) for t in world.things]
    return replace(world, things=things, camera=replace(view, pose_44=pose), facts=facts, clock=clock)
