"""Walls with windows cut into them: recessed panes, sills, lintels, doors, shop fronts.

Façade axes: x along the wall from 0 to its width, z up, the outside looks towards -y (the wall is the plane y = 0).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh

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
