"""Meshes of the user's own, read with trimesh: glTF, OBJ, PLY, STL. Textures become their mean colours."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.errors import UserError
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import rgb

COLOURS = 24
EXTENT = (0.01, 5000.0)  # metres, of the longest side


@lru_cache(maxsize=32)
def load_mesh(file: Path, scale: float, up: str) -> Mesh:
    """Read a mesh, stand it on the ground with its middle over the origin.

    Args:
        file: Path.
        scale: Metres per unit of the file.
        up: "y" or "z"; with "y", the file's z axis becomes x, forward.

    Raises:
        UserError: It cannot be read, has no triangles, or is too small or large to be meant.
    """
    try:
        import trimesh

        found: Any = trimesh.load(file, force="mesh")
    except ImportError:
        raise UserError("reading meshes needs trimesh", file, "pip install trimesh") from None
    except Exception as problem:
        raise UserError(f"cannot be read as a mesh: {problem}", file, "give a glTF, OBJ, PLY or STL file") from None
    vertices, faces = np.asarray(found.vertices, np.float64), np.asarray(found.faces, np.int32)
    if not len(faces):
        raise UserError("has no triangles", file, "export it as a triangle mesh")
    if up == "y":
        vertices = vertices[:, [2, 0, 1]]
    vertices = vertices * scale
    low, high = vertices.min(0), vertices.max(0)
    extent = float((high - low).max())
    if not EXTENT[0] <= extent <= EXTENT[1]:  # not so either where a corner is no number
        fix = f"give it a scale, metres per unit of the file; it is {scale:g} now"
        raise UserError(f"this mesh is {extent:g} m large, nothing that a street shows", file, fix)
    vertices -= [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
    colour_F3 = _face_colours(found, len(faces))
    coarse = (colour_F3 // 32).astype(np.int64) @ [64, 8, 1]
    keys, index = np.unique(coarse, return_inverse=True)
    if len(keys) > COLOURS:
        keys, index = keys[:1], np.zeros(len(faces), np.int64)
    materials = tuple(Material("plain", rgb(*colour_F3[index == k].mean(0)), gloss=0.1) for k in range(len(keys)))
    uv = np.zeros((len(faces), 3, 2), np.float32)
    return Mesh(vertices.astype(np.float32), faces, uv, index.astype(np.int32), materials)


def _face_colours(found: Any, count: int) -> npt.NDArray[np.float64]:
    """Colour (sRGB 0..255) of each face; grey where the file gives none."""
    visual: Any = getattr(found, "visual", None)
    try:
        plain = visual.to_color() if hasattr(visual, "to_color") else visual
        colours = np.asarray(plain.face_colors, np.float64)[:, :3]
    except (AttributeError, ValueError, IndexError):
        colours = np.zeros((0, 3))
    return colours if len(colours) == count else np.full((count, 3), 150.0)
