"""Walls with windows cut into them: recessed panes, sills, lintels, doors, shop fronts.

Façade axes: x along the wall from 0 to its width, z up, the outside looks towards -y (the wall is the plane y = 0).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import Rng, rgb

Array = npt.NDArray[np.float64]


def rects(
    x0: sh.Numbers,
    x1: sh.Numbers,
    z0: sh.Numbers,
    z1: sh.Numbers,
    y: float,
    material: Material,
    *,
    fit: bool = False,
) -> Mesh:
    """Upright rectangles facing -y at depth y; ``fit`` maps one picture on each."""
    a, b, c, d = np.broadcast_arrays(*(np.asarray(v, np.float64).ravel() for v in (x0, x1, z0, z1)))
    depth = np.full(len(a), y)
    corner = np.stack([np.stack(p, -1) for p in ((a, depth, c), (b, depth, c), (b, depth, d), (a, depth, d))], 1)
    if fit:
        return sh.quads(corner, material, sh.UNIT_UV)
    uv = np.stack([np.stack(p, -1) for p in ((a, c), (b, c), (b, d), (a, d))], 1)
    return sh.quads(corner, material, uv)


def pierced(
    cell_N4: Array, hole_N4: Array, recess: float, wall: Material, pane: Material, reveal: Material
) -> list[Mesh]:
    """Cells of wall with one hole each.

    Args:
        cell_N4: x0, x1, z0, z1 of the cells.
        hole_N4: The same of the holes, inside their cells.
        recess: How deep the panes sit, metres.
        wall: Surface around.
        pane: Picture of the window.
        reveal: Surface of the recess.
    """
    x0, x1, z0, z1 = cell_N4.T
    a, b, c, d = hole_N4.T
    around = rects(
        np.concatenate([x0, x0, x0, b]),
        np.concatenate([x1, x1, a, x1]),
        np.concatenate([z0, d, c, c]),
        np.concatenate([c, z1, d, d]),
        0.0,
        wall,
    )
    zero, deep = 0 * a, 0 * a + recess
    side = [
        np.stack([np.stack(p, -1) for p in q], 1)
        for q in (
            ((a, zero, c), (a, deep, c), (a, deep, d), (a, zero, d)),
            ((b, deep, c), (b, zero, c), (b, zero, d), (b, deep, d)),
            ((a, zero, c), (b, zero, c), (b, deep, c), (a, deep, c)),
            ((a, deep, d), (b, deep, d), (b, zero, d), (a, zero, d)),
        )
    ]
    return [around, sh.quads(np.concatenate(side), reveal), rects(a, b, c, d, recess, pane, fit=True)]


def sills(hole_N4: Array, out: float, thick: float, material: Material, *, top: bool = False) -> Mesh:
    """A ledge under (or over) each hole."""
    a, b, c, d = hole_N4.T
    z = d if top else c - thick
    low = np.column_stack([a - 0.07, 0 * a - out, z])
    return sh.boxes(low, np.column_stack([b + 0.07, 0 * b + 0.01, z + thick]), material)


def shop_front(g: Rng, width: float, height: float) -> tuple[list[Mesh], list[Mesh]]:
    """Ground floor of a shop: stall riser, display windows, door, pilasters, fascia, perhaps an awning.

    Returns:
        Building parts, and hanging signs.
    """
    paint = Material(
        "plain",
        [
            rgb(20, 60, 45),
            rgb(120, 20, 30),
            rgb(25, 35, 70),
            rgb(30, 30, 32),
            rgb(225, 222, 212),
            rgb(90, 60, 40),
            rgb(200, 160, 40),
            rgb(110, 140, 150),
        ][int(g.integers(8))],
        gloss=0.15,
    )
    number = int(g.integers(10))
    board = Material(f"fascia_{g.integers(12)}", (1, 1, 1), gloss=0.15, glow=0.2 if g.random() < 0.3 else 0.0)
    fascia_h = g.uniform(0.55, 0.95)
    top = height - g.uniform(0.05, 0.3)
    sill = float(g.choice([0.08, 0.45, 0.7]))
    parts = [rects(0, width, 0, sill, 0.02, paint), rects(0, width, top, height, 0.0, paint)]
    door_w = min(1.1, width * 0.3)
    door_x = float(g.choice([0.25, width / 2 - door_w / 2, width - door_w - 0.25]))
    glass_top = top - fascia_h
    panes = [(0.12, door_x - 0.06), (door_x + door_w + 0.06, width - 0.12)]
    for a, b in panes:
        if b - a < 0.4:
            continue
        n = max(1, round((b - a) / 2.6))
        edge = np.linspace(a, b, n + 1)
        parts.append(
            rects(
                edge[:-1],
                edge[1:],
                sill,
                glass_top,
                0.12,
                Material(f"shop_{number}", (1, 1, 1), gloss=0.6, glow=0.15),
                fit=True,
            )
        )
        parts.append(
            sh.boxes(
                np.column_stack([edge - 0.05, 0 * edge - 0.02, 0 * edge + sill]),
                np.column_stack([edge + 0.05, 0 * edge + 0.15, 0 * edge + glass_top]),
                paint,
            )
        )
    parts.append(
        rects(
            door_x,
            door_x + door_w,
            0.05,
            glass_top,
            0.3 if g.random() < 0.5 else 0.12,
            Material(f"door_{g.choice([2, 5])}", (1, 1, 1), gloss=0.4),
            fit=True,
        )
    )
    parts.append(sh.boxes([[0, -0.14, glass_top]], [[width, 0.05, top]], paint))
    name = width * g.uniform(0.55, 1.0)
    left = (width - name) / 2
    parts.append(rects(left, left + name, glass_top + 0.03, top - 0.03, -0.155, board, fit=True))
    parts.append(
        sh.boxes(
            [[0, -0.2, 0], [width - 0.2, -0.2, 0], [0, -0.24, top]],
            [[0.2, 0.02, top], [width, 0.02, top], [width, 0.0, top + 0.1]],
            paint,
        )
    )
    if g.random() < 0.22:
        out, drop = g.uniform(0.8, 1.5), g.uniform(0.5, 0.8)
        canvas = Material("cloth_1" if g.random() < 0.5 else "cloth_0", rgb(*g.integers(40, 240, 3)), scale=1.0)
        z = glass_top + 0.1
        corner = [[0.1, -0.16, z], [0.1, -out, z - drop], [width - 0.1, -out, z - drop], [width - 0.1, -0.16, z]]
        parts.append(sh.quads([corner, corner[::-1]], canvas))
        parts.append(rects(0.1, width - 0.1, z - drop - 0.22, z - drop, -out, canvas))
    signs = []
    if g.random() < 0.4:
        picture = Material(
            f"fascia_{g.integers(12)}" if g.random() < 0.7 else f"poster_{g.integers(8)}", (1, 1, 1), gloss=0.15
        )
        x, z, s = g.uniform(0.3, width - 0.3), top + g.uniform(0.1, 0.9), g.uniform(0.35, 0.6)
        plate = sh.prism([(-s, -s * 0.7), (s, -s * 0.7), (s, s * 0.7), (-s, s * 0.7)], 0.08, picture, picture, fit=True)
        back = sh.moved(
            sh.prism([(-s, -s * 0.7), (s, -s * 0.7), (s, s * 0.7), (-s, s * 0.7)], 0.01, picture, picture, fit=True),
            -0.085,
            yaw=np.pi,
        )
        signs += [sh.moved(p, x, -0.25 - s, z) for p in (plate, back)]
        parts.append(
            sh.boxes([[x - 0.06, -0.3, z + s * 0.5]], [[x, 0.0, z + s * 0.6]], Material("plain", rgb(30, 30, 30)))
        )
    return parts, signs
