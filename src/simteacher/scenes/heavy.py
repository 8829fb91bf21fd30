"""Buses, trucks and trams: long boxes with rounded edges, rows of windows, many wheels. Same axes as the cars."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import rgb
from simteacher.scenes.vehicles import CHROME, DARK, GLASS, LAMP, TAIL, patch_x, wheels

PAINT = Material("plain", rgb(170, 30, 30), gloss=0.3)
SECOND = Material("plain", rgb(225, 225, 220), gloss=0.3)


def _hull(x0: float, x1: float, half: float, z0: float, z1: float, bend: float, paint: Material) -> Mesh:
    """A box with rounded long edges and slightly drawn-in ends."""
    r = bend
    ring = np.array(
        [
            (half, z0),
            (half, z1 - r),
            (half - 0.35 * r, z1 - 0.25 * r),
            (half - 1.1 * r, z1),
            (-half + 1.1 * r, z1),
            (-half + 0.35 * r, z1 - 0.25 * r),
            (-half, z1 - r),
            (-half, z0),
        ]
    )
    xs = np.array([x0, x0 + 0.5 * r, x1 - 0.8 * r, x1])
    squeeze = np.array([0.95, 1.0, 1.0, 0.93])
    sections = np.stack(
        [
            np.column_stack([np.full(8, x), ring[:, 0] * k, z0 + (ring[:, 1] - z0) * (0.5 + 0.5 * k)])
            for x, k in zip(xs, squeeze, strict=True)
        ]
    )
    return sh.loft(sections, [paint])


def _side_windows(
    x0: float, x1: float, half: float, z0: float, z1: float, pitch: float, material: Material = GLASS
) -> Mesh:
    """Rows of panes just outside both flanks."""
    n = max(1, int((x1 - x0) / pitch))
    a = x0 + np.arange(n) * (x1 - x0) / n + 0.04
    b = a + (x1 - x0) / n - 0.08
    lo = np.column_stack([a, np.full(n, -half - 0.012), np.full(n, z0)])
    hi = np.column_stack([b, np.full(n, -half + 0.02), np.full(n, z1)])
    flip = np.array([1, -1, 1])
    lo2, hi2 = lo * flip, hi * flip
    return sh.boxes(np.concatenate([lo, np.minimum(lo2, hi2)]), np.concatenate([hi, np.maximum(lo2, hi2)]), material)


@lru_cache(maxsize=24)
def bus(seed: int) -> Mesh:
    """Single- or double-decker or coach; material 0 is the paint, 1 a second colour."""
    g = np.random.default_rng([21, seed])
    double = seed % 3 == 0
    length, half, height = g.uniform(9.5, 12), 1.25, 4.3 if double else g.uniform(2.9, 3.3)
    x0, x1 = -length / 2, length / 2
    belt = g.uniform(1.15, 1.45)
    parts = [
        _hull(x0, x1, half, 0.35, height, 0.22, PAINT),
        sh.boxes([[x0 + 0.1, -half - 0.008, 0.5]], [[x1 - 0.2, half + 0.008, g.uniform(0.7, 1.05)]], SECOND),
        _side_windows(x0 + 0.5, x1 - 0.5, half, belt, belt + 0.95, g.uniform(1.2, 1.8)),
        patch_x(x1 - 0.02, -half * 0.86, half * 0.86, belt - 0.25, belt + 1.15, GLASS, True, 0.03),
        patch_x(
            x1 - 0.02, -half * 0.6, half * 0.6, belt + 1.2, belt + 1.45, Material("fascia_3", (1, 1, 1)), True, 0.035
        ),
        patch_x(x0 + 0.02, -half * 0.75, half * 0.75, belt + 0.1, belt + 0.95, GLASS, False, 0.03),
        patch_x(x1, -0.3, 0.3, 0.5, 0.62, Material("plate_0", (1, 1, 1)), True, 0.03),
        patch_x(x0, -0.3, 0.3, 0.7, 0.82, Material("plate_1", (1, 1, 1)), False, 0.03),
    ]
    if double:
        parts += [
            _side_windows(x0 + 0.5, x1 - 0.3, half, 2.75, 3.65, 1.5),
            patch_x(x1 - 0.02, -half * 0.86, half * 0.86, 2.8, 3.75, GLASS, True, 0.03),
            patch_x(x0 + 0.02, -half * 0.8, half * 0.8, 2.8, 3.6, GLASS, False, 0.03),
        ]
    picture = Material(f"poster_{seed % 8}", (1, 1, 1))
    parts.append(patch_x(x0 + 0.01, -half * 0.6, half * 0.6, 1.15 if double else 0.9, belt, picture, False, 0.035))
    for s in (-1, 1):
        parts.append(patch_x(x1 - 0.03, s * half * 0.85, s * half * 0.55, 0.6, 0.8, LAMP, True, 0.05))
        parts.append(patch_x(x0 + 0.03, s * half * 0.9, s * half * 0.72, 0.9, 1.25, TAIL, False, 0.05))
        parts.append(
            sh.boxes(
                [[x1 - 0.05, min(s * half, s * (half + 0.25)), belt + 0.5]],
                [[x1 + 0.08, max(s * half, s * (half + 0.25)), belt + 0.95]],
                DARK,
            )
        )
    places = [(x, s * (half + 0.01)) for x in (x1 - 2.6, x0 + 3.0) for s in (-1, 1)]
    parts.append(wheels(places, 0.48, 0.3, "hub_1"))
    return sh.compact(merge(parts))


@lru_cache(maxsize=24)
def truck(seed: int) -> Mesh:
    """Cab with a box, a tarpaulin, a flat bed or a tank behind; material 0 is the cab's paint, 1 the load's colour."""
    g = np.random.default_rng([22, seed])
    big = g.random() < 0.5
    half = 1.25 if big else 1.08
    cab_h, box_h = (2.9, g.uniform(3.2, 3.9)) if big else (2.3, g.uniform(2.6, 3.1))
    length = g.uniform(7.5, 11) if big else g.uniform(5.8, 7.0)
    x1 = length / 2
    cab0 = x1 - (2.0 if big else 1.8)
    floor = 1.0 if big else 0.8
    load = Material(("plain", "plain", "cloth_0", "cladding", "timber")[seed % 5], SECOND.tint, gloss=0.1, scale=2.0)
    belt = floor + 0.65
    parts = [
        _hull(cab0, x1, half * 0.97, 0.45, cab_h, 0.2, PAINT),
        sh.boxes([[-x1, -half + 0.08, floor - 0.3]], [[cab0, half - 0.08, floor]], DARK),
        patch_x(x1 - 0.02, -half * 0.84, half * 0.84, belt, belt + 0.85, GLASS, True, 0.03),
        patch_x(x1 - 0.01, -half * 0.6, half * 0.6, 0.75, belt - 0.15, DARK, True, 0.03),
        _side_windows(cab0 + 0.7, x1 - 0.3, half * 0.97, belt + 0.05, belt + 0.8, 2.0),
        patch_x(x1, -0.3, 0.3, 0.5, 0.62, Material("plate_0", (1, 1, 1)), True, 0.04),
    ]
    kind = seed % 4
    back = cab0 - 0.15
    if kind == 3:
        side = np.array([[-x1, -half, floor], [-x1, half - 0.05, floor], [-x1, -half, floor], [back, -half, floor]])
        top = np.array(
            [
                [back, -half + 0.05, floor + 0.5],
                [back, half, floor + 0.5],
                [-x1 + 0.05, half, floor + 0.5],
                [back + 0.05, half, floor + 1.2],
            ]
        )
        parts.insert(1, sh.boxes(side, top, load))
        parts.append(
            sh.boxes(
                [[-x1 + 0.5, -half + 0.2, floor]],
                [[back - 0.8, half - 0.3, floor + g.uniform(0.3, 1.1)]],
                Material("soil", (1, 1, 1)),
            )
        )
    else:
        parts.insert(1, sh.boxes([[-x1, -half, floor]], [[back, half, box_h]], load))
        parts.append(
            patch_x(
                -x1,
                -half * 0.92,
                half * 0.92,
                floor + 0.1,
                box_h - 0.12,
                Material("plain", (0.55, 0.55, 0.55), gloss=0.1),
                False,
                0.01,
            )
        )
        parts.append(sh.boxes([[-x1 - 0.03, -0.02, floor + 0.1]], [[-x1, 0.02, box_h - 0.1]], DARK))
        w = g.uniform(1.5, 3.5)
        for s in (-1, 1):
            picture = Material(f"fascia_{seed % 12}", (1, 1, 1))
            y, a, b = s * (half + 0.006), back - 0.8 - w, back - 0.8
            c = [[a, y, floor + 0.9], [b, y, floor + 0.9], [b, y, floor + 1.8], [a, y, floor + 1.8]]
            parts.append(sh.quads([c if s < 0 else [c[1], c[0], c[3], c[2]]], picture, sh.UNIT_UV))
    for s in (-1, 1):
        parts.append(patch_x(x1 - 0.02, s * half * 0.85, s * half * 0.6, 0.65, 0.85, LAMP, True, 0.05))
        parts.append(patch_x(-x1 + 0.02, s * half * 0.9, s * half * 0.65, floor - 0.3, floor - 0.14, TAIL, False, 0.06))
        parts.append(
            sh.boxes(
                [[x1 - 0.25, min(s * half, s * (half + 0.22)), belt + 0.2]],
                [[x1 - 0.12, max(s * half, s * (half + 0.22)), belt + 0.75]],
                DARK,
            )
        )
    axles = [x1 - 1.2, -x1 + 1.3] + ([-x1 + 2.5] if big else [])
    parts.append(wheels([(x, s * (half - 0.03)) for x in axles for s in (-1, 1)], 0.48 if big else 0.38, 0.3, "hub_1"))
    parts.append(sh.boxes([[-x1, -half + 0.1, 0.45]], [[-x1 + 0.08, half - 0.1, 0.6]], CHROME))
    return sh.compact(merge(parts))


@lru_cache(maxsize=12)
def tram(seed: int) -> Mesh:
    """Articulated tram or light-rail train on the street; material 0 is the paint, 1 a second colour."""
    g = np.random.default_rng([23, seed])
    parts: list[Mesh] = []
    section, gap, half, height = g.uniform(7, 10), 0.5, 1.25, 3.4
    count = 2 + seed % 2
    total = count * section + (count - 1) * gap
    for i in range(count):
        x0 = -total / 2 + i * (section + gap)
        x1 = x0 + section
        parts += [
            _hull(x0, x1, half, 0.3, height, 0.3, PAINT),
            sh.boxes([[x0 + 0.15, -half - 0.008, 0.45]], [[x1 - 0.25, half + 0.008, 1.0]], SECOND),
            _side_windows(x0 + 0.4, x1 - 0.4, half, 1.3, 2.6, 1.6),
        ]
        if i:
            parts.append(sh.boxes([[x0 - gap - 0.1, -half + 0.15, 0.5]], [[x0 + 0.1, half - 0.15, height - 0.2]], DARK))
    x1 = total / 2
    for forward, x in ((True, x1), (False, -x1)):
        parts.append(
            patch_x(x - 0.03 * (1 if forward else -1), -half * 0.85, half * 0.85, 1.2, 2.7, GLASS, forward, 0.05)
        )
        parts.append(patch_x(x, -0.5, 0.5, 2.75, 3.0, Material("fascia_3", (1, 1, 1)), forward, 0.04))
        for s in (-1, 1):
            parts.append(patch_x(x, s * 0.9, s * 0.6, 0.75, 0.95, LAMP if forward else TAIL, forward, 0.06))
    parts.append(sh.boxes([[-total / 2 + 1, -half + 0.1, 0.05]], [[total / 2 - 1, half - 0.1, 0.35]], DARK))
    up = np.array(
        [
            [0, -0.6, height],
            [0, 0.6, height],
            [0.9, -0.6, height + 0.5],
            [0.9, 0.6, height + 0.5],
            [0, -0.8, height + 1.0],
        ]
    )
    to = np.array(
        [
            [0.9, -0.6, height + 0.5],
            [0.9, 0.6, height + 0.5],
            [0, -0.6, height + 1.0],
            [0, 0.6, height + 1.0],
            [0, 0.8, height + 1.0],
        ]
    )
    parts.append(sh.frusta(up, to, 0.03, 0.03, 4, DARK))
    return sh.compact(merge(parts))
