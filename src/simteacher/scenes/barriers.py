"""Fences, railings, walls.

Pieces of a given kind, eight metres along x from the origin, standing on z = 0, y across.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import BRICKS, METALS, RENDERS, STONES, Rng, rgb

Array = npt.NDArray[np.float64]
LENGTH = 8.0
HOARDINGS = (
    rgb(225, 225, 222),
    rgb(40, 70, 120),
    rgb(50, 85, 60),
    rgb(120, 125, 128),
    rgb(55, 50, 48),
    rgb(150, 60, 50),
    rgb(170, 140, 100),
)


def _posts(pitch: float, height: float, half: float, material: Material) -> Mesh:
    x = np.arange(0, LENGTH + 0.01, pitch)
    return sh.boxes(
        np.column_stack([x - half, 0 * x - half, 0 * x]),
        np.column_stack([x + half, 0 * x + half, 0 * x + height]),
        material,
    )


def _rails(heights: list[float], half: float, material: Material) -> Mesh:
    z = np.array(heights)
    return sh.boxes(
        np.column_stack([0 * z, 0 * z - half, z - half]),
        np.column_stack([0 * z + LENGTH, 0 * z + half, z + half]),
        material,
    )


def _bars(x_N: Array, low: float, high: float, radius: tuple[float, float], sides: int, material: Material) -> Mesh:
    """Thin upright rods."""
    foot, top = np.column_stack([x_N, 0 * x_N, 0 * x_N + low]), np.column_stack([x_N, 0 * x_N, 0 * x_N + high])
    return sh.frusta(foot, top, *radius, sides, material, caps=False)


def _planks(x_N: Array, half: float, y: tuple[float, float], z: tuple[float, float], material: Material) -> Mesh:
    """Upright boards at x, from y[0] to y[1] and z[0] to z[1]."""
    return sh.boxes(
        np.column_stack([x_N - half, 0 * x_N + y[0], 0 * x_N + z[0]]),
        np.column_stack([x_N + half, 0 * x_N + y[1], 0 * x_N + z[1]]),
        material,
    )


def _railing(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Iron bars, every second as high as a park's; every third on a low wall."""
    h, pitch = g.uniform(0.9, 2.1) if seed % 2 else g.uniform(1.8, 3.0), g.uniform(0.1, 0.15)
    bars = _bars(np.arange(pitch / 2, LENGTH, pitch), 0.06, h, (0.011, 0.009), 4, metal)
    brick = Material("brick_1", BRICKS[seed % 7], scale=1.2)
    base = [sh.boxes([[0, -0.14, 0]], [[LENGTH, 0.14, 0.35]], brick)] if seed % 3 == 0 else []
    return [bars, _rails([0.15, h * 0.9], 0.02, metal), _posts(2.0, h + 0.06, 0.035, metal), *base]


