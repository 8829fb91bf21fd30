"""Buildings of several styles. Prototypes are cached by (style, seed, detail) and repainted where they stand.

Axes: x along the street from 0 to the width, y away from it (front wall at y = 0), z up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.facade import Array, pierced, rects, sills
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.ornament import ornaments
from simteacher.scenes.palette import BRICKS, RENDERS, ROOFS, STONES, Rng, pick, rgb
from simteacher.scenes.shopfront import mirror, shop_front, store_front

STYLES = ("terrace", "shop", "house", "office", "flats", "hall", "church", "store")
STONE_TRIM = Material("render_0", rgb(205, 198, 182), scale=2.0)


@dataclass(frozen=True)
class Building:
    """A prototype.

    Attributes:
        mesh: The building.
        signs: Hanging shop signs, or None.
        width, depth, height: Outer size in metres.
    """

    mesh: Mesh
    signs: Mesh | None
    width: float
    depth: float
    height: float


def wall_material(g: Rng, style: str) -> Material:
    """Brick, stone, render, concrete or cladding with a fitting colour."""
    weights = {"office": (0.3, 0.15, 0.35, 0.2), "hall": (0.35, 0.05, 0.25, 0.35), "church": (0.1, 0.9, 0, 0)}.get(
        style, (0.55, 0.1, 0.33, 0.02)
    )
    kind = g.choice(4, p=weights)
    if kind == 0:
        return Material(f"brick_{g.integers(4)}", pick(g, BRICKS, 0.2), scale=float(g.uniform(1.1, 1.4)))
    if kind == 1:
        return Material(f"stone_{g.integers(2)}", pick(g, STONES, 0.2), scale=2.4)
    if kind == 2:
        return Material(f"render_{g.integers(3)}", pick(g, RENDERS, 0.15), scale=4.0)
    return Material("cladding", pick(g, RENDERS, 0.3), scale=2.0, gloss=0.1)


def _gable(
    width: float, depth: float, eaves: float, rise: float, roof: Material, wall: Material, over: float
) -> list[Mesh]:
    """Pitched roof with its ridge along x; over = overhang of the eaves."""
    drop = over * rise / (depth / 2)
    y0, ym, y1 = -over, depth / 2, depth + over
    lo, hi = eaves - drop, eaves + rise
    slope = [
        [[-0.1, y0, lo], [width + 0.1, y0, lo], [width + 0.1, ym, hi], [-0.1, ym, hi]],
        [[width + 0.1, y1, lo], [-0.1, y1, lo], [-0.1, ym, hi], [width + 0.1, ym, hi]],
    ]
    under = [[[p[0], p[1], p[2] - 0.12] for p in reversed(q)] for q in slope]
    edge = [
        [[-0.1, y0, lo - 0.12], [width + 0.1, y0, lo - 0.12], [width + 0.1, y0, lo], [-0.1, y0, lo]],
        [[width + 0.1, y1, lo - 0.12], [-0.1, y1, lo - 0.12], [-0.1, y1, lo], [width + 0.1, y1, lo]],
    ]
    ends = np.array(
        [
            [[0, depth, eaves], [0, 0, eaves], [0, ym, hi - 0.1], [0, ym, hi - 0.1]],
            [[width, 0, eaves], [width, depth, eaves], [width, ym, hi - 0.1], [width, ym, hi - 0.1]],
        ]
    )
    return [sh.quads(slope, roof), sh.quads(np.concatenate([under, edge]), STONE_TRIM), sh.quads(ends, wall)]


def _chimneys(g: Rng, width: float, depth: float, top: float, wall: Material) -> list[Mesh]:
    out = []
    for x in g.choice([0.05, 0.5, 0.95], size=int(g.integers(1, 3)), replace=False) * width:
        w, d, h = g.uniform(0.5, 1.1), g.uniform(0.7, 1.6), g.uniform(0.9, 1.8)
        y = depth / 2 + g.uniform(-1, 1)
        out.append(sh.boxes([[x - w / 2, y - d / 2, top - 1.5]], [[x + w / 2, y + d / 2, top + h]], wall))
        pots = int(g.integers(1, 4))
        at = np.column_stack([np.full(pots, x), y + (np.arange(pots) - (pots - 1) / 2) * 0.35, np.full(pots, top + h)])
        out.append(sh.frusta(at, at + sh.v(0, 0, 0.45), 0.12, 0.1, 6, Material("plain", rgb(150, 85, 55))))
    return out


def _dormers(
    g: Rng, width: float, depth: float, eaves: float, rise: float, roof: Material, wall: Material
) -> list[Mesh]:
    out = []
    for x in np.arange(1.8, width - 1.5, g.uniform(2.6, 4.5)):
        z0, z1 = eaves + 0.35, eaves + min(1.7, rise * 0.85)
        y = 0.35 / rise * depth / 2
        out.append(sh.boxes([[x - 0.6, y, z0 - 0.3]], [[x + 0.6, y + depth * 0.3, z1]], wall))
        out.append(
            rects(
                x - 0.48,
                x + 0.48,
                z0,
                z1 - 0.12,
                y - 0.02,
                Material(f"window_{g.integers(8)}", (1, 1, 1), gloss=0.6),
                fit=True,
            )
        )
        out.append(sh.boxes([[x - 0.75, y - 0.15, z1]], [[x + 0.75, y + depth * 0.3, z1 + 0.12]], roof))
    return out


def _holes(
    width: float, z0: float, floor_h: float, bays: int, wide: float, tall: float, most: float = 0.86
) -> tuple[Array, Array]:
    """Cells and centred windows of one floor, at ``most`` that share of their cell's width."""
    edge = np.linspace(0, width, bays + 1)
    half = min(wide, (edge[1] - edge[0]) * most) / 2
    middle = (edge[1:] + edge[:-1]) / 2
    bottom = z0 + min(0.9, floor_h - tall - 0.25)
    cell = np.column_stack([edge[:-1], edge[1:], np.full(bays, z0), np.full(bays, z0 + floor_h)])
    return cell, np.column_stack([middle - half, middle + half, np.full(bays, bottom), np.full(bays, bottom + tall)])


