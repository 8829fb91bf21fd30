"""Three ray casters, written apart from each other, see the same: Embree, the compiled tree, and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from simteacher.scenes import embree, raycast
from simteacher.scenes.assemble import assemble
from simteacher.scenes.mesh import F32, I32, World
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world
from tests.scenes.conftest import SIZE, at, box


class BruteForce:
    """Every ray against every triangle: signed volumes, no tree, no shortcuts."""

    def __init__(self, vertices_V3: F32, faces_F3: I32) -> None:
        self.corner = vertices_V3[faces_F3].astype(np.float64)

    def nearest(self, origin_N3: F32, ray_N3: F32) -> tuple[I32, F32, F32, F32]:
        o, d = origin_N3.astype(np.float64)[:, None], ray_N3.astype(np.float64)[:, None]
        a, b, c = (self.corner[None, :, k] - o for k in range(3))
        wa, wb, wc = ((np.cross(x, y) * d).sum(2) for x, y in ((b, c), (c, a), (a, b)))
        total = wa + wb + wc
        inside = ((wa >= 0) & (wb >= 0) & (wc >= 0)) | ((wa <= 0) & (wb <= 0) & (wc <= 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v, w = wb / total, wc / total, wa / total
            t = ((w[..., None] * a + u[..., None] * b + v[..., None] * c) * d).sum(2) / (d * d).sum(2)
        t = np.where(inside & (total != 0) & (t > 0), t, np.inf)
        best = t.argmin(1)
        row = np.arange(len(best))
        face = np.where(np.isinf(t[row, best]), -1, best).astype(np.int32)
        return face, u[row, best].astype(np.float32), v[row, best].astype(np.float32), t[row, best].astype(np.float32)

    def blocked(self, origin_N3: F32, ray_N3: F32) -> npt.NDArray[np.bool_]:
        return self.nearest(origin_N3, ray_N3)[3] <= 1


def same_picture(one: raycast.GBuffer, other: raycast.GBuffer) -> npt.NDArray[np.bool_]:
    """Pixels that agree on class, instance and depth to a millimetre a metre."""
    near, far = np.where(np.isinf(one.hits.depth_N), 1e9, one.hits.depth_N), other.hits.depth_N
    far = np.where(np.isinf(far), 1e9, far)
    out: npt.NDArray[np.bool_] = (one.class_N == other.class_N) & (one.instance_N == other.instance_N)
    return out & (np.abs(near - far) < 1e-3 * np.minimum(near, far))


def casters() -> list[object]:
    from simteacher.scenes.treecast import TreeCaster

    return [TreeCaster, embree.CopyingCaster, BruteForce]


@pytest.mark.slow
@pytest.mark.parametrize("index", range(3))
def test_every_pixel_of_the_small_street(world: World, index: int) -> None:
    """All pixels agree."""
    one = raycast.gbuffer(assemble(world), SIZE)
    other = raycast.gbuffer(assemble(world, caster=casters()[index]), SIZE)
    assert same_picture(one, other).all()


@pytest.mark.slow
@pytest.mark.parametrize("frame", range(3))
def test_generated_streets(frame: int) -> None:
    """Embree and the tree agree on a whole generated street, but for rays that graze where two surfaces touch."""
    world = build_world(11, frame, SceneSpec(), SIZE)
    one = raycast.gbuffer(assemble(world, SIZE), SIZE)
    other = raycast.gbuffer(
        assemble(world, caster=casters()[0]), SIZE
    )  # which also proves that nothing seen is left out
    assert same_picture(one, other).mean() > 0.998


def test_shared_and_copied_arrays_give_the_same_hits(world: World) -> None:
    """Face, barycentrics and depth are equal to the last bit, for any number of rays."""
    if embree.library() is None:
        pytest.skip("this wheel keeps Embree's library elsewhere")
    scene = assemble(world)
    ray = np.random.default_rng(0).normal(size=(1001, 3)).astype(np.float32)
    start = (ray[::-1] * 0.5 + [8, 0, 1]).astype(np.float32) - scene.origin_3.astype(np.float32)
    pair = [
        embree.make_caster(scene.vertices_V3, scene.faces_F3),
        embree.CopyingCaster(scene.vertices_V3, scene.faces_F3),
    ]
    for count in (1, 15, 16, 17, 1001):
        one, other = (c.nearest(start[:count], ray[:count]) for c in pair)
        hit = other[0] >= 0
        assert np.array_equal(one[0], other[0]) and (count < 1001 or 0.2 < hit.mean() < 1)
        for a, b in zip(one[1:3], other[1:3], strict=True):
            assert np.allclose(a[hit], b[hit], atol=1e-5)
        assert np.allclose(one[3][hit], other[3][hit], rtol=1e-6)
        assert np.array_equal(*(c.blocked(start[:count], ray[:count] * 9) for c in pair))


def test_what_is_out_of_view_is_left_out_but_not_its_shadow(world: World) -> None:
    """A tower behind the camera stays while the sun is behind it, and goes when the sun is in front."""
    tower = replace(world.things[1], mesh=box((4, 4, 40)), pose_44=at(-60, 0))
    world = replace(world, things=[*world.things, tower])
    for sun, kept in (((-0.9, 0.0, 0.44), 12), ((0.9, 0.0, 0.44), 0)):
        scene = assemble(replace(world, light=replace(world.light, sun_3=sun)), SIZE)
        assert scene.face_at_T[-1] - scene.face_at_T[-2] == kept
        assert np.array_equal(raycast.gbuffer(scene, SIZE).class_N, raycast.gbuffer(assemble(world), SIZE).class_N)
