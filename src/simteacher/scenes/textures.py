"""The texture library: every tile is made by code.

`library()` gives all tiles; the other functions tell which names may stand in for each other. Patterns meant to be
tinted are near grey with a mean of about 0.75; pictures (signs, shop fronts) carry their own colour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simteacher.scenes import pictures, signs
from simteacher.scenes import surfaces as s
from simteacher.scenes.mesh import F32
from simteacher.scenes.pictures import many

SIZE = 256
Maker = Callable[[np.random.Generator], F32]

_SURFACES: dict[str, Maker] = {
    "plain": lambda g: np.ones((SIZE, SIZE, 3), np.float32),
    **many("asphalt", s.asphalt, 4),
    **many("paving", s.paving, 5),
    "cobble": s.cobble,
    **many("grass", s.grass, 3),
    "gravel": s.gravel,
    "soil": s.soil,
    **many("brick", s.brick, 4),
    **many("stone", s.stone, 2),
    **many("render", s.stucco, 3),
    "cladding": s.cladding,
    "timber": s.timber,
    "shutter": s.shutter,
    **many("roof", s.roof, 3),
    "bark": s.bark,
    **many("leaf", s.leaf, 3),
    **many("cloth", s.cloth, 4),
    "rust": s.rust,
    **many("random", s.anything, 12),
}


def library() -> tuple[list[str], F32]:
    """Names and tiles of all textures.

    Returns:
        The names, and linear RGB in [0, 1] of shape (T, 256, 256, 3). Row 0 is the top (v = 1); every tile wraps
        around.
    """
    makers = {**_SURFACES, **pictures.MAKERS, **signs.MAKERS}
    tiles_TSS3 = np.empty((len(makers), SIZE, SIZE, 3), np.float32)
    for i, make in enumerate(makers.values()):
        tiles_TSS3[i] = np.clip(make(np.random.default_rng([7, i])), 0, 1)
    return list(makers), tiles_TSS3


def family(prefix: str) -> list[str]:
    """Names that begin with ``prefix_`` (``family("brick")`` gives brick_0 to brick_3)."""
    return [n for n in (*_SURFACES, *pictures.MAKERS, *signs.MAKERS) if n.startswith(f"{prefix}_")]
