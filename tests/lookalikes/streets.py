"""Street-like arrays of class names and pictures of them: what the look-alikes are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Names = NDArray[np.str_]  # class names, one a pixel; "" is something that no label space has

# What each class becomes in camvid11, written down here so that the package's own tables are not their own witness.
CAMVID_OF = {
    "sky": "sky",
    "building": "building",
    "wall": "building",
    "pole": "pole",
    "road": "road",
    "sidewalk": "sidewalk",
    "vegetation": "tree",
    "traffic sign": "sign",
    "traffic light": "sign",
    "fence": "fence",
    "car": "car",
    "truck": "car",
    "bus": "car",
    "train": "car",
    "person": "pedestrian",
    "rider": "bicyclist",
    "bicycle": "bicyclist",
    "motorcycle": "bicyclist",
}


@dataclass
class Made:
    """A written look-alike.

    Attributes:
        spec: What opens it, ``FORMAT:PATH``.
        root: Its folder.
        truth: Frame name -> class names, shape (H, W); frames without label are not in it.
    """

    spec: str
    root: Path
    truth: dict[str, Names] = field(default_factory=dict)


def street(rng: np.random.Generator, size: tuple[int, int], things: list[str]) -> Names:
    """Sky over building over road, with boxes of ``things`` and one of nothing known."""
    width, height = size
    names_HW = np.full((height, width), "building", dtype="<U20")
    names_HW[: height // 3], names_HW[height * 2 // 3 :] = "sky", "road"
    spots = rng.permutation(width // 4)
    for i, thing in enumerate(["", *things]):  # one box a column of four pixels, so that every thing is seen
        left, top = 4 * spots[i % len(spots)], int(rng.integers(1, height * 2 // 3 - 4))
        names_HW[top : top + 4, left : left + 3] = thing
    return names_HW


def paint(names_HW: Names, colors: dict[str, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Class names as a picture of the given colours; every name must have one."""
    positions_HW = number(names_HW, {name: i for i, name in enumerate(colors)})
    return np.array(list(colors.values()), np.uint8)[positions_HW]


def number(names_HW: Names, ids: dict[str, int], dtype: type[np.generic] = np.uint8) -> NDArray[np.generic]:
    """Class names as numbers; every name must have one."""
    ids_HW = np.full(names_HW.shape, -1)
    for name, value in ids.items():
        ids_HW[names_HW == name] = value
    assert (ids_HW >= 0).all(), "a name without a number"
    return ids_HW.astype(dtype)


def photo(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A smooth coloured picture with noise, shape (H, W, 3); another one at every call."""
    width, height = size
    coarse_HWC = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse_HWC).resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    return (smooth + rng.integers(-9, 9, (height, width, 1))).clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.generic], **how: object) -> None:
    """Write an image file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)
