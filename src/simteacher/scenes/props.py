"""Street furniture. Each function gives parts by class name.

A sign's post is a pole and its plate a traffic sign.

Axes: x the way the thing faces (towards oncoming drivers for signs), y left, z up, standing on z = 0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import METALS, rgb

Parts = dict[str, Mesh]
GREY = Material("plain", rgb(125, 128, 130), gloss=0.2)
BACK = Material("plain", rgb(110, 112, 114))
BLACK = Material("plain", rgb(22, 22, 23), gloss=0.15)


def painted(g: np.random.Generator) -> Material:
    """Metal of a usual colour."""
    return Material("rust", METALS[int(g.integers(len(METALS)))], gloss=0.15)


def circle(radius: float, z: float, count: int = 16) -> list[tuple[float, float]]:
    """Outline (y, z) of a round plate."""
    return [(radius * float(np.cos(a)), z + radius * float(np.sin(a))) for a in np.arange(count) * 2 * np.pi / count]


@lru_cache(maxsize=48)
def lamp(seed: int) -> Parts:
    """Street light: straight or curved arm over +x, a lantern, or a tall mast with two arms."""
    g = np.random.default_rng([61, seed])
    kind, metal = seed % 5, painted(g)
    height = g.uniform(3.5, 5) if kind == 3 else g.uniform(5.5, 11)
    radius = g.uniform(0.055, 0.1)
    glow = Material("plain", rgb(255, 240, 205), gloss=0.2, glow=1.0)
    parts = [
        sh.frusta([[0, 0, 0]], [[0, 0, height]], radius, radius * 0.6, 8, metal),
        sh.frusta([[0, 0, 0]], [[0, 0, g.uniform(0.8, 1.6)]], radius * 1.7, radius * 1.6, 8, metal),
    ]
    if kind == 3:
        parts += [
            sh.frusta([[0, 0, height]], [[0, 0, height + 0.45]], 0.12, 0.22, 6, glow),
            sh.frusta([[0, 0, height + 0.45]], [[0, 0, height + 0.7]], 0.26, 0.03, 6, metal),
        ]
    else:
        reach = g.uniform(0.8, 2.2)
        for direction in (1, -1) if kind == 4 else (1,):
            t = np.linspace(0, 1, 7)
            if kind in (0, 4):
                arm = np.column_stack([direction * reach * t, 0 * t, height + 0.15 * t])
            else:
                arm = np.column_stack(
                    [
                        direction * reach * np.sin(t * np.pi / 2),
                        0 * t,
                        height + reach * 0.6 * (1 - np.cos(t * np.pi / 2 * 1.25)) / 1.2,
                    ]
                )
                arm[:, 2] = height + reach * 0.7 * np.sin(t * np.pi * 0.55)
            parts.append(sh.frusta(arm[:-1], arm[1:], radius * 0.55, radius * 0.5, 6, metal))
            end = arm[-1]
            parts.append(sh.balls([end + sh.v(direction * 0.25, 0, 0.02)], [[0.36, 0.13, 0.07]], metal, 4, 8))
            parts.append(
                sh.boxes(
                    [end + sh.v(direction * 0.25 - 0.22, -0.09, -0.06)],
                    [end + sh.v(direction * 0.25 + 0.22, 0.09, -0.03)],
                    glow,
                )
            )
    return {"pole": merge(parts)}


def _plate(kind: str, number: int, size: float, z: float) -> Mesh:
    """One sign plate centred at height z, 5 cm in front of the post."""
    half = size / 2
    shapes = {
        "round": circle(half, z),
        "triangle": [(-half, z - half * 0.8), (half, z - half * 0.8), (0, z + half * 0.93)],
        "giveway": [(-half, z + half * 0.8), (0, z - half * 0.93), (half, z + half * 0.8)],
        "stop": [
            (half * 1.08 * float(np.cos(a)), z + half * 1.08 * float(np.sin(a)))
            for a in np.pi / 8 + np.arange(8) * np.pi / 4
        ],
    }
    names = {
        "round": f"round_{number % 8}",
        "triangle": f"triangle_{number % 4}",
        "giveway": "special_1",
        "stop": "special_0",
    }
    if kind in shapes:
        return sh.moved(
            sh.prism(shapes[kind], 0.02, Material(names[kind], (1, 1, 1), gloss=0.15), BACK, fit=True), 0.07
        )
    wide, high = {
        "square": (1.0, 1.0),
        "tall": (0.75, 1.2),
        "direction": (2.3, 0.75),
        "chevron": (2.0, 0.7),
        "small": (1.2, 0.6),
    }[kind]
    w, h = half * wide, half * high
    picture = "special_2" if kind == "chevron" else f"board_{number % 8}"
    outline = [(-w, z - h), (w, z - h), (w, z + h), (-w, z + h)]
    return sh.moved(sh.prism(outline, 0.02, Material(picture, (1, 1, 1), gloss=0.15), BACK, fit=True), 0.07)


@lru_cache(maxsize=128)
def sign(seed: int) -> Parts:
    """A post with one to three plates; large boards have two posts."""
    g = np.random.default_rng([62, seed])
    post = [GREY, BLACK, Material("plain", rgb(190, 190, 192))][int(g.integers(3))]
    if seed % 9 == 8:  # direction board over two posts
        size, z = g.uniform(0.8, 1.6), g.uniform(1.5, 2.8)
        plate = _plate("direction" if g.random() < 0.6 else "tall", seed // 9, size, z)
        ys = [-size * 0.3, size * 0.3]
        return {
            "pole": sh.frusta([[0, y, 0] for y in ys], [[0, y, z] for y in ys], 0.05, 0.05, 7, post),
            "traffic sign": plate,
        }
    kinds = ["round", "round", "triangle", "square", "giveway", "tall", "stop", "chevron", "small"]
    top, thick = g.uniform(2.0, 3.2), g.uniform(0.03, 0.05)
    plates, z = [], top
    for _ in range(int(g.choice([1, 1, 2, 3]))):
        size = g.uniform(0.55, 0.9)
        plates.append(_plate(kinds[int(g.integers(len(kinds)))], int(g.integers(64)), size, z))
        z -= size * 1.1
    return {"pole": sh.frusta([[0, 0, 0]], [[0, 0, top + 0.35]], thick, thick, 7, post), "traffic sign": merge(plates)}


@lru_cache(maxsize=24)
def totem(seed: int) -> Parts:
    """Free-standing information board or advertising panel, 1.5 to 4.5 m high."""
    g = np.random.default_rng([63, seed])
    w, h, foot = g.uniform(0.5, 0.9), g.uniform(1.5, 3.2), g.uniform(0.1, 1.2)
    picture = Material(
        f"board_{g.integers(8)}" if g.random() < 0.6 else f"poster_{g.integers(8)}", (1, 1, 1), gloss=0.2
    )
    outline = [(-w, foot), (w, foot), (w, foot + h), (-w, foot + h)]
    plate = merge(
        [
            sh.prism(outline, 0.1, picture, picture, fit=True),
            sh.moved(sh.prism(outline, 0.02, picture, picture, fit=True), -0.11, yaw=np.pi),
        ]
    )
    posts = sh.frusta(
        [[-0.05, y, 0] for y in (-w * 0.9, w * 0.9)],
        [[-0.05, y, foot + h * 0.9] for y in (-w * 0.9, w * 0.9)],
        0.06,
        0.06,
        7,
        GREY,
    )
    return {"pole": posts, "traffic sign": plate}


@lru_cache(maxsize=48)
def post(seed: int) -> Parts:
    """A bare post, for wires or cameras or left over; thin ones are what far things are hung on."""
    g = np.random.default_rng([66, seed])
    height, radius = g.uniform(2.2, 8.5), g.uniform(0.03, 0.1)
    parts = [sh.frusta([[0, 0, 0]], [[0, 0, height]], radius, radius * g.uniform(0.6, 1.0), 8, painted(g))]
    if g.random() < 0.3:
        parts.append(sh.boxes([[-0.15, -0.1, height]], [[0.15, 0.1, height + g.uniform(0.15, 0.4)]], GREY))
    return {"pole": merge(parts)}


@lru_cache(maxsize=36)
def traffic_light(seed: int) -> Parts:
    """Signal heads on a post, sometimes one on an arm over the road; one lens is lit."""
    g = np.random.default_rng([64, seed])
    lit = seed % 3
    post = [GREY, BLACK, BLACK][int(g.integers(3))]
    lens = [rgb(235, 35, 25), rgb(250, 160, 20), rgb(40, 230, 120)]

    def head(y: float, z: float, turn: float = 0.0) -> Mesh:
        back = [(-0.2, z - 0.15), (0.2, z - 0.15), (0.2, z + 1.0), (-0.2, z + 1.0)]
        white_edge = Material("plain", rgb(215, 215, 215)) if seed % 4 == 0 else BLACK
        parts = [sh.boxes([[0.0, -0.14, z]], [[0.2, 0.14, z + 0.86]], BLACK)]
        if seed % 2:
            parts.append(sh.moved(sh.prism(back, 0.02, BLACK, white_edge), 0.05))
        for i in range(3):
            c = z + 0.72 - 0.29 * i
            on = i == lit
            tint = lens[i] if on else (lens[i][0] * 0.12, lens[i][1] * 0.12, lens[i][2] * 0.12)
            parts.append(
                sh.moved(
                    sh.prism(
                        circle(0.1, c, 10), 0.02, Material("plain", tint, gloss=0.3, glow=2.0 if on else 0.0), BLACK
                    ),
                    0.215,
                )
            )
            hood = np.linspace(0.15, np.pi - 0.15, 5)
            rim = np.column_stack([np.full(5, 0.2), 0.12 * np.cos(hood), c + 0.12 * np.sin(hood)])
            out = rim + sh.v(0.17, 0, 0)
            parts.append(sh.quads(np.stack([rim[:-1], out[:-1], out[1:], rim[1:]], 1), BLACK))
        return sh.moved(merge(parts), 0.0, y, 0.0, turn)

    z = g.uniform(2.0, 2.6)
    heads = [head(0.0, z)]
    poles = [sh.frusta([[-0.06, 0, 0]], [[-0.06, 0, z + 1.15]], 0.065, 0.065, 8, post)]
    if g.random() < 0.4:
        heads.append(head(0.0, z, np.pi))
    if g.random() < 0.25:
        reach = g.uniform(2.5, 5)
        side = float(g.choice([-1, 1]))
        poles.append(
            sh.frusta(
                [[-0.06, 0, 0], [-0.06, 0, 5.2]], [[-0.06, 0, 5.3], [-0.06, side * reach, 5.7]], 0.08, 0.05, 8, post
            )
        )
        heads.append(head(side * reach, 4.9))
    return {"pole": merge(poles), "traffic light": merge(heads)}
