"""Ground floors with shops: display windows, doors, fascias, shutters, awnings, posters, hanging signs.

Axes as in `facade.py`: x along the wall, outside towards -y.
"""

from __future__ import annotations

import itertools

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.facade import rects
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import BRICKS, RENDERS, STONES, Rng, pick, rgb

PAINTS = [
    rgb(20, 60, 45),
    rgb(120, 20, 30),
    rgb(25, 35, 70),
    rgb(30, 30, 32),
    rgb(225, 222, 212),
    rgb(90, 60, 40),
    rgb(200, 160, 40),
    rgb(110, 140, 150),
    rgb(60, 62, 66),
    rgb(235, 235, 235),
]
DARK = Material("plain", rgb(24, 24, 26))
MIRRORS = 0.3  # chance that a front's panes mirror the street


def shop_front(g: Rng, width: float, height: float) -> tuple[list[Mesh], list[Mesh]]:
    """One shop.

    Returns:
        Building parts, and hanging signs.
    """
    paint = Material("plain", pick(g, PAINTS, 0.2), gloss=0.15)
    frame = (
        paint if g.random() < 0.6 else Material("plain", pick(g, [rgb(25, 25, 27), rgb(190, 192, 194)], 0.1), gloss=0.2)
    )
    top = height - g.uniform(0.05, 0.35)
    glass_top = top - g.uniform(0.45, 0.95)
    sill = float(g.choice([0.06, 0.3, 0.5, 0.75]))
    riser = paint if g.random() < 0.6 else Material(f"brick_{g.integers(4)}", pick(g, BRICKS, 0.2), scale=1.2)
    parts = [rects(0, width, 0, sill, 0.02, riser), rects(0, width, top, height, 0.0, paint)]
    door_w = min(1.1, width * 0.3)
    door_x = float(g.choice([0.25, width / 2 - door_w / 2, width - door_w - 0.25]))
    mirrors = g.random() < MIRRORS
    for a, b in ((0.12, door_x - 0.06), (door_x + door_w + 0.06, width - 0.12)):
        if b - a > 0.4:
            parts += _window(g, a, b, sill, glass_top, frame, mirrors)
    deep = 0.7 if g.random() < 0.3 else 0.14
    door = Material(f"door_{g.choice([2, 2, 5, 0, 4])}", (1, 1, 1), gloss=0.4)
    parts.append(rects(door_x, door_x + door_w, 0.05, min(2.3, glass_top), deep, door, fit=True))
    parts.append(rects(door_x, door_x + door_w, min(2.3, glass_top), glass_top, deep, DARK))
    parts += _fascia(g, width, glass_top, top, paint)
    if g.random() < 0.22:
        parts += _awning(g, width, glass_top)
    if g.random() < 0.5:  # stone or painted piers at both ends
        pier = paint if g.random() < 0.6 else Material(f"stone_{g.integers(2)}", pick(g, STONES, 0.2), scale=2.4)
        low = [[0, -0.2, 0], [width - 0.3, -0.2, 0]]
        parts.append(sh.boxes(low, [[0.3, 0.02, top], [width, 0.02, top]], pier))
    return parts, _hanging(g, width, top, parts) if g.random() < 0.4 else []


def mirror(g: Rng) -> Material:
    """Glass that shows what is opposite, sky and crowns and cars, rather than what is behind it."""
    dark = float(g.uniform(0.03, 0.18))
    r, gr, b = (dark * float(t) for t in g.uniform(0.75, 1.1, 3))
    return Material("plain", (r, gr, b), gloss=float(g.uniform(0.86, 0.99)))


def _window(g: Rng, a: float, b: float, sill: float, top: float, frame: Material, mirrors: bool = False) -> list[Mesh]:
    """A glazed stretch: big panes or small ones, perhaps behind a shutter, with posters on the glass."""
    if g.random() < 0.1:
        ribs = Material(
            "shutter", pick(g, [rgb(150, 152, 155), rgb(110, 112, 115), rgb(200, 200, 200)], 0.2), scale=1.0
        )
        return [rects(a, b, sill, top, 0.1, ribs)]
    glow = float(g.choice([0.05, 0.15, 0.3]))
    glass = mirror(g) if mirrors else Material(f"shop_{g.integers(10)}", (1, 1, 1), gloss=0.62, glow=glow)
    pitch = float(g.choice([0.7, 1.1, 1.8, 2.8]))
    edge = np.linspace(a, b, max(1, round((b - a) / pitch)) + 1)
    half = float(g.uniform(0.02, 0.06))
    parts = [rects(a, b, sill, top, 0.12, glass, fit=True)] if pitch < 1.5 else []
    if not parts:
        parts.append(rects(edge[:-1], edge[1:], sill, top, 0.12, glass, fit=True))
    low = np.column_stack([edge - half, 0 * edge - 0.02, 0 * edge + sill])
    parts.append(sh.boxes(low, np.column_stack([edge + half, 0 * edge + 0.13, 0 * edge + top]), frame))
    bars = [sill, top - 0.06] + ([top - g.uniform(0.4, 0.8)] if g.random() < 0.5 else [])
    parts.append(sh.boxes([[a, 0.0, z] for z in bars], [[b, 0.13, z + 0.06] for z in bars], frame))
    for _ in range(int(g.integers(0, 4))):
        w, h = g.uniform(0.25, 0.8), g.uniform(0.3, 1.1)
        x, z = g.uniform(a, max(a, b - w)), g.uniform(sill, max(sill, top - h))
        picture = Material(f"poster_{g.integers(8)}" if g.random() < 0.5 else "plain", (0.8, 0.8, 0.78), gloss=0.3)
        parts.append(rects(x, min(x + w, b), z, min(z + h, top), 0.11, picture, fit=True))
    return parts


