"""What a scene file asks for comes, and what it rules out does not; things do not stand in each other."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from simteacher.errors import UserError
from simteacher.scenes import buildings, roadway
from simteacher.scenes.ego import LOWEST
from simteacher.scenes.mesh import Mesh, Thing, World
from simteacher.scenes.render import render
from simteacher.scenes.spec import SceneSpec, load_scene
from simteacher.scenes.street import Street, plan
from simteacher.scenes.world import build_world

SIZE = (160, 120)
VEHICLES = ("car", "truck", "bus", "train", "bicycle", "motorcycle")


def _load(folder: Path, text: str) -> SceneSpec:
    (folder / "scene.yaml").write_text(text)
    return load_scene(folder / "scene.yaml")


def _street(seed: int = 0) -> Street:
    return plan(np.random.default_rng(seed), SceneSpec())


def test_a_share_of_the_vehicles_is_that_share(tmp_path: Path) -> None:
    spec = _load(tmp_path, "objects: {vehicles: {bicycle: 40%}, guests: 0, traffic: 0.7}\n")
    count = Counter(t.name for i in range(16) for t in build_world(3, i, spec, SIZE).things)
    vehicles = sum(count[name] for name in VEHICLES)
    share, noise = count["bicycle"] / vehicles, np.sqrt(0.24 / vehicles)
    assert vehicles > 150 and abs(share - 0.4) < 3 * noise + 0.03  # as many places as longer vehicles would have


def test_nothing_that_is_ruled_out(tmp_path: Path) -> None:
    """No vehicle, person or tree where each is set to 0, in all kinds of street, guests and car parks included."""
    text = "objects: {traffic: 0, parked: 0, people: 0, trees: 0, guests: 6}\nrandom_textures: 0\n"
    spec = _load(tmp_path, text)
    for frame in range(8):
        for thing in build_world(4, frame, spec, SIZE).things:
            assert thing.name not in ("car", "truck", "bus", "train", "person", "rider"), thing.name
            tall = thing.mesh.vertices_V3[:, 2].max() * thing.pose_44[2, 2]
            assert thing.name != "vegetation" or tall < 4, tall


def test_a_car_park_has_only_vehicles_that_the_file_allows(tmp_path: Path) -> None:
    spec = _load(tmp_path, "street: {kinds: carpark}\nobjects: {vehicles: motorcycle, guests: 0}\n")
    things = [t.name for i in range(4) for t in build_world(5, i, spec, SIZE).things]
    assert "motorcycle" in things and not {"car", "truck", "bus", "train", "bicycle"} & {*things}


def _inside(person: Thing, vehicle: Thing) -> bool:
    place = np.linalg.inv(vehicle.pose_44) @ np.append(person.pose_44[:3, 3], 1.0)
    low, high = vehicle.mesh.vertices_V3.min(0), vehicle.mesh.vertices_V3.max(0)
    return bool((place[:2] > 0.95 * low[:2]).all() and (place[:2] < 0.95 * high[:2]).all())


def test_nobody_stands_in_a_vehicle() -> None:
    """On roads and pavements; drives and cross streets of single frames are looked at, too."""
    for frame in range(24):
        things = build_world(1, frame, SceneSpec(), SIZE).things
        big = [t for t in things if t.name in ("car", "truck", "bus", "train")]
        for person in (t for t in things if t.name == "person"):
            assert not any(_inside(person, t) for t in big), frame


def test_a_long_vehicle_takes_its_whole_length_and_no_more_aside() -> None:
    street = _street()
    assert street.free(50, 0, 1.9, 15)
    assert not street.free(50 + 14.5, 0, 0.3) and not street.free(50 - 14.5, 0, 0.3) and not street.free(50, 2, 0.3)
    assert street.free(50 + 15.5, 0, 0.3) and street.free(50, 2.3, 0.3)


@pytest.mark.parametrize("kind", ["avenue", "country"])
def test_where_a_tram_runs_there_are_rails(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid: list[float] = []
    keep = roadway._rails

    def rails(street: Street, middles: list[float]) -> Mesh:
        laid.extend(middles)
        return keep(street, middles)

    monkeypatch.setattr(roadway, "_rails", rails)
    text = f"street: {{kinds: {kind}, bend: 0, slope: 0}}\nobjects: {{vehicles: tram, traffic: 1, guests: 0}}\n"
    spec = _load(tmp_path, text + "stage: [{what: tram, ahead: 40, across: 6.5}]\n")
    for frame in range(3):
        laid.clear()
        trams = [t for t in build_world(6, frame, spec, SIZE).things if t.name == "train"]
        along = [t for t in trams if abs(t.pose_44[1, 0]) < 0.01]
        assert along and 6.5 in laid
        for tram in along:
            assert min(abs(tram.pose_44[1, 3] - d) for d in laid) < 0.01


def test_lamps_of_traffic_are_on_at_night_and_only_then(tmp_path: Path) -> None:
    def glowing(text: str) -> set[bool]:
        spec = _load(tmp_path, text + "objects: {parked: 0, guests: 0, traffic: 0.8}\nrandom_textures: 0\n")
        cars = [t for i in range(3) for t in build_world(7, i, spec, SIZE).things if t.name == "car"]
        return {any(m.glow > 1 for m in t.mesh.materials) for t in cars if abs(t.pose_44[:3, 0] @ t.velocity_3) > 1}

    assert glowing("light: {time: night}\n") == {True} and glowing("light: {time: day}\n") == {False}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("street: {lanes: 1}\nstage: [{what: tram, ahead: 8}]\n", "the tram, 30 m long, would stand where the camera"),
        ("street: {lanes: 1}\nstage: [{what: bus, ahead: 6}]\n", "put its middle at least 6.3 m ahead"),
        ("stage: [{what: fence, ahead: 10}, {what: car, ahead: 12, heading: 90}]\n", "the car stands in the fence"),
        ("stage: [{what: truck, ahead: 20}, {what: truck, ahead: 30}]\n", "the truck stands in the truck"),
        ("stage: [{what: car, ahead: 20, speed: 1e6}]\n", "speed"),
        ("stage: [{what: car, ahead: 20, heading: 1e300}]\n", "heading"),
        ("clip: {rate: 1e-9}\n", "clip.rate"),
    ],
)
def test_what_cannot_stand_there_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=r"scene\.yaml:\d") as told:
        _load(tmp_path, text)
    assert said in str(told.value)


def test_the_camera_takes_a_lane_that_is_free(tmp_path: Path) -> None:
    """A tram beside which it could stand in the other lane, over all draws of the lane."""
    text = "street: {lanes: 2, lane: 3.4, bend: 0, slope: 0}\ncamera: {across: 0}\n"
    spec = _load(tmp_path, text + "stage: [{what: tram, ahead: 8, across: 1.7}]\n")
    for frame in range(6):
        world = build_world(8, frame, spec, SIZE)
        assert world.camera.pose_44[1, 3] == pytest.approx(-1.7, abs=0.05)


@pytest.mark.parametrize("clip", [False, True])
def test_the_camera_is_in_nothing_that_is_staged(tmp_path: Path, clip: bool) -> None:
    """Buses beside each other, and in clips one in a lane that only streets of the other side leave free."""
    buses = "{what: bus, ahead: 3, across: 1.7}" + ("" if clip else ", {what: bus, ahead: 3, across: -1.7}")
    spec = _load(tmp_path, f"street: {{lanes: {'2' if clip else '{2: 1, 4: 1}'}}}\nstage: [{buses}]\n")
    for frame in range(6):
        world = build_world(3, frame, spec, SIZE, clip)
        eye = np.append(world.camera.pose_44[:3, 3], 1.0)
        for thing in (t for t in world.things if t.asked):
            at, low, high = np.linalg.inv(thing.pose_44) @ eye, *_bounds(thing)
            assert not ((at[:2] > low[:2]).all() and (at[:2] < high[:2]).all()), frame


def _bounds(thing: Thing) -> tuple[np.ndarray, np.ndarray]:
    return thing.mesh.vertices_V3.min(0), thing.mesh.vertices_V3.max(0)


def test_a_clip_without_a_lane_of_its_way_is_refused(tmp_path: Path) -> None:
    text = "street: {lanes: 2, left_hand: 0}\nstage: [{what: bus, ahead: 3, across: -1.7}]\n"
    spec = _load(tmp_path, text)
    build_world(3, 0, spec, SIZE)
    with pytest.raises(UserError, match="no lane is left for the camera"):
        build_world(3, 0, spec, SIZE, clip=True)


def test_a_tree_may_be_the_only_one(tmp_path: Path) -> None:
    spec = _load(tmp_path, "objects: {trees: 0}\nstage: [{what: tree, ahead: 9, across: 4}]\nrandom_textures: 0\n")
    tall = [t for t in build_world(3, 0, spec, SIZE).things if t.name == "vegetation" and t.asked]
    assert len(tall) == 1


def test_staged_things_are_looked_at_and_what_is_not_seen_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One person before the camera, one behind a wall of buildings to the side; in the facts, the card and in words."""
    text = "street: {bend: 0}\nobjects: {traffic: 0, people: 0, guests: 0, furniture: 0, trees: 0}\n"
    _load(tmp_path, text + "stage: [{what: person, ahead: 9}, {what: person, ahead: 3, across: 55}]\n")
    out = render(tmp_path / "set", frames=3, size=(64, 48), scene=tmp_path / "scene.yaml", workers=1)
    facts = [json.loads((out / f"meta/{i:06d}.json").read_text()) for i in range(3)]
    assert all(f["staged"][0] > 0 and f["staged"][1] == 0 for f in facts)
    assert json.loads((out / "card.json").read_text())["staged"] == [3, 0]
    told = capsys.readouterr()
    assert "the person that the scene file stages is not seen in 3 of 3 frames" in told.out + told.err


