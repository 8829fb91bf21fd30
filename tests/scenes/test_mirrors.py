"""Glass shows what is opposite: a pane against the closed form, and the fronts that have such panes."""

from __future__ import annotations

import numpy as np
import pytest

from simteacher.scenes.assemble import assemble
from simteacher.scenes.atlas import Atlas
from simteacher.scenes.frame import linear
from simteacher.scenes.mesh import CameraSpec, Light, Material, Thing, World
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.shopfront import mirror, shop_front, store_front
from tests.scenes.conftest import SIZE, at, box, camera_at

DARK = Light((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("gloss", [0.62, 0.86, 0.99])
def test_a_pane_seen_squarely_mirrors_what_is_behind_the_camera(gloss: float) -> None:
    """Schlick's reflectance where nothing grazes, ``0.05 + 0.55 gloss^8``, of a wall that glows by day (0.6 of it)."""
    pane = Thing(box((1, 40, 40), Material("plain", (0.0, 0.0, 0.0), gloss=gloss)), at(6.5, 0, -20), "building")
    wall = Thing(box((1, 40, 40), Material("plain", (0.9, 0.3, 0.1), glow=2.0)), at(-6.5, 0, -20), "building")
    scene = assemble(World([pane, wall], DARK, CameraSpec(camera_at(0, 0, 0), 0.2)))
    seen = linear(scene, gbuffer(scene, SIZE), Atlas(["plain"], np.ones((1, 4, 4, 3), np.float32)))
    expected = (0.05 + 0.55 * gloss**8) * np.array([0.9, 0.3, 0.1]) * 2.0 * 0.6
    np.testing.assert_allclose(seen[20:28, 28:36].mean((0, 1)), expected, rtol=0.02)


def test_some_fronts_mirror_and_others_are_looked_into() -> None:
    g = np.random.default_rng(3)
    for front in (lambda: shop_front(g, 7.0, 3.6)[0], lambda: store_front(g, 30.0, 5.0)):
        panes = [[m for part in front() for m in part.materials if m.gloss > 0.6] for _ in range(40)]
        mirrors = [any(m.texture == "plain" for m in materials) for materials in panes if materials]
        assert 0.1 < np.mean(mirrors) < 0.9
    assert all(m.gloss >= 0.86 and max(m.tint) < 0.25 for m in (mirror(g) for _ in range(50)))
