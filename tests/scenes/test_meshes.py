"""Prototypes: closed bodies are wound outwards, sizes are those of real things, textures wrap around."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from simteacher.scenes import (
    barriers,
    buildings,
    clutter,
    cycles,
    heavy,
    people,
    props,
    textures,
    trees,
    vegetation,
    vehicles,
)
from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.treecast import TreeCaster

GREY = Material()


def _volume(mesh: Mesh) -> float:
    return float(trimesh.Trimesh(mesh.vertices_V3, mesh.faces_F3, process=True).volume)


def _size(mesh: Mesh) -> tuple[float, float, float]:
    x, y, z = np.ptp(mesh.vertices_V3, axis=0)
    return float(x), float(y), float(z)


@pytest.mark.parametrize(
    ("mesh", "volume"),
    [
        (sh.boxes([[0, 0, 0], [5, 0, 0]], [[1, 2, 3], [6, 1, 1]], GREY), 7.0),
        (sh.frusta([[0, 0, 0]], [[0, 0, 2]], 0.5, 0.5, 64, GREY), np.pi / 2),
        (sh.frusta([[1, 1, 1]], [[2, 1, 0]], 0.3, 0.1, 64, GREY), np.pi * 0.13 * np.sqrt(2) / 3),
        (sh.balls([[1, 2, 3]], [[1, 2, 0.5]], GREY, 48, 96), 4 / 3 * np.pi),
        (sh.prism([(0, 0), (1, 0), (1, 1), (0, 1)], 0.1, GREY), 0.1),
        (sh.wheel_ring(0.3, 0.02, GREY, 64, 32), 2 * np.pi**2 * 0.3 * 0.02**2),
        (sh.mirrored(sh.boxes([[0, 0, 0]], [[1, 2, 3]], GREY)), 6.0),
    ],
)
def test_primitives_enclose_their_volume(mesh: Mesh, volume: float) -> None:
    assert _volume(mesh) == pytest.approx(volume, rel=0.01)
    assert trimesh.Trimesh(mesh.vertices_V3, mesh.faces_F3, process=True).is_watertight


def test_loft_is_closed_and_turned_outwards() -> None:
    angle = np.arange(64) * 2 * np.pi / 64
    ring = np.column_stack([0 * angle, np.cos(angle), np.sin(angle)])
    mesh = sh.loft(np.stack([ring, ring + sh.v(2, 0, 0)]), [GREY])
    assert _volume(mesh) == pytest.approx(2 * np.pi, rel=0.01)


@pytest.mark.parametrize("kind", vehicles.SHAPES)
def test_cars_are_closed_and_of_usual_size(kind: str) -> None:
    mesh = vehicles.car(kind, 3)
    length, width, height = _size(mesh)
    assert 3.3 < length < 5.9 and 1.6 < width < 2.6 and 1.2 < height < 2.6
    assert _volume(mesh) > 4
    assert abs(mesh.vertices_V3[:, 2].min()) < 0.02, "stands on the ground"
    far = vehicles.car(kind, 1, 0)
    assert len(far.faces_F3) < 0.6 * len(mesh.faces_F3)


@pytest.mark.parametrize("make", [heavy.bus, heavy.truck, heavy.tram])
@pytest.mark.parametrize("seed", range(4))
def test_heavy_vehicles_are_closed(make: object, seed: int) -> None:
    mesh = make(seed)  # type: ignore[operator]
    assert _volume(mesh) > 20
    assert _size(mesh)[1] < 3.2


@pytest.mark.parametrize("pose", ["walking", "standing", "sitting"])
def test_people_have_a_persons_size(pose: str) -> None:
    for seed in range(6):
        mesh = people.walker(seed, pose)
        x, y, z = _size(mesh)
        assert 0.3 < y < 0.9 and x < 1.3
        assert (1.2 if pose == "sitting" else 1.65) < z < 1.95
        assert 0.04 < _volume(mesh) < 0.3


def test_riders_sit_on_their_machines() -> None:
    for machine, rider in ((cycles.bicycle(1), cycles.cyclist(1)), (cycles.motorcycle(1), cycles.motorcyclist(1))):
        low, high = machine.vertices_V3.min(0), machine.vertices_V3.max(0)
        body = rider.vertices_V3
        assert body[:, 2].min() > 0.05 and body[:, 2].max() > high[2]
        assert low[0] < body[:, 0].mean() < high[0]


def test_every_building_is_turned_outwards() -> None:
    for style in buildings.STYLES:
        for seed in range(3):
            made = buildings.building(style, seed)
            assert _volume(made.mesh) > 0.5 * made.width * made.depth * 2
            x, _, z = _size(made.mesh)
            assert x == pytest.approx(made.width, abs=1.2)
            assert z > 4


def test_trees_have_crowns_and_hulls_about_them() -> None:
    for seed in range(4):
        for grow in (trees.bare, trees.leafy):
            plant = grow(seed, 1)
            assert plant.hull is not None
            top, hull_top = plant.mesh.vertices_V3[:, 2].max(), plant.hull.vertices_V3[:, 2].max()
            assert abs(top - hull_top) < 1.5
            assert len(grow(seed, 0).mesh.faces_F3) < len(grow(seed, 2).mesh.faces_F3)
        assert len(vegetation.bush(seed).mesh.materials) == 3


def _filled(hull: Mesh, height: float) -> float:
    """Share of a crown's outline, seen from the side, behind which the hull lies; above ``height``."""
    outer = ConvexHull(hull.vertices_V3[hull.vertices_V3[:, 2] > height][:, [0, 2]])
    low, high = outer.points.min(0), outer.points.max(0)
    at = np.stack(np.meshgrid(*(np.linspace(a, b, 80) for a, b in zip(low, high, strict=True))), -1).reshape(-1, 2)
    at = at[(at @ outer.equations[:, :2].T + outer.equations[:, 2] < 0).all(1)]
    start = np.column_stack([at[:, 0], np.full(len(at), -50.0), at[:, 1]]).astype(np.float32)
    ray = np.broadcast_to(np.float32([0, 1, 0]), start.shape)
    return float((TreeCaster(hull.vertices_V3, hull.faces_F3).nearest(start, ray)[0] >= 0).mean())


