"""What stands on the sidewalk: lamps, signs, signals, trees in rows, bollards, guard rails, bicycles, shelters."""

from __future__ import annotations

import numpy as np

from simteacher.scenes import barriers, clutter, props
from simteacher.scenes import shapes as sh
from simteacher.scenes.actors import person, place_vehicle, share
from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.frontage import plant
from simteacher.scenes.palette import Rng
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import Block, Street


def furnish(g: Rng, street: Street, spec: SceneSpec) -> None:
    """Everything along the kerbs; without furniture, rows of trees and islands."""
    amount = uniform(g, spec.objects.furniture)
    if spec.objects.furniture[1] == 0:
        for side in (1, -1):
            _tree_row(g, street, spec, side)
        if g.random() < spec.street.island and len(street.lanes) > 1:
            _island(g, street, bare=True)
        return
    lamp_seed, pitch = int(g.integers(48)), g.uniform(14, 34)
    shift = g.uniform(0, pitch)
    both = g.random() < 0.6
    for side in (1, -1):
        if side == -1 and not both:
            continue
        for s in np.arange(-10 + shift + (pitch / 2 if side < 0 else 0), 150, pitch):
            _at_kerb(street, props.lamp(lamp_seed), float(s), side, 0.45, facing=-side * np.pi / 2)
    for _ in range(g.poisson(10 * amount)):
        side = int(g.choice([-1, 1]))
        s = 3 + g.exponential(22)
        toward = np.pi if g.random() < 0.7 else 0.0
        _at_kerb(street, props.sign(int(g.integers(128))), s, side, g.uniform(0.35, 0.7), toward + g.normal(0, 0.15))
    for _ in range(g.poisson(5 * amount)):
        _at_kerb(street, props.post(int(g.integers(48))), 4 + g.exponential(25), int(g.choice([-1, 1])), 0.5, 0.0)
    for _ in range(g.poisson(0.6 * amount)):
        side = int(g.choice([-1, 1]))
        _behind_walk(
            street,
            props.totem(int(g.integers(24))),
            6 + g.exponential(18),
            side,
            g.uniform(-0.8, 2.5),
            np.pi + g.normal(0, 0.5),
        )
    _signals(g, street, amount)
    for side in (1, -1):
        _tree_row(g, street, spec, side)
        _run(g, street, side, amount)
    kinds = ("bin", "cabinet", "phone", "postbox", "bench", "meter", "flag", "bollard", "bollard", "cone")
    for _ in range(g.poisson(7 * amount)):
        side = int(g.choice([-1, 1]))
        kind = kinds[int(g.integers(len(kinds)))]
        s = 2.5 + g.exponential(20)
        if g.random() < 0.5:
            _at_kerb(street, clutter.small(kind, int(g.integers(12))), s, side, 0.55, g.uniform(0, 6))
        else:
            _behind_walk(street, clutter.small(kind, int(g.integers(12))), s, side, -0.5, g.uniform(0, 6))
    for b in street.blocks:
        for _ in range(g.poisson(3.0 * amount) if b.front == "shop" and b.walk > 1.8 else 0):
            kind = ("aboard", "aboard", "table", "table", "crates", "bin", "bench")[int(g.integers(7))]
            out = -g.uniform(0.4, 1.0)
            _behind_walk(
                street, clutter.small(kind, int(g.integers(24))), 3 + g.exponential(20), b.side, out, g.uniform(0, 6)
            )
    if g.random() < 0.3 * amount:
        side = int(g.choice([-1, 1]))
        s = float(g.uniform(6, 40))
        stop = street.block_at(s, side)
        if stop is not None and stop.walk > 2:
            pose = street.path.upright(s, side * (stop.edge + stop.verge + 1.2), stop.kerb, -side * np.pi / 2)
            street.put_parts(clutter.shelter(int(g.integers(24))), pose)
            waiting = int(g.integers(0, 4)) if spec.objects.people[1] > 0 else 0
            for k in range(waiting):
                across = side * (stop.edge + stop.verge + 0.9)
                person(g, street, s - 1 + k * 0.8, across, stop.kerb, -side * np.pi / 2, "standing")
    for c in street.crossings:
        for side in (1, -1):
            for s in (c - 0.8, c + 4.2):
                if g.random() < 0.5:
                    _at_kerb(street, clutter.small("beacon", 0), s, side, 0.4, 0.0)
    _bicycles(g, street, spec, amount)
    if g.random() < spec.street.island and len(street.lanes) > 1:
        _island(g, street, bare=False)


def _at_kerb(street: Street, parts: props.Parts, s: float, side: int, inset: float, facing: float) -> None:
    b = street.block_at(s, side)
    if b is None or not b.s0 + b.radius < s < b.s1 - b.radius:
        return
    d = side * (b.edge + inset)
    if street.free(s, d, 0.2):
        street.put_parts(parts, street.path.upright(s, d, b.kerb, facing))


def _behind_walk(street: Street, parts: props.Parts, s: float, side: int, out: float, facing: float) -> None:
    b = street.block_at(s, side)
    if b is None or (out > 0 and b.front in ("terrace", "shop", "office")):
        return
    d = side * (b.property_line + out)
    if street.free(s, d, 0.4):
        street.put_parts(parts, street.path.upright(s, d, b.kerb, facing))


