"""Bushes and hedges; trees are in `trees.py`. Materials as there: 0 bark, 1 leaves, 2 the shade inside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.trees import BARK, INNER, LEAF, Limbs, Plant, cards, three, twigs, unit

HEDGE = 8.0


@lru_cache(maxsize=96)
def bush(seed: int, detail: int = 1) -> Plant:
    """A shrub about 1.2 m high; every fourth has lost its leaves."""
    g = np.random.default_rng([54, seed])
    n = int(g.integers(3, 7))
    centre = np.column_stack([g.normal(0, 0.45, n), g.normal(0, 0.45, n), g.uniform(0.35, 0.75, n)])
    size = g.uniform(0.35, 0.6, (n, 3))
    if seed % 4 == 3:
        stems = Limbs(
            np.column_stack([g.normal(0, 0.15, (14, 2)), np.zeros(14)]),
            unit(g.normal(0, 0.45, (14, 3)) + sh.v(0, 0, 1)),
            g.uniform(0.6, 1.2, 14),
            np.full(14, 0.015),
        )
        mesh = merge(
            [
                sh.frusta(stems.base_N3, stems.tip_N3, 0.015, 0.006, 3, BARK, caps=False),
                twigs(g, stems, (8, 20)[detail], (0.04, 0.016)[detail], 0.5, 0.2),
            ]
        )
        mesh = Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, 0 * mesh.material_F, (BARK, LEAF, INNER))
        return Plant(mesh, sh.balls([[0, 0, 0.65]], [[0.7, 0.7, 0.65]], BARK, 5, 8))
    per = (14, 42)[detail]
    shell = g.standard_normal((n, per, 3))
    shell /= np.linalg.norm(shell, axis=-1, keepdims=True)
    at = (centre[:, None] + shell * size[:, None] * g.uniform(0.85, 1.15, (n, per, 1))).reshape(-1, 3)
    at[:, 2] = np.maximum(at[:, 2], 0.03)
    wood = sh.frusta([[0, 0, 0]], [[0, 0, 0.5]], 0.04, 0.02, 4, BARK, caps=False)
    leaves = cards(g, at, g.uniform(0.12, 0.26, len(at)) * (1.6, 1.0)[detail], LEAF)
    return Plant(three(wood, leaves, sh.balls(centre, size * 0.9, INNER, 5, 7)))


@lru_cache(maxsize=48)
def hedge(seed: int, detail: int = 1) -> Plant:
    """Eight metres of hedge along x, one metre thick and 1.5 m high."""
    g = np.random.default_rng([55, seed])
    core = sh.boxes([[0, -0.42, 0]], [[HEDGE, 0.42, 1.4]], Material("leaf_2", (0.09, 0.12, 0.05), scale=1.5))
    n = (90, 420)[detail]
    x, side = g.uniform(0, HEDGE, n), g.integers(0, 3, n)
    z = np.where(side == 2, 1.43, g.uniform(0.02, 1.42, n)) + g.normal(0, 0.04, n)
    y = np.where(side == 0, -0.45, np.where(side == 1, 0.45, g.uniform(-0.45, 0.45, n))) + g.normal(0, 0.04, n)
    wood = sh.frusta([[4, 0, 0]], [[4, 0, 0.5]], 0.05, 0.03, 4, BARK, caps=False)
    leaves = cards(g, np.column_stack([x, y, np.maximum(z, 0.02)]), g.uniform(0.16, 0.36, n) * (1.6, 1.0)[detail], LEAF)
    return Plant(three(wood, leaves, core))
