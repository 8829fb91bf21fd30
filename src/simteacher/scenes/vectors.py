"""Vectors of many pixels as three rows, (3, N): numpy multiplies whole rows several times faster than columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32


def dot(a_3N: F32, b_3N: F32) -> F32:
    """Scalar products, shape (N,); either side may be one vector of shape (3,)."""
    out: F32 = a_3N[0] * b_3N[0] + a_3N[1] * b_3N[1] + a_3N[2] * b_3N[2]
    return out


def unit(a_3N: F32) -> F32:
    """The same directions with length 1."""
    length_N: F32 = np.maximum(np.sqrt(dot(a_3N, a_3N)), np.float32(1e-12))
    out: F32 = a_3N * (np.float32(1) / length_N)
    return out


def rows(a_N3: npt.NDArray[Any]) -> F32:
    """(N, 3) to (3, N)."""
    return np.ascontiguousarray(a_N3.T, np.float32)


Index = slice | npt.NDArray[np.intp]


def some(a_N: npt.NDArray[Any], index: Index) -> npt.NDArray[Any]:
    """Entries along the last axis: a view of a slice, a copy of anything else."""
    return a_N[..., index] if isinstance(index, slice) else a_N.take(index, -1)


def put(a_3N: F32, index: Index, value_3K: F32) -> None:
    """``a_3N[:, index] = value_3K``, row by row, which numpy does in half the time."""
    for row, value in zip(a_3N, value_3K, strict=True):
        row[index] = value


def column(rgb_3: F32) -> F32:
    """One vector that multiplies all: shape (3, 1)."""
    return rgb_3.reshape(3, 1)


def median(a_N: F32) -> np.float32:
    """The median; `np.median` asks for both middle values at once, for which numpy has no fast path."""
    a_N = a_N.ravel()
    half = len(a_N) // 2
    split = np.partition(a_N, half)
    upper = split[half]
    out: np.float32 = upper if len(a_N) % 2 else (split[:half].max() + upper) / np.float32(2)
    return out