def _signals(g: Rng, street: Street, amount: float) -> None:
    """Traffic lights at junctions and crossings, and where people cross between; the near ones face the camera."""
    places = [(j.s - j.wide / 2 - 1.5, j.s + j.wide / 2 + 1.5) for j in street.junctions if j.s > 6] + [
        (c - 1, c + 4) for c in street.crossings
    ]
    between = 8 + g.exponential(30, g.poisson(1.2 * amount))
    for near, far in [*places[:3], *((s, s + 4) for s in between)]:
        if g.random() > 0.6:
            continue
        seed = int(g.integers(12)) * 3 + int(g.integers(3))
        for side in (1, -1):
            _at_kerb(street, props.traffic_light(seed), near, side, 0.5, np.pi)
            if g.random() < 0.7:
                _at_kerb(
                    street, props.traffic_light((seed + 3) % 36), far, side, 0.5, np.pi if g.random() < 0.6 else 0.0
                )


def _tree_row(g: Rng, street: Street, spec: SceneSpec, side: int) -> None:
    """Street trees in the verge or at the kerb."""
    density = uniform(g, spec.objects.trees)
    chance = {
        "avenue": 0.95,
        "residential": 0.4,
        "park": 0.5,
        "country": 0.5,
        "modern": 0.6,
        "town": 0.4,
        "shopping": 0.3,
    }.get(street.kind, 0.25)
    if g.random() > chance * (0.4 + density):
        return
    pitch, height = g.uniform(6, 16), g.uniform(6, 18)
    for s in np.arange(-14 + g.uniform(0, pitch), 130, pitch):
        b = street.block_at(float(s), side)
        if b is None or b.verge + b.walk < 1.8 or g.random() < 0.15:
            continue
        d = side * (b.edge + (b.verge / 2 if b.verge > 0.7 else 0.7))
        if street.free(float(s), d, 0.4):
            plant(g, street, float(s), d, b.kerb, height * g.uniform(0.8, 1.2))


def _run(g: Rng, street: Street, side: int, amount: float) -> None:
    """A row of bollards, or a guard rail or works barrier, along a stretch of kerb."""
    if g.random() > 0.5 * amount:
        return
    s0, long = float(g.uniform(2, 40)), float(g.uniform(8, 28))
    kind = ("bollard", "guard", "guard", "barrier", "railing")[int(g.integers(5))]
    if kind == "bollard":
        seed, pitch = int(g.integers(12)), g.uniform(1.4, 3.0)
        for s in np.arange(s0, s0 + long, pitch):
            _at_kerb(street, clutter.small("bollard", seed), float(s), side, 0.45, 0.0)
        return
    seed = int(g.integers(12))
    for s in np.arange(s0, s0 + long, barriers.LENGTH):
        b = street.block_at(float(s) + 4, side)
        if b is not None and b.s0 + b.radius < s and s + barriers.LENGTH < b.s1 - b.radius and b.walk + b.verge > 1.2:
            mesh = barriers.fence(kind, seed)
            street.put(
                mesh, street.path.pose(float(s), side * (b.edge + 0.3), b.kerb), "fence", hull=barriers.outline(mesh)
            )


def _bicycles(g: Rng, street: Street, spec: SceneSpec, amount: float) -> None:
    """Bicycles and motorcycles left on the sidewalk, at stands or against railings."""
    kinds = {k: share(spec, k) for k in ("bicycle", "motorcycle")}
    if not any(kinds.values()):
        return
    for _ in range(g.poisson(0.9 * amount)):
        side, s = int(g.choice([-1, 1])), float(3 + g.exponential(16))
        b = street.block_at(s, side)
        if b is None:
            continue
        kind = choose(g, kinds)
        along = g.random() < 0.4
        for k in range(int(g.integers(1, 7))):
            at = s + k * (1.9 if along else 0.7)
            d = side * (b.edge + b.verge + (0.6 if g.random() < 0.5 or b.walk < 2 else b.walk - 0.8))
            if street.block_at(at, side) is b and street.free(at, d, 0.3):
                place_vehicle(
                    g,
                    street,
                    kind,
                    at,
                    d,
                    (0.0 if along else np.pi / 2) + g.normal(0, 0.2),
                    0.0,
                    up=b.kerb,
                    rider=False,
                )


def _island(g: Rng, street: Street, bare: bool) -> None:
    """A refuge between the lanes with, unless ``bare``, lit bollards, a sign or a lamp."""
    gap = [(a + b) / 2 for (a, x), (b, y) in zip(street.lanes[:-1], street.lanes[1:], strict=True) if x != y]
    if not gap:
        return
    s, d, long, wide = float(g.uniform(8, 40)), gap[0], float(g.uniform(4, 12)), float(g.uniform(1.0, 1.8))
    if not street.free(s + long / 2, d, long / 2):
        return
    block = Block(
        1,
        s,
        s + long,
        d - wide / 2,
        0.0,
        wide,
        street.blocks[0].kerb if street.blocks else 0.1,
        wide / 2,
        "island",
        wide,
    )
    corner = [[s, d - wide / 2], [s + long, d - wide / 2], [s + long, d + wide / 2], [s, d + wide / 2]]
    top = street.path.flat([corner], block.kerb, street.surfaces.sidewalk)
    low = street.path.flat([corner], 0.0, street.surfaces.kerb).vertices_V3
    high = top.vertices_V3
    sides = np.stack([low, np.roll(low, -1, 0), np.roll(high, -1, 0), high], 1)
    street.put(sh.quads(sides, street.surfaces.kerb), np.eye(4), "sidewalk")
    street.put(top, np.eye(4), "sidewalk")
    if bare:
        return
    for at in (s + 0.5, s + long - 0.5):
        kind = "keepleft" if g.random() < 0.6 else "bollard"
        street.put_parts(clutter.small(kind, int(g.integers(12))), street.path.upright(at, d, block.kerb, np.pi))
    if g.random() < 0.5:
        street.put_parts(props.lamp(int(g.integers(48))), street.path.upright(s + long / 2, d, block.kerb, np.pi / 2))
