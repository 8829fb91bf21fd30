"""Trees with and without leaves, conifers, bushes, hedges. Prototypes are cached; material 0 is bark or leaf of the main part."""

from __future__ import annotations

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


def _turn(g: Rng, direction_N3: Array, spread: npt.ArrayLike) -> Array:
    """Tilt each direction by about ``spread`` radians to a random side."""
    side = np.cross(direction_N3, g.standard_normal(direction_N3.shape))
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    angle = np.asarray(spread)[..., None] * g.uniform(0.6, 1.4, (len(direction_N3), 1))
    out = direction_N3 * np.cos(angle) + side * np.sin(angle)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _branch(g: Rng, base: Array, direction: Array, length: Array, radius: Array, children: int, spread: float, rise: float, shrink: float) -> tuple[Array, Array, Array, Array]:
    """Children along each parent's outer part: bases, directions, lengths, radii."""
    n = len(base)
    at = g.uniform(0.3, 1.0, (n, children))
    at[:, 0] = 1.0
    b = (base[:, None] + direction[:, None] * (length[:, None] * at)[..., None]).reshape(-1, 3)
    d = _turn(g, np.repeat(direction, children, 0), spread)
    d[:, 2] += rise
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    size = (length[:, None] * shrink * g.uniform(0.7, 1.2, (n, children)) * (1.25 - 0.5 * at)).reshape(-1)
    r = (radius[:, None] * (1.05 - 0.55 * at)).reshape(-1) * 0.62
    return b, d, size, r


def cards(g: Rng, centre_N3: Array, size: npt.ArrayLike, material: Material) -> Mesh:
    """Small square leaves or clumps of leaves facing any way."""
    n = len(centre_N3)
    a = g.standard_normal((n, 3))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(a, g.standard_normal((n, 3)))
    b /= np.linalg.norm(b, axis=1, keepdims=True) + 1e-9
    half = (np.broadcast_to(np.asarray(size, np.float64), n) / 2)[:, None]
    a, b = a * half, b * half
    corner = np.stack([centre_N3 - a - b, centre_N3 + a - b * 0.3, centre_N3 + a + b, centre_N3 - a + b * 0.3], 1)
    shift = g.uniform(0, 1, (n, 1, 2))
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])[None] * half[:, :, None] * 2 + shift
    return sh.quads(corner, material, uv)


def _skeleton(g: Rng, height: float, spread: float, rise: float, levels: int, fan: tuple[int, ...]) -> list[tuple[Array, Array, Array, Array]]:
    trunk = height * g.uniform(0.25, 0.4)
    radius = height * g.uniform(0.014, 0.024)
    base, direction = np.zeros((1, 3)), np.array([[g.normal(0, 0.04), g.normal(0, 0.04), 1.0]])
    direction /= np.linalg.norm(direction)
    stages = [(base, direction, np.array([trunk]), np.array([radius]))]
    length, r = np.array([trunk]), np.array([radius])
    for level in range(levels):
        first = level == 0
        base, direction, length, r = _branch(g, base, direction, length, r, fan[level], spread, rise, (height - trunk) * 0.55 / trunk if first else 0.62)
        if first:  # a leader keeps going up
            direction[0] = (g.normal(0, 0.12), g.normal(0, 0.12), 1.0)
            direction[0] /= np.linalg.norm(direction[0])
        stages.append((base, direction, length, r))
    return stages


def _wood(stages: list[tuple[Array, Array, Array, Array]]) -> list[Mesh]:
    """Round limbs, then flat twigs for the last stage."""
    parts = []
    for i, (base, direction, length, radius) in enumerate(stages):
        end = base + direction * length[:, None]
        sides = (8, 5, 4, 3, 3, 3)[i]
        thick = np.maximum(radius, 0.008)
        tip = thick * (0.62 if i == 0 else 0.5)
        parts.append(sh.frusta(base, end, thick, tip, sides, BARK, caps=False))
    return parts


def _twigs(g: Rng, stage: tuple[Array, Array, Array, Array], each: int, width: float, length: float) -> Mesh:
    """Flat thin slivers all over the outer branches."""
    base, direction, size, _ = stage
    n = len(base)
    at = g.uniform(0.1, 1.0, (n, each))
    start = (base[:, None] + direction[:, None] * (size[:, None] * at)[..., None]).reshape(-1, 3)
    d = _turn(g, np.repeat(direction, each, 0), np.full(n * each, 0.6))
    d[:, 2] += 0.15
    reach = length * g.uniform(0.5, 1.3, (n * each, 1))
    side = np.cross(d, g.standard_normal(d.shape))
    side *= width / 2 / (np.linalg.norm(side, axis=1, keepdims=True) + 1e-9)
    end = start + d * reach
    return sh.quads(np.stack([start - side, start + side, end + side * 0.5, end - side * 0.5], 1), BARK)


@lru_cache(maxsize=64)
def bare_tree(seed: int, detail: int = 2) -> Mesh:
    """A winter tree of 10 m; detail 0 (far, few triangles) to 2."""
    g = np.random.default_rng([51, seed])
    rise = g.uniform(0.05, 0.45)
    spread = g.uniform(0.45, 0.8)
    fan = ((6, 4, 3), (6, 4, 4), (7, 5, 5))[detail]
    stages = _skeleton(g, 10.0, spread, rise, 3, fan)
    wood = _wood(stages)
    each, width = ((4, 0.07), (6, 0.045), (8, 0.03))[detail]
    return merge([*wood, _twigs(g, stages[-1], each, width, 1.1), _twigs(g, stages[-2], 5, width, 0.9)])