def test_no_building_stands_where_something_is_staged(tmp_path: Path) -> None:
    spec = _load(tmp_path, "street: {kinds: town, bend: 0}\nstage: [{what: person, ahead: 20, across: 12}]\n")
    for frame in range(4):
        world = build_world(9, frame, spec, SIZE)
        for house in (t for t in world.things if t.name == "building"):
            place = np.linalg.inv(house.pose_44) @ np.array([*_person(world).pose_44[:3, 3], 1.0])
            low, high = house.mesh.vertices_V3.min(0), house.mesh.vertices_V3.max(0)
            assert not ((place[:2] > low[:2]).all() and (place[:2] < high[:2]).all())


def _person(world: World) -> Thing:
    return next(t for t in world.things if t.name == "person" and t.asked)


@pytest.mark.parametrize("height", [0.3, 0.8, 1.2, 2.0])
def test_a_bonnet_is_above_the_road_and_before_the_camera(height: float, tmp_path: Path) -> None:
    """Cameras too low to look over one have none."""
    text = f"camera: {{height: {height}, pitch: -12, fov: 90, bonnet: 1, turning: 0}}\nstreet: {{slope: 0}}\n"
    spec = _load(tmp_path, text)
    for frame in range(6):
        world = build_world(10, frame, spec, SIZE)
        own = [t for t in world.things if t.name == "" and t.mesh.vertices_V3[:, 0].max() < 2.2]
        own = [t for t in own if np.allclose(t.pose_44[:3, 3], world.camera.pose_44[:3, 3])]
        assert len(own) == (height > 0.5)
        for bonnet in own:
            z = bonnet.mesh.vertices_V3[:, 2]
            assert height + z.mean() >= LOWEST - 0.01 and z.max() < 0


def test_columns_of_canopies_stand_near_the_front() -> None:
    """Where pavements are, not on the carriageway."""
    for seed in range(24):
        at_foot = [v for v in buildings.building("store", seed, 1).mesh.vertices_V3 if v[2] < 0.5]
        assert min(v[1] for v in at_foot) > -2.5