def _front(
    g: Rng, style: str, width: float, floors: int, ground: float, floor_h: float, wall: Material, detail: int
) -> tuple[list[Mesh], list[Mesh]]:
    """The street side."""
    parts: list[Mesh] = []
    signs: list[Mesh] = []
    start = 0
    if style == "shop":  # one shop, or two side by side
        halves = 2 if width > 8 and g.random() < 0.6 else 1
        for k in range(halves):
            front, hung = shop_front(g, width / halves, ground)
            parts += [sh.moved(m, k * width / halves) for m in front]
            signs += [sh.moved(m, k * width / halves) for m in hung]
        start = 1
    if style == "store":
        return store_front(g, width, ground), []
    if style == "office" and g.random() < 0.5:  # glazed ground floor
        parts, _ = shop_front(g, width, ground)
        start = 1
    bays = max(1, round(width / g.uniform(1.9, 3.4)))
    wide, tall = g.uniform(0.85, 1.5), g.uniform(1.2, 1.9)
    if style in ("office", "flats"):
        wide, tall = g.uniform(1.2, 3.0), g.uniform(1.3, 2.2)
    if style == "church":
        wide, tall, bays = 1.2, 4.2, max(2, round(width / 4))
    recess = g.uniform(0.06, 0.22)
    curtain = style == "office" and g.random() < 0.3  # glass from edge to edge
    if curtain:
        wide, tall, recess = 3.5, floor_h, 0.04
    pane = Material(f"window_{g.integers(8)}", (1, 1, 1), gloss=float(g.uniform(0.5, 0.86)))
    lit = Material(pane.texture, (1, 0.85, 0.6), gloss=0.6, glow=0.8)
    if curtain or g.random() < 0.15:
        pane = mirror(g)
    trim = STONE_TRIM if g.random() < 0.7 else wall
    for floor in range(start, floors):
        z0 = 0.0 if floor == 0 else ground + (floor - 1) * floor_h
        high = ground if floor == 0 else floor_h
        cell, hole = _holes(width, z0, high, bays, wide, min(tall, high - 0.5), 0.97 if curtain else 0.86)
        if floor == 0 and style != "church":  # a door in one bay
            k = int(g.integers(bays))
            middle = (hole[k, 0] + hole[k, 1]) / 2
            half = min(0.55, (cell[k, 1] - cell[k, 0]) * 0.42)
            hole[k] = (middle - half, middle + half, 0.05, min(2.35, high - 0.3))
            door = Material(f"door_{g.integers(6)}", (1, 1, 1), gloss=0.2)
            parts += pierced(cell[k : k + 1], hole[k : k + 1], 0.2, wall, door, trim)
            keep = np.arange(bays) != k
            cell, hole = cell[keep], hole[keep]
        if not len(cell):
            continue
        night = g.random(len(cell)) < 0.25
        for choice, material in ((~night, pane), (night, lit)):
            if choice.any():
                parts += pierced(cell[choice], hole[choice], recess, wall, material, trim)
        if detail:
            parts.append(sills(hole, 0.09, 0.09, trim))
            if g.random() < 0.6 and style != "office":
                parts.append(sills(hole, 0.03, 0.16, trim, top=True))
        if style == "flats" and floor > 0 and g.random() < 0.75:
            lo = np.column_stack(
                [hole[::2, 0] - 0.4, np.full(len(hole[::2]), -1.1), np.full(len(hole[::2]), z0 - 0.05)]
            )
            hi = np.column_stack([hole[::2, 1] + 0.4, np.full(len(hole[::2]), 0.0), np.full(len(hole[::2]), z0 + 0.1)])
            parts.append(sh.boxes(lo, hi, trim))
            parts.append(
                sh.boxes(
                    lo + sh.v(0, 0, 0.15),
                    np.column_stack([hi[:, 0], lo[:, 1] + 0.04, hi[:, 2] + 0.9]),
                    Material("plain", rgb(150, 160, 165), gloss=0.4),
                )
            )
        if detail and floor > 0 and g.random() < 0.35:
            parts.append(sh.boxes([[0, -0.05, z0 - 0.1]], [[width, 0.01, z0 + 0.06]], trim))
    return parts, signs


