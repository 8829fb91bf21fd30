"""Trees: branching skeletons with twigs, leaves or needles, and the hull of their crowns.

Prototypes are 10 m high and cached.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import BARKS, LEAVES, Rng, pick, repaint

BARK = Material("bark", BARKS[0], scale=0.8)
LEAF = Material("leaf_0", LEAVES[0], scale=1.2)
INNER = Material("leaf_1", (0.05, 0.07, 0.03), scale=1.0)
Array = npt.NDArray[np.float64]
TWIGS = (0.24, 0.16, 0.11)  # m around a branch that its twigs seem to fill, by detail: from afar less sky shows through
VEIL = 0.5  # likewise before a building, whose pieces between branches nobody draws


@dataclass(frozen=True, slots=True)
class Plant:
    """A prototype.

    Attributes:
        mesh: Materials 0 bark, 1 leaves, 2 the shade inside.
        hull: What counts as its crown.
        veil: What does before a building or a wall.
    """

    mesh: Mesh
    hull: Mesh | None = None
    veil: Mesh | None = None


@dataclass(frozen=True, slots=True)
class Limbs:
    """Branches of one order: bases, unit directions, lengths, radii at the base."""

    base_N3: Array
    ahead_N3: Array
    long_N: Array
    radius_N: Array

    @property
    def tip_N3(self) -> Array:
        """Where they end."""
        return self.base_N3 + self.ahead_N3 * self.long_N[:, None]


def turned(g: Rng, ahead_N3: Array, spread: float) -> Array:
    """Tilt each direction by about ``spread`` radians to a random side."""
    side = np.cross(ahead_N3, g.standard_normal(ahead_N3.shape))
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    angle = spread * g.uniform(0.5, 1.45, (len(ahead_N3), 1))
    return ahead_N3 * np.cos(angle) + side * np.sin(angle)


def unit(v_N3: Array) -> Array:
    """Scaled to length one."""
    out: Array = v_N3 / (np.linalg.norm(v_N3, axis=1, keepdims=True) + 1e-9)
    return out


def sprout(g: Rng, parent: Limbs, children: int, spread: float, rise: float, shrink: float) -> Limbs:
    """Children along the outer part of each parent; the first continues it."""
    n = len(parent.base_N3)
    at = g.uniform(0.3, 1.0, (n, children))
    at[:, 0] = 1.0
    base = (parent.base_N3[:, None] + parent.ahead_N3[:, None] * (parent.long_N[:, None] * at)[..., None]).reshape(
        -1, 3
    )
    ahead = turned(g, np.repeat(parent.ahead_N3, children, 0), spread)
    ahead[:, 2] += rise
    long = (parent.long_N[:, None] * shrink * g.uniform(0.7, 1.2, (n, children)) * (1.25 - 0.5 * at)).reshape(-1)
    radius = (parent.radius_N[:, None] * (1.05 - 0.6 * at)).reshape(-1) * 0.58
    return Limbs(base, unit(ahead), long, radius)


def skeleton(g: Rng, height: float, spread: float, rise: float, fan: tuple[int, ...], trunk: float) -> list[Limbs]:
    """Trunk and the orders of branches above it."""
    lean = unit(np.array([[g.normal(0, 0.05), g.normal(0, 0.05), 1.0]]))
    stages = [Limbs(np.zeros((1, 3)), lean, np.array([height * trunk]), np.array([height * g.uniform(0.014, 0.026)]))]
    for order, children in enumerate(fan):
        shrink = (1 - trunk) * 0.55 / trunk if order == 0 else 0.62
        grown = sprout(g, stages[-1], children, spread, rise, shrink)
        if order == 0:
            ahead = grown.ahead_N3.copy()
            ahead[0] = unit(np.array([[g.normal(0, 0.12), g.normal(0, 0.12), 1.0]]))[0]
            grown = replace(grown, ahead_N3=ahead)
        stages.append(grown)
    return stages


def wood(stages: list[Limbs]) -> list[Mesh]:
    """Round limbs, with fewer sides towards the outside."""
    return [
        sh.frusta(
            s.base_N3,
            s.tip_N3,
            np.maximum(s.radius_N, 0.008),
            np.maximum(s.radius_N, 0.008) * (0.62 if i == 0 else 0.5),
            (8, 5, 4, 3, 3)[i],
            BARK,
            caps=False,
        )
        for i, s in enumerate(stages)
    ]


def twigs(g: Rng, limbs: Limbs, each: int, wide: float, long: float, droop: float) -> Mesh:
    """Slivers that taper to a point, all over the branches of one order, each bent once."""
    n = len(limbs.base_N3) * each
    at = g.uniform(0.1, 1.0, (len(limbs.base_N3), each))
    start = (limbs.base_N3[:, None] + limbs.ahead_N3[:, None] * (limbs.long_N[:, None] * at)[..., None]).reshape(-1, 3)
    ahead = unit(turned(g, np.repeat(limbs.ahead_N3, each, 0), 0.75) + np.array([0, 0, 0.2]))
    reach = long * g.uniform(0.5, 1.3, (n, 1))
    side = unit(np.cross(ahead, g.standard_normal((n, 3)))) * wide / 2
    middle = start + ahead * reach * 0.5
    tip = middle + unit(ahead + g.normal(0, 0.35, (n, 3)) + np.array([0, 0, droop])) * reach * 0.5
    corner = np.stack([middle - side, tip, middle + side, start], 1)  # cut across the bend, or it would fill it
    return sh.quads(corner, BARK)


def crown_hull(orders: list[Limbs], wide: float) -> Mesh:
    """Bars around the outer branches: where larger pieces of sky show between these, people draw them as sky."""
    return merge([sh.frusta(s.base_N3, s.tip_N3 + s.ahead_N3 * wide, wide, 0.7 * wide, 5, BARK) for s in orders])


def cards(g: Rng, centre_N3: Array, size: sh.Numbers, material: Material) -> Mesh:
    """Small leaves or clumps of leaves facing any way."""
    n = len(centre_N3)
    a = unit(g.standard_normal((n, 3)))
    b = unit(np.cross(a, g.standard_normal((n, 3))))
    half = (np.broadcast_to(np.asarray(size, np.float64), n) / 2)[:, None]
    a, b = a * half, b * half
    corner = np.stack([centre_N3 - a - b, centre_N3 + a - b * 0.3, centre_N3 + a + b, centre_N3 - a + b * 0.3], 1)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])[None] * half[:, :, None] * 2 + g.uniform(0, 1, (n, 1, 2))
    return sh.quads(corner, material, uv)


def three(bark: Mesh, leaves: Mesh, inner: Mesh) -> Mesh:
    """Merge to exactly three materials."""
    mesh = merge([bark, leaves, inner])
    index = np.concatenate([np.full(len(m.faces_F3), i, np.int32) for i, m in enumerate((bark, leaves, inner))])
    return Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, index, (BARK, LEAF, INNER))


@lru_cache(maxsize=96)
def bare(seed: int, detail: int) -> Plant:
    """A winter tree: upright, spreading, drooping or pollarded; detail 0 (far) to 2 (near)."""
    g = np.random.default_rng([51, seed])
    habit = seed % 4
    rise, spread = ((0.5, 0.4), (0.12, 0.75), (0.25, 0.55), (0.35, 0.6))[habit]
    fan = ((5, 3, 2), (6, 4, 3), (7, 5, 4))[detail]
    trunk = g.uniform(0.16, 0.36)
    stages = skeleton(g, 10.0, spread * g.uniform(0.85, 1.15), rise * g.uniform(0.7, 1.3), fan, trunk)
    each, width = ((8, 0.1), (10, 0.05), (12, 0.026))[detail]
    droop = -0.5 if habit == 2 else 0.1
    parts = [
        *wood(stages),
        twigs(g, stages[-1], each, width, 0.85, droop),
        twigs(g, stages[-2], each // 2, width, 0.9, droop),
    ]
    mesh = merge(parts)
    mesh = Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, 0 * mesh.material_F, (BARK, LEAF, INNER))
    return Plant(mesh, crown_hull(stages[-2:], TWIGS[detail]), crown_hull(stages[-2:], VEIL))


@lru_cache(maxsize=96)
def leafy(seed: int, detail: int) -> Plant:
    """A tree in leaf."""
    g = np.random.default_rng([52, seed])
    stages = skeleton(g, 8.5, g.uniform(0.5, 0.8), g.uniform(0.1, 0.4), (6, 4), g.uniform(0.2, 0.38))
    clump = np.concatenate([stages[2].tip_N3, stages[1].tip_N3])
    size = g.uniform(0.7, 1.5, (len(clump), 1)) * np.array([1.0, 1.0, 0.8])
    per = (9, 28, 52)[detail]
    shell = g.standard_normal((len(clump), per, 3))
    shell /= np.linalg.norm(shell, axis=-1, keepdims=True)
    at = clump[:, None] + shell * size[:, None] * g.uniform(0.75, 1.15, (len(clump), per, 1))
    leaves = cards(g, at.reshape(-1, 3), g.uniform(0.7, 1.3, len(clump) * per) * (0.85, 0.45, 0.33)[detail], LEAF)
    inner = sh.balls(clump, size * 0.72, INNER, 3 if detail == 0 else 4, 5 if detail == 0 else 6)
    return Plant(three(merge(wood(stages)), leaves, inner), sh.balls(clump, size * 0.95, BARK, 4, 6))


@lru_cache(maxsize=48)
def conifer(seed: int, detail: int) -> Plant:
    """Fir or cypress, green all year."""
    g = np.random.default_rng([53, seed])
    slim = g.uniform(0.1, 0.3)
    n = (160, 500, 1000)[detail]
    z = 0.8 + 9.0 * g.random(n) ** 1.3
    r = slim * (10 - z) * g.uniform(0.8, 1.05, n) * (0.75 + 0.25 * np.sin(z * 5))
    a = g.uniform(0, 2 * np.pi, n)
    at = np.column_stack([r * np.cos(a), r * np.sin(a), z])
    trunk = sh.frusta([[0, 0, 0]], [[0, 0, 9]], 0.16, 0.03, 6, BARK, caps=False)
    rings = sh.frusta([[0, 0, 0.8]], [[0, 0, 9.6]], slim * 8, 0.05, 8, INNER)
    return Plant(three(trunk, cards(g, at, g.uniform(0.8, 1.3, n) * (0.85, 0.55, 0.42)[detail], LEAF), rings))


def coloured(plant: Plant, g: Rng) -> Plant:
    """Random bark and leaf colours."""
    bark = Material("bark", pick(g, BARKS, 0.25), scale=0.8)
    tint = pick(g, LEAVES, 0.25)
    bright = (min(tint[0] * 2.4, 0.9), min(tint[1] * 2.4, 0.9), min(tint[2] * 2.4, 0.9))
    shade = Material("leaf_1", (tint[0] * 0.8, tint[1] * 0.8, tint[2] * 0.8))
    leaf = Material(f"leaf_{g.integers(3)}", bright, scale=1.2)
    return replace(plant, mesh=repaint(plant.mesh, m0=bark, m1=leaf, m2=shade))
