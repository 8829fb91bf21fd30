"""Who moves: vehicles in lanes and parked, cyclists, motorcyclists, pedestrians."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from simteacher.scenes import cycles, heavy, people, vehicles
from simteacher.scenes import shapes as sh
from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import CAR_PAINT, LIVERY, Rng, anycolour, pick, repaint
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import Street

CHILD = 0.66  # of an adult's height
LENGTH = {"truck": 10.5, "bus": 12.2, "tram": 30.0, "van": 5.0, "minibus": 5.4, "bicycle": 1.9, "motorcycle": 2.2}
CLASS = {"truck": "truck", "bus": "bus", "tram": "train", "bicycle": "bicycle", "motorcycle": "motorcycle"}


LIT = {m: replace(m, glow=glow) for m, glow in ((vehicles.LAMP, 4.0), (vehicles.TAIL, 2.0))}
"""Lamps of vehicles that are on."""


def room(kind: str) -> tuple[float, float]:
    """Radius and half length of what a vehicle needs along its lane, for `Street.free`."""
    long = LENGTH.get(kind, 4.4)
    return min(long * 0.42, 1.9), long / 2 + 0.1


def share(spec: SceneSpec, kind: str) -> float:
    """Share of one kind among all vehicles of a scene file, 0 to 1."""
    table = {str(k): w for k, w in spec.objects.vehicles.items()}
    return table.get(kind, 0.0) / sum(table.values())


def _paint(g: Rng) -> Material:
    return Material(
        "plain", pick(g, CAR_PAINT, 0.25) if g.random() < 0.95 else anycolour(g), gloss=float(g.uniform(0.25, 0.6))
    )


def vehicle_mesh(g: Rng, kind: str, detail: int = 1) -> Mesh:
    """A painted prototype."""
    seed = int(g.integers(12))
    if kind in vehicles.SHAPES:
        mesh = vehicles.car(kind, seed if detail else seed % 2, detail)
        paint = _paint(g)
        if kind == "taxi" and g.random() < 0.5:
            paint = Material("plain", (0.012, 0.012, 0.014), gloss=0.5)
        if kind in ("van", "minibus") and g.random() < 0.55:
            paint = Material("plain", (0.75, 0.75, 0.74), gloss=0.35)
        return repaint(mesh, m0=paint)
    two = Material("plain", pick(g, LIVERY, 0.2), gloss=0.3)
    if kind == "bicycle":
        return repaint(cycles.bicycle(seed), m0=_paint(g))
    if kind == "motorcycle":
        return repaint(cycles.motorcycle(seed), m0=_paint(g))
    mesh = {"bus": heavy.bus, "truck": heavy.truck, "tram": heavy.tram}[kind](seed)
    one = Material("plain", pick(g, LIVERY, 0.2), gloss=0.35)
    first = mesh.materials[0], mesh.materials[1]
    return Mesh(
        mesh.vertices_V3,
        mesh.faces_F3,
        mesh.uv_F32,
        mesh.material_F,
        tuple(
            one
            if m == first[0]
            else replace(two, texture=m.texture, scale=m.scale)
            if m.tint == heavy.SECOND.tint
            else m
            for m in mesh.materials
        ),
    )


def place_vehicle(
    g: Rng, street: Street, kind: str, s: float, d: float, yaw: float, speed: float, up: float = 0.0, rider: bool = True
) -> None:
    """Put one vehicle at (s, d), turned by yaw from the street's direction; in traffic two-wheelers have riders."""
    pose = street.path.pose(s, d, up, yaw)
    turn = speed * math.cos(yaw) * street.path.curvature(s) if speed else 0.0
    course = street.path.course(s, d, up, yaw, speed) if speed else None
    hull = cycles.wheels() if kind == "bicycle" else None
    detail = int(-12 < s < 45)
    mesh = vehicle_mesh(g, kind, detail)
    if street.lamps_on and rider:
        mesh = replace(mesh, materials=tuple(LIT.get(m, m) for m in mesh.materials))
    if kind == "tram" and abs(math.sin(yaw)) < 0.02:
        street.trams.append(d)
    street.put(
        mesh,
        pose,
        CLASS.get(kind, "car"),
        countable=True,
        speed=speed,
        yaw_rate=turn,
        hull=hull,
        course=course,
    )
    if kind in ("bicycle", "motorcycle") and rider:
        on_it = cycles.cyclist(int(g.integers(32))) if kind == "bicycle" else cycles.motorcyclist(int(g.integers(16)))
        on_it = people.dressed(on_it, g, vest=0.2)
        street.put(on_it, pose, "rider", countable=True, speed=speed, yaw_rate=turn, course=course)


