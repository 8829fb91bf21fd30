"""What a hull and a veil own, against rays met with boxes by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from simteacher.scenes import raycast, trees
from simteacher.scenes.assemble import assemble
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.mesh import F32, Thing, World
from tests.scenes.conftest import SIZE, at, box

HULL, VEIL = (2.0, 2.0, 3.0), (5.0, 5.0, 6.0)
TREE = (9.0, 1.0)


def enters(ray_N3: F32, camera_3: npt.NDArray[np.float64], size: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    """Whether rays meet a box of that size standing at ``TREE``: slabs, axis by axis."""
    low = np.array([TREE[0] - size[0] / 2, TREE[1] - size[1] / 2, 0.0]) - camera_3
    high = np.array([TREE[0] + size[0] / 2, TREE[1] + size[1] / 2, size[2]]) - camera_3
    with np.errstate(divide="ignore"):
        a, b = low / ray_N3, high / ray_N3
    near, far = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
    out: npt.NDArray[np.bool_] = (near < far) & (far > 0)
    return out


@pytest.fixture
def planted(world: World) -> World:
    """The small street without its person and boxes; a tree whose trunk is thinner than a ray sees."""
    tree = Thing(box((1e-4, 1e-4, 1e-4)), at(*TREE), "vegetation", hull=box(HULL), veil=box(VEIL))
    return replace(world, things=[*world.things[:4], tree])


def test_a_veil_owns_what_it_hides_of_buildings_and_nothing_else(planted: World) -> None:
    seen = raycast.gbuffer(assemble(planted), SIZE)
    plain = raycast.gbuffer(assemble(replace(planted, things=planted.things[:4])), SIZE)
    camera = planted.camera.pose_44[:3, 3]
    building, sky = (plain.class_N == CLASS_ID[n] for n in ("building", "sky"))
    hull, veil = (enters(seen.ray_N3, camera, size) for size in (HULL, VEIL))
    car = (plain.class_N == CLASS_ID["car"]) & veil
    tree = seen.class_N == CLASS_ID["vegetation"]
    for what in (veil & building & ~hull, veil & sky & ~hull, car & ~hull, hull & sky):
        assert what.sum() > 5  # or it would prove nothing
    assert tree[(veil & building) | (hull & sky)].all()
    assert not tree[~hull & ~(veil & building)].any()
    assert np.array_equal(seen.hits.depth_N[sky], plain.hits.depth_N[sky])


def test_bare_trees_are_veiled_and_the_veil_is_the_fuller() -> None:
    for seed in range(4):
        plant = trees.bare(seed, 1)
        assert plant.hull is not None and plant.veil is not None
        for axis in range(3):
            assert np.ptp(plant.veil.vertices_V3[:, axis]) > np.ptp(plant.hull.vertices_V3[:, axis])
        assert trees.leafy(seed, 1).veil is None
