"""Pedestrians: a lofted trunk, limbs in a walking, standing or sitting pose, clothes and bags; prototypes repainted.

Axes: x the way the person faces, y left, z up, feet on z = 0. Materials: 0 top, 1 trousers, 2 skin, 3 hair, 4 shoes,
5 extra (bag, hat).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Material, Mesh, merge
from simteacher.scenes.palette import CLOTHES, HAIRS, SKINS, TROUSERS, Rng, pick, repaint

TOP, LEGS, SKIN, HAIR, SHOE, EXTRA = (Material("cloth_0", (0.2 + 0.01 * i,) * 3) for i in range(6))
_SLOTS = [TOP, LEGS, SKIN, HAIR, SHOE, EXTRA]
Vec = npt.NDArray[np.float64]


def _knee(hip: Vec, foot: Vec, thigh: float, shin: float, bend: Vec) -> Vec:
    """Joint of a two-bone limb between two fixed ends; ``bend`` is the side to which it bows."""
    d = foot - hip
    length = min(float(np.linalg.norm(d)), (thigh + shin) * 0.999)
    d = d / (np.linalg.norm(d) + 1e-9)
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    off = np.sqrt(max(thigh**2 - along**2, 0))
    side = bend - d * float(bend @ d)
    out: Vec = hip + d * along + side / (np.linalg.norm(side) + 1e-9) * off
    return out


def _trunk(hip: Vec, neck: Vec, width: float, deep: float, long: float) -> Mesh:
    """Oval sections from below the hip to the neck; ``long`` is how far the coat hangs below the hip."""
    axis = neck - hip
    shape = [
        (-long / 0.55, 1.06, 1.15),
        (-0.02, 0.93, 1.1),
        (0.25, 0.84, 0.95),
        (0.6, 0.98, 1.12),
        (0.85, 1.08, 1.0),
        (0.95, 0.75, 0.75),
        (1.02, 0.3, 0.4),
    ]
    angle = np.arange(10) * 2 * np.pi / 10
    sections = []
    for t, kw, kd in shape:
        centre = hip + axis * max(t, 0) + np.array([0, 0, min(t, 0) * 0.55])
        sections.append(centre + np.column_stack([np.cos(angle) * deep * kd, np.sin(angle) * width * kw, 0 * angle]))
    return sh.loft(np.stack(sections), [TOP])


def _limb(points: list[Vec], radii: list[float], material: Material) -> Mesh:
    p = np.array(points)
    return sh.frusta(p[:-1], p[1:], radii[:-1], radii[1:], 7, material)


def figure(
    hip: Vec, neck: Vec, feet: list[Vec], hands: list[Vec], *, slim: float = 1.0, coat: float = 0.05, look: float = 0.0
) -> list[Mesh]:
    """Body parts for given places of hip, neck, feet and hands (left first)."""
    forward = np.array([1.0, 0.0, 0.0])
    parts = [_trunk(hip, neck, 0.185 * slim, 0.115 * slim, coat)]
    head = neck + np.array([0.035 + look * 0.05, 0, 0.175])
    parts.append(sh.frusta([neck - [0, 0, 0.03]], [head], 0.055, 0.05, 6, SKIN))
    parts.append(sh.balls([head], [[0.095, 0.075, 0.12]], SKIN, 6, 8))
    parts.append(sh.balls([head + sh.v(-0.022, 0, 0.03)], [[0.1, 0.085, 0.115]], HAIR, 6, 8))
    for i, side in enumerate((1.0, -1.0)):
        joint = hip + np.array([0, side * 0.09 * slim, -0.02])
        knee = _knee(joint, feet[i] + sh.v(0, 0, 0.08), 0.43, 0.43, forward + sh.v(0, 0.05 * side, 0.02))
        parts.append(_limb([joint, knee, feet[i] + sh.v(0, 0, 0.06)], [0.092 * slim, 0.066 * slim, 0.05], LEGS))
        parts.append(sh.balls([feet[i] + sh.v(0.05, 0, 0.045)], [[0.13, 0.05, 0.05]], SHOE, 4, 6))
        shoulder = neck + np.array([-0.01, side * 0.175 * slim, -0.06])
        elbow = _knee(shoulder, hands[i], 0.29, 0.27, np.array([-1.0, 0.25 * side, -0.3]))
        parts.append(_limb([shoulder, elbow, hands[i]], [0.06 * slim, 0.048, 0.038], TOP))
        parts.append(sh.balls([hands[i]], [[0.045, 0.035, 0.05]], SKIN, 4, 5))
    return parts


def tidy(parts: list[Mesh]) -> Mesh:
    """Merge so that the six body materials have fixed indices."""
    mesh = merge(parts)
    index = np.array([_SLOTS.index(m) if m in _SLOTS else 6 for m in mesh.materials], np.int32)
    return Mesh(mesh.vertices_V3, mesh.faces_F3, mesh.uv_F32, index[mesh.material_F], tuple(_SLOTS))


def _extras(g: Rng, seed: int, hip: Vec, neck: Vec, hands: list[Vec]) -> list[Mesh]:
    """Backpack, shopping bag, hat, long hair or umbrella."""
    out, kind = [], seed % 7
    if kind == 1:
        out.append(sh.balls([(hip + neck) / 2 + sh.v(-0.19, 0, 0.08)], [[0.11, 0.15, 0.22]], EXTRA, 6, 8))
    if kind == 2:
        out.append(sh.boxes([hands[0] - [0.16, 0.05, 0.42]], [hands[0] + sh.v(0.16, 0.05, -0.06)], EXTRA))
    if kind == 3:
        out.append(sh.balls([neck + sh.v(0.02, 0, 0.255)], [[0.105, 0.095, 0.07]], EXTRA, 4, 8))
    if kind == 4:
        out.append(sh.balls([neck + sh.v(-0.04, 0, 0.1)], [[0.07, 0.09, 0.16]], HAIR, 5, 7))
    if kind == 5:
        y = float(g.choice([-1, 1])) * 0.24
        out.append(sh.boxes([hip + sh.v(-0.12, y - 0.05, -0.05)], [hip + sh.v(0.14, y + 0.05, 0.22)], EXTRA))
    return out


@lru_cache(maxsize=128)
def walker(seed: int, pose: str = "walking") -> Mesh:
    """A person of 1.75 m.

    Args:
        seed: Phase of the step, build, coat length and luggage.
        pose: "walking", "standing" or "sitting" (on something 0.45 m high).
    """
    g = np.random.default_rng([31, seed])
    slim, coat = g.uniform(0.88, 1.2), float(g.choice([0.03, 0.05, 0.12, 0.3]))
    hip, neck = np.array([0.0, 0.0, 0.93]), np.array([g.uniform(0, 0.06), 0.0, 1.47])
    if pose == "walking":
        swing = np.sin(g.uniform(0, 2 * np.pi))
        reach = g.uniform(0.2, 0.34)
        feet = [
            np.array([reach * swing, 0.09, max(0.0, -swing) * 0.08]),
            np.array([-reach * swing, -0.09, max(0.0, swing) * 0.08]),
        ]
        arm = g.uniform(0.1, 0.3)
        hands = [
            np.array([-arm * swing, 0.26, 0.86 + 0.05 * abs(swing)]),
            np.array([arm * swing, -0.26, 0.86 + 0.05 * abs(swing)]),
        ]
        hip[2] -= 0.03 * abs(swing)
    elif pose == "standing":
        feet = [np.array([0.04, 0.1, 0.0]), np.array([g.uniform(-0.05, 0.1), -0.11, 0.0])]
        choice = [np.array([0.02, 0.25, 0.83]), np.array([0.2, 0.18, 1.12]), np.array([0.24, 0.1, 1.3])]
        left, right = choice[int(g.integers(3))], choice[int(g.integers(2))]
        hands = [left.copy(), right * [1, -1, 1]]
    else:
        hip, neck = np.array([-0.1, 0.0, 0.52]), np.array([-0.12, 0.0, 1.06])
        feet, hands = (
            [np.array([0.42, 0.1, 0.0]), np.array([0.38, -0.12, 0.0])],
            [np.array([0.22, 0.14, 0.6]), np.array([0.22, -0.14, 0.6])],
        )
        coat = 0.03
    parts = figure(hip, neck, feet, hands, slim=float(slim), coat=coat)
    if g.random() < 0.12 and pose != "sitting":  # a skirt
        angle = np.arange(10) * 2 * np.pi / 10
        rings = [
            np.column_stack([np.cos(angle) * r, np.sin(angle) * r * 1.2, 0 * angle + z])
            for z, r in ((0.45, 0.22), (0.75, 0.17), (1.0, 0.13))
        ]
        parts.append(sh.loft(np.stack(rings), [LEGS]))
    return tidy([*parts, *_extras(g, seed, hip, neck, hands)])


def dressed(mesh: Mesh, g: Rng, vest: float = 0.05) -> Mesh:
    """Random clothes, skin and hair; ``vest`` is the chance of a high-visibility top."""
    pattern = f"cloth_{g.choice([0, 0, 0, 0, 1, 2, 3])}"
    top = Material(pattern, pick(g, CLOTHES, 0.3), scale=0.6)
    if g.random() < vest:
        top = Material("plain", (0.55, 0.8, 0.05) if g.random() < 0.7 else (0.9, 0.3, 0.03))
    legs = Material("cloth_0", top.tint if g.random() < 0.15 else pick(g, TROUSERS, 0.3), scale=0.6)
    return repaint(
        mesh,
        m0=top,
        m1=legs,
        m2=Material("plain", pick(g, SKINS, 0.12)),
        m3=Material("plain", pick(g, HAIRS, 0.3)),
        m4=Material("plain", pick(g, TROUSERS, 0.4)),
        m5=Material("cloth_0", pick(g, CLOTHES, 0.4), scale=0.5),
    )