def test_sky_shows_between_bare_branches_and_not_through_leaves() -> None:
    for seed in range(4):
        bare, leafy = trees.bare(seed, 2).hull, trees.leafy(seed, 2).hull
        assert bare is not None and leafy is not None
        assert 0.3 < _filled(bare, 4.0) < 0.8 < _filled(leafy, 4.0)


@pytest.mark.parametrize("kind", barriers.FENCES)
def test_fences_fill_their_outline(kind: str) -> None:
    mesh = barriers.fence(kind, 2)
    assert np.isfinite(mesh.vertices_V3).all()
    assert _size(mesh)[0] == pytest.approx(barriers.LENGTH, abs=0.3)
    outline = barriers.outline(mesh)
    assert outline.vertices_V3[:, 2].max() == pytest.approx(mesh.vertices_V3[:, 2].max(), abs=0.06)


def test_furniture_has_known_classes() -> None:
    for seed in range(6):
        for parts in (
            props.lamp(seed),
            props.sign(seed),
            props.totem(seed),
            props.traffic_light(seed),
            clutter.shelter(seed),
        ):
            assert set(parts) <= {"pole", "traffic sign", "traffic light", ""}
    assert "traffic light" in props.traffic_light(0)


def test_textures_wrap_around() -> None:
    """Across the seam rows and columns differ no more than the most different neighbours inside."""
    names, tiles = textures.library()
    assert tiles.shape[1:] == (256, 256, 3) and tiles.dtype == np.float32
    assert len(set(names)) == len(names) == len(tiles)
    assert tiles.min() >= 0 and tiles.max() <= 1
    repeating = ("asphalt", "paving", "grass", "gravel", "soil", "render", "bark", "leaf", "cloth_0", "rust")
    for name, tile in zip(names, tiles, strict=True):
        if not name.startswith(repeating):
            continue
        for axis in (0, 1):
            inside = np.abs(np.diff(tile, axis=axis)).mean((2, 1 - axis)).max()
            seam = np.abs(np.take(tile, 0, axis) - np.take(tile, -1, axis)).mean()
            assert seam < 1.3 * inside + 0.01, (name, axis)


def test_textures_to_be_tinted_are_near_grey() -> None:
    names, tiles = textures.library()
    for name in ("asphalt_0", "paving_0", "render_1", "roof_0", "brick_0", "cloth_0"):
        mean = tiles[names.index(name)].mean((0, 1))
        assert 0.5 < mean.mean() < 0.95 and np.ptp(mean) < 0.12, (name, mean)