# widths in metres, floors
_RANGES = {
    "terrace": ((4.2, 7.5), (2, 5)),
    "shop": ((4.5, 11), (2, 6)),
    "house": ((7, 12), (1, 3)),
    "office": ((12, 34), (3, 8)),
    "flats": ((12, 28), (3, 7)),
    "hall": ((18, 45), (1, 3)),
    "church": ((14, 24), (1, 2)),
    "store": ((22, 50), (1, 2)),
}


@lru_cache(maxsize=1024)
def width_of(style: str, seed: int) -> float:
    """Width of a prototype in metres, known before it is built: whoever only measures need not wait."""
    return float(_begun(style, seed)[1])


def _begun(style: str, seed: int) -> tuple[Rng, float]:
    """Random generator of a prototype after the first draw, its width."""
    g = np.random.default_rng([81, STYLES.index(style), seed])
    return g, g.uniform(*_RANGES[style][0])


@lru_cache(maxsize=1024)
def building(style: str, seed: int, detail: int = 1) -> Building:
    """A prototype.

    Args:
        style: One of ``STYLES``.
        seed: Everything else about it.
        detail: 0 leaves out ledges (for far ones).
    """
    g, width = _begun(style, seed)
    floors = int(g.integers(*_RANGES[style][1]))
    depth = g.uniform(8, 12) if style in ("terrace", "shop", "house") else g.uniform(12, 18)
    ground, floor_h = (g.uniform(3.2, 4.0) if style in ("shop", "office") else g.uniform(2.7, 3.2)), g.uniform(2.6, 3.2)
    if style == "hall":
        ground = g.uniform(4.0, 7.0)
    if style == "church":
        ground = g.uniform(8, 12)
    if style == "store":
        ground = g.uniform(4.2, 6.5)
    eaves = ground + (floors - 1) * floor_h + g.uniform(0.0, 0.4)
    wall, roof = wall_material(g, style), Material(f"roof_{g.integers(2)}", pick(g, ROOFS, 0.2), scale=2.5)
    if style in ("office", "hall") and g.random() < 0.3:  # curtain wall
        wall = Material("plain", pick(g, RENDERS, 0.3), gloss=0.15)
    front, signs = _front(g, style, width, floors, ground, floor_h, wall, detail)
    top = ground + (floors - 1) * floor_h
    sides = [
        [[width, 0, 0], [width, depth, 0], [width, depth, eaves], [width, 0, eaves]],
        [[0, depth, 0], [0, 0, 0], [0, 0, eaves], [0, depth, eaves]],
        [[width, depth, 0], [0, depth, 0], [0, depth, eaves], [width, depth, eaves]],
    ]
    parts = [sh.quads(sides, wall), *front, rects(0, width, top, eaves, 0.0, wall)]
    parts.append(sh.boxes([[0, 0, -2.5]], [[width, depth, 0]], wall))  # a foundation, seen where the ground falls away
    if style != "church" and g.random() < (0.35 if style in ("terrace", "shop") else 0.8):
        parts.append(_side_windows(g, width, depth, floors, ground, floor_h))
    if detail and style != "church":
        parts += ornaments(g, style, width, ground, floor_h, floors, eaves, wall, STONE_TRIM)
    if detail and g.random() < 0.7:
        x = 0.1 if g.random() < 0.5 else width - 0.1
        parts.append(
            sh.frusta(
                [[x, -0.08, 0.1]], [[x, -0.08, eaves]], 0.045, 0.045, 5, Material("plain", rgb(40, 40, 42)), caps=False
            )
        )
    if style in ("house", "terrace", "church") or (style == "shop" and g.random() < 0.6):
        rise = depth / 2 * g.uniform(0.55, 1.0) if style != "church" else depth / 2 * 1.3
        parts += _gable(width, depth, eaves, rise, roof, wall, g.uniform(0.15, 0.5))
        if style != "church":
            parts += _chimneys(g, width, depth, eaves + rise, wall)
            if g.random() < 0.3:
                parts += _dormers(g, width, depth, eaves, rise, roof, wall)
        if style == "house" and g.random() < 0.6:  # a gabled bay
            w = width * g.uniform(0.3, 0.45)
            bay_cell, bay_hole = _holes(w, 0, ground, 1, w * 0.7, 1.4)
            bay = [
                sh.boxes([[0, 0.01, 0]], [[w, 1.2, ground]], wall),
                *pierced(bay_cell, bay_hole, 0.06, wall, Material("window_4", (1, 1, 1), gloss=0.6), STONE_TRIM),
                sh.boxes([[-0.1, -0.1, ground]], [[w + 0.1, 1.2, ground + 0.25]], roof),
            ]
            parts += [sh.moved(m, width * 0.08, -0.9) for m in bay]
        height = eaves + rise
        if style == "church":
            parts += _tower(g, wall, roof, height)
    else:
        cap = g.uniform(0.3, 1.0)
        parts += [
            sh.boxes([[-0.05, -0.08, eaves]], [[width + 0.05, 0.25, eaves + cap]], wall),
            sh.boxes([[0, 0, eaves - 0.3]], [[width, depth, eaves]], Material("roof_2", rgb(120, 118, 112), scale=4.0)),
        ]
        parts.append(sh.boxes([[-0.1, -0.14, eaves + cap]], [[width + 0.1, 0.3, eaves + cap + 0.1]], STONE_TRIM))
        if g.random() < 0.5:
            x, y = g.uniform(0, width * 0.6), g.uniform(3, depth * 0.5)
            parts.append(
                sh.boxes(
                    [[x, y, eaves]],
                    [[x + g.uniform(2, 5), y + 3, eaves + g.uniform(1.2, 2.6)]],
                    Material("cladding", rgb(165, 168, 170), scale=2.0),
                )
            )
        height = eaves + cap
    return Building(
        sh.compact(merge(parts)), merge(signs) if signs else None, float(width), float(depth), float(height)
    )


