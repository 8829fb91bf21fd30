"""What makes a façade busy.

Bands, quoins, cornices, pilasters, bay windows, pipes, boxes, dishes, steps, scaffolding.
"""

from __future__ import annotations

import itertools

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.facade import pierced, rects
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import RENDERS, STONES, Rng, pick, rgb

PIPE = Material("plain", rgb(38, 38, 40))


def ornaments(
    g: Rng,
    style: str,
    width: float,
    ground: float,
    floor_h: float,
    floors: int,
    eaves: float,
    wall: Material,
    trim: Material,
) -> list[Mesh]:
    """A random choice of parts for one street wall (y = 0, outside towards -y)."""
    out: list[Mesh] = []
    if g.random() < 0.4:  # cornice
        out.append(sh.boxes([[-0.05, -g.uniform(0.12, 0.4), eaves - 0.35]], [[width + 0.05, 0.0, eaves - 0.05]], trim))
    if g.random() < 0.2 and style != "shop":  # quoins
        up = np.arange(0.0, eaves - 0.5, 0.62)
        for x in (0.0, width - 0.35):
            out.append(
                sh.boxes(
                    np.column_stack([0 * up + x, 0 * up - 0.03, up]),
                    np.column_stack([0 * up + x + 0.35, 0 * up, up + 0.42]),
                    trim,
                )
            )
    if style in ("office", "flats", "hall") and g.random() < 0.35:  # pilasters
        at = np.arange(0.1, width, g.uniform(2.5, 5.0))
        out.append(
            sh.boxes(
                np.column_stack([at - 0.15, 0 * at - 0.18, 0 * at]),
                np.column_stack([at + 0.2, 0 * at, 0 * at + eaves - 0.3]),
                trim,
            )
        )
    if style in ("terrace", "flats", "office") and g.random() < 0.25:  # a plinth of another colour
        band = Material("render_1", pick(g, RENDERS + STONES, 0.15), scale=3.0)
        out.append(rects([0.0], [width], [0.0], [g.uniform(0.4, 0.8)], -0.015, band))
    if style == "terrace" and g.random() < 0.4:
        out += bay(g, width, min(2, floors) if g.random() < 0.5 else 1, ground, floor_h, wall, trim)
    if style in ("office", "hall") and g.random() < 0.4:  # canopy over the entrance
        x, w = g.uniform(0, width * 0.6), g.uniform(2.5, 7)
        deep = g.uniform(1.2, 3.0)
        z = min(ground - 0.3, 3.2)
        out.append(
            sh.boxes(
                [[x, -deep, z]],
                [[min(x + w, width), 0, z + g.uniform(0.15, 0.5)]],
                Material("plain", pick(g, RENDERS, 0.3), gloss=0.1),
            )
        )
        out.append(
            sh.frusta(
                [[x + 0.1, -deep + 0.1, 0], [min(x + w, width) - 0.1, -deep + 0.1, 0]],
                [[x + 0.1, -deep + 0.1, z], [min(x + w, width) - 0.1, -deep + 0.1, z]],
                0.07,
                0.07,
                6,
                PIPE,
            )
        )
    for _ in range(int(g.integers(0, 4))):  # alarm boxes, vents, lamps, meters
        x, z, s = g.uniform(0.2, width - 0.4), g.uniform(1.5, eaves - 0.6), g.uniform(0.12, 0.4)
        colour = Material(
            "plain",
            pick(
                g, [rgb(225, 225, 220), rgb(200, 170, 40), rgb(70, 70, 75), rgb(40, 60, 110), rgb(180, 180, 178)], 0.2
            ),
        )
        out.append(sh.boxes([[x, -s * 0.6, z]], [[x + s, 0, z + s * g.uniform(0.8, 1.4)]], colour))
    if g.random() < 0.2:
        x = g.uniform(0.5, width - 0.5)
        out.append(
            sh.moved(
                sh.balls([[0, 0, 0]], [[0.32, 0.1, 0.32]], Material("plain", rgb(150, 150, 150)), 4, 8),
                x,
                -0.35,
                eaves - g.uniform(0.4, 1.5),
            )
        )
    for x in g.uniform(0.1, width - 0.1, int(g.integers(0, 3))):  # pipes and cables
        out.append(
            sh.frusta(
                [[x, -0.06, g.uniform(0, 2)]],
                [[x, -0.06, eaves * g.uniform(0.6, 1.0)]],
                0.035,
                0.035,
                4,
                PIPE,
                caps=False,
            )
        )
    if g.random() < 0.04:
        out.append(scaffold(width, eaves))
    return out


def bay(g: Rng, width: float, floors: int, ground: float, floor_h: float, wall: Material, trim: Material) -> list[Mesh]:
    """A canted or square bay window in front of the wall."""
    w = min(2.4, width * 0.55)
    x0 = 0.3 if g.random() < 0.5 else width - w - 0.3
    deep, cant = g.uniform(0.5, 0.9), g.uniform(0.0, 0.5)
    pane = Material(f"window_{g.choice([0, 3, 4, 5, 7])}", (1, 1, 1), gloss=0.6)
    top = ground - 0.35 + (floors - 1) * floor_h
    plan = np.array([[x0, 0.0], [x0 + cant, -deep], [x0 + w - cant, -deep], [x0 + w, 0.0]])
    out: list[Mesh] = []
    for a, b in itertools.pairwise(plan):
        long, yaw = float(np.linalg.norm(b - a)), float(np.arctan2(b[1] - a[1], b[0] - a[0]))
        cell = np.array(
            [[0, long, k * floor_h if k else 0.0, top if k == floors - 1 else (k + 1) * floor_h] for k in range(floors)]
        )
        hole = np.array(
            [[0.12, long - 0.12, k * floor_h + 0.75, k * floor_h + min(2.25, floor_h - 0.4)] for k in range(floors)]
        )
        if long > 0.4:
            out += [
                sh.moved(m, float(a[0]), float(a[1]), 0.0, yaw) for m in pierced(cell, hole, 0.05, wall, pane, trim)
            ]
    lid = np.column_stack([plan, np.full(4, top)])
    out.append(sh.quads([lid], trim))
    out.append(sh.boxes([[x0 - 0.08, -deep - 0.08, top]], [[x0 + w + 0.08, 0.0, top + 0.14]], trim))
    return out


def scaffold(width: float, height: float) -> Mesh:
    """Tubes and decks in front of a wall."""
    tube = Material("plain", rgb(140, 142, 145), gloss=0.2)
    x = np.arange(0, width + 0.1, 2.0)
    z = np.arange(2.0, height + 1, 2.0)
    a = [[p, y, 0] for p in x for y in (-0.3, -1.3)] + [[0, y, q + 1.0] for q in z for y in (-0.3, -1.3)]
    b = [[p, y, height + 1] for p in x for y in (-0.3, -1.3)] + [[width, y, q + 1.0] for q in z for y in (-0.3, -1.3)]
    decks = sh.boxes(
        np.column_stack([0 * z, 0 * z - 1.3, z]),
        np.column_stack([0 * z + width, 0 * z - 0.3, z + 0.06]),
        Material("timber", rgb(150, 120, 80)),
    )
    return merge([sh.frusta(a, b, 0.025, 0.025, 5, tube, caps=False), decks])
