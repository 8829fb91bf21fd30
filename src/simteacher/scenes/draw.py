"""Drawing from the distributions of a scene file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key", bound=str)


def choose(g: np.random.Generator, weights: Mapping[Key, float]) -> Key:
    """One key by its weight."""
    keys = list(weights)
    p = np.array([weights[k] for k in keys], np.float64)
    return keys[int(g.choice(len(keys), p=p / p.sum()))]


def uniform(g: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number from a range."""
    return float(g.uniform(*limits))


def within(g: np.random.Generator, low: float, high: float) -> float:
    """A number between two bounds; the lower one when they have crossed."""
    return float(g.uniform(low, max(low, high)))