@lru_cache(maxsize=64)
def leafy_tree(seed: int, detail: int = 2) -> Mesh:
    """A tree of 10 m in leaf; material 0 is bark, 1 the leaves, 2 the shade inside."""
    g = np.random.default_rng([52, seed])
    stages = _skeleton(g, 8.5, g.uniform(0.5, 0.8), g.uniform(0.1, 0.4), 2, (6, 4))
    wood = merge(_wood(stages))
    base, direction, length, _ = stages[-1]
    tip = base + direction * length[:, None]
    clump = np.concatenate([tip, stages[1][0] + stages[1][1] * stages[1][2][:, None]])
    size = g.uniform(0.7, 1.5, (len(clump), 1)) * np.array([1.0, 1.0, 0.8])
    per = (14, 34, 60)[detail]
    shell = g.standard_normal((len(clump), per, 3))
    shell /= np.linalg.norm(shell, axis=-1, keepdims=True)
    at = clump[:, None] + shell * size[:, None] * g.uniform(0.75, 1.15, (len(clump), per, 1))
    leaves = cards(g, at.reshape(-1, 3), g.uniform(0.7, 1.3, len(clump) * per) * (0.75, 0.45, 0.33)[detail], LEAF)
    inner = sh.balls(clump, size * 0.72, INNER, 4, 6)
    return _three(wood, leaves, inner)


def _three(bark: Mesh, leaves: Mesh, inner: Mesh) -> Mesh:
    """Merge to exactly three materials."""
    mesh = merge([bark, leaves, inner])
    index = np.concatenate([np.full(len(m.faces_F3), i, np.int32) for i, m in enumerate((bark, leaves, inner))])
    return Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, index, (BARK, LEAF, INNER))


@lru_cache(maxsize=24)
def conifer(seed: int, detail: int = 2) -> Mesh:
    """Fir or cypress of 10 m, green all year."""
    g = np.random.default_rng([53, seed])
    slim = g.uniform(0.1, 0.3)
    n = (250, 600, 1100)[detail]
    z = 0.8 + 9.0 * g.random(n) ** 1.3
    r = slim * (10 - z) * g.uniform(0.8, 1.05, n) * (0.75 + 0.25 * np.sin(z * 5))
    a = g.uniform(0, 2 * np.pi, n)
    at = np.column_stack([r * np.cos(a), r * np.sin(a), z])
    trunk = sh.frusta([[0, 0, 0]], [[0, 0, 9]], 0.16, 0.03, 6, BARK, caps=False)
    rings = sh.frusta([[0, 0, 0.8]], [[0, 0, 9.6]], slim * 8, 0.05, 8, INNER)
    return _three(trunk, cards(g, at, g.uniform(0.8, 1.3, n) * (0.8, 0.55, 0.42)[detail], LEAF), rings)


@lru_cache(maxsize=48)
def bush(seed: int) -> Mesh:
    """A shrub about 1.2 m high."""
    g = np.random.default_rng([54, seed])
    n = int(g.integers(3, 7))
    centre = np.column_stack([g.normal(0, 0.45, n), g.normal(0, 0.45, n), g.uniform(0.35, 0.75, n)])
    size = g.uniform(0.35, 0.6, (n, 3))
    shell = g.standard_normal((n, 45, 3))
    shell /= np.linalg.norm(shell, axis=-1, keepdims=True)
    at = (centre[:, None] + shell * size[:, None] * g.uniform(0.85, 1.15, (n, 45, 1))).reshape(-1, 3)
    at[:, 2] = np.maximum(at[:, 2], 0.03)
    wood = sh.frusta([[0, 0, 0]], [[0, 0, 0.5]], 0.04, 0.02, 4, BARK, caps=False)
    return _three(wood, cards(g, at, g.uniform(0.12, 0.26, len(at)), LEAF), sh.balls(centre, size * 0.9, INNER, 5, 7))


@lru_cache(maxsize=24)
def hedge(seed: int) -> Mesh:
    """Eight metres of hedge along x, one metre thick and 1.5 m high, ends open to be chained."""
    g = np.random.default_rng([55, seed])
    core = sh.boxes([[0, -0.42, 0]], [[8, 0.42, 1.4]], Material("leaf_2", (0.09, 0.12, 0.05), scale=1.5))
    n = 900
    x, side = g.uniform(0, 8, n), g.integers(0, 3, n)
    z = np.where(side == 2, 1.43, g.uniform(0.02, 1.42, n)) + g.normal(0, 0.04, n)
    y = np.where(side == 0, -0.45, np.where(side == 1, 0.45, g.uniform(-0.45, 0.45, n))) + g.normal(0, 0.04, n)
    wood = sh.frusta([[4, 0, 0]], [[4, 0, 0.5]], 0.05, 0.03, 4, BARK, caps=False)
    return _three(wood, cards(g, np.column_stack([x, y, np.maximum(z, 0.02)]), g.uniform(0.12, 0.28, n), LEAF), core)


def coloured(mesh: Mesh, g: Rng) -> Mesh:
    """Random bark and leaf colours."""
    bark = Material("bark", pick(g, BARKS, 0.25), scale=0.8)
    if len(mesh.materials) != 3:
        return Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, 0 * mesh.material_F, (bark,))
    tint = pick(g, LEAVES, 0.25)
    bright = (min(tint[0] * 2.4, 0.9), min(tint[1] * 2.4, 0.9), min(tint[2] * 2.4, 0.9))
    shade = (tint[0] * 0.8, tint[1] * 0.8, tint[2] * 0.8)
    return repaint(mesh, m0=bark, m1=Material(f"leaf_{g.integers(3)}", bright, scale=1.2), m2=Material("leaf_1", shade))
