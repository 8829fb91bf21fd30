"""The ground: road surface, raised blocks with kerb and sidewalk, repairs, road markings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import ASPHALTS, PAVINGS, Rng, pick, rgb, shade
from simteacher.scenes.path import Path

Array = npt.NDArray[np.float64]
FAR = 70.0


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What the ground of one street is made of."""

    road: Material
    sidewalk: Material
    kerb: Material
    kerb_face: Material
    gutter: Material | None
    paint: Material
    yellow: Material

    @classmethod
    def draw(cls, g: Rng) -> Surfaces:
        """Random but plausible; sometimes road and sidewalk are the same asphalt."""
        road = Material(
            f"asphalt_{g.integers(4)}",
            shade(g, ASPHALTS[int(g.integers(len(ASPHALTS)))], 0.22),
            scale=float(g.uniform(1.6, 3.2)),
        )
        if g.random() < 0.06:
            road = Material("cobble", pick(g, PAVINGS, 0.2), scale=2.0)
        tone = float(
            np.exp(g.normal(0.22, 0.3))
        )  # pavements are mostly a little lighter than their road, sometimes not
        near = (min(road.tint[0] * tone, 0.8), min(road.tint[1] * tone, 0.8), min(road.tint[2] * tone, 0.8))
        kind = g.random()
        if kind < 0.24:
            walk = Material(road.texture, shade(g, road.tint, 0.05), scale=road.scale)
        elif kind < 0.5:
            walk = Material(
                f"asphalt_{g.integers(3)}" if g.random() < 0.7 else "paving_4", shade(g, near, 0.1), scale=3.0
            )
        elif kind < 0.74:
            walk = Material(f"paving_{g.integers(4)}", shade(g, near, 0.1), scale=float(g.uniform(1.6, 2.6)))
        else:
            walk = Material(
                f"paving_{g.integers(4)}",
                shade(g, PAVINGS[int(g.integers(len(PAVINGS)))], 0.22),
                scale=float(g.uniform(1.6, 2.6)),
            )
        stone = pick(g, [rgb(175, 170, 160), rgb(150, 148, 145), rgb(190, 188, 182), rgb(125, 122, 118)], 0.15)
        kerb = Material("render_0", shade(g, walk.tint, 0.15) if g.random() < 0.35 else stone, scale=2.0)
        worn = g.uniform(0.4, 0.85)
        dark = float(g.uniform(0.35, 0.9))
        face = Material("stone_1", (kerb.tint[0] * dark, kerb.tint[1] * dark, kerb.tint[2] * dark), scale=2.4)
        gutter = None
        if g.random() < 0.55:
            stones = Material("cobble", shade(g, rgb(95, 92, 90), 0.25), scale=1.6)
            gutter = stones if g.random() < 0.5 else Material("asphalt_0", shade(g, road.tint, 0.25), scale=2.0)
        return cls(
            road,
            walk,
            kerb,
            face,
            gutter,
            Material("asphalt_0", (worn, worn, worn), scale=1.0),
            Material("asphalt_0", (worn * 0.8, worn * 0.55, 0.06), scale=1.0),
        )


def rounded(s0: float, s1: float, depth: float, radius: float, inset: float, step: float = 5.0) -> Array:
    """Open outline of a block's street side, from its far start corner round to its far end corner, (s, v).

    All insets of one block have the same number of points, so that neighbours can be joined to a strip.
    """
    r = min(radius, (s1 - s0) / 2 - 0.05, depth - 0.1)
    arc = np.linspace(0, np.pi / 2, 7)
    q = max(r - inset, 0.0)
    if q > 0:
        left = np.column_stack([s0 + r - q * np.cos(arc), r - q * np.sin(arc)])
    else:
        left = np.column_stack([np.full(7, s0 + inset), np.full(7, inset)])
    right = np.column_stack([s0 + s1 - left[::-1, 0], left[::-1, 1]])
    n = max(2, int((s1 - s0 - 2 * r) / step))
    a, b = left[-1], right[0]
    middle = np.column_stack([np.linspace(a[0], b[0], n + 1)[1:-1], np.full(n - 1, a[1])])
    side = np.linspace(depth, r, 6)[:-1]
    far0, far1 = np.column_stack([np.full(5, s0 + inset), side]), np.column_stack([np.full(5, s1 - inset), side[::-1]])
    return np.concatenate([far0, left, middle, right, far1])


def strip(
    path: Path, side: int, edge: float, outer_N2: Array, inner_N2: Array, z0: float, z1: float, material: Material
) -> Mesh:
    """Ground between two outlines of `rounded`.

    They start at ``edge`` metres from the street's middle on ``side`` (+1 left).
    """
    quad = np.stack([outer_N2[:-1], outer_N2[1:], inner_N2[1:], inner_N2[:-1]], 1)
    up = np.array([z0, z0, z1, z1])
    if side < 0:
        quad, up = quad[:, ::-1], up[::-1]
    sd = np.stack([quad[..., 0], side * (edge + quad[..., 1])], -1)
    corner = path.points(sd[..., 0], sd[..., 1], up[None])
    uv = sd if z0 == z1 else None
    return sh.quads(corner, material, uv)


