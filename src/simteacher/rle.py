"""Run-length masks of COCO files: columns top to bottom, alternating runs of zeros and ones, first zeros.

The compressed form writes each run in 5-bit groups as printable characters, from the fourth run on as the difference to
the run two before (``rleToString`` of the COCO API).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def runs(mask_HW: Mask) -> list[int]:
    """Lengths of the runs of a mask."""
    flat = np.concatenate([[False], mask_HW.ravel(order="F")])
    edges = np.flatnonzero(np.diff(flat)).tolist()
    return [b - a for a, b in zip([0, *edges], [*edges, mask_HW.size], strict=True)]


def compress(lengths: Sequence[int]) -> str:
    """Runs as COCO's string."""
    out = []
    for i, length in enumerate(lengths):
        value = length - lengths[i - 2] if i > 2 else length
        more = True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            out.append(chr((group | 0x20 if more else group) + 48))
    return "".join(out)


def expand(text: str) -> list[int]:
    """COCO's string as runs.

    Raises:
        ValueError: It ends inside a number.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the run-length string is cut off")
    return lengths


def mask_of(segmentation: object, height: int, width: int) -> Mask:
    """Mask of a COCO annotation's ``segmentation``: compressed or plain runs, or polygons.

    Raises:
        ValueError: It is none of them, or does not cover the image.
    """
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        lengths = expand(counts) if isinstance(counts, str) else counts
        if not isinstance(lengths, list) or segmentation.get("size") != [height, width]:
            raise ValueError(f"a run-length mask of size {segmentation.get('size')} on an image of {[height, width]}")
        if sum(lengths) != height * width or min(lengths, default=0) < 0:
            raise ValueError(f"runs of {sum(lengths)} pixels on an image of {height * width}")
        values = np.arange(len(lengths)) % 2 == 1
        return np.repeat(values, lengths).reshape((height, width), order="F")
    if segmentation == []:
        raise ValueError("a box without a mask")
    if isinstance(segmentation, list) and all(isinstance(p, list) and len(p) >= 6 for p in segmentation):
        mask = np.zeros((height, width), bool)
        for polygon in segmentation:
            mask |= _inside(polygon, height, width)
        return mask
    raise ValueError("neither polygons nor a run-length mask")


def _inside(polygon: Sequence[float], height: int, width: int) -> Mask:
    """Pixels whose centre lies inside a polygon ``[x, y, x, y, ...]``: an odd number of edges lie to their left."""
    corners = np.array(polygon[: len(polygon) // 2 * 2], np.float64).reshape(-1, 2)
    rows, cols = np.arange(height) + 0.5, np.arange(width) + 0.5
    mask = np.zeros((height, width), bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crossed = np.flatnonzero((y1 <= rows) != (y2 <= rows))
        at = x1 + (rows[crossed] - y1) * (x2 - x1) / ((y2 - y1) or 1.0)
        mask[crossed] ^= cols > at[:, None]
    return mask
