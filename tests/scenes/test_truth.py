"""Boxes against masks and closed forms; flow against reprojection and against the other frame itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from simteacher.scenes import motion, raycast, truth
from simteacher.scenes.assemble import assemble
from simteacher.scenes.mesh import World
from simteacher.scenes.optics import Optics
from tests.scenes.conftest import SIZE, at, box, camera_at, move

W, H = SIZE


def view(world: World) -> tuple[raycast.Scene, raycast.GBuffer]:
    scene = assemble(world)
    return scene, raycast.gbuffer(scene, SIZE)


def later(world: World, seconds: float) -> World:
    """Things move, and the camera drives on and turns."""
    moved = move(world, seconds)
    pose = camera_at(6 * seconds, 0.5 * seconds, 1.5, 0.05 + 0.3 * seconds, 0.06)
    return replace(moved, camera=replace(world.camera, pose_44=pose))


def test_boxes_are_the_bounds_of_the_masks(world: World) -> None:
    """Visible boxes equal the bounds of the instance image, and pixel counts its counts."""
    scene, g = view(world)
    found = truth.objects(scene, g)
    image = g.instance_N.reshape(H, W)
    assert {o["instance"] for o in found} == {int(i) for i in np.unique(image) if i >= 1000}
    for o in found:
        rows, columns = np.nonzero(image == o["instance"])
        assert o["visible_box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert o["pixels"] == len(rows)


def test_a_street_without_people_and_vehicles_has_no_boxes(world: World) -> None:
    empty = replace(world, things=[t for t in world.things if not t.countable])
    assert truth.objects(*view(empty)) == []


def test_occlusion_equals_a_render_of_the_thing_alone(world: World) -> None:
    """The second car is partly behind the first; alone it covers its amodal pixels."""
    scene, g = view(world)
    car = next(o for o in truth.objects(scene, g) if o["instance"] == 26001)
    _, alone = view(replace(world, things=[world.things[3]]))
    covered = int((alone.instance_N >= 1000).sum())
    assert 0.05 < car["occlusion"] < 0.95
    assert car["occlusion"] == pytest.approx(1 - car["pixels"] / covered)


def test_full_box_and_truncation_in_closed_form(world: World) -> None:
    """A cube whose front face is 4 m ahead and half outside the image on the right."""
    camera = replace(world.camera, pose_44=camera_at(0, 0, 1))
    f = Optics.of(camera, SIZE).focal
    edge = 4 * (W / 2) / f  # metres from the axis to the image's edge at 4 m
    cube = replace(world.things[2], mesh=box((1, 1, 1)), pose_44=at(4.5, -edge, 0.5))
    scene, g = view(replace(world, things=[cube], camera=camera))
    (o,) = truth.objects(scene, g)
    assert_allclose(o["full_box"][1::2], [H / 2 - f * 0.5 / 4, H / 2 + f * 0.5 / 4], atol=1e-4)
    assert_allclose(o["full_box"][2], W / 2 + f * (edge + 0.5) / 4, atol=1e-3)
    left = W / 2 + f * (edge - 0.5) / 5  # of the back face: it reaches further in
    assert_allclose(o["full_box"][0], min(left, W / 2 + f * (edge - 0.5) / 4), atol=1e-3)
    assert o["truncation"] == pytest.approx(1 - (W - o["full_box"][0]) / (o["full_box"][2] - o["full_box"][0]))
    assert_allclose(o["camera"]["centre"], [edge, 0, 4.5], atol=1e-6)


def test_solid_box_projects_onto_the_thing(world: World) -> None:
    """The corners of the 3D box in camera axes, drawn by hand, bound the same pixels as the thing (it is a box)."""
    scene, g = view(world)
    o = next(o for o in truth.objects(scene, g) if o["instance"] == 26000)
    length, width, height = o["dimensions"]
    c, s = np.cos(o["camera"]["rotation_y"]), np.sin(o["camera"]["rotation_y"])
    corner = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2 * [length, height, width]
    turned = corner @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + o["camera"]["centre"]
    xy, _ = Optics.of(world.camera, SIZE).project(turned)
    assert_allclose([*(xy.min(0) + 0.5), *(xy.max(0) + 0.5)], o["full_box"], atol=1.0)  # KITTI boxes do not pitch


@pytest.mark.parametrize("k1", [0.0, -0.1])
@pytest.mark.parametrize("seconds", [0.1, -0.1])
def test_flow_agrees_with_depth_and_pose(world: World, seconds: float, k1: float) -> None:
    """Depth, both camera poses and each thing's own motion reproject every pixel to where flow says, to 0.1 pixel."""
    world = replace(world, camera=replace(world.camera, k1=k1))
    scene, g = view(world)
    after = replace(later(world, seconds))
    moved, state = motion.flow(scene, g, assemble(after))
    optics = Optics.of(world.camera, SIZE)
    rows = np.flatnonzero((g.thing_N >= 0) & (state.ravel() > 0))
    camera = optics.rays(optics.grid()[rows]) * g.hits.depth_N[rows, None]
    pose = world.camera.pose_44
    place = camera @ pose[:3, :3].T + pose[:3, 3]
    for index, thing in enumerate(world.things):
        mine = g.thing_N[rows] == index
        change = after.things[index].pose_44 @ np.linalg.inv(thing.pose_44)
        place[mine] = place[mine] @ change[:3, :3].T + change[:3, 3]
    pose = after.camera.pose_44
    xy, _ = optics.project((place - pose[:3, 3]) @ pose[:3, :3])
    error = np.abs(xy - optics.grid()[rows] - moved.reshape(-1, 2)[rows]).max(1)
    assert len(rows) > 1000 and error.max() < 0.1


