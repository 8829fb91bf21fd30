"""The sky's clouds: where they are, and what relief makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simteacher.scenes.mesh import F32, Light
from simteacher.scenes.sky import noise_at, sky_radiance
from simteacher.scenes.vectors import rows

LIGHT = Light((0.6, 0.0, 0.8), (2.0, 1.9, 1.7), (0.5, 0.7, 1.0), (0.9, 0.92, 0.95), cloud=0.6)
SIDE = 60


@pytest.fixture
def unit_3N() -> F32:
    """Directions over a patch of sky away from the sun, in raster order."""
    across, up = np.meshgrid(np.linspace(-0.5, 0.5, SIDE), np.linspace(0.15, 0.6, SIDE))
    ray = np.column_stack([-np.ones(SIDE * SIDE), across.ravel(), up.ravel()])
    return rows((ray / np.linalg.norm(ray, axis=1, keepdims=True)).astype(np.float32))


def brightness(light: Light, unit_3N: F32) -> F32:
    out: F32 = sky_radiance(replace(light, sun_rgb=(0.0, 0.0, 0.0)), unit_3N).mean(0)
    return out


def test_clouds_of_relief_have_harder_edges_and_darker_undersides(unit_3N: F32) -> None:
    soft, hard = (brightness(replace(LIGHT, relief=r), unit_3N).reshape(SIDE, SIDE) for r in (0.0, 1.0))
    assert np.abs(np.diff(hard, axis=1)).max() > 1.5 * np.abs(np.diff(soft, axis=1)).max()
    assert hard.min() < 0.85 * soft.min()


def test_relief_changes_nothing_where_there_is_no_cloud(unit_3N: F32) -> None:
    clear = replace(LIGHT, cloud=0.0)
    assert np.array_equal(brightness(clear, unit_3N), brightness(replace(clear, relief=1.0), unit_3N))


def test_noise_is_periodic_and_its_values_are_even() -> None:
    at = np.random.default_rng(0).uniform(0, 1, (2, 4000)).astype(np.float32)
    value = noise_at(at)
    assert np.allclose(noise_at(at + 1), value, atol=1e-3)
    assert np.histogram(value, 4, (0, 1))[0].min() > 0.15 * len(value)
