"""Bicycles, motorcycles and their riders. Axes as for cars: x forward, origin on the ground between the wheels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simteacher.scenes import people
from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import rgb
from simteacher.scenes.vehicles import CHROME, DARK, LAMP, RUBBER, TAIL

FRAME = Material("plain", rgb(150, 20, 20), gloss=0.3)


def _spokes(x: float, z: float, radius: float, count: int) -> Mesh:
    angle = np.arange(count) * 2 * np.pi / count
    rim = np.column_stack([x + radius * np.cos(angle), 0 * angle, z + radius * np.sin(angle)])
    hub = np.column_stack([np.full(count, x), np.where(np.arange(count) % 2, 0.03, -0.03), np.full(count, z)])
    return sh.frusta(hub, rim, 0.003, 0.003, 3, CHROME, caps=False)


@lru_cache(maxsize=24)
def bicycle(seed: int) -> Mesh:
    """Diamond or step-through frame; material 0 is the paint."""
    g = np.random.default_rng([41, seed])
    r = 0.335
    rear, front = np.array([-0.52, 0, r]), np.array([0.53, 0, r])
    crank, seat, head, head_low = (
        np.array([-0.08, 0, 0.29]),
        np.array([-0.24, 0, 0.86]),
        np.array([0.34, 0, 0.9]),
        np.array([0.38, 0, 0.74]),
    )
    step = seed % 3 == 0
    tube = [(crank, seat), (head, head_low), (crank, head_low), (rear, crank), (rear, seat - [-0.06, 0, 0.2])]
    tube.append((crank + sh.v(0.03, 0, 0.14), head) if step else (seat + sh.v(0.02, 0, -0.08), head))
    a, b = np.array([t[0] for t in tube]), np.array([t[1] for t in tube])
    parts = [sh.frusta(a, b, 0.018, 0.018, 6, FRAME)]
    for x in (rear, front):
        wheel = sh.wheel_ring(r - 0.018, 0.02, RUBBER, 20, 4)
        parts += [sh.moved(wheel, float(x[0]), 0, float(x[2])), _spokes(float(x[0]), r, r - 0.03, 14)]
    fork = [(head_low + sh.v(0, y, 0), front + sh.v(0, y, 0)) for y in (-0.045, 0.045)]
    bar_z = g.uniform(0.98, 1.08)
    bar = np.array([0.33, 0, bar_z])
    more = [
        *fork,
        (head, bar),
        (bar + sh.v(0, -0.28, 0), bar + sh.v(0, 0.28, 0)),
        (bar + sh.v(0, -0.28, 0), bar + sh.v(-0.14, -0.3, -0.02)),
        (bar + sh.v(0, 0.28, 0), bar + sh.v(-0.14, 0.3, -0.02)),
    ]
    more += [
        (crank + sh.v(0, -0.09, 0.16), crank + sh.v(0, -0.09, 0)),
        (crank + sh.v(0, 0.09, -0.16), crank + sh.v(0, 0.09, 0)),
        (seat, seat + sh.v(-0.02, 0, 0.1)),
    ]
    parts.append(sh.frusta([m[0] for m in more], [m[1] for m in more], 0.014, 0.014, 5, CHROME if seed % 2 else DARK))
    parts.append(sh.balls([seat + sh.v(-0.02, 0, 0.12)], [[0.13, 0.07, 0.035]], DARK, 4, 7))
    parts.append(sh.boxes([[-0.12, -0.17, 0.11], [-0.12, 0.08, 0.43]], [[0.0, -0.08, 0.14], [0.0, 0.17, 0.46]], DARK))
    angle = np.linspace(0.1, 2.4, 7)
    guard = np.column_stack(
        [rear[0] - (r + 0.03) * np.cos(angle + 0.3), 0 * angle, r + (r + 0.03) * np.sin(angle + 0.3)]
    )
    if g.random() < 0.6:
        parts.append(sh.frusta(guard[:-1], guard[1:], 0.025, 0.025, 4, DARK))
    if g.random() < 0.35:
        parts.append(
            sh.boxes([[0.38, -0.17, 0.82]], [[0.64, 0.17, 1.02]], Material("cloth_2", rgb(140, 110, 70), scale=0.3))
        )
    if g.random() < 0.4:
        parts.append(sh.boxes([[-0.72, -0.06, 0.72]], [[-0.3, 0.06, 0.74]], DARK))
        parts.append(sh.boxes([[-0.68, -0.19, 0.4]], [[-0.36, -0.07, 0.72]], DARK))
    parts.append(sh.boxes([[-0.62, -0.025, 0.62]], [[-0.58, 0.025, 0.68]], TAIL))
    return sh.compact(merge(parts))


@lru_cache(maxsize=1)
def wheels() -> Mesh:
    """Discs and frame of a bicycle, which count as bicycle though one sees through them."""
    angle = np.arange(12) * 2 * np.pi / 12
    rim = np.column_stack([0.31 * np.cos(angle), 0 * angle, 0.31 * np.sin(angle)])
    parts = []
    for x in (-0.52, 0.53):
        ring = rim + sh.v(x, 0, 0.335)
        centre = np.broadcast_to([x, 0, 0.335], ring.shape)
        parts.append(sh.quads(np.stack([centre, ring, np.roll(ring, -1, 0), centre], 1), FRAME))
    parts.append(sh.quads([[[-0.08, 0, 0.29], [0.38, 0, 0.74], [0.34, 0, 0.88], [-0.22, 0, 0.8]]], FRAME))
    return sh.compact(merge(parts))


@lru_cache(maxsize=48)
def cyclist(seed: int) -> Mesh:
    """A rider to sit on `bicycle`; materials as for people, 5 is the helmet."""
    g = np.random.default_rng([42, seed])
    lean = g.uniform(0.12, 0.4)
    hip = np.array([-0.26, 0, 1.0])
    neck = hip + np.array([0.54 * np.sin(lean) + 0.06, 0, 0.54 * np.cos(lean)])
    a = g.uniform(0, 2 * np.pi)
    pedal = [
        np.array([-0.1 + 0.16 * np.cos(t), y, 0.22 + 0.16 * np.sin(t)]) for t, y in ((a, 0.12), (a + np.pi, -0.12))
    ]
    hands = [np.array([0.24, 0.28, 1.05]), np.array([0.24, -0.28, 1.05])]
    parts = people.figure(hip, neck, pedal, hands, slim=float(g.uniform(0.9, 1.15)), coat=0.02, look=1.0)
    if seed % 3:
        parts.append(sh.balls([neck + sh.v(0.07, 0, 0.235)], [[0.14, 0.1, 0.085]], people.EXTRA, 5, 8))
    if seed % 4 == 1:
        parts.append(sh.balls([(hip + neck) / 2 + sh.v(-0.2, 0, 0.06)], [[0.11, 0.15, 0.22]], people.EXTRA, 6, 8))
    return people.tidy(parts)


@lru_cache(maxsize=16)
def motorcycle(seed: int) -> Mesh:
    """Motorcycle or scooter; material 0 is the paint."""
    g = np.random.default_rng([43, seed])
    scooter = seed % 2 == 0
    r = 0.24 if scooter else 0.31
    rear, front = np.array([-0.62 if scooter else -0.7, 0, r]), np.array([0.62 if scooter else 0.72, 0, r])
    parts = []
    for x in (rear, front):
        parts.append(sh.moved(sh.wheel_ring(r - 0.06, 0.065, RUBBER, 16, 6), float(x[0]), 0, float(x[2])))
        parts.append(sh.frusta([x + sh.v(0, -0.04, 0)], [x + sh.v(0, 0.04, 0)], r - 0.09, r - 0.09, 10, CHROME))
    head = np.array([0.42, 0, 0.85])
    parts.append(
        sh.frusta(
            [front + sh.v(0, y, 0) for y in (-0.09, 0.09)],
            [head + sh.v(0, y, 0) for y in (-0.09, 0.09)],
            0.03,
            0.03,
            6,
            CHROME,
        )
    )
    parts.append(
        sh.frusta(
            [head + sh.v(-0.06, -0.36, 0.13), head],
            [head + sh.v(-0.06, 0.36, 0.13), head + sh.v(-0.06, 0, 0.15)],
            0.02,
            0.03,
            5,
            DARK,
        )
    )
    if scooter:
        parts.append(sh.balls([[-0.45, 0, 0.52]], [[0.42, 0.2, 0.25]], FRAME, 6, 8))
        parts.append(sh.boxes([[-0.15, -0.18, 0.24]], [[0.35, 0.18, 0.3]], DARK))
        parts.append(sh.balls([[0.42, 0, 0.6]], [[0.1, 0.24, 0.38]], FRAME, 6, 8))
        parts.append(sh.boxes([[-0.75, -0.17, 0.74]], [[-0.05, 0.17, 0.82]], DARK))
        if g.random() < 0.6:
            parts.append(sh.boxes([[-0.98, -0.2, 0.82]], [[-0.6, 0.2, 1.12]], DARK))
    else:
        parts.append(sh.balls([[0.12, 0, 0.8]], [[0.32, 0.17, 0.15]], FRAME, 6, 8))
        parts.append(sh.boxes([[-0.25, -0.17, 0.3]], [[0.25, 0.17, 0.65]], DARK))
        parts.append(sh.balls([[-0.4, 0, 0.8]], [[0.38, 0.14, 0.07]], DARK, 5, 8))
        parts.append(sh.frusta([[-0.75, -0.16, 0.4]], [[0.05, -0.16, 0.36]], 0.055, 0.04, 7, CHROME))
        if g.random() < 0.6:
            parts.append(sh.balls([[0.52, 0, 0.88]], [[0.18, 0.2, 0.24]], FRAME, 6, 8))
    parts.append(sh.balls([head + sh.v(0.12, 0, 0.0)], [[0.07, 0.1, 0.1]], LAMP, 5, 8))
    parts.append(sh.boxes([[-0.88, -0.1, 0.62]], [[-0.82, 0.1, 0.7]], TAIL))
    parts.append(sh.boxes([[-0.9, -0.1, 0.44]], [[-0.88, 0.1, 0.58]], Material("plain", rgb(235, 190, 40))))
    return sh.compact(merge([sh.frusta([rear], [head], 0.05, 0.05, 6, FRAME), *parts]))


@lru_cache(maxsize=24)
def motorcyclist(seed: int) -> Mesh:
    """A rider to sit on `motorcycle`, with a full helmet (material 5)."""
    g = np.random.default_rng([44, seed])
    lean = g.uniform(0.05, 0.35)
    hip = np.array([-0.35, 0, 0.88])
    neck = hip + np.array([0.54 * np.sin(lean) + 0.05, 0, 0.54 * np.cos(lean)])
    feet = [np.array([-0.05, 0.2, 0.28]), np.array([-0.05, -0.2, 0.28])]
    hands = [np.array([0.33, 0.33, 1.0]), np.array([0.33, -0.33, 1.0])]
    parts = people.figure(hip, neck, feet, hands, slim=1.15, coat=0.02)
    parts.append(sh.balls([neck + sh.v(0.03, 0, 0.18)], [[0.15, 0.13, 0.16]], people.EXTRA, 6, 8))
    return people.tidy(parts)
