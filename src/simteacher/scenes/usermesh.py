"""Meshes of the user's own, read with trimesh: glTF, OBJ, PLY, STL. A texture becomes one colour for each triangle."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.errors import UserError
from simteacher.scenes.mesh import Material, Mesh
from simteacher.scenes.palette import rgb

COLOURS = 64
GREY = 150.0  # where a file gives no colour
CORNERS_P3 = np.array([[1, 1, 1], [2, 0.5, 0.5], [0.5, 2, 0.5], [0.5, 0.5, 2]]) / 3  # places in a triangle
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

        parts: list[Any] = [p for p in trimesh.load_scene(file).dump() if isinstance(p, trimesh.Trimesh)]
    except ImportError:
        raise UserError("reading meshes needs trimesh", file, "pip install trimesh") from None
    except Exception as problem:
        raise UserError(f"cannot be read as a mesh: {problem}", file, "give a glTF, OBJ, PLY or STL file") from None
    if not sum(len(part.faces) for part in parts):
        raise UserError("has no triangles", file, "export it as a triangle mesh")
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([np.asarray(part.vertices, np.float64) for part in parts])
    faces = np.concatenate([np.asarray(p.faces, np.int32) + n for p, n in zip(parts, first[:-1], strict=True)])
    if up == "y":
        vertices = vertices[:, [2, 0, 1]]
    vertices = vertices * scale
    low, high = vertices.min(0), vertices.max(0)
    extent = float((high - low).max())
    if not EXTENT[0] <= extent <= EXTENT[1]:  # not so either where a corner is no number
        fix = f"give it a scale, metres per unit of the file; it is {scale:g} now"
        raise UserError(f"this mesh is {extent:g} m large, nothing that a street shows", file, fix)
    vertices -= [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
    colour_F3 = np.concatenate([_face_colours(part) for part in parts])
    for step in (16, 32, 64, 128, 256):
        keys, index = np.unique((colour_F3 // step).astype(np.int64) @ [256, 16, 1], return_inverse=True)
        if len(keys) <= COLOURS:
            break
    materials = tuple(Material("plain", rgb(*colour_F3[index == k].mean(0)), gloss=0.1) for k in range(len(keys)))
    uv = np.zeros((len(faces), 3, 2), np.float32)
    return Mesh(vertices.astype(np.float32), faces, uv, index.astype(np.int32), materials)


def _face_colours(part: Any) -> npt.NDArray[np.float64]:
    """Colour (sRGB 0..255) of each face of a part; grey where its file gives none. Shape (F, 3)."""
    visual, count = part.visual, len(part.faces)
    colours: Any = None
    if visual.kind == "texture":
        material = visual.material
        image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
        factor = getattr(material, "baseColorFactor", None)
        if image is not None and visual.uv is not None:
            corner_F32 = np.asarray(visual.uv, np.float64)[part.faces]
            read = [material.to_color((corner_F32 * share[:, None]).sum(1))[:, :3] for share in CORNERS_P3]
            colours = np.mean(read, 0)
            if factor is not None:
                colours = _srgb(_linear(colours) * np.asarray(factor, np.float64)[:3] / 255)
        elif factor is not None or hasattr(material, "diffuse"):
            plain = np.asarray(material.main_color, np.float64)[:3]
            # a factor of glTF is linear light (glTF 2.0, 3.9.2), what an OBJ's material file says is not
            colours = np.tile(plain if factor is None else _srgb(plain), (count, 1))
    elif visual.defined:
        colours = np.asarray(visual.face_colors, np.float64)[:, :3]
    return np.full((count, 3), GREY) if colours is None or len(colours) != count else np.asarray(colours, np.float64)


def _srgb(linear_3: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Encoded as a picture stores it, 0..255 (IEC 61966-2-1)."""
    x = linear_3 / 255
    out: npt.NDArray[np.float64] = 255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return out


def _linear(srgb_F3: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Undo `_srgb`."""
    x = srgb_F3 / 255
    out: npt.NDArray[np.float64] = 255 * np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return out
