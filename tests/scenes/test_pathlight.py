"""Light along paths against integrals over the sky, and by what bleeds from a wall; needs Mitsuba."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simteacher.errors import UserError
from simteacher.scenes import pathlight
from simteacher.scenes.assemble import assemble
from simteacher.scenes.mesh import F32, Light, Material, Thing, World
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.render import render
from simteacher.scenes.sky import sky_radiance
from tests.scenes.conftest import at, box, camera_at, ground

SIZE = (64, 48)
CLOUDS = (0.3, 0.7)
NO_SUN = (0.0, 0.0, 0.0)


def fallen(world: World, colours: dict[str, tuple[float, float, float]], samples: int = 64) -> tuple[F32, F32, F32]:
    """Light on what the camera sees, (3, N), where there is a surface, and which way it faces."""
    scene = assemble(world)
    g = gbuffer(scene, SIZE)
    colour_3M = np.array([colours[m.texture] for m in scene.materials], np.float32).T
    out = pathlight.fallen(scene, g, colour_3M, CLOUDS, samples)
    return out, g.hits.face_N >= 0, g.normal_N3


def sky_on(light: Light, normal_3: tuple[float, float, float]) -> F32:
    """What a surface gets from the whole sky and the dark below: its radiance if it were white."""
    g = np.random.default_rng(1).standard_normal((3, 400_000)).astype(np.float32)
    unit = g / np.linalg.norm(g, axis=0)
    seen = sky_radiance(replace(light, sun_rgb=NO_SUN), unit, CLOUDS)
    seen *= np.where(unit[2] < 0, pathlight.GROUND, np.float32(1))
    cosine = np.clip(np.array(normal_3, np.float32) @ unit, 0, None)
    out: F32 = 4 * (seen * cosine).mean(1)  # pi cancels: 4 pi of directions, and E / pi
    return out


@pytest.fixture(autouse=True)
def _mitsuba() -> None:
    pytest.importorskip("mitsuba")


@pytest.mark.parametrize("sun", [NO_SUN, (3.0, 2.8, 2.5)])
def test_open_ground_gets_the_sky_and_no_direct_sun(world: World, sun: tuple[float, float, float]) -> None:
    """``L = sky + (horizon - sky) (1 - cos)^5`` integrates to ``sky + (horizon - sky) / 21``."""
    light = replace(world.light, sky_rgb=(0.2, 0.3, 0.5), horizon_rgb=(2.0, 1.5, 1.0), sun_rgb=sun, cloud=0.0)
    plain = replace(world, things=[Thing(ground(5000.0), np.eye(4), "road")], light=light)
    plain = replace(plain, camera=replace(plain.camera, k1=-0.1, pose_44=camera_at(0, 0, 1.5, down=0.4)))
    got, there, _ = fallen(plain, {"plain": (0.5, 0.25, 0.125)})
    expected = np.array(light.sky_rgb) + (np.array(light.horizon_rgb) - light.sky_rgb) / 21
    np.testing.assert_allclose(got[:, there].mean(1), expected, rtol=0.03)


@pytest.mark.parametrize("yaw", [0.0, 0.5 * np.pi, np.pi, 1.5 * np.pi])
def test_a_wall_gets_the_part_of_the_sky_before_it(world: World, yaw: float) -> None:
    light = replace(world.light, sky_rgb=(0.1, 0.2, 0.9), horizon_rgb=(1.0, 0.6, 0.2), sun_rgb=NO_SUN, cloud=0.5)
    wall = Thing(box((1, 400, 400)), at(6 * np.cos(yaw), 6 * np.sin(yaw), -200, yaw), "building")
    bare = replace(world, things=[wall], light=light)
    bare = replace(bare, camera=replace(bare.camera, pose_44=camera_at(0, 0, 0, yaw)))
    got, there, normal_N3 = fallen(bare, {"plain": (0.3, 0.3, 0.3)})
    assert there.all()
    facing = (-float(np.cos(yaw)), -float(np.sin(yaw)), 0.0)
    np.testing.assert_allclose(normal_N3, np.broadcast_to(facing, normal_N3.shape), atol=1e-3)
    np.testing.assert_allclose(got.mean(1), sky_on(light, facing), rtol=0.04)


def test_colours_bleed(world: World) -> None:
    """Before a red wall in the sun the ground turns red; the wall alone is changed."""
    light = Light((-0.8, 0.0, 0.6), (3.0, 3.0, 3.0), (0.2, 0.2, 0.2), (0.2, 0.2, 0.2))
    camera = replace(world.camera, pose_44=camera_at(0, 0, 3.0, down=0.5))
    wall = Thing(box((1, 60, 12), Material("brick")), at(8, 0), "building")
    seen = []
    for red in (0.8, 0.1):
        street = World([Thing(ground(), np.eye(4), "road"), wall], light, camera)
        got, there, normal_N3 = fallen(street, {"plain": (0.2, 0.2, 0.2), "brick": (red, 0.1, 0.1)})
        seen.append(got[:, there & (normal_N3[:, 2] > 0.9)].mean(1))
    warm, plain = seen
    assert warm[0] > 1.5 * warm[1] and warm[1] == pytest.approx(warm[2], rel=0.02)
    assert plain[0] == pytest.approx(plain[1], rel=0.02) and plain[1] == pytest.approx(warm[1], rel=0.05)


def test_a_render_is_the_same_each_time_and_its_truth_that_of_any_light(tmp_path: Path) -> None:
    scene = tmp_path / "scene.yaml"
    for name, paths in (("one", 4), ("two", 4), ("without", 0)):
        scene.write_text(f"light: {{paths: {paths}}}\n")
        render(tmp_path / name, frames=2, size=SIZE, seed=3, workers=1, scene=scene)
    for kind in ("images", "labels", "depth", "instances"):
        for file in sorted((tmp_path / "one" / kind).iterdir()):
            content = [(tmp_path / name / kind / file.name).read_bytes() for name in ("one", "two", "without")]
            assert content[0] == content[1]
            assert (content[0] == content[2]) == (kind != "images")


def test_without_mitsuba_the_fix_is_said_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pathlight, "find_spec", lambda name: None)
    (tmp_path / "scene.yaml").write_text("light: {paths: 8}\n")
    with pytest.raises(UserError, match="Mitsuba") as caught:
        render(tmp_path / "out", frames=1, size=SIZE, workers=1, scene=tmp_path / "scene.yaml")
    assert "pip install" in str(caught.value.fix) and not (tmp_path / "out").exists()
