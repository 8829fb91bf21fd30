"""Scene files: what they mean, and one message with the line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from simteacher.errors import UserError
from simteacher.scenes.assemble import assemble
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.render import render
from simteacher.scenes.scenefile import movable
from simteacher.scenes.spec import SceneSpec, load_scene
from simteacher.scenes.world import build_world

SIZE = (160, 120)


def _load(folder: Path, text: str) -> SceneSpec:
    (folder / "scene.yaml").write_text(text)
    return load_scene(folder / "scene.yaml")


MISTAKES = [
    ("street:\n  lanez: 2\n", 2, "unknown key 'lanez'; did you mean 'lane"),
    ("sterets:\n", 1, "unknown key 'sterets'; did you mean 'street'?"),
    ("sterets: {}\n", 1, "unknown key 'sterets'; did you mean 'street'?"),
    (
        "objects:\n  parked: 0.1\n  vehicles:\n    hatchback: 1\n    bicycel: 2\n",
        5,
        "'bicycel'; did you mean 'bicycle'?",
    ),
    ("light:\n  weather: drizzle\n", 2, "unknown choice 'drizzle'"),
    ("light: {time: {dusk: -1}}\n", 1, "weights must be at least 0"),
    ("camera:\n\n  height: [3, 1]\n", 3, "runs backwards, from 3 to 1"),
    ("camera:\n  height: 30\n", 2, "outside what is possible, 0.1 to 6"),
    ('camera:\n  pitch: "5"\n', 2, "camera.pitch: it has to be one number, or two in brackets, [low, high]"),
    ("light: {azimuth: [0]}\n", 1, "light.azimuth: it has to be one number, or two"),
    ("size: 160x120\n", 1, "size: it has to be width and height in pixels, [480, 360]"),
    ("size: [160, 8]\n", 1, "size.1: it has to be 16 or more"),
    ("street: {kinds: [town]}\n", 1, "street.kinds: it has to be one of town, shopping"),
    ('street: {lanes: {2: 1, "2": 3}}\n', 1, "'2' is there twice, once in quotes"),
    ("light: {weather: {rain: x%}}\n", 1, "the shares are x%; each has to be a number"),
    ("objects:\n  parked: 2\n", 2, "has to be 1 or less"),
    ("objects:\n  vehicles: {bicycle: 70%, saloon: 60%}\n", 2, "the shares add up to 130 %"),
    ("objects:\n  vehicles: {bicycle: 70%, saloon: 6}\n", 2, "'saloon: 6' is a weight among shares"),
    ("stage:\n  - what: persom\n    ahead: 2\n", 2, "unknown value 'persom'; did you mean 'person'?"),
    ("stage:\n  - {what: person}\n", 2, "stage.0.ahead: it is missing"),
    ("stage:\n  - {what: person, ahead: 22}\n  - what: tram\n    ahead: 23\n", 3, "the tram stands in the person"),
    ("stage:\n  - {what: tree, ahead: 12, speed: 3}\n", 2, "a tree does not move"),
    ("stage:\n  - {what: car, ahead: 12}\n  - {what: car, ahead: 15}\n", 3, "the car stands in the car"),
    ("stage:\n  - {what: bus, ahead: 20}\n  - {what: bus, ahead: 27}\n", 3, "the bus stands in the bus"),
    ("stage:\n  - {what: car, ahead: 9}\n  - {what: car, ahead: 9, across: 1.3}\n", 3, "the car stands in the car"),
    ("stage:\n  - {what: tram, ahead: 20, heading: 90}\n  - {what: person, ahead: 20, across: 8}\n", 3, "in the tram"),
    ("stage:\n  - {what: car, ahead: 12, pose: sitting}\n", 2, "a car has no pose"),
    ("stage:\n  - {what: car, ahead: 12, heading: .nan}\n", 2, "finite number"),
    ("camera:\n  pitch: [.nan, .nan]\n", 2, "finite number"),
    ("light:\n  time: {day: .nan}\n", 2, "finite number"),
    ("clip:\n  rate: .inf\n", 2, "finite number"),
    ("meshes:\n  - {file: a.obj, name: car, ahead: 9, scale: 0}\n", 2, "has to be more than 0"),
    ("stage:\n\n  - {what: person, ahead: 12, pose: sitting, speed: 1}\n", 3, "a sitting person does not move"),
    ("stage:\n  - {what: child, ahead: 12, pose: sitting}\n", 2, "too high for a child"),
    ("street:\n  lanes: 2\n  junction_ahead: 12\n  junction_every: 100\n", 1, "so junction_every has to be left out"),
    ("stage:\n  - {what: person, ahead: -3}\n", 2, "has to be 0.5 or more"),
    ("meshes:\n  - {file: none.obj, name: car, ahead: 8}\n", 2, "there is no mesh none.obj"),
    ("meshes:\n  - {file: scene.yaml, name: caar, ahead: 8}\n", 2, "unknown class 'caar'; did you mean 'car'?"),
    ("street: [\n", 2, "not valid YAML"),
]


@pytest.mark.parametrize(("text", "line", "says"), MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(UserError) as caught:
        _load(tmp_path, text)
    assert says in caught.value.problem
    assert str(caught.value.where).endswith(f"scene.yaml:{line}")
    assert caught.value.fix


def test_missing_and_odd_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_scene(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="a table of settings"):
        _load(tmp_path, "- 1\n")
    assert _load(tmp_path, "# nothing\n") == SceneSpec()


def test_numbers_names_and_shares_are_short_forms(tmp_path: Path) -> None:
    spec = _load(
        tmp_path,
        "street: {lanes: 2}\nlight: {time: dusk}\ncamera: {height: 0.3}\nobjects: {vehicles: {bicycle: 40%}}\n",
    )
    assert spec.street.lanes == {"2": 1.0}
    assert spec.light.time == {"dusk": 1.0}
    assert spec.camera.height == (0.3, 0.3)
    table = spec.objects.vehicles
    assert table["bicycle"] == pytest.approx(0.4) and sum(table.values()) == pytest.approx(1.0)
    default = SceneSpec().objects.vehicles
    assert table["truck"] / table["bus"] == pytest.approx(default["truck"] / default["bus"])


EMPTY = """
objects: {traffic: 0, people: 0, furniture: 0, guests: 0, parked: 0, trees: 0}
street: {kinds: town, lanes: 4, lane: 4, bend: 0, slope: 0, junction_ahead: 60, island: 0, crossing: 0}
camera: {height: 1.5, pitch: 0, yaw: 0, roll: 0, fov: 70, bonnet: 0, turning: 0, across: 0, distortion: 0}
random_textures: 0
"""


def test_what_is_staged_is_seen_where_it_was_put(tmp_path: Path) -> None:
    """A person 12 m ahead stands 12 m deep, in front of the camera's lane, and is the only one."""
    spec = _load(tmp_path, EMPTY + "stage: [{what: person, ahead: 12, across: 0, pose: standing}]\n")
    for frame in range(3):
        world = build_world(2, frame, spec, SIZE)
        people = [t for t in world.things if t.name == "person"]
        assert len(people) == 1
        g = gbuffer(assemble(world, SIZE), SIZE)
        seen = (g.class_N == CLASS_ID["person"]) & (
            g.thing_N == next(i for i, t in enumerate(world.things) if t is people[0])
        )
        assert seen.any()
        assert np.median(g.hits.depth_N[seen]) == pytest.approx(12, abs=0.5)