def _guard(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Pedestrian guard rail along the kerb."""
    bars = _bars(np.arange(0.1, LENGTH, 0.11), 0.2, 0.98, (0.008, 0.008), 3, metal)
    return [bars, _rails([0.2, 1.0], 0.022, metal), _posts(2.0, 1.02, 0.026, metal)]


def _mesh(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Chain link."""
    h, pitch = g.uniform(1.4, 3.2), 0.11
    x0 = np.arange(-h, LENGTH, pitch * 1.6)
    lo = np.column_stack([np.clip(x0, 0, LENGTH), 0 * x0, np.clip(-x0, 0, h)])
    hi = np.column_stack([np.clip(x0 + h, 0, LENGTH), 0 * x0, np.clip(LENGTH - x0, 0, h)])
    inside = np.linalg.norm(hi - lo, axis=1) > 0.05
    lo, hi = lo[inside], hi[inside]
    mirror = np.array([-1.0, 1, 1])
    a, b = (np.concatenate([end, end * mirror + sh.v(LENGTH, 0, 0)]) for end in (lo, hi))
    wires = sh.frusta(a, b, 0.006, 0.006, 3, metal, caps=False)
    return [wires, _rails([0.05, h - 0.02], 0.015, metal), _posts(2.66, h + 0.1, 0.035, metal)]


def _palisade(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Pointed strips of steel; half of what is behind shows."""
    h, wide = g.uniform(1.6, 3.0), g.uniform(0.06, 0.09)
    x = np.arange(0.08, LENGTH, wide * g.uniform(1.6, 2.4))
    pales = _planks(x, wide / 2, (-0.045, -0.025), (0.04, h - 0.12), metal)
    foot = np.column_stack([x, 0 * x - 0.035, 0 * x + h - 0.12])
    tips = sh.frusta(foot, foot + sh.v(0, 0, 0.12), wide / 2, 0.004, 4, metal, caps=False)
    return [pales, tips, _rails([0.3, h - 0.4], 0.025, metal), _posts(2.75, h - 0.1, 0.05, metal)]


def _hoarding(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Painted boards around a building site or an empty plot."""
    h, tone = g.uniform(1.9, 2.6), HOARDINGS[int(g.integers(len(HOARDINGS)))]
    board = Material("render_2" if g.random() < 0.7 else "timber", tone, scale=2.4, gloss=0.05)
    dark = Material("plain", (tone[0] * 0.5, tone[1] * 0.5, tone[2] * 0.5))
    strips = _planks(np.arange(1.22, LENGTH, 1.22), 0.012, (-0.026, -0.02), (0.02, h), dark)
    return [sh.boxes([[0, -0.02, 0.02]], [[LENGTH, 0.02, h]], board), strips, _posts(2.44, h, 0.05, wood)]


def _boards(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Close boards."""
    h = g.uniform(1.4, 2.0)
    return [sh.boxes([[0, -0.02, 0.03]], [[LENGTH, 0.02, h]], wood), _posts(2.0, 1.9, 0.05, wood)]


def _panel(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Slatted panels between concrete posts."""
    concrete = Material("render_2", rgb(175, 172, 165), scale=2.0)
    h = g.uniform(1.5, 1.9)
    slat = np.arange(0.2, h, 0.14)
    slats = sh.boxes(
        np.column_stack([0 * slat, 0 * slat - 0.015, slat]),
        np.column_stack([0 * slat + LENGTH, 0 * slat + 0.02, slat + 0.125]),
        wood,
    )
    return [slats, _posts(1.83, h + 0.1, 0.06, concrete), sh.boxes([[0, -0.03, 0]], [[LENGTH, 0.03, 0.2]], concrete)]


def _picket(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """A low garden fence."""
    paint = Material("plain", rgb(232, 232, 228)) if seed % 2 else wood
    h = g.uniform(0.8, 1.15)
    bars = _planks(np.arange(0.05, LENGTH, 0.16) + 0.045, 0.045, (-0.012, 0.012), (0.06, h), paint)
    return [bars, _rails([0.25, h * 0.8], 0.03, paint), _posts(2.0, h + 0.05, 0.045, paint)]


def _barrier(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Red and white works barrier."""
    red, white = Material("plain", rgb(200, 40, 35)), Material("plain", rgb(232, 232, 232))
    planks = [
        sh.boxes([[a, -0.02, z]], [[a + 0.5, 0.02, z + 0.2]], red if (i + j) % 2 else white)
        for j, z in enumerate((0.35, 0.8))
        for i, a in enumerate(np.arange(0, LENGTH, 0.5))
    ]
    return [*planks, _posts(2.0, 1.02, 0.03, white)]


def _post_and_rail(g: Rng, seed: int, metal: Material, wood: Material) -> list[Mesh]:
    """Two rails of a field."""
    return [_planks(np.arange(0.2, LENGTH, 1.9), 0.06, (-0.06, 0.06), (0, 1.1), wood), _rails([0.5, 0.95], 0.045, wood)]


_MAKERS = {
    "railing": _railing,
    "guard": _guard,
    "mesh": _mesh,
    "palisade": _palisade,
    "boards": _boards,
    "hoarding": _hoarding,
    "panel": _panel,
    "picket": _picket,
    "barrier": _barrier,
    "posts": _post_and_rail,
}
FENCES = tuple(_MAKERS)


@lru_cache(maxsize=64)
def fence(kind: str, seed: int) -> Mesh:
    """Eight metres of one of ``FENCES``."""
    g = np.random.default_rng([71, seed])
    metal = Material("rust", METALS[int(g.integers(len(METALS)))], gloss=0.15)
    tone = (rgb(140, 105, 70), rgb(120, 110, 100), rgb(90, 65, 45), rgb(170, 140, 100))[int(g.integers(4))]
    return merge(_MAKERS[kind](g, seed, metal, Material("timber", tone, scale=1.0)))


@lru_cache(maxsize=48)
def wall(seed: int) -> Mesh:
    """Eight metres of garden, boundary or retaining wall with a coping; material 0 is the wall."""
    g = np.random.default_rng([72, seed])
    h, half = g.uniform(0.6, 2.6), g.uniform(0.1, 0.18)
    options = [
        Material(f"brick_{g.integers(4)}", BRICKS[int(g.integers(7))], scale=1.2),
        Material(f"stone_{g.integers(2)}", STONES[int(g.integers(5))], scale=2.4),
        Material(f"render_{g.integers(3)}", RENDERS[int(g.integers(9))], scale=3.0),
    ]
    body = sh.boxes([[0, -half, 0]], [[LENGTH, half, h]], options[int(g.choice([0, 0, 1, 2]))])
    coping = sh.boxes(
        [[0, -half - 0.05, h]], [[LENGTH, half + 0.05, h + 0.07]], Material("render_2", rgb(165, 160, 150), scale=2.0)
    )
    piers = _posts(g.choice([2.7, 4.0]), h + 0.15, half + 0.08, body.materials[0]) if g.random() < 0.5 else body
    return merge([body, coping, piers])


@lru_cache(maxsize=128)
def _outline(height: float) -> Mesh:
    return sh.quads([[[0, 0, 0], [LENGTH, 0, 0], [LENGTH, 0, height], [0, 0, height]]], Material())


def outline(mesh: Mesh) -> Mesh:
    """What counts as the fence: the upright rectangle it fills."""
    return _outline(round(float(mesh.vertices_V3[:, 2].max()) - 0.04, 2))