def test_warping_the_next_frame_gives_this_one(world: World) -> None:
    """Sampled at the flow's end, the next frame shows the same thing at the depth of the moved point."""
    scene, g = view(world)
    after, h = view(later(world, 0.1))
    moved, state = motion.flow(scene, g, after)
    visible = np.flatnonzero(state.ravel() == motion.VISIBLE)
    optics = Optics.of(world.camera, SIZE)
    xy = optics.grid()[visible] + moved.reshape(-1, 2)[visible]
    hit = raycast.trace(after, raycast.world_rays(after.world, optics, xy))
    same = np.where(hit.face_N >= 0, after.thing_F[hit.face_N], -1) == g.thing_N[visible]
    assert same.mean() > 0.99
    column, row = np.rint(xy).astype(int).T
    nearest = h.thing_N[row.clip(0, H - 1) * W + column.clip(0, W - 1)]
    assert (nearest == g.thing_N[visible]).mean() > 0.93  # rounding to pixels costs edges
    hidden = np.flatnonzero((state.ravel() == motion.HIDDEN) & (g.thing_N >= 0))
    assert len(hidden) > 10  # the car's motion and the image border hide something


def test_a_still_world_has_no_flow(world: World) -> None:
    """Nothing moves: zero displacement, everything visible."""
    scene, g = view(world)
    moved, state = motion.flow(scene, g, scene)
    assert np.abs(moved).max() < 0.01
    assert (state == motion.VISIBLE).mean() > 0.995


def test_a_barrel_maps_once_only_before_its_fold() -> None:
    """Where r (1 + k1 r^2) still grows, by differences; elsewhere flow is unknown."""
    optics = Optics((64, 48), 20.0, -0.2)
    radius = np.linspace(0.01, 3, 400)
    grows = np.diff(radius * (1 - 0.2 * radius**2), append=-np.inf) > 0
    point = np.column_stack([radius * 0.6, radius * 0.8, np.ones(400)]) * np.linspace(1, 30, 400)[:, None]
    assert (optics.unfolded(point) == grows).mean() > 0.995 and grows.any() and not grows.all()
    assert Optics((64, 48), 20.0, 0.1).unfolded(point).all()