def _side_windows(g: Rng, width: float, depth: float, floors: int, ground: float, floor_h: float) -> Mesh:
    """A few flat windows in both side walls."""
    pane = Material(f"window_{g.integers(8)}", (1, 1, 1), gloss=0.6)
    y = np.arange(g.uniform(1.2, 3.0), depth - 1.8, g.uniform(2.4, 5.0))
    base = np.array([0.0 if f == 0 else ground + (f - 1) * floor_h for f in range(floors)]) + 0.95
    yy, zz = (v.ravel() for v in np.meshgrid(y, base))
    keep = g.random(len(yy)) < 0.75
    yy, zz = yy[keep], zz[keep]
    wide, tall = g.uniform(0.8, 1.4), g.uniform(1.0, 1.5)
    corner = np.empty((2, len(yy), 4, 3))
    corner[0, :, :, 0], corner[1, :, :, 0] = -0.02, width + 0.02
    near, far = yy[:, None], (yy + wide)[:, None]
    corner[0, :, ::3, 1], corner[0, :, 1:3, 1], corner[1, :, ::3, 1], corner[1, :, 1:3, 1] = far, near, near, far
    corner[:, :, :2, 2], corner[:, :, 2:, 2] = zz[:, None], (zz + tall)[:, None]
    return sh.quads(corner, pane, sh.UNIT_UV)


def _tower(g: Rng, wall: Material, roof: Material, height: float) -> list[Mesh]:
    """Church tower, with a spire or battlements."""
    w, h = g.uniform(4.5, 6.5), height * g.uniform(1.1, 1.6)
    body = sh.boxes([[0, -1.5, 0]], [[w, w - 1.5, h]], wall)
    slit = rects([w * 0.35], [w * 0.65], [h * 0.7], [h * 0.88], -1.52, Material("window_3", (0.3, 0.3, 0.3)), fit=True)
    if g.random() < 0.5:
        return [
            body,
            slit,
            sh.frusta([[w / 2, w / 2 - 1.5, h]], [[w / 2, w / 2 - 1.5, h + w * 2.2]], w * 0.6, 0.05, 8, roof),
        ]
    x = np.arange(0, w, 1.2)
    merlon = sh.boxes(
        np.column_stack([x, 0 * x - 1.55, 0 * x + h]), np.column_stack([x + 0.6, 0 * x - 1.1, 0 * x + h + 0.9]), wall
    )
    return [body, slit, merlon]
