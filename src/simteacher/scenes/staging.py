"""What the scene file says must be there, and guests: rare things put where they are seen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from simteacher.scenes import barriers, clutter, props
from simteacher.scenes import shapes as sh
from simteacher.scenes.actors import CHILD, LENGTH, person, place_vehicle, room
from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.frontage import plant
from simteacher.scenes.palette import Rng
from simteacher.scenes.spec import VEHICLES, SceneSpec, Stage, footprint
from simteacher.scenes.street import Street
from simteacher.scenes.usermesh import load_mesh

COUNTABLE = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


def stage(g: Rng, street: Street, spec: SceneSpec) -> None:
    """Put the staged things first; what follows keeps clear of them."""
    for number, item in enumerate(spec.stage, 1):
        begun = len(street.things)
        s, d, yaw = item.ahead, item.across, np.deg2rad(item.heading)
        block = street.block_at(s, 1 if d > 0 else -1)
        up = block.kerb if block is not None and abs(d) > block.edge else 0.0
        street.taken.extend(_room(item))
        if item.what in ("person", "child"):
            if item.pose == "sitting":  # a grown-up: a child's feet would not reach the ground
                street.put_parts(clutter.small("bench", 0), street.path.upright(s, d, up, yaw))
                begun = len(street.things)
            tall = CHILD if item.what == "child" else 1.0 if item.pose == "sitting" else None
            person(g, street, s, d, up, yaw, item.pose, item.speed, tall)
        elif item.what in ("traffic light", "traffic sign"):
            parts = (
                props.traffic_light(int(g.integers(36)))
                if item.what == "traffic light"
                else props.sign(int(g.integers(128)))
            )
            street.put_parts(parts, street.path.upright(s, d, up, yaw + np.pi))
        elif item.what in ("fence", "wall"):
            mesh = (
                barriers.fence("railing", int(g.integers(12)))
                if item.what == "fence"
                else barriers.wall(int(g.integers(12)))
            )
            pose = street.path.pose(s, d, up, yaw) @ sh.pose(-barriers.LENGTH / 2, 0, 0)  # its middle is what is staged
            street.put(mesh, pose, item.what, hull=barriers.outline(mesh))
        elif item.what == "tree":
            plant(g, street, s, d, up, 9.0)
        else:
            kind = {"car": "hatchback", "rider": "bicycle"}.get(item.what, item.what)
            place_vehicle(g, street, kind, s, d, yaw, item.speed, up=up, rider=item.what == "rider" or item.speed > 0)
        street.things[begun:] = [replace(t, asked=number) for t in street.things[begun:]]
    for number, own in enumerate(spec.meshes, len(spec.stage) + 1):
        block = street.block_at(own.ahead, 1 if own.across > 0 else -1)
        up = block.kerb if block is not None and abs(own.across) > block.edge else 0.0
        mesh = load_mesh(own.file, own.scale, own.up)
        street.taken.append((own.ahead, own.across, float(np.ptp(mesh.vertices_V3[:, :2], axis=0).max()) / 2))
        street.put(
            mesh,
            street.path.upright(own.ahead, own.across, up, np.deg2rad(own.heading)),
            own.name,
            countable=own.name in COUNTABLE,
        )
        street.things[-1] = replace(street.things[-1], asked=number)
    street.staged = list(street.taken)


def _room(item: Stage) -> list[tuple[float, float, float]]:
    """Circles (s, d, radius) that cover a staged thing, end to end; nothing else is put there."""
    long, wide = footprint(item.what)
    radius = max(wide + 0.2, 1.0)
    count = max(1, math.ceil((long - radius) / radius) + 1)
    along = np.linspace(radius - long, long - radius, count) if count > 1 else np.zeros(1)
    yaw = np.deg2rad(item.heading)
    return [(item.ahead + float(a * np.cos(yaw)), item.across + float(a * np.sin(yaw)), radius) for a in along]


GUESTS = {
    "rider": 2.2,
    "motorcycle": 1.6,
    "bicycle": 1.6,
    "person": 2.0,
    "truck": 1.2,
    "bus": 1.2,
    "tram": 0.8,
    "traffic light": 1.2,
    "sign": 1.0,
    "fence": 1.6,
    "wall": 1.3,
    "moto parked": 0.8,
}


MOVING = ("rider", "motorcycle", "truck", "bus", "tram")


def _wanted(kind: str, spec: SceneSpec) -> bool:
    """Whether the scene file allows this guest at all."""
    if kind == "person":
        return spec.objects.people[1] > 0
    if kind in ("traffic light", "sign") and spec.objects.furniture[1] == 0:
        return False
    if kind in MOVING and spec.objects.traffic[1] == 0:
        return False
    needs = {"rider": "bicycle", "moto parked": "motorcycle"}.get(kind, kind)
    weights = {str(k): w for k, w in spec.objects.vehicles.items()}
    return needs not in VEHICLES or weights.get(needs, 0) > 0


def guests(g: Rng, street: Street, spec: SceneSpec, ego: tuple[float, int]) -> None:
    """A few rare things near the camera, in places that suit them."""
    for _ in range(round(uniform(g, spec.objects.guests))):
        kind = choose(g, GUESTS)
        if not _wanted(kind, spec):
            continue
        s, side = float(5 + g.exponential(12)), int(g.choice([-1, 1]))
        block = street.block_at(s, side)
        if kind in MOVING:
            d, direction = street.lanes[int(g.integers(len(street.lanes)))]
            long = LENGTH.get("bicycle" if kind == "rider" else kind, 4.4)
            if abs(d - ego[0]) < 1.5:
                s = max(s, 7 + long / 2)
            else:
                s += long / 2 - 2
            vehicle = "bicycle" if kind == "rider" else kind
            if street.free(s, d, *room(vehicle)):
                off = g.uniform(-0.9, 0.9) if vehicle in ("bicycle", "motorcycle") else 0.0
                place_vehicle(
                    g,
                    street,
                    vehicle,
                    s,
                    d + off,
                    (0.0 if direction > 0 else np.pi) + g.normal(0, 0.05) * (kind != "tram"),
                    g.uniform(2, 9),
                )
        elif kind == "person":
            d = g.uniform(-street.half - 1.5, street.half + 1.5)
            if (abs(d - ego[0]) > 1.0 or s > 7) and street.free(s, d, 0.3):
                on = street.block_at(s, 1 if d > 0 else -1)
                up = on.kerb if on is not None and abs(d) > street.half else 0.0
                person(g, street, s, d, up, g.uniform(0, 2 * np.pi), "walking" if g.random() < 0.7 else "standing")
        elif block is None:
            continue
        elif kind in ("bicycle", "moto parked"):
            d = side * (block.edge + block.verge + g.uniform(0.5, max(0.6, block.walk - 0.6)))
            if street.free(s, d, 1.1):
                place_vehicle(
                    g,
                    street,
                    "bicycle" if kind == "bicycle" else "motorcycle",
                    s,
                    d,
                    g.uniform(0, 6.28),
                    0.0,
                    up=block.kerb,
                    rider=False,
                )
        elif kind in ("traffic light", "sign"):
            d = side * (block.edge + 0.5)
            if block.s0 + block.radius < s < block.s1 - block.radius and street.free(s, d, 0.3):
                parts = (
                    props.traffic_light(int(g.integers(36)))
                    if kind == "traffic light"
                    else props.sign(int(g.integers(128)))
                )
                street.put_parts(parts, street.path.upright(s, d, block.kerb, np.pi + g.normal(0, 0.2)))
        else:
            mesh = (
                barriers.fence(barriers.FENCES[int(g.integers(len(barriers.FENCES)))], int(g.integers(12)))
                if kind == "fence"
                else barriers.wall(int(g.integers(12)))
            )
            for k in range(int(g.integers(1, 4))):
                at = s + k * barriers.LENGTH
                if block.s0 + block.radius < at and at + barriers.LENGTH < block.s1 - block.radius:
                    street.put(
                        mesh,
                        street.path.pose(at, side * (block.property_line - 0.2), block.kerb),
                        kind,
                        hull=barriers.outline(mesh),
                    )