def test_an_own_mesh_stands_on_the_ground_with_its_class(tmp_path: Path) -> None:
    crate = trimesh.creation.box((2, 3, 1))
    crate.visual.face_colors = (230, 120, 30, 255)
    crate.export(tmp_path / "crate.ply")
    spec = _load(tmp_path, EMPTY + "meshes: [{file: crate.ply, name: car, ahead: 10, scale: 0.5, up: z}]\n")
    world = build_world(2, 0, spec, SIZE)
    own = [t for t in world.things if t.name == "car" and len(t.mesh.faces_F3) == 12]
    assert len(own) == 1 and own[0].countable
    corners = own[0].mesh.vertices_V3 @ own[0].pose_44[:3, :3].T + own[0].pose_44[:3, 3]
    red, green, blue = own[0].mesh.materials[0].tint
    assert red > 2 * green > 4 * blue, "its colour comes along"
    assert np.ptp(own[0].mesh.vertices_V3, axis=0) == pytest.approx([1, 1.5, 0.5])
    assert corners[:, 2].min() == pytest.approx(0, abs=0.02) and corners[:, 0].mean() == pytest.approx(10, abs=0.01)


@pytest.mark.usefixtures("small_street")
def test_the_scene_beside_a_render_finds_the_meshes_of_the_original(tmp_path: Path) -> None:
    """Whatever way the paths are written, and nothing else changes."""
    (tmp_path / "my scenes").mkdir()
    for name in ("a.ply", "b c.ply"):
        trimesh.creation.box((2, 3, 1)).export(tmp_path / name)
    text = (
        "# mine\nmeshes:\n- &box {file: ../a.ply, name: car, ahead: 10}  # a crate\n- *box\n"
        "- file: '../b c.ply'\n  name: car\n  ahead: 20\nlight: {time: day}\n"
    )
    before = _load(tmp_path / "my scenes", text)
    out = render(tmp_path / "sets/one", frames=1, size=(32, 24), scene=tmp_path / "my scenes/scene.yaml", workers=1)
    assert load_scene(out / "scene.yaml") == before
    whole = (out / "scene.yaml").read_text()
    assert (
        whole.replace(json.dumps(str(tmp_path / "a.ply")), "../a.ply").replace(
            json.dumps(str(tmp_path / "b c.ply")), "'../b c.ply'"
        )
        == text
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "size: [64, 48]\n", "meshes: []\n"])
def test_a_scene_without_meshes_is_copied_as_it_is(tmp_path: Path, text: str) -> None:
    _load(tmp_path, text)
    assert movable(tmp_path / "scene.yaml") == text


