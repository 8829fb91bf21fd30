"""Walls with windows cut into them: recessed panes, sills, lintels, doors, shop fronts.

Façade axes: x along the wall from 0 to its width, z up, the outside looks towards -y (the wall is the plane y = 0).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh

Array = npt.NDArray[np.float64]
# which corners of the four sides of a recess lie at its back: left, right, bottom, top
_INWARDS = ((0, 1, 1, 0), (1, 0, 0, 1), (0, 0, 1, 1), (1, 1, 0, 0))


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
    a, b, c, d = (np.asarray(v, np.float64).reshape(-1, 1) for v in (x0, x1, z0, z1))
    corner = np.empty((max(map(len, (a, b, c, d))), 4, 3))
    corner[:, ::3, 0], corner[:, 1:3, 0], corner[:, :2, 2], corner[:, 2:, 2] = a, b, c, d
    corner[:, :, 1] = y
    return sh.quads(corner, material, sh.UNIT_UV if fit else corner[:, :, ::2])


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
    side = np.empty((4, len(a), 4, 3))  # left, right, bottom, top; from the wall inwards and back
    left, right, low, high = a[:, None], b[:, None], c[:, None], d[:, None]
    side[0, :, :, 0], side[1, :, :, 0], side[2, :, :, 2], side[3, :, :, 2] = left, right, low, high
    side[:2, :, :2, 2], side[:2, :, 2:, 2] = low, high
    side[2:, :, ::3, 0], side[2:, :, 1:3, 0] = left, right
    side[..., 1] = np.array(_INWARDS)[:, None] * recess
    return [around, sh.quads(side, reveal), rects(a, b, c, d, recess, pane, fit=True)]


def sills(hole_N4: Array, out: float, thick: float, material: Material, *, top: bool = False) -> Mesh:
    """A ledge under (or over) each hole."""
    a, b, c, d = hole_N4.T
    z = d if top else c - thick
    low = np.column_stack([a - 0.07, 0 * a - out, z])
    return sh.boxes(low, np.column_stack([b + 0.07, 0 * b + 0.01, z + thick]), material)
