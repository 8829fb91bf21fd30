"""Clips: the camera follows the street at its height, in a lane of its direction, and drives into nothing."""

from __future__ import annotations

import numpy as np
import pytest

from simteacher.scenes import world as world_module
from simteacher.scenes.drive import advance
from simteacher.scenes.mesh import World
from simteacher.scenes.spec import CameraRanges, ClipSpec, ObjectSpec, SceneSpec, Stage, StreetSpec
from simteacher.scenes.street import Street, plan
from simteacher.scenes.world import build_world

SIZE = (160, 120)
HILLY = SceneSpec(
    street=StreetSpec(slope=(-0.06, 0.06), bend=(0.008, 0.008)),
    camera=CameraRanges(height=(0.3, 0.3), yaw=(0, 90), turning=0.5, bonnet=0.5),
)


def clip(spec: SceneSpec, frame: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Street, list[World]]:
    """The street of a clip, and its worlds."""
    streets: list[Street] = []

    def noted(*args: object) -> Street:
        streets.append(plan(*args))  # type: ignore[arg-type]
        return streets[-1]

    monkeypatch.setattr(world_module, "plan", noted)
    worlds = [build_world(3, frame, spec, SIZE, clip=True)]
    while len(worlds) < spec.clip.frames:
        worlds.append(advance(worlds[-1], 1 / spec.clip.rate))
    return streets[0], worlds


def on_the_street(street: Street, at_3: np.ndarray) -> tuple[float, float, float]:
    """(s, d, height above the road) of a point, found by trying all s."""
    s = np.arange(-60, 180, 0.02)
    points = street.path.points(s, 0.0)
    best = int(np.argmin(np.hypot(*(points[:, :2] - at_3[:2]).T)))
    left = np.array([-np.sin(street.path.heading(s[best])), np.cos(street.path.heading(s[best]))])
    return float(s[best]), float((at_3[:2] - points[best, :2]) @ left), float(at_3[2] - points[best, 2])


@pytest.mark.parametrize("frame", range(4))
def test_the_camera_follows_bends_and_hills(frame: int, monkeypatch: pytest.MonkeyPatch) -> None:
    street, worlds = clip(HILLY, frame, monkeypatch)
    places = np.array([on_the_street(street, w.camera.pose_44[:3, 3]) for w in worlds])
    assert np.abs(places[:, 2] - 0.3).max() < 0.05, "metres above the road"
    assert np.abs(places[:, 1] - places[0, 1]).max() < 0.1, "metres across"
    assert (np.diff(places[:, 0]) > -0.03).all()
    lane = min(street.lanes, key=lambda lane: abs(lane[0] - places[0, 1]))
    assert lane[1] == 1 or abs(lane[0] - places[0, 1]) > 1
    turns = [w.camera.pose_44[:3, :3] @ worlds[0].camera.pose_44[:3, :3].T for w in worlds]
    yaw = [np.arctan2(t[1, 0], t[0, 0]) for t in turns]
    along = street.path.heading(places[:, 0]) - street.path.heading(places[0, 0])
    assert np.abs(np.array(yaw) - along).max() < 0.03, "it turns with the street, wherever it looks"


def test_its_own_vehicle_stays_where_it_is_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = HILLY.model_copy(update={"camera": CameraRanges(bonnet=1, yaw=(0, 0), turning=0, pitch=(-5, -5))})
    _, worlds = clip(spec, 0, monkeypatch)
    own = [np.linalg.inv(w.camera.pose_44) @ w.things[-1].pose_44 for w in worlds]
    assert worlds[0].things[-1].name == "" and np.abs(own[-1] - own[0]).max() < 1e-9


@pytest.mark.parametrize("frame", range(12))
def test_it_drives_into_nothing(frame: int, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = SceneSpec(objects=ObjectSpec(traffic=(0.8, 1), people=(1, 1), guests=(6, 6)))
    _, worlds = clip(busy, frame, monkeypatch)
    for world in worlds:
        eye = world.camera.pose_44[:3, 3]
        for thing in (t for t in world.things if t.countable):
            low, high = thing.mesh.vertices_V3.min(0), thing.mesh.vertices_V3.max(0)
            local = (eye - thing.pose_44[:3, 3]) @ thing.pose_44[:3, :3]
            assert ((local < low - 0.3) | (local > high + 0.3))[:2].any(), thing.name


def test_what_a_scene_file_names_stays_and_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = tuple(Stage(what="bus", ahead=12, across=d, heading=0) for d in (-6, -3, 0, 3, 6))
    spec = SceneSpec(objects=ObjectSpec(traffic=(0, 0), guests=(0, 0)), stage=wall)
    _, worlds = clip(spec, 1, monkeypatch)
    assert sum(t.asked and t.name == "bus" for t in worlds[0].things) == 5
    assert np.linalg.norm(worlds[-1].camera.pose_44[:3, 3] - worlds[0].camera.pose_44[:3, 3]) < 5


def test_a_long_clip_stays_in_its_street(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SceneSpec(objects=ObjectSpec(traffic=(0, 0), guests=(0, 0)), clip=ClipSpec(frames=200, rate=4))
    street, worlds = clip(spec, 2, monkeypatch)
    assert on_the_street(street, worlds[-1].camera.pose_44[:3, 3])[0] <= 151


def test_speeds_are_those_of_the_poses(monkeypatch: pytest.MonkeyPatch) -> None:
    _, worlds = clip(HILLY, 1, monkeypatch)
    before, now, after = worlds[4:7]
    step = 1 / HILLY.clip.rate
    moving = 0
    for a, thing, b in zip(before.things, now.things, after.things, strict=True):
        velocity = (b.pose_44[:3, 3] - a.pose_44[:3, 3]) / (2 * step)
        assert np.allclose(velocity, thing.velocity_3, atol=0.1)
        first, last = (np.arctan2(*pose[1::-1, 0]) for pose in (a.pose_44, b.pose_44))  # of its x axis: some are scaled
        turned = (last - first + np.pi) % (2 * np.pi) - np.pi
        assert turned / (2 * step) == pytest.approx(thing.yaw_rate, abs=0.03)
        moving += thing.velocity_3 != (0.0, 0.0, 0.0)
    assert moving > 3
    assert "speed" in now.facts and now.facts["speed"] == pytest.approx(
        np.linalg.norm(after.camera.pose_44[:3, 3] - before.camera.pose_44[:3, 3]) / (2 * step), abs=0.1
    )