def fill(path: Path, side: int, edge: float, outline_N2: Array, z: float, material: Material) -> Mesh:
    """The rest of a block inside its innermost outline."""
    s0, s1 = outline_N2[0, 0], outline_N2[-1, 0]
    v0, v1 = outline_N2[:, 1].min(), outline_N2[:, 1].max()
    n = max(1, int((s1 - s0) / 6))
    es, ev = np.linspace(s0, s1, n + 1), np.array([v0, v0 + 4, v0 + 12, v1])
    i, j = np.meshgrid(np.arange(n), np.arange(3), indexing="ij")
    corner = np.stack(
        [
            np.stack([es[i + a], side * (edge + ev[j + b])], -1).reshape(-1, 2)
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
        ],
        1,
    )
    if side < 0:
        corner = corner[:, ::-1]
    return path.flat(corner, z, material)


def road_surface(g: Rng, path: Path, surfaces: Surfaces, half: float) -> Mesh:
    """The base under everything, with lanes of slightly different wear and repairs."""
    base = surfaces.road
    d = np.array([-FAR, -30, -half - 0.5, *np.linspace(-half, half, int(g.integers(3, 8)))[1:-1], half + 0.5, 30, FAR])
    s = np.concatenate([np.arange(-60, 100, 4.0), np.arange(100, 401, 10.0)])
    parts = []
    for a, b in itertools.pairwise(d):
        tone = 1.0 if abs(a) > half + 0.6 or abs(b) > half + 0.6 else float(np.exp(g.normal(0, 0.05)))
        tint = (base.tint[0] * tone, base.tint[1] * tone, base.tint[2] * tone)
        corner = np.stack(
            [
                np.column_stack([s[:-1], 0 * s[1:] + a]),
                np.column_stack([s[1:], 0 * s[1:] + a]),
                np.column_stack([s[1:], 0 * s[1:] + b]),
                np.column_stack([s[:-1], 0 * s[1:] + b]),
            ],
            1,
        )
        parts.append(path.flat(corner, 0.0, Material(base.texture, tint, base.gloss, 0.0, base.scale)))
    for _ in range(int(g.integers(0, 9))):
        s0, d0 = g.uniform(1, 60), g.uniform(-half, half)
        length, wide = (
            (g.uniform(0.6, 8), g.uniform(0.5, 2.5)) if g.random() < 0.7 else (g.uniform(10, 40), g.uniform(0.3, 0.8))
        )
        wide = min(wide, half - d0)
        tone = float(np.exp(g.normal(-0.08, 0.25)))
        tint = (base.tint[0] * tone, base.tint[1] * tone, base.tint[2] * tone)
        if wide > 0.1:
            parts.append(
                path.patches(
                    [[s0, s0 + length, d0, d0 + wide]], 0.004, Material(f"asphalt_{g.integers(4)}", tint, scale=2.0)
                )
            )
    for _ in range(int(g.integers(0, 6))):  # manholes and drains
        s0, d0 = g.uniform(2, 40), g.uniform(-half * 0.9, half * 0.9)
        iron = Material("cladding", rgb(75, 72, 70), gloss=0.15, scale=0.4)
        parts.append(path.patches([[s0, s0 + g.uniform(0.4, 0.8), d0, d0 + g.uniform(0.35, 0.7)]], 0.006, iron))
    return merge(parts)


def dashes(start: float, stop: float, length: float, gap: float, d: float, wide: float) -> Array:
    """Rectangles of a broken line."""
    s = np.arange(start, stop, length + gap)
    return np.column_stack([s, s + length, 0 * s + d - wide / 2, 0 * s + d + wide / 2])


def arrow(s: float, d: float, direction: int, turn: int) -> Array:
    """Quads (s, d) of a lane arrow of 4 m: straight on (turn 0), left (1) or right (-1)."""
    shaft = [[0, -0.08], [2.6, -0.08], [2.6, 0.08], [0, 0.08]]
    head = [[2.4, -0.45], [4.0, 0], [4.0, 0], [2.4, 0.45]]
    if turn:
        shaft = [[0, -0.08], [2.2, -0.08], [2.2, 0.08], [0, 0.08]]
        head = [[1.6, 0.3], [2.2, 1.1], [2.2, 1.1], [3.0, 0.3]]
        link = [[2.0, -0.05], [2.45, -0.05], [2.45, 0.4], [2.0, 0.4]]
        out = np.array([shaft, head, link], float)
        if turn < 0:
            out = out[:, ::-1] * [1, -1]
        head = []
    else:
        out = np.array([shaft, head], float)
    out = out * direction
    return out + sh.v(s, d)