def traffic(g: Rng, street: Street, spec: SceneSpec, ego: tuple[float, int]) -> float:
    """Fill the lanes; the camera stands at s = 0 in lane ``ego``. Returns the speed of that lane."""
    busy = uniform(g, spec.objects.traffic)
    own = 0.0
    for d, direction in street.lanes:
        s = g.uniform(-28, 12)
        mine = abs(d - ego[0]) < 0.1
        queue = busy > 0.3 and g.random() < 0.2
        pace = 0.0 if queue else float(g.uniform(5, 14))
        own = pace if mine else own
        while s < 150:
            kind = choose(g, spec.objects.vehicles)
            long = LENGTH.get(kind, 4.4)
            s += long / 2
            clear = (s - long / 2 > (5.0 if queue else 7.0)) or (s + long / 2 < -3)
            if busy > 0 and (not mine or clear):
                off = g.normal(0, 0.15) * (kind != "tram")
                if kind in ("bicycle", "motorcycle") and g.random() < 0.8:
                    off = np.sign(d if d else 1.0) * 0.9
                speed = pace * float(g.uniform(0.93, 1.07)) * (0.45 if kind == "bicycle" else 1)
                if street.free(s, d, *room(kind)):
                    yaw = (0.0 if direction > 0 else np.pi) + g.normal(0, 0.02) * (kind != "tram")
                    place_vehicle(g, street, kind, s, d + off, yaw, speed)
            s += long / 2 + (g.uniform(1.2, 4) if queue else 4 + g.exponential(10 + 70 * (1 - busy)))
    for j in street.junctions:
        if 4 < j.s < 90 and g.random() < 0.5 * min(1.0, 3 * busy):
            side = int(g.choice(j.sides))
            d = side * g.uniform(street.half + 4, street.half + 14)
            lane = j.s + g.choice([-1, 1]) * j.wide / 4
            if street.free(lane, d, 2.3):
                place_vehicle(
                    g, street, choose(g, spec.objects.vehicles), lane, d, np.pi / 2 * float(g.choice([-1, 1])), 0.0
                )
    return own


def parked(g: Rng, street: Street, spec: SceneSpec) -> None:
    """Cars along the kerb where there is a parking strip, sometimes where there is none."""
    for side in (1, -1):
        if not street.parking and g.random() > 0.25:
            continue
        chance = spec.objects.parked * g.uniform(0.3, 2.0)
        mount = 0.6 if g.random() < 0.15 else 0.0  # two wheels on the pavement
        s = g.uniform(-20, -10)
        while s < 120:
            kind = choose(g, spec.objects.vehicles)
            if kind in ("tram", "bus") or (kind == "truck" and g.random() < 0.6):
                kind = "van" if share(spec, "van") else kind
            long = LENGTH.get(kind, 4.4)
            s += long / 2
            near = any(abs(s - c) < 8 for c in street.crossings)
            stands = kind not in ("tram", "bus")
            if stands and g.random() < chance and not near and not street.in_junction(s, 5, side):
                d = side * (street.half - (1.05 if kind != "bicycle" else 0.6) + mount)
                blocked = not street.parking and abs(s) < 7
                if not blocked and street.free(s, d, *room(kind)):
                    forward = (side > 0) == street.left_hand or g.random() < 0.15
                    place_vehicle(
                        g, street, kind, s, d, (0.0 if forward else np.pi) + g.normal(0, 0.025), 0.0, rider=False
                    )
            s += long / 2 + g.uniform(0.6, 1.6)


def person(
    g: Rng,
    street: Street,
    s: float,
    d: float,
    up: float,
    yaw: float,
    pose: str = "walking",
    speed: float | None = None,
    tall: float | None = None,
) -> None:
    """One pedestrian; ``tall``: as a share of an adult, else one in four is a child."""
    mesh = people.dressed(people.walker(int(g.integers(64)), pose), g)
    drawn = float(g.choice([1.0, 1.0, 1.0, CHILD]))
    k = (drawn if tall is None else tall) * g.uniform(0.92, 1.07)
    going = (1.3 if pose == "walking" else 0.0) if speed is None else speed
    pose_44 = street.path.upright(s, d, up, yaw)
    course = street.path.course(s, d, up, yaw, going, upright=True) if going else None
    street.put(sh.moved(mesh, scale=k), pose_44, "person", countable=True, speed=going, course=course)


def pedestrians(g: Rng, street: Street, spec: SceneSpec) -> None:
    """People on the sidewalks, alone and in groups, and on crossings."""
    amount = uniform(g, spec.objects.people) ** 1.5 * (
        2.0 if street.kind == "shopping" else 0.5 if street.kind in ("country", "industrial") else 1.0
    )
    for _ in range(g.poisson(18 * amount)):
        side = int(g.choice([-1, 1]))
        s = 2.5 + g.exponential(24)
        b = street.block_at(s, side)
        if b is None or s > 110:
            continue
        d = b.edge + b.verge + g.uniform(0.35, max(0.5, b.walk - 0.3))
        yaw = 0.0 if g.random() < 0.5 else np.pi
        pose = "walking" if g.random() < 0.75 else "standing"
        if pose == "standing":
            yaw = g.uniform(0, 2 * np.pi)
        for k in range(int(g.choice([1, 1, 1, 2, 2, 3]))):
            ss, dd = s + g.normal(0, 0.35) * (k > 0), side * (d + 0.55 * k)
            if street.free(ss, dd, 0.25):
                person(g, street, ss, dd, b.kerb, yaw + g.normal(0, 0.15), pose)
    for c in street.crossings:
        for _ in range(g.poisson(1.5) if amount else 0):
            s, d = c + g.uniform(0.3, 2.5), g.uniform(-street.half, street.half)
            if street.free(s, d, 0.25):
                person(g, street, s, d, 0.0, np.pi / 2 * float(g.choice([-1, 1])))


def cyclists(g: Rng, street: Street, spec: SceneSpec) -> None:
    """Riders along the kerb, besides those in traffic; a file that says how many vehicles are which has these alone."""
    said = "vehicles" in spec.objects.model_fields_set
    rate = 12.5 * share(spec, "bicycle") if spec.objects.traffic[1] > 0 and not said else 0.0
    for _ in range(g.poisson(min(rate, 8.0))):
        s = 4 + g.exponential(22)
        side = int(g.choice([-1, 1]))
        d = side * (street.half - street.parking - g.uniform(0.5, 1.1))
        forward = (side > 0) == street.left_hand
        if street.free(s, d, 0.9) and (abs(d) > 0.8 or s > 6):
            place_vehicle(g, street, "bicycle", s, d, 0.0 if forward else np.pi, g.uniform(3, 6))