@pytest.mark.parametrize(
    "text",
    [
        "stage: []\nmeshes:\n- {file: &f box.obj, name: car, ahead: 10}\n- {file: *f, name: car, ahead: 20}\n",
        "meshes:\n- file: >-\n    box.obj\n  name: car\n  ahead: 10\n",
        "meshes:\n- &a {file: box.obj, name: car, ahead: 10}\n- {<<: *a, ahead: 20}\n",
    ],
)
def test_a_copy_says_the_same_however_its_meshes_are_written(tmp_path: Path, text: str) -> None:
    """Anchors, folded text and merged tables, read from another folder."""
    (tmp_path / "box.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    said = _load(tmp_path, text)
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "scene.yaml"
    copy.write_text(movable(tmp_path / "scene.yaml"))
    assert load_scene(copy) == said and len(said.meshes) == text.count("name") + text.count("<<")


@pytest.mark.parametrize("scale", [1e-6, 1e7])
def test_a_mesh_of_absurd_size_is_refused(tmp_path: Path, scale: float) -> None:
    (tmp_path / "box.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    spec = _load(tmp_path, f"meshes: [{{file: box.obj, name: car, ahead: 10, scale: {scale}}}]\n")
    with pytest.raises(UserError, match=r"box\.obj: this mesh is .* m large"):
        build_world(2, 0, spec, SIZE)


def test_an_unreadable_mesh_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.obj").write_text("not a mesh")
    spec = _load(tmp_path, "meshes: [{file: bad.obj, name: car, ahead: 10}]\n")
    with pytest.raises(UserError, match=r"bad\.obj"):
        build_world(2, 0, spec, SIZE)


def test_weather_and_time_follow_the_file(tmp_path: Path) -> None:
    spec = _load(tmp_path, "light: {weather: rain, time: night}\n")
    for frame in range(3):
        light = build_world(1, frame, spec, SIZE).light
        assert light.night and light.wet >= 0.6 and max(light.sun_rgb) == 0
    spec = _load(tmp_path, "light: {weather: fog}\n")
    assert build_world(1, 0, spec, SIZE).light.fog >= 0.006


def test_a_child_is_small_and_who_sits_has_a_bench(tmp_path: Path) -> None:
    stage = "stage: [{what: child, ahead: 8}, {what: person, ahead: 12, pose: sitting}, {what: person, ahead: 16}]\n"
    spec, heights = _load(tmp_path, stage), set()
    for frame in range(8):
        world = build_world(2, frame, spec, SIZE)
        child, sitting, person = (next(t for t in world.things if t.asked == n) for n in (1, 2, 3))
        assert {t.name for t in (child, sitting, person)} == {"person"}
        tall = [float(np.ptp(t.mesh.vertices_V3[:, 2])) for t in (child, sitting, person)]
        assert 1.0 < tall[0] < 1.35 and 1.1 < tall[1] < 1.5
        heights.add(tall[2] > 1.4)
        seats = [t for t in world.things if t.name == "" and np.array_equal(t.pose_44, sitting.pose_44)]
        assert len(seats) == 1 and np.ptp(seats[0].mesh.vertices_V3[:, 1]) == pytest.approx(1.6)
    assert heights == {True, False}, "a person may be a child"


def test_without_furniture_there_is_none(tmp_path: Path) -> None:
    """In no kind of street, at junctions and crossings neither; rows of trees stay."""
    text = "street: {crossing: 1, island: 1}\nobjects: {furniture: 0, guests: 6, people: 0, trees: 1}\n"
    some, none = (_load(tmp_path, text.replace("furniture: 0", f"furniture: {n}")) for n in (0.5, 0))
    posts = {"pole", "traffic light"}  # signs may hang at shops
    for frame in range(12):
        bare = build_world(4, frame, none, SIZE).things
        assert not posts & {t.name for t in bare}, frame
        assert posts & {t.name for t in build_world(4, frame, some, SIZE).things}
    assert any(t.name == "vegetation" for t in bare)


def test_a_heavy_mesh_does_not_empty_the_street(tmp_path: Path) -> None:
    for name, parts in (("light", 1), ("heavy", 7)):
        trimesh.creation.icosphere(subdivisions=parts, radius=1.0).export(tmp_path / f"{name}.stl")
    far = []
    for name in ("light", "heavy"):
        text = f"objects: {{traffic: 1, people: 1}}\nmeshes: [{{file: {name}.stl, name: car, ahead: 15}}]\n"
        things = build_world(3, 0, _load(tmp_path, text), SIZE).things
        far.append(sorted(t.name for t in things if t.pose_44[0, 3] > 16))
    assert far[0] == far[1] and len(far[0]) > 50


def test_nothing_comes_that_the_file_leaves_out(tmp_path: Path) -> None:
    spec = _load(tmp_path, "objects: {vehicles: saloon, people: 0, guests: 6}\n")
    for frame in range(6):
        names = {t.name for t in build_world(4, frame, spec, SIZE).things}
        assert not names & {"person", "bus", "truck", "train", "rider", "bicycle", "motorcycle"}, names
