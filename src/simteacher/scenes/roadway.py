"""From the plan to ground: base, blocks with kerb and sidewalk, markings, rails, islands."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from simteacher.scenes import ground as gr
from simteacher.scenes import shapes as sh
from simteacher.scenes.ground import Array
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import PAVINGS, Rng, pick, rgb, shade
from simteacher.scenes.street import LAST, Block, Street

GRASS = ("grass_0", "grass_1", "grass_2")


def lay(g: Rng, street: Street) -> None:
    """Put all ground."""
    _tracks(g, street)
    path = street.path
    street.put(gr.road_surface(g, path, street.surfaces, street.half), np.eye(4), "road")
    for block in street.blocks:
        _block(g, street, block)
    street.put(merge(_markings(g, street)), np.eye(4), "road")
    low = float(path.z_N.min()) - 1.0
    size = 1500.0
    far = sh.quads(
        [[[-size, -size, low], [size, -size, low], [size, size, low], [-size, size, low]]],
        Material("grass_1", (0.7, 0.7, 0.7), scale=30.0),
    )
    street.put(far, np.eye(4), "terrain")


def _tracks(g: Rng, street: Street) -> None:
    """Where wheels run, the road is a little darker or paler; between them it may be oily."""
    if g.random() < 0.35:
        return
    base, tone, oil = street.surfaces.road, float(np.exp(g.normal(0, 0.07))), float(np.exp(-abs(g.normal(0, 0.1))))
    for shade_of, offsets, wide in ((tone, (-0.75, 0.75), 0.5), (oil, (0.0,), 0.6)):
        tint = (base.tint[0] * shade_of, base.tint[1] * shade_of, base.tint[2] * shade_of)
        rects = [[-40, LAST, d + o - wide / 2, d + o + wide / 2] for d, _ in street.lanes for o in offsets]
        street.put(street.path.patches(rects, 0.002, replace(base, tint=tint)), np.eye(4), "road")


def _inner(g: Rng, block: Block, walk: Material) -> tuple[Material, str]:
    """What covers the ground behind the sidewalk."""
    if block.front in ("park", "field", "garden", "house"):
        name = GRASS[int(g.integers(3))] if block.front != "field" or g.random() < 0.7 else "soil"
        tone = float(g.uniform(0.5, 1.0))
        return Material(name, (tone, tone, tone), scale=float(g.uniform(2, 5))), "terrain"
    if block.front == "carpark":
        return Material(f"asphalt_{g.integers(4)}", pick(g, PAVINGS, 0.3), scale=3.0), "road"
    if g.random() < 0.5:
        return walk, "sidewalk"
    return Material(f"paving_{g.integers(5)}", pick(g, PAVINGS, 0.3), scale=2.0), "sidewalk"


def _block(g: Rng, street: Street, b: Block) -> None:
    path, surf = street.path, street.surfaces
    kerb = 0.14

    def line(inset: float) -> Array:
        return gr.rounded(b.s0, b.s1, b.depth, b.radius, inset)

    outer, top = line(0.0), line(kerb)
    edge = [
        gr.strip(path, b.side, b.edge, outer, outer, 0.0, b.kerb, surf.kerb_face),
        gr.strip(path, b.side, b.edge, outer, top, b.kerb, b.kerb, surf.kerb),
    ]
    inset = kerb
    if b.verge:
        after = line(kerb + b.verge)
        tone = float(g.uniform(0.5, 1.0))
        street.put(
            gr.strip(
                path,
                b.side,
                b.edge,
                top,
                after,
                b.kerb,
                b.kerb,
                Material(GRASS[int(g.integers(3))], (tone, tone, tone), scale=3.0),
            ),
            np.eye(4),
            "terrain",
        )
        top, inset = after, kerb + b.verge
    back = line(inset + b.walk)
    street.put(
        merge([*edge, gr.strip(path, b.side, b.edge, top, back, b.kerb, b.kerb, surf.sidewalk)]), np.eye(4), "sidewalk"
    )
    s0, s1 = max(b.s0 + b.radius, -30.0), min(b.s1 - b.radius, 120.0)
    if surf.gutter is not None and s1 - s0 > 2:
        d0, d1 = sorted((b.side * (b.edge - 0.32), b.side * b.edge))
        street.put(path.patches([[s0, s1, d0, d1]], 0.003, surf.gutter), np.eye(4), "road")
    _repairs(g, street, b)
    material, name = _inner(g, b, surf.sidewalk)
    street.put(
        gr.fill(path, b.side, b.edge, back, b.kerb - (0.0 if name != "road" else 0.02), material), np.eye(4), name
    )


def _repairs(g: Rng, street: Street, b: Block) -> None:
    """Patches of other paving and covers in the sidewalk."""
    rects: list[list[float]] = []
    other: list[list[float]] = []
    for _ in range(int(g.integers(0, 7))):
        s, v = g.uniform(1, 45), g.uniform(0.2, max(0.3, b.walk - 0.6))
        if not b.s0 + b.walk + b.radius < s < b.s1 - b.walk - b.radius - 4:
            continue
        d0, d1 = sorted(
            (
                b.side * (b.edge + 0.14 + b.verge + v),
                b.side * (b.edge + 0.14 + b.verge + min(v + g.uniform(0.4, 1.8), b.walk)),
            )
        )
        (rects if g.random() < 0.7 else other).append([s, s + g.uniform(0.5, 4), d0, d1])
    walk = street.surfaces.sidewalk
    for found, texture in ((rects, f"paving_{g.integers(5)}"), (other, "cladding")):
        if found:
            street.put(
                street.path.patches(found, b.kerb + 0.004, Material(texture, shade(g, walk.tint, 0.2), scale=2.0)),
                np.eye(4),
                "sidewalk",
            )


def _markings(g: Rng, street: Street) -> list[Mesh]:
    path, surf, half = street.path, street.surfaces, street.half
    paint, wide = surf.paint, float(g.uniform(0.1, 0.16))
    out = [path.patches([[-60, -59.9, 0, 0.1]], 0.01, paint)]
    if g.random() < 0.12:
        return out
    inner = half - street.parking
    edge_of = sorted({round(d, 3) for d, _ in street.lanes})
    between = [(a + b) / 2 for a, b in itertools.pairwise(edge_of)]
    rects = []
    for d in between:
        centre = any(np.sign(x) != np.sign(y) for x, y in [(1, 1)]) or abs(d) < 0.5
        style = g.choice(["dash", "long", "solid", "double"] if centre else ["dash", "long"])
        if style == "dash":
            rects.append(gr.dashes(-40, LAST, 2.0, 4.0, d, wide))
        elif style == "long":
            rects.append(gr.dashes(-40, LAST, 4.0, 2.0, d, wide))
        else:
            for shift in (0.0,) if style == "solid" else (-0.12, 0.12):
                rects.append(np.array([[-40, LAST, d + shift - wide / 2, d + shift + wide / 2]]))
    for side in (1, -1):
        if street.parking and g.random() < 0.6:
            d = side * inner
            rects.append(gr.dashes(-40, LAST, float(g.choice([1.0, 5.0])), float(g.choice([0.0, 1.0])), d, 0.1))
        elif g.random() < 0.3:
            rects.append(np.array([[-40, LAST, side * (half - 0.35) - 0.06, side * (half - 0.35) + 0.06]]))
    if rects:
        out.append(path.patches(_outside(np.concatenate(rects), street), 0.012, paint))
    if g.random() < (0.6 if street.left_hand else 0.2):  # yellow lines along the kerb
        lines = []
        for side in (1, -1):
            for inset in (0.25, 0.45)[: int(g.integers(1, 3))]:
                lines.append([-40, LAST, side * (half - inset) - 0.04, side * (half - inset) + 0.04])
        out.append(path.patches(_outside(np.array(lines), street), 0.012, surf.yellow))
    if g.random() < 0.15:  # coloured cycle or bus lane
        side = 1 if street.left_hand else -1
        d0, d1 = sorted((side * (inner - 0.1), side * (inner - g.uniform(1.3, 1.8))))
        colour = pick(g, [rgb(130, 70, 62), rgb(70, 100, 75), rgb(75, 90, 125)], 0.15)
        out.append(path.patches([[-40, LAST, d0, d1]], 0.006, Material("asphalt_0", colour, scale=2.0)))
    for s in street.crossings:
        out += _zebra(g, street, s)
    for d, direction in street.lanes:
        if g.random() < 0.22:
            s = float(g.uniform(4, 30))
            quads = gr.arrow(s, d, direction, int(g.choice([0, 0, 1, -1])))
            out.append(path.flat(quads, 0.012, paint))
    if g.random() < 0.3:
        out.append(path.flat(_word(g, street), 0.012, paint if g.random() < 0.75 else surf.yellow))
    if street.crossings or g.random() < 0.15:
        out.append(path.flat(_zigzag(g, street), 0.012, paint))
    for j in street.junctions:
        if g.random() < 0.6:
            for d, direction in street.lanes:
                s = j.s - direction * (j.wide / 2 + 1.5)
                out.append(path.patches([[s, s + 0.3, d - 1.3, d + 1.3]], 0.012, paint))
        if g.random() < 0.12:
            out.append(path.flat(_box(j.s, j.wide / 2, half), 0.011, surf.yellow))
        for side in j.sides:
            d0, d1 = sorted((side * (half + 0.2), side * (half + 0.45)))
            rects2 = gr.dashes(j.s - j.wide / 2 + 0.3, j.s + j.wide / 2 - 0.3, 0.6, 0.4, 0, 0)
            rects2[:, 2], rects2[:, 3] = d0, d1
            out.append(path.patches(rects2, 0.012, paint))
    if street.kind in ("avenue", "modern", "town") and g.random() < 0.08:
        out.append(_rails(street, [d for d, _ in street.lanes]))
        street.railed = True
    return out


def _outside(rect_N4: Array, street: Street) -> Array:
    """Cut long lines into pieces and drop those within junction mouths and zebra crossings."""
    pieces = []
    for s0, s1, d0, d1 in rect_N4:
        n = max(1, int((s1 - s0) / 6))
        edge = np.linspace(s0, s1, n + 1)
        pieces.append(np.column_stack([edge[:-1], edge[1:], np.full(n, d0), np.full(n, d1)]))
    out = np.concatenate(pieces)
    middle = (out[:, 0] + out[:, 1]) / 2
    keep = np.ones(len(out), bool)
    for j in street.junctions:
        keep &= np.abs(middle - j.s) > j.wide / 2 + 1.0
    for s in street.crossings:
        keep &= np.abs(middle - s) > 4.5
    return out[keep] if keep.any() else out[:1]


def _zebra(g: Rng, street: Street, s: float) -> list[Mesh]:
    path, half = street.path, street.half
    pitch = g.uniform(0.9, 1.2)
    d = np.arange(-half + 0.3, half - 0.5, pitch)
    wide = g.uniform(2.5, 4)
    out = [path.patches(np.column_stack([0 * d + s, 0 * d + s + wide, d, d + pitch / 2]), 0.012, street.surfaces.paint)]
    if g.random() < 0.4:
        for edge in (s - 1.5, s + wide + 1.2):
            out.append(path.patches([[edge, edge + 0.2, -half + 0.2, half - 0.2]], 0.012, street.surfaces.paint))
    return out


def _box(s: float, wide: float, half: float) -> Array:
    """Yellow criss-cross of a box junction."""
    quads = []
    for k in np.linspace(-1, 1, 9):
        for direction in (1, -1):
            a, b = np.array([s - wide, k * half - 0.6 * half]), np.array([s + wide, k * half + 0.6 * half])
            if direction < 0:
                a[1], b[1] = b[1], a[1]
            a[1], b[1] = np.clip([a[1], b[1]], -half, half)
            quads.append([a + sh.v(0, -0.06), b + sh.v(0, -0.06), b + sh.v(0, 0.06), a + sh.v(0, 0.06)])
    return np.array(quads)


WORDS = ("SLOW", "BUS", "KEEP", "CLEAR", "STOP", "20", "30", "TAXI", "SCHOOL", "ONLY", "LOOK", "BUS STOP")


def _word(g: Rng, street: Street) -> Array:
    """A word painted on a lane, drawn out along the street so that drivers can read it."""
    from PIL import Image, ImageDraw, ImageFont

    text = WORDS[int(g.integers(len(WORDS)))]
    font = ImageFont.load_default(size=14)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255)
    ink = np.asarray(image) > 110
    d, direction = street.lanes[int(g.integers(len(street.lanes)))]
    s0, long, wide = g.uniform(4, 22), g.uniform(1.8, 3.2), min(2.4, 0.55 * len(text))
    dy, dx = long / ink.shape[0], wide / ink.shape[1]
    quads = []
    for row in range(ink.shape[0]):
        edge = np.flatnonzero(np.diff(np.concatenate([[0], ink[row].astype(int), [0]])))
        for a, b in zip(edge[::2], edge[1::2], strict=True):
            x0, x1 = long - (row + 1) * dy, long - row * dy
            y0, y1 = wide / 2 - b * dx, wide / 2 - a * dx
            quads.append([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return np.array(quads) * direction + sh.v(s0, d)


def _zigzag(g: Rng, street: Street) -> Array:
    """Zigzag lines along kerb and middle before a crossing."""
    s0 = (street.crossings[0] - 14.0) if street.crossings else g.uniform(2, 20)
    quads = []
    for d in (
        street.half - street.parking - 0.6,
        -street.half + street.parking + 0.6,
        *([0.0] if len(street.lanes) > 1 else []),
    ):
        for k in range(6):
            a, b = s0 + 2.0 * k, s0 + 2.0 * k + 2.0
            y0, y1 = (d - 0.2, d + 0.2) if k % 2 else (d + 0.2, d - 0.2)
            quads.append([[a, y0 - 0.05], [b, y1 - 0.05], [b, y1 + 0.05], [a, y0 + 0.05]])
    return np.array(quads)


def lay_rails(street: Street) -> None:
    """Rails under every tram, and in all lanes of a street that has one."""
    lanes = [d for d, _ in street.lanes]
    missing = {d for d in street.trams if d not in lanes} | set(lanes if street.trams and not street.railed else ())
    if missing:
        street.put(_rails(street, sorted(missing)), np.eye(4), "road")


def _rails(street: Street, middles: list[float]) -> Mesh:
    """Two rails of standard gauge about each of these distances from the street's middle."""
    steel = Material("plain", rgb(120, 118, 115), gloss=0.35)
    lines = [[-40, LAST, d + o - 0.04, d + o + 0.04] for d in middles for o in (-0.72, 0.72)]
    return street.path.patches(lines, 0.01, steel)
