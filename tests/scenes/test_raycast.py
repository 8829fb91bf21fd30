"""Rays against truth worked out by hand, in closed form, and by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from simteacher.scenes import raycast
from simteacher.scenes.assemble import assemble
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.mesh import World
from simteacher.scenes.optics import Optics
from tests.scenes.conftest import SIZE, at, box, camera_at, ground


def test_one_ray_by_hand(world: World) -> None:
    """A box face at x = 10 - 1 seen from the origin at height 1: the centre ray hits it at 9 m."""
    world = replace(world, things=[replace(world.things[1], mesh=box((2, 2, 2)), pose_44=at(10, 0))])
    world = replace(world, camera=replace(world.camera, pose_44=camera_at(0, 0, 1)))
    hit = raycast.trace(assemble(world), np.array([[1, 0.05, 0.02], [1, 0.2, 0]], np.float32))
    assert_allclose(hit.depth_N, [9, np.inf], rtol=1e-6)
    assert_allclose(raycast.points(assemble(world), hit.take(np.array([0])))[0], [9, 0.45, 0.18], atol=1e-5)


def test_depth_of_a_plane_in_closed_form(world: World) -> None:
    """The ground under a level camera at height h: depth = h f / (y - cy) below the horizon, sky above it."""
    world = replace(world, things=[replace(world.things[0], mesh=ground(5000.0))])
    world = replace(world, camera=replace(world.camera, pose_44=camera_at(3, 4, 1.5)))
    g = raycast.gbuffer(assemble(world), SIZE)
    optics = Optics.of(world.camera, SIZE)
    row = np.arange(SIZE[1])[:, None] - optics.centre[1] + np.zeros(SIZE[0])
    expected = np.where(row > 0, 1.5 * optics.focal / np.where(row > 0, row, 1), np.inf)
    assert_allclose(g.hits.depth_N.reshape(SIZE[::-1]), expected, rtol=1e-5)
    assert_allclose(g.normal_N3.reshape(*SIZE[::-1], 3)[row > 0], np.broadcast_to([0, 0, 1], ((row > 0).sum(), 3)))
    assert set(g.class_N[(row < 0).ravel()]) == {CLASS_ID["sky"]}


@pytest.mark.parametrize("k1", [-0.15, 0.0, 0.1])
def test_projection_undoes_rays(world: World, k1: float) -> None:
    """Points along the ray of a pixel fall back onto the pixel, distortion included."""
    optics = Optics.of(replace(world.camera, k1=k1), SIZE)
    xy = optics.grid() + 0.25
    depth = np.linspace(0.5, 90, len(xy))
    back, z = optics.project(optics.rays(xy) * depth[:, None])
    assert_allclose(back, xy, atol=1e-6)
    assert_allclose(z, depth)


def test_distortion_by_hand(world: World) -> None:
    """r_distorted = r (1 + k1 r^2) at a point with r = 0.5 and k1 = -0.2."""
    optics = Optics.of(replace(world.camera, k1=-0.2, fov=np.deg2rad(50)), SIZE)
    xy, _ = optics.project(np.array([[1.0, 0.0, 2.0]]))
    assert_allclose(xy[0], [optics.centre[0] + optics.focal * 0.5 * (1 - 0.2 * 0.25), optics.centre[1]])


@pytest.mark.parametrize("fov", [70, 90, 130])
def test_a_barrel_stronger_than_the_view_can_bear(world: World, fov: int) -> None:
    """Every pixel still has a ray of its own: further from the centre, further out."""
    optics = Optics.of(replace(world.camera, k1=-0.3, fov=np.deg2rad(fov)), SIZE)
    rays, xy = optics.rays(optics.grid()), optics.grid()
    back, _ = optics.project(rays)
    assert_allclose(back, xy, atol=1e-2)
    order = np.argsort(np.hypot(*(xy - optics.centre).T), kind="stable")
    assert np.isfinite(rays).all() and (np.diff(np.hypot(rays[order, 0], rays[order, 1])) > -1e-6).all()


def test_instances_follow_cityscapes(world: World) -> None:
    """Countable things get labelId * 1000 + count, the rest their labelId, nothing 0."""
    assert assemble(world).instance_T.tolist() == [7, 11, 26000, 26001, 24000, 17, 0]
