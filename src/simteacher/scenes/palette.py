"""Colours that things have, as linear RGB, and how to draw one at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simteacher.scenes.mesh import Material, Mesh

Rng = np.random.Generator
Colour = tuple[float, float, float]


def rgb(red: float, green: float, blue: float) -> Colour:
    """Linear colour of an sRGB triple 0..255."""
    return ((red / 255) ** 2.2, (green / 255) ** 2.2, (blue / 255) ** 2.2)


def vary(g: Rng, colour: Colour, by: float = 0.15) -> Colour:
    """The colour a little lighter or darker and of slightly other hue."""
    k, *hue = np.exp(g.standard_normal(4) * (by, by / 3, by / 3, by / 3)).tolist()
    return _held(colour[0] * (k * hue[0])), _held(colour[1] * (k * hue[1])), _held(colour[2] * (k * hue[2]))


def shade(g: Rng, colour: Colour, by: float = 0.15) -> Colour:
    """The colour lighter or darker, almost of the same hue: asphalt, concrete, stone."""
    k, *hue = np.exp(g.standard_normal(4) * (by, 0.018, 0.018, 0.018)).tolist()
    return _held(colour[0] * k * hue[0]), _held(colour[1] * k * hue[1]), _held(colour[2] * k * hue[2])


def _held(value: float) -> float:
    """Neither black nor white."""
    return min(max(value, 0.004), 0.95)


def anycolour(g: Rng) -> Colour:
    """Any colour, more often dull than vivid."""
    c = g.uniform(0.02, 0.9, 3) ** 1.5
    c = c + (c.mean() - c) * g.uniform(0, 1)
    return (float(c[0]), float(c[1]), float(c[2]))


def pick(g: Rng, options: Sequence[Colour], by: float = 0.15) -> Colour:
    """One of the colours, varied."""
    return vary(g, options[int(g.integers(len(options)))], by)


def repaint(mesh: Mesh, **paint: Material) -> Mesh:
    """Replace materials by index: ``repaint(car, m0=Material(...))``; vertices stay shared."""
    materials = list(mesh.materials)
    for key, material in paint.items():
        materials[int(key[1:])] = material
    return replace(mesh, materials=tuple(materials))


CAR_PAINT = [
    rgb(180, 184, 188), rgb(160, 165, 170), rgb(90, 94, 100), rgb(20, 20, 24), rgb(25, 25, 28), rgb(225, 226, 226),
    rgb(235, 235, 235),
    rgb(25, 40, 90), rgb(30, 70, 140), rgb(140, 20, 25), rgb(170, 25, 25), rgb(20, 60, 45), rgb(60, 25, 40), rgb(150,
    130, 95), rgb(90, 130, 160),
    rgb(220, 170, 30),
]  # fmt: skip
LIVERY = [
    rgb(225, 225, 225), rgb(200, 30, 35), rgb(30, 60, 130), rgb(25, 90, 60), rgb(240, 190, 30), rgb(230, 110, 25),
    rgb(90, 95, 100), rgb(60, 140, 180),
    rgb(40, 40, 45), rgb(120, 170, 60), rgb(110, 30, 70), rgb(235, 230, 205),
]  # fmt: skip
BRICKS = [
    rgb(150, 80, 60),
    rgb(170, 100, 75),
    rgb(200, 175, 130),
    rgb(190, 160, 110),
    rgb(120, 75, 60),
    rgb(180, 150, 120),
    rgb(135, 70, 50),
]
STONES = [rgb(200, 190, 165), rgb(180, 172, 155), rgb(150, 148, 142), rgb(215, 205, 180), rgb(120, 112, 100)]
RENDERS = [
    rgb(235, 232, 222), rgb(240, 238, 235), rgb(225, 210, 175), rgb(215, 190, 160), rgb(190, 205, 215), rgb(225, 200,
    190), rgb(200, 200, 195),
    rgb(210, 205, 160), rgb(180, 190, 170),
]  # fmt: skip
ROOFS = [rgb(75, 78, 88), rgb(95, 92, 95), rgb(140, 80, 60), rgb(120, 70, 55), rgb(100, 85, 75), rgb(150, 95, 70)]
ASPHALTS = [
    rgb(110, 110, 112),
    rgb(95, 96, 99),
    rgb(125, 124, 122),
    rgb(80, 80, 84),
    rgb(140, 138, 134),
    rgb(115, 112, 108),
    rgb(100, 101, 103),
]
PAVINGS = [
    rgb(150, 147, 140),
    rgb(165, 160, 150),
    rgb(130, 128, 125),
    rgb(175, 165, 150),
    rgb(120, 118, 116),
    rgb(160, 140, 125),
]
CLOTHES = [
    rgb(25, 25, 30), rgb(35, 40, 60), rgb(60, 60, 65), rgb(100, 100, 105), rgb(40, 50, 80), rgb(120, 90, 70), rgb(160,
    30, 35), rgb(210, 205, 195),
    rgb(70, 90, 60), rgb(150, 160, 190), rgb(190, 210, 40), rgb(220, 120, 30), rgb(90, 40, 60),
]  # fmt: skip
TROUSERS = [rgb(25, 27, 32), rgb(40, 48, 70), rgb(60, 70, 95), rgb(95, 85, 70), rgb(70, 70, 72), rgb(150, 140, 120)]
SKINS = [rgb(225, 180, 155), rgb(205, 155, 125), rgb(160, 110, 80), rgb(110, 75, 55), rgb(235, 195, 175)]
HAIRS = [rgb(30, 22, 18), rgb(60, 40, 28), rgb(110, 80, 50), rgb(170, 140, 90), rgb(150, 148, 145)]
LEAVES = [
    rgb(75, 110, 45),
    rgb(60, 95, 40),
    rgb(95, 120, 50),
    rgb(110, 125, 60),
    rgb(50, 80, 45),
    rgb(140, 120, 50),
    rgb(90, 100, 70),
]
BARKS = [rgb(85, 75, 65), rgb(100, 90, 80), rgb(65, 58, 52), rgb(120, 112, 100)]
METALS = [rgb(120, 124, 128), rgb(70, 74, 78), rgb(30, 32, 34), rgb(25, 45, 38), rgb(160, 163, 165), rgb(200, 202, 203)]
