"""What stands behind the sidewalk.

Rows of buildings, gardens, parks, car parks, fields, and their fences, walls and hedges.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simteacher.scenes import barriers, buildings, trees, vegetation, vehicles
from simteacher.scenes import shapes as sh
from simteacher.scenes.actors import place_vehicle, share
from simteacher.scenes.draw import choose, within
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import BRICKS, RENDERS, ROOFS, Rng, pick
from simteacher.scenes.spec import ObjectSpec, SceneSpec
from simteacher.scenes.street import LAST, Block, Street

POOL = 72  # prototypes of each style
DEEP = 14.0  # metres behind its front that a building takes, about
PALETTES = {"brick": BRICKS, "render": RENDERS, "roof": ROOFS}
EMPTY = 0.06  # chance that a plot of a row has no building
KINDS = ("railing", "railing", "railing", "boards", "panel", "picket", "mesh", "palisade", "posts")


def stand(g: Rng, street: Street, spec: SceneSpec) -> None:
    """Fill every block."""
    for block in street.blocks:
        if block.s1 < -30:
            continue
        if block.front in ("park", "field", "garden"):
            _green(g, street, block, spec)
        elif block.front == "carpark":
            _carpark(g, street, block, spec)
        else:
            _row(g, street, block, spec)
    _ends(g, street)


def repainted(g: Rng, mesh: Mesh) -> Mesh:
    """Other wall and roof colours on the same prototype."""
    walls: dict[Material, Material] = {}
    out = []
    for m in mesh.materials:
        new = walls.get(m)
        if new is None:
            new, palette = m, PALETTES.get(m.texture.split("_")[0])
            if palette and g.random() < 0.7:
                new = Material(m.texture, pick(g, palette, 0.2), m.gloss, m.glow, m.scale)
            walls[m] = new
        out.append(new)
    return replace(mesh, materials=tuple(out))


def _building(
    g: Rng, street: Street, block: Block, s: float, v: float, made: buildings.Building, *, paint: bool = True
) -> None:
    """Stand a building with its front at distance v from the street's middle, occupying s to s + width.

    A plot where a scene file wants something to stand stays empty.
    """
    middle = s + made.width / 2
    for a, d, r in street.staged:
        if s < a + r and a - r < s + made.width and v - r < d * block.side < v + DEEP + r:
            return
    pose = street.path.upright(middle, block.side * v, block.kerb, 0.0 if block.side > 0 else np.pi)
    pose = pose @ sh.pose(-made.width / 2, 0, 0)
    street.put(repainted(g, made.mesh) if paint else made.mesh, pose, "building")
    if made.signs is not None and middle < 90:
        street.put(made.signs, pose, "traffic sign")


def _row(g: Rng, street: Street, b: Block, spec: SceneSpec) -> None:
    """Buildings side by side along a block, perhaps behind front gardens."""
    style = b.front
    setback = {
        "terrace": g.choice([0.0, 0.0, 2.0, 4.0]),
        "shop": 0.0,
        "house": g.uniform(3, 9),
        "office": g.choice([0.0, 0.0, 3.0, 8.0]),
        "flats": g.choice([0.0, 2.5, 6.0]),
    }.get(style, g.uniform(3, 14))
    corner = b.walk + b.verge + 0.3
    s, end = b.s0 + corner, b.s1 - corner
    same = int(g.integers(POOL))
    uniform_row = style == "terrace" and g.random() < 0.6
    gap = {"house": (1.5, 6.0), "hall": (3, 15), "church": (6, 20), "office": (0, 4), "flats": (0, 8)}.get(
        style, (0.0, 0.0)
    )
    while s < end - 3 and s < LAST + 20:
        if -25 < s < 90 and g.random() < EMPTY:
            s += _empty(g, street, b, s, min(g.uniform(5, 14), end - s), setback)
            continue
        kind = style
        if style in ("terrace", "shop") and g.random() < 0.15:
            kind = ("terrace", "shop", "office", "flats")[int(g.integers(4))]
        near = -25 < s < 75
        seed = same if uniform_row and kind == style else int(g.integers(POOL))
        width = buildings.width_of(kind, seed)
        if s + width > end + 1.5:
            width, seed = min((buildings.width_of(kind, i), i) for i in range(6))
            if s + width > end + 2:
                break
        if s + width > -35:
            made = buildings.building(kind, seed, int(near))
            _building(g, street, b, s, b.property_line + setback, made, paint=not uniform_row)
        s += width + g.uniform(*gap)
    if setback > 1.5:
        kinds = (
            ("wall", "wall", "hedge", "hedge", "fence") if style in ("house", "terrace") else ("wall", "hedge", "fence")
        )
        boundary(g, street, b, spec, 0.85 if style in ("house", "terrace") else 0.45, kinds)
        _garden(g, street, b, setback, spec)
    _behind(g, street, b)


def _empty(g: Rng, street: Street, b: Block, s: float, long: float, setback: float) -> float:
    """A plot without a building: fenced off, overgrown or with trees; returns its length."""
    kind = ("hoarding", "palisade", "railing", "mesh", "boards")[int(g.integers(5))]
    mesh = barriers.fence(kind, int(g.integers(12)))
    pose = street.path.pose(s, b.side * (b.property_line + setback + 0.1), b.kerb)
    street.put(mesh, pose @ np.diag([long / barriers.LENGTH, 1.0, 1.0, 1.0]), "fence", hull=barriers.outline(mesh))
    for _ in range(int(g.integers(1, 6))):
        at, d = s + g.uniform(0, long), b.side * (b.property_line + setback + g.uniform(1.2, 8))
        if g.random() < 0.6:
            shrub(g, street, at, d, b.kerb, g.uniform(0.8, 2.6))
        else:
            plant(g, street, at, d, b.kerb, g.uniform(4, 11))
    return long


def _behind(g: Rng, street: Street, b: Block) -> None:
    """A coarse second row, so that gaps do not show the horizon."""
    s = b.s0 + 8
    while s < min(b.s1 - 10, LAST):
        kind, seed = ("terrace", "house", "flats", "hall")[int(g.integers(4))], int(g.integers(POOL))
        if g.random() < 0.6 and s > -20:
            _building(g, street, b, s, b.edge + g.uniform(32, 45), buildings.building(kind, seed, 0))
        if g.random() < 0.35 and s > -10:
            plant(g, street, s, b.side * (b.edge + g.uniform(18, 34)), b.kerb, g.uniform(9, 19))
        s += buildings.width_of(kind, seed) + g.uniform(2, 14)


def boundary(
    g: Rng,
    street: Street,
    b: Block,
    spec: SceneSpec,
    chance: float = 1.0,
    kinds: tuple[str, ...] = ("wall", "fence", "hedge", "fence"),
) -> None:
    """Walls, fences or hedges along the property line, with openings."""
    if g.random() > chance:
        return
    kind = kinds[int(g.integers(len(kinds)))]
    fence_kind = KINDS[int(g.integers(len(KINDS)))]
    overgrown = kind == "fence" and g.random() < 0.4
    seed = int(g.integers(12))
    corner = b.walk + b.verge
    s = max(b.s0 + corner, -30.0)
    v = b.property_line + 0.25
    paint = np.random.default_rng(int(g.integers(1 << 30)))
    tint = trees.coloured(vegetation.hedge(seed, 1), paint).mesh.materials
    tall = g.uniform(0.6, 1.4)
    while s < min(b.s1 - corner, 110):
        length = min(barriers.LENGTH, b.s1 - corner - s)
        if length < 1:
            break
        if g.random() < 0.88:
            pose = street.path.pose(s, b.side * v, b.kerb) @ np.diag(
                [length / barriers.LENGTH, 1.0, tall if kind == "hedge" else 1.0, 1.0]
            )
            if kind == "hedge":
                street.put(replace(vegetation.hedge(seed, int(-8 < s < 30)).mesh, materials=tint), pose, "vegetation")
            elif kind == "wall":
                street.put(barriers.wall(seed), pose, "wall")
            else:
                mesh = barriers.fence(fence_kind, seed)
                street.put(mesh, pose, "fence", hull=barriers.outline(mesh))
        for at in np.arange(s + 0.5, s + length, 2.2) if overgrown and s < 70 else ():
            if g.random() < 0.75:
                shrub(g, street, at, b.side * (v + g.uniform(0.7, 1.5)), b.kerb, g.uniform(0.8, 2.4))
        s += length + (g.uniform(1.2, 4) if g.random() < 0.25 else 0)


def plant(g: Rng, street: Street, s: float, d: float, up: float, height: float) -> None:
    """A tree of about the given height, where a scene file allows any."""
    if street.treeless:
        return
    detail = 2 if -6 < s < 22 else 1 if -30 < s < 45 else 0
    seed = int(g.integers(24))
    grow = trees.conifer if g.random() < 0.08 else trees.bare if street.bare else trees.leafy
    tall = height / 10 * g.uniform(0.8, 1.25)
    wide = tall * g.uniform(0.85, 1.25)
    _grow(g, street, grow(seed, detail), s, d, up, (wide, wide, tall))


def _grow(
    g: Rng, street: Street, plant: trees.Plant, s: float, d: float, up: float, scale: tuple[float, float, float]
) -> None:
    """Stand a plant, scaled by its pose so that its mesh stays shared."""
    pose = street.path.upright(s, d, up, g.uniform(0, 2 * np.pi)) @ np.diag([*scale, 1.0])
    made = trees.coloured(plant, g)
    street.put(made.mesh, pose, "vegetation", hull=made.hull, veil=made.veil)


def shrub(g: Rng, street: Street, s: float, d: float, up: float, size: float) -> None:
    """A bush."""
    _grow(g, street, vegetation.bush(int(g.integers(24)), int(-8 < s < 30)), s, d, up, (size, size, size))


def _garden(g: Rng, street: Street, b: Block, deep: float, spec: SceneSpec) -> None:
    """Shrubs and small trees between boundary and houses; a parked car now and then."""
    for s in np.arange(max(b.s0 + 4, -10.0), min(b.s1 - 4, 90), g.uniform(3, 7)):
        d = b.side * (b.property_line + g.uniform(0.8, max(deep - 0.5, 1.0)))
        if g.random() < 0.55:
            shrub(g, street, s, d, b.kerb, g.uniform(0.6, 1.6))
        elif g.random() < 0.25 and deep > 2.5:
            plant(g, street, s, d, b.kerb, g.uniform(3, 8))
        elif g.random() < 0.2 and deep > 5.5 and spec.objects.parked > 0 and share(spec, "hatchback") > 0:
            place_vehicle(g, street, "hatchback", s, b.side * (b.property_line + 2.8), np.pi / 2, 0.0, up=b.kerb)


def _green(g: Rng, street: Street, b: Block, spec: SceneSpec) -> None:
    """Park, field or overgrown plot: boundary, then trees, thinning out with distance."""
    kinds = {
        "park": ("fence", "fence", "wall", "hedge"),
        "field": ("hedge", "hedge", "fence", "wall"),
        "garden": ("wall", "hedge", "fence"),
    }[b.front]
    boundary(g, street, b, spec, 0.85, kinds)
    density = g.uniform(0.3, 1.0) * (0.45 if b.front == "field" else 1.0)
    for _ in range(int(26 * density)):
        s = g.uniform(max(b.s0 + 5, -12), min(b.s1 - 5, 150)) if min(b.s1 - 5, 150) > max(b.s0 + 5, -12) else None
        if s is None:
            break
        v = b.property_line + 1.5 + abs(g.normal(0, 14 if b.front != "field" else 30))
        if v < b.edge + b.depth and street.free(s, b.side * v, 1.2):
            plant(g, street, s, b.side * v, b.kerb, g.uniform(5, 16))
    for _ in range(int(g.integers(4, 18))):
        s = g.uniform(-5, 60)
        if b.s0 + 3 < s < b.s1 - 3:
            shrub(g, street, s, b.side * (b.property_line + g.uniform(0.9, 8)), b.kerb, g.uniform(0.6, 2.2))
    if b.front != "field" or g.random() < 0.4:
        _behind(g, street, b)


def _carpark(g: Rng, street: Street, b: Block, spec: SceneSpec) -> None:
    """Rows of parked cars, bays, lamp posts, a big shed behind."""
    boundary(g, street, b, spec, 0.5, ("hedge", "fence", "wall", "fence"))
    cars = {str(k): w for k, w in spec.objects.vehicles.items() if k in vehicles.SHAPES and w > 0}
    filled = min(0.65 * spec.objects.parked / ObjectSpec().parked, 0.95) if cars else 0.0
    for row in range(int(g.integers(2, 5))):
        v = b.property_line + 4 + row * 7.5
        lines: list[list[float]] = []
        for s in np.arange(max(b.s0 + 8, -10), min(b.s1 - 8, 75), 2.5):
            lines.append([s - 1.3, s - 1.2, *sorted((b.side * (v - 2.4), b.side * (v + 2.4)))])
            if g.random() < filled:
                kind = choose(g, cars)
                place_vehicle(
                    g, street, kind, s, b.side * v, np.pi / 2 * float(g.choice([-1, 1])), 0.0, up=b.kerb - 0.02
                )
        if lines:
            street.put(street.path.patches(lines, b.kerb - 0.01, street.surfaces.paint), np.eye(4), "road")
    for _ in range(int(g.integers(2, 8))):
        plant(
            g,
            street,
            within(g, max(b.s0 + 5, -5), min(b.s1 - 5, 100)),
            b.side * (b.property_line + g.uniform(1, 40)),
            b.kerb,
            g.uniform(4, 10),
        )
    made = buildings.building("hall" if g.random() < 0.4 else "store", int(g.integers(POOL)), 1)
    if b.s1 - b.s0 > made.width + 6:
        s = within(g, max(b.s0 + 2, -10), b.s1 - made.width - 2)
        _building(g, street, b, float(s), b.property_line + g.uniform(26, 38), made)


def _ends(g: Rng, street: Street) -> None:
    """Close the view at the far ends of the street and of its cross streets."""
    for d in np.arange(-80, 81, 20.0):
        kind, seed = ("terrace", "flats", "house", "hall", "church")[int(g.integers(5))], int(g.integers(POOL))
        width = buildings.width_of(kind, seed)
        pose = street.path.upright(LAST + 65 + g.uniform(0, 30), d + width / 2, 0.0, -np.pi / 2)
        if g.random() < (0.25 if street.kind == "country" else 0.8) or street.treeless:
            street.put(repainted(g, buildings.building(kind, seed, 0).mesh), pose, "building")
        else:
            street.put(trees.coloured(trees.leafy(int(g.integers(24)), 0), g).mesh, pose, "vegetation")
    for j in street.junctions:
        for side in j.sides:
            if j.s < 5:
                continue
            made = buildings.building(
                ("terrace", "flats", "house", "shop")[int(g.integers(4))], int(g.integers(POOL)), 0
            )
            pose = street.path.upright(j.s, side * 66, 0.0, 0.0 if side > 0 else np.pi) @ sh.pose(-made.width / 2, 0, 0)
            street.put(repainted(g, made.mesh), pose, "building")
