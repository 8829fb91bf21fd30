"""Cars of several body shapes, lofted from a side profile; prototypes are cached and repainted.

Vehicle axes: x forward, y left, z up, origin on the ground in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import rgb

GLASS = Material("plain", rgb(34, 39, 42), gloss=0.68)
PAINT = Material("plain", rgb(150, 20, 20), gloss=0.4)
RUBBER = Material("plain", rgb(28, 28, 29))
DARK = Material("plain", rgb(22, 22, 24), gloss=0.1)
CHROME = Material("plain", rgb(170, 172, 175), gloss=0.5)
LAMP = Material("plain", rgb(235, 238, 240), gloss=0.5)
TAIL = Material("plain", rgb(170, 14, 18), gloss=0.4)
INDICATOR = Material("plain", rgb(220, 110, 20), gloss=0.4)


@dataclass(frozen=True)
class Shape:
    """Side profile of a car in metres; positions are measured from the middle, forward positive.

    Attributes:
        length, width, height: Outer size.
        belt: Height of the lower edge of the windows.
        nose, hood: Height of the bonnet at its front and at the windscreen.
        cowl, roof_front, roof_rear, tail_top: Positions where the windscreen starts, the roof starts and ends, the
            rear window ends.
        deck: Height of the tail (boot lid).
        wheel: Tyre radius.
    """

    length: float
    width: float
    height: float
    belt: float
    nose: float
    hood: float
    cowl: float
    roof_front: float
    roof_rear: float
    tail_top: float
    deck: float
    wheel: float = 0.31
    axles: tuple[float, float] = (0.0, 0.0)
    windows: bool = True


SHAPES: dict[str, Shape] = {
    "hatchback": Shape(3.95, 1.70, 1.46, 0.92, 0.70, 0.90, 0.95, 0.25, -1.35, -1.85, 0.98, 0.30, (1.25, -1.20)),
    "mini": Shape(3.55, 1.62, 1.50, 0.93, 0.74, 0.92, 0.95, 0.35, -1.30, -1.68, 0.95, 0.28, (1.15, -1.12)),
    "saloon": Shape(4.60, 1.78, 1.43, 0.92, 0.68, 0.90, 0.95, 0.20, -0.95, -1.62, 1.00, 0.32, (1.38, -1.33)),
    "estate": Shape(4.65, 1.77, 1.46, 0.93, 0.70, 0.91, 0.95, 0.22, -1.95, -2.22, 1.00, 0.32, (1.38, -1.33)),
    "suv": Shape(4.55, 1.88, 1.78, 1.10, 0.98, 1.10, 0.85, 0.35, -1.90, -2.15, 1.15, 0.37, (1.38, -1.35)),
    "mpv": Shape(4.40, 1.80, 1.66, 1.00, 0.74, 0.98, 1.25, 0.45, -1.75, -2.08, 1.02, 0.31, (1.38, -1.32)),
    "taxi": Shape(4.55, 1.78, 1.75, 1.08, 0.84, 1.04, 0.80, 0.45, -1.45, -1.95, 1.08, 0.33, (1.45, -1.35)),
    "van": Shape(4.90, 1.95, 2.05, 1.15, 0.95, 1.18, 1.65, 1.00, -2.36, -2.40, 1.20, 0.33, (1.60, -1.50), False),
    "minibus": Shape(5.30, 1.98, 2.25, 1.20, 0.98, 1.20, 1.85, 1.15, -2.55, -2.60, 1.20, 0.34, (1.75, -1.60)),
    "pickup": Shape(5.00, 1.82, 1.72, 1.05, 0.92, 1.06, 1.05, 0.55, -0.55, -0.75, 1.05, 0.37, (1.50, -1.45)),
}


def _body(s: Shape, detail: int = 1) -> Mesh:
    """Closed skin: rings of 12 points along x; paint is material 0, glass 1, dark plastic 2."""
    half = s.length / 2
    key = np.array(
        [  # x, roof line, belt, half width, roof half width, sill
            (-half, s.deck * 0.72, s.deck * 0.7, s.width * 0.42, s.width * 0.36, 0.38),
            (-half + 0.10, s.deck * 0.97, s.deck * 0.95, s.width * 0.48, s.width * 0.42, 0.26),
            (s.tail_top, s.deck + 0.03, s.deck, s.width * 0.49, s.width * 0.43, 0.22),
            (s.roof_rear, s.height - 0.05, s.belt + 0.02, s.width * 0.5, s.width * 0.37, 0.20),
            ((s.roof_rear + s.roof_front) / 2, s.height, s.belt, s.width * 0.5, s.width * 0.38, 0.20),
            (s.roof_front, s.height - 0.04, s.belt - 0.01, s.width * 0.5, s.width * 0.37, 0.20),
            (s.cowl, s.hood + 0.03, s.hood, s.width * 0.5, s.width * 0.43, 0.20),
            (half - 0.35, s.nose + 0.07, s.nose + 0.03, s.width * 0.48, s.width * 0.40, 0.22),
            (half - 0.10, s.nose - 0.02, s.nose - 0.05, s.width * 0.45, s.width * 0.38, 0.24),
            (half, s.nose * 0.72, s.nose * 0.70, s.width * 0.38, s.width * 0.32, 0.36),
        ]
    )
    key = key[np.argsort(key[:, 0])]
    pillar = [s.roof_front - 0.95, s.roof_front - 0.87] + (
        [s.roof_rear + 0.55, s.roof_rear + 0.48] if s.length > 4.2 else []
    )
    arch = [
        a + d * s.wheel
        for a in s.axles
        for d in ((-1.22, -1.0, -0.55, 0.0, 0.55, 1.0, 1.22) if detail else (-1.15, 0.0, 1.15))
    ]
    x = np.unique(np.round(np.concatenate([key[:, 0], arch, pillar if s.windows else []]), 3))
    roof, belt, wide, top, sill = (np.interp(x, key[:, 0], key[:, c]) for c in range(1, 6))
    for axle in s.axles:
        d = np.abs(x - axle) / s.wheel
        sill = np.where(d < 1.15, s.wheel + s.wheel * 1.12 * np.sqrt(np.clip(1.25 - d**2, 0, None)), sill)
    low = np.minimum(sill, belt - 0.12)
    cabin = roof - belt
    flat = cabin < 0.12
    waist = low + (belt - low) * 0.55
    shoulder = wide - np.where(flat, 0.06, 0.035)
    right = np.stack(
        [
            np.stack([wide * 0.86, low], -1),
            np.stack([wide * 0.985, np.minimum(low + 0.07, waist)], -1),
            np.stack([wide, waist], -1),
            np.stack([shoulder, belt], -1),
            np.stack([np.where(flat, top, top + 0.035), belt + cabin * np.where(flat, 0.75, 0.88)], -1),
            np.stack([top * 0.72, roof], -1),
        ],
        1,
    )
    ring = np.concatenate([right, right[:, ::-1] * [-1, 1]], 1)
    sections = np.concatenate([np.broadcast_to(x[:, None, None], (*ring.shape[:2], 1)), ring], -1)
    which = np.zeros((len(x) - 1, 12), np.int32)
    which[:, 11] = 2
    which[:, [0, 10]] = 2
    middle = (x[1:] + x[:-1]) / 2
    tall = np.minimum(cabin[1:], cabin[:-1]) > 0.1
    in_cabin = (middle > s.roof_rear + (0.05 if s.windows else 99)) & (middle < s.roof_front)
    if not s.windows:
        in_cabin = (middle > s.roof_front - 0.85) & (middle < s.roof_front)
    for p0, p1 in zip(pillar[::2], pillar[1::2], strict=True):
        in_cabin &= ~((middle > min(p0, p1)) & (middle < max(p0, p1))) if s.windows else True
    screen = (middle > s.roof_front) & (middle < s.cowl)
    rear = (middle > s.tail_top) & (middle < s.roof_rear)
    for column in (3, 7):
        which[in_cabin & tall, column] = 1
        which[screen, column] = 1
        which[rear & (s.deck < s.height - 0.2), column] = 1
    for column in (4, 5, 6):
        which[screen, column] = 1
        which[rear, column] = 1 if s.windows else 0
    return sh.loft(sections, [PAINT, GLASS, DARK], which)


def wheels(places: list[tuple[float, float]], radius: float, width: float, hub: str = "hub_0", detail: int = 1) -> Mesh:
    """Wheels at (x, y of the outer face).

    Each is a drum with a hub picture on the outside (a plain drum without detail).
    """
    xs = np.array(places)
    side = np.sign(xs[:, 1])
    inner = np.column_stack([xs[:, 0], xs[:, 1] - side * width, np.full(len(xs), radius)])
    outer = np.column_stack([xs[:, 0], xs[:, 1], np.full(len(xs), radius)])
    drum = sh.frusta(inner, outer, radius, radius, 14 if detail else 7, RUBBER)
    if not detail:
        return drum
    r = radius * 0.98
    octagon = np.arange(12) * 2 * np.pi / 12
    discs = []
    for (x, y), sgn in zip(places, side, strict=True):
        ring = np.column_stack([np.cos(octagon), 0 * octagon, np.sin(octagon)]) * r
        ring = ring[::-1] if sgn > 0 else ring
        centre = np.array([x, y + sgn * 0.012, radius])
        fan = np.stack([np.broadcast_to(0 * ring, ring.shape), ring, np.roll(ring, -1, 0)], 1)
        uv = np.stack([fan[..., 0], fan[..., 2]], -1) / (2 * r) + 0.5
        discs.append(
            sh.surface(
                fan + centre, np.arange(36, dtype=np.int32).reshape(12, 3), uv, Material(hub, (1, 1, 1), gloss=0.2)
            )
        )
    return merge([drum, *discs])


def patch_x(
    x: float, y0: float, y1: float, z0: float, z1: float, material: Material, forward: bool, deep: float = 0.04
) -> Mesh:
    """A lamp or plate: a thin box on the front (forward) or the rear face, its picture fitted to 0..1."""
    box = sh.boxes([[x - deep, min(y0, y1), z0]], [[x + deep, max(y0, y1), z1]], material)
    a, b = (min(y0, y1), max(y0, y1)) if forward else (max(y0, y1), min(y0, y1))
    at = x + (deep + 0.003) * (1 if forward else -1)
    front = sh.quads([[[at, a, z0], [at, b, z0], [at, b, z1], [at, a, z1]]], material, sh.UNIT_UV)
    return merge([box, front])


def _details(s: Shape, seed: int, detail: int = 1) -> list[Mesh]:
    """Lamps, grille, plates, mirrors, bumper strips."""
    g = np.random.default_rng([11, seed])
    half, w, nose = s.length / 2, s.width / 2, s.nose
    lamp_h, lamp_w = g.uniform(0.10, 0.2), g.uniform(0.22, 0.4)
    out = []
    for side in (-1, 1):
        y1, y0 = side * w * 0.86, side * (w * 0.86 - lamp_w)
        out.append(patch_x(half - 0.13, y0, y1, nose - 0.1 - lamp_h, nose - 0.1, LAMP, True, 0.06))
        tall = g.uniform(0.2, 0.5) if s.deck > 0.95 and s.length < 4.5 else 0.2
        out.append(
            patch_x(
                -half + 0.09,
                side * w * 0.9,
                side * (w * 0.9 - (0.16 if tall > 0.3 else 0.34)),
                s.deck - 0.12 - tall,
                s.deck - 0.1,
                TAIL,
                False,
                0.05,
            )
        )
        mirror = [[s.cowl - 0.25, side * (w + 0.09), s.belt + 0.07]]
        out.append(sh.balls(mirror, [[0.06, 0.11, 0.075]], DARK, 4, 6))
    out.append(patch_x(half - 0.04, -w * 0.45, w * 0.45, nose - 0.24, nose - 0.12, DARK, True, 0.045))
    out.append(patch_x(half, -0.26, 0.26, 0.40, 0.51, Material("plate_0", (1, 1, 1)), True, 0.02))
    out.append(
        patch_x(
            -half,
            -0.26,
            0.26,
            *((0.62, 0.73) if s.deck > 0.9 else (0.45, 0.56)),
            Material(f"plate_{1 + seed % 2}", (1, 1, 1)),
            False,
            0.06,
        )
    )
    if not detail:
        return [m for m in out if m.materials[0] in (LAMP, TAIL)]
    gap = Material("plain", rgb(14, 14, 15))
    x = np.array([s.roof_front - 0.9, s.cowl - 0.12] + ([s.roof_rear + 0.52] if s.length > 4.2 else []))
    for side in (-1, 1):
        y0, y1 = sorted((side * (w - 0.03), side * (w + 0.006)))
        low = np.column_stack([x - 0.008, 0 * x + y0, 0 * x + 0.34])
        out.append(sh.boxes(low, np.column_stack([x + 0.008, 0 * x + y1, 0 * x + s.belt - 0.04]), gap))
        if g.random() < 0.5:
            out.append(sh.boxes([[s.axles[1] + 0.45, y0, 0.5]], [[s.axles[0] - 0.45, y1 + 0.004, 0.58]], gap))
        handle = [[s.roof_front - 0.8, y0 - 0.03 * (side < 0), s.belt - 0.14]]
        out.append(sh.boxes(handle, [[s.roof_front - 0.62, y1 + 0.03 * (side > 0), s.belt - 0.11]], gap))
    strip = Material("plain", rgb(40, 40, 42)) if g.random() < 0.6 else PAINT
    out.append(
        sh.boxes(
            [[-half - 0.05, -w * 0.86, 0.34], [half - 0.12, -w * 0.84, 0.30]],
            [[-half + 0.12, w * 0.86, 0.5], [half + 0.04, w * 0.84, 0.44]],
            strip,
        )
    )
    return out


@lru_cache(maxsize=256)
def car(kind: str, seed: int, detail: int = 1) -> Mesh:
    """Prototype of one body shape; material 0 is the paint.

    Args:
        kind: A key of ``SHAPES``.
        seed: Varies lamps, hubs and proportions.
        detail: 0 leaves out what is too small to see from afar.
    """
    s = SHAPES[kind]
    g = np.random.default_rng([12, seed])
    places = [(a, side * (s.width / 2 - 0.02)) for a in s.axles for side in (-1, 1)]
    parts = [_body(s, detail), wheels(places, s.wheel, 0.2, f"hub_{seed % 3}", detail), *_details(s, seed, detail)]
    if kind == "taxi":
        parts.append(
            sh.boxes(
                [[0.3, -0.25, s.height - 0.05]],
                [[0.45, 0.25, s.height + 0.1]],
                Material("plain", rgb(240, 170, 30), glow=0.2),
            )
        )
    if kind in ("estate", "suv", "mpv"):
        parts.append(
            sh.boxes(
                [[s.roof_rear + 0.1, y - 0.02, s.height - 0.06] for y in (-0.55, 0.55)],
                [[s.roof_front - 0.1, y + 0.02, s.height + 0.03] for y in (-0.55, 0.55)],
                DARK,
            )
        )
    mesh = sh.compact(merge(parts))
    k = g.uniform(0.95, 1.06, 3)
    return sh.moved(mesh, scale=(float(k[0]), float(k[1]), float(k[2])))
