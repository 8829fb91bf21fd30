"""Small street furniture: bollards, beacons, bins, boxes, benches, bus shelters. Parts by class as in `props.py`."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, merge
from simteacher.scenes.palette import METALS, rgb
from simteacher.scenes.props import BACK, BLACK, Parts, circle, painted


@lru_cache(maxsize=36)
def small(kind: str, seed: int) -> Parts:
    """Bollard, bin, cabinet, phone box, bench, post box, planter, beacon, parking meter, flag pole."""
    g = np.random.default_rng([65, seed])
    metal = painted(g)
    red = Material("plain", rgb(170, 20, 25), gloss=0.3)
    if kind == "bollard":
        h, r = g.uniform(0.7, 1.1), g.uniform(0.05, 0.11)
        band = Material("plain", rgb(235, 235, 235)) if g.random() < 0.6 else metal
        body = [
            sh.frusta(
                [[0, 0, 0], [0, 0, h * 0.75], [0, 0, h * 0.85]],
                [[0, 0, h * 0.75], [0, 0, h * 0.85], [0, 0, h]],
                r,
                r,
                8,
                metal,
            )
        ]
        body.append(sh.frusta([[0, 0, h * 0.76]], [[0, 0, h * 0.84]], r * 1.05, r * 1.05, 8, band))
        return {"pole": merge([*body, sh.balls([[0, 0, h]], [[r * 1.1, r * 1.1, r]], metal, 4, 8)])}
    if kind == "beacon":
        z = np.linspace(0, 2.4, 7)
        stripe = [
            sh.frusta(
                [[0, 0, a]], [[0, 0, b]], 0.05, 0.05, 8, BLACK if i % 2 else Material("plain", (0.85, 0.85, 0.85))
            )
            for i, (a, b) in enumerate(itertools.pairwise(z))
        ]
        return {
            "pole": merge(
                [
                    *stripe,
                    sh.balls(
                        [[0, 0, 2.55]], [[0.16, 0.16, 0.16]], Material("plain", rgb(250, 165, 30), glow=0.8), 6, 10
                    ),
                ]
            )
        }
    if kind == "keepleft":
        lit = Material(f"round_{6 + seed % 2}", (1, 1, 1), glow=0.3)
        box = [sh.boxes([[-0.1, -0.2, 0]], [[0.1, 0.2, 1.0]], Material("plain", rgb(235, 230, 200), glow=0.2))]
        return {"traffic sign": merge([*box, sh.moved(sh.prism(circle(0.19, 0.72), 0.01, lit, BACK, fit=True), 0.115)])}
    if kind == "flag":
        h = g.uniform(5, 8)
        flag = sh.quads(
            [[[0, 0, h - 2.6], [0, 0.9, h - 2.6], [0, 0.9, h - 0.2], [0, 0, h - 0.2]]],
            Material("cloth_0", (0.6, 0.05, 0.05)),
        )
        return {
            "pole": sh.frusta([[0, 0, 0]], [[0, 0, h]], 0.06, 0.04, 8, Material("plain", (0.8, 0.8, 0.8))),
            "": flag,
        }
    if kind == "bin":
        r, h = g.uniform(0.2, 0.32), g.uniform(0.8, 1.15)
        return {
            "": merge(
                [
                    sh.frusta([[0, 0, 0]], [[0, 0, h]], r * 0.9, r, 9, metal),
                    sh.balls([[0, 0, h]], [[r, r, 0.12]], BLACK, 4, 9),
                ]
            )
        }
    if kind == "cabinet":
        return {"": sh.boxes([[-0.25, -g.uniform(0.4, 0.8), 0]], [[0.2, 0.4, g.uniform(0.9, 1.4)]], metal)}
    if kind == "phone":
        posts = sh.boxes([[-0.45, -0.45, 0], [-0.45, -0.45, 2.1]], [[0.45, 0.45, 0.35], [0.45, 0.45, 2.45]], red)
        frame = sh.boxes(
            [[x, y, 0] for x in (-0.45, 0.37) for y in (-0.45, 0.37)],
            [[x + 0.08, y + 0.08, 2.2] for x in (-0.45, 0.37) for y in (-0.45, 0.37)],
            red,
        )
        return {
            "": merge(
                [
                    posts,
                    frame,
                    sh.boxes([[-0.41, -0.41, 0.3]], [[0.41, 0.41, 2.15]], Material("window_5", (1, 1, 1), gloss=0.5)),
                ]
            )
        }
    if kind == "postbox":
        return {
            "": merge(
                [
                    sh.frusta([[0, 0, 0]], [[0, 0, 1.45]], 0.24, 0.24, 10, red),
                    sh.balls([[0, 0, 1.45]], [[0.27, 0.27, 0.14]], red, 4, 10),
                ]
            )
        }
    if kind == "aboard":
        picture = Material(f"poster_{seed % 8}" if seed % 2 else f"fascia_{seed % 12}", (1, 1, 1))
        low, top = [[0.28, -0.3, 0.0], [0.28, 0.3, 0.0]], [[0.02, 0.3, 1.0], [0.02, -0.3, 1.0]]
        front = [[*low[0]], [*low[1]], [*top[0]], [*top[1]]]
        back = [[-x, y, z] for x, y, z in (low[1], low[0], top[1], top[0])]
        return {"": sh.quads([front, back], picture, sh.UNIT_UV)}
    if kind == "table":
        wood = Material("plain", METALS[seed % len(METALS)], gloss=0.2)
        disc = sh.frusta([[0, 0, 0.7], [0, 0, 0]], [[0, 0, 0.74], [0, 0, 0.7]], [0.38, 0.03], [0.38, 0.03], 10, wood)
        at = [(0.7, 0.1), (-0.6, 0.4), (-0.1, -0.7)][: 1 + seed % 3]
        seats = sh.boxes([[x - 0.2, y - 0.2, 0.42] for x, y in at], [[x + 0.2, y + 0.2, 0.46] for x, y in at], wood)
        backs = sh.boxes([[x - 0.2, y + 0.17, 0.46] for x, y in at], [[x + 0.2, y + 0.2, 0.88] for x, y in at], wood)
        legs = [[x + i, y + j, 0] for x, y in at for i in (-0.18, 0.18) for j in (-0.18, 0.18)]
        return {
            "": merge([disc, seats, backs, sh.frusta(legs, np.array(legs) + sh.v(0, 0, 0.42), 0.015, 0.015, 4, wood)])
        }
    if kind == "crates":
        n = 3 + seed % 5
        corner_N3 = np.column_stack([g.uniform(-0.4, 0.1, n), np.arange(n) * 0.5 - n / 4, g.uniform(0.2, 0.5, n)])
        crate = Material("timber", rgb(150, 120, 80), scale=0.6)
        parts = [sh.boxes(corner_N3 * [1, 1, 0], corner_N3 + sh.v(0.35, 0.45, 0.15), crate)]
        for x, y, z in corner_N3:
            tint = (float(g.uniform(0.1, 0.6)), float(g.uniform(0.1, 0.5)), float(g.uniform(0.02, 0.2)))
            parts.append(
                sh.boxes([[x + 0.02, y + 0.02, z + 0.15]], [[x + 0.33, y + 0.43, z + 0.22]], Material("gravel", tint))
            )
        return {"": merge(parts)}
    if kind == "bench":
        wood = Material("timber", rgb(130, 95, 60), scale=0.5)
        seat = sh.boxes([[-0.25, -0.8, 0.42], [-0.27, -0.8, 0.55]], [[0.2, 0.8, 0.47], [-0.22, 0.8, 0.9]], wood)
        return {
            "": merge(
                [
                    seat,
                    sh.boxes(
                        [[-0.2, y, 0] for y in (-0.7, 0.62)], [[0.15, y + 0.08, 0.42] for y in (-0.7, 0.62)], BLACK
                    ),
                ]
            )
        }
    if kind == "cone":
        return {"": sh.frusta([[0, 0, 0]], [[0, 0, 0.7]], 0.17, 0.03, 8, Material("plain", rgb(230, 80, 20)))}
    h = g.uniform(1.1, 1.4)
    return {
        "pole": merge(
            [
                sh.frusta([[0, 0, 0]], [[0, 0, h]], 0.04, 0.04, 7, metal),
                sh.boxes([[-0.1, -0.12, h]], [[0.1, 0.12, h + 0.35]], metal),
            ]
        )
    }


@lru_cache(maxsize=24)
def shelter(seed: int) -> Parts:
    """Bus shelter: posts, glass back, roof, an advertising panel; class-less but for its panel."""
    w = 3.6
    frame = Material("plain", METALS[seed % len(METALS)], gloss=0.2)
    posts = [[-0.6, -w / 2, 0], [-0.6, w / 2 - 0.08, 0], [0.6, -w / 2, 0]]
    body = [
        sh.boxes(posts, np.array(posts) + sh.v(0.08, 0.08, 2.4), frame),
        sh.boxes([[-0.75, -w / 2 - 0.1, 2.4]], [[0.9, w / 2 + 0.1, 2.52]], frame),
    ]
    body.append(
        sh.boxes(
            [[-0.58, -w / 2 + 0.1, 0.25]], [[-0.55, w / 2 - 0.1, 2.2]], Material("plain", rgb(120, 135, 140), gloss=0.7)
        )
    )
    picture = Material(f"poster_{seed % 8}", (1, 1, 1), gloss=0.3, glow=0.2)
    panel = sh.moved(
        sh.prism([(-0.6, 0.35), (0.6, 0.35), (0.6, 2.15), (-0.6, 2.15)], 0.12, picture, picture, fit=True),
        0.06,
        w / 2 + 0.0,
        0,
        np.pi / 2,
    )
    return {"": merge([*body, panel])}
