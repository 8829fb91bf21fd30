"""Domain randomisation: arbitrary textures and tints, so that a network cannot lean on colour alone."""

from __future__ import annotations

from dataclasses import replace

from simteacher.scenes import textures
from simteacher.scenes.ground import Surfaces
from simteacher.scenes.mesh import Material, Thing
from simteacher.scenes.palette import Colour, Rng, anycolour

GROUND = {"road": 0.35, "sidewalk": 0.5, "terrain": 0.5}  # of the chance for other things, once for a whole world
PATTERNS = (
    *textures.family("random"),
    *textures.family("brick"),
    *textures.family("render"),
    *textures.family("cloth"),
    *textures.family("grass"),
    "gravel",
    "cobble",
    "plain",
)


def randomised(g: Rng, things: list[Thing], surfaces: Surfaces, chance: float) -> list[Thing]:
    """Some things, and now and then half of a whole world, get arbitrary looks.

    Args:
        g: Random generator.
        things: The world.
        surfaces: Its ground, which changes as one.
        chance: That a thing changes, times 0.3; that a world does, times 0.2.
    """
    share = 0.5 if g.random() < chance * 0.2 else chance * 0.3
    ground = {name: _pattern(g) for name, k in GROUND.items() if g.random() < share * k}
    bases = {"road": surfaces.road, "sidewalk": surfaces.sidewalk}
    out = []
    for thing in things:
        if thing.name in ground:
            out.append(_laid(thing, ground[thing.name], bases.get(thing.name)))
        elif thing.name not in GROUND and g.random() < share:
            out.append(_changed(g, thing))
        else:
            out.append(thing)
    return out


def _pattern(g: Rng) -> tuple[str, Colour, float]:
    name = PATTERNS[int(g.integers(len(PATTERNS)))]
    return name, (1.0, 1.0, 1.0) if name.startswith("random") else anycolour(g), float(g.uniform(0.5, 4))


def _laid(thing: Thing, pattern: tuple[str, Colour, float], base: Material | None) -> Thing:
    """Ground of another pattern; lanes keep their differences in tone, markings stay."""
    name, tint, scale = pattern

    def other(m: Material) -> Material:
        if base is not None and m.texture != base.texture:
            return m
        tone = sum(m.tint) / sum(base.tint) if base is not None else 1.0
        if not 0.6 < tone < 1.6:
            return m
        return Material(name, (tint[0] * tone, tint[1] * tone, tint[2] * tone), m.gloss, 0.0, scale)

    return replace(thing, mesh=replace(thing.mesh, materials=tuple(other(m) for m in thing.mesh.materials)))


def _changed(g: Rng, thing: Thing) -> Thing:
    """One thing, most of its materials swapped; glass and lamps stay."""
    pattern = PATTERNS[int(g.integers(len(PATTERNS)))]
    swap: dict[Material, Material] = {}
    for m in thing.mesh.materials:
        if m in swap:
            continue
        tint = (1.0, 1.0, 1.0) if pattern.startswith("random") else anycolour(g)
        keep = m.glow > 0 or m.gloss > 0.5 or g.random() < 0.3
        texture = pattern if g.random() < 0.7 else m.texture
        swap[m] = m if keep else Material(texture, tint, m.gloss, 0.0, float(g.uniform(0.5, 4)))
    return replace(thing, mesh=replace(thing.mesh, materials=tuple(swap[m] for m in thing.mesh.materials)))