def _fascia(g: Rng, width: float, low: float, top: float, paint: Material) -> list[Mesh]:
    """The name board, boxed out or flat, over all the front or as single letters' width."""
    glow = 0.2 if g.random() < 0.3 else 0.0
    board = Material(f"fascia_{g.integers(12)}", (1, 1, 1), gloss=0.15, glow=glow)
    name = width * float(g.choice([1.0, 1.0, 0.8, 0.5]))
    left = (width - name) * g.random()
    out = float(g.choice([0.03, 0.15, 0.3]))
    return [
        sh.boxes([[0, -out, low]], [[width, 0.05, top]], paint),
        rects(left, left + name, low + 0.03, top - 0.03, -out - 0.012, board, fit=True),
        sh.boxes([[0, -out - 0.08, top]], [[width, 0.0, top + 0.1]], paint),
    ]


def _awning(g: Rng, width: float, glass_top: float) -> list[Mesh]:
    """A sloping canvas with a valance."""
    out, drop = g.uniform(0.8, 1.5), g.uniform(0.5, 0.8)
    r, gr, b = (float(c) for c in g.uniform(40, 240, 3))
    canvas = Material("cloth_1" if g.random() < 0.5 else "cloth_0", rgb(r, gr, b), scale=1.0)
    z = glass_top + 0.1
    corner = [[0.1, -0.16, z], [0.1, -out, z - drop], [width - 0.1, -out, z - drop], [width - 0.1, -0.16, z]]
    return [sh.quads([corner, corner[::-1]], canvas), rects(0.1, width - 0.1, z - drop - 0.22, z - drop, -out, canvas)]


def _hanging(g: Rng, width: float, top: float, parts: list[Mesh]) -> list[Mesh]:
    """A sign square to the wall on a bracket (which joins ``parts``)."""
    name = f"fascia_{g.integers(12)}" if g.random() < 0.7 else f"poster_{g.integers(8)}"
    picture = Material(name, (1, 1, 1), gloss=0.15)
    x, z, s = g.uniform(0.3, width - 0.3), top + g.uniform(0.1, 0.9), g.uniform(0.3, 0.55)
    tall = s * float(g.choice([0.7, 1.0, 1.4]))
    outline = [(-s, -tall), (s, -tall), (s, tall), (-s, tall)]
    plate = sh.prism(outline, 0.08, picture, picture, fit=True)
    back = sh.moved(sh.prism(outline, 0.01, picture, picture, fit=True), -0.085, yaw=np.pi)
    parts.append(sh.boxes([[x - 0.06, -0.3, z + tall * 0.7]], [[x, 0.0, z + tall * 0.8]], DARK))
    return [sh.moved(p, x, -0.25 - s, z) for p in (plate, back)]


def store_front(g: Rng, width: float, height: float) -> list[Mesh]:
    """Supermarket: glazing between posts, a canopy, big lettering on a broad band."""
    parts: list[Mesh] = []
    mirrors, glazed = g.random() < 2 * MIRRORS, float(g.choice([0.5, 0.65, 0.95]))
    band_low = min(height - 0.8, g.uniform(2.8, 3.6))
    wall = Material(
        f"brick_{g.integers(4)}" if g.random() < 0.5 else "cladding", pick(g, BRICKS + RENDERS, 0.2), scale=1.3
    )
    edge = np.linspace(0, width, max(3, round(width / g.uniform(3, 6))) + 1)
    for a, b in itertools.pairwise(edge):
        if g.random() < glazed:
            frame = Material("plain", pick(g, [rgb(210, 212, 214), rgb(60, 62, 66)], 0.1), gloss=0.2)
            parts += _window(g, float(a), float(b), 0.1, band_low, frame, mirrors)
            parts.append(rects(a, b, 0, 0.1, 0.02, wall))
        else:
            parts.append(rects(a, b, 0, band_low, 0.0, wall))
    band = Material("plain", pick(g, [rgb(230, 230, 230), rgb(190, 192, 195), rgb(230, 120, 40), rgb(30, 90, 60)], 0.1))
    parts.append(rects(0, width, band_low, height, 0.0, band))
    for _ in range(int(g.integers(1, 3))):
        w, h = g.uniform(3, 8), g.uniform(0.7, max(0.8, height - band_low - 0.2))
        x = g.uniform(0, max(0.1, width - w))
        board = Material(f"fascia_{g.integers(12)}", (1, 1, 1), gloss=0.1, glow=0.1)
        parts.append(rects(x, min(x + w, width), band_low + 0.1, band_low + 0.1 + h, -0.06, board, fit=True))
    if g.random() < 0.7:  # canopy on thin columns
        out, z = g.uniform(1.2, 2.4), band_low  # its columns stand before the sidewalk's edge
        parts.append(sh.boxes([[0, -out, z]], [[width, 0, z + g.uniform(0.2, 0.5)]], band))
        post_N = np.arange(0.5, width, g.uniform(4, 7))
        foot = np.column_stack([post_N, 0 * post_N - out + 0.3, 0 * post_N])
        white = Material("plain", rgb(225, 225, 225), gloss=0.2)
        parts.append(sh.frusta(foot, foot + sh.v(0, 0, z), 0.09, 0.09, 8, white))
    return parts
