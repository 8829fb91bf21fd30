"""Repeating surface patterns: ground, walls, roofs, leaves, cloth, and arbitrary ones for domain randomisation.

Each function takes a random generator and gives a (256, 256, 3) tile, linear, that wraps around in both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Tile = npt.NDArray[Any]

N = 256
Rng = np.random.Generator


def noise(g: Rng, sigma: float, spread: float = 1.0, stretch: float = 1.0) -> Tile:
    """Smooth periodic noise with unit spread times ``spread``; ``stretch`` > 1 draws it out along rows."""
    field = ndimage.gaussian_filter(g.standard_normal((N, N)), (sigma, sigma * stretch), mode="wrap")
    out: Tile = (field * (spread / (field.std() + 1e-9))).astype(np.float32)
    return out


def grey(field: Tile, tint: tuple[float, float, float] = (1, 1, 1)) -> Tile:
    """Turn a (256, 256) field into a coloured tile."""
    return np.clip(field, 0, 1)[..., None] * np.asarray(tint, np.float32)


def blocks(g: Rng, rows: int, cols: int, joint: int, shift: float = 0.5, uneven: float = 0.08) -> tuple[Tile, Tile]:
    """Courses of blocks: (brightness of each block, joint mask); rows and cols divide the tile."""
    y, x = np.mgrid[0:N, 0:N]
    row = y * rows // N
    offset = (row * shift * N / cols).astype(int) if shift else 0 * row
    col = ((x + offset) % N) * cols // N
    value = 1 + uneven * g.standard_normal((rows, cols))
    in_y, in_x = y % (N / rows), (x + offset) % (N / cols)
    mask = (in_y < joint) | (in_x < joint)
    return value[row, col].astype(np.float32), mask.astype(np.float32)


def cracks(g: Rng, count: int, steps: int = 160) -> Tile:
    """Wandering dark lines, 1 where cracked."""
    out = np.zeros((N, N), np.float32)
    for _ in range(count):
        y, x, a = g.uniform(0, N), g.uniform(0, N), g.uniform(0, 2 * np.pi)
        for turn in g.normal(0, 0.35, steps):
            a += turn
            y, x = y + np.sin(a), x + np.cos(a)
            out[int(y) % N, int(x) % N] = 1
    soft: Tile = np.clip(ndimage.gaussian_filter(out, 0.6, mode="wrap") * 2.2, 0, 1)
    return soft


def asphalt(g: Rng, kind: int) -> Tile:
    """Road surface: fine, coarse with bright chips, cracked, patchy."""
    f = (
        0.75
        + noise(g, 0.6, (0.1, 0.17, 0.12, 0.13)[kind])
        + noise(g, 3, 0.03)
        + noise(g, 12, 0.03)
        + noise(g, 40, 0.04)
    )
    if kind == 1:
        f += 0.25 * (g.random((N, N)) > 0.985)
    if kind == 2:
        f *= 1 - 0.45 * cracks(g, 7)
    if kind == 3:
        f += 0.05 * np.sign(noise(g, 22))
    return grey(f)


def paving(g: Rng, kind: int) -> Tile:
    """Slabs (2x3), small bricks, square slabs, large concrete bays, worn asphalt pavement."""
    if kind == 4:
        return grey(0.78 + noise(g, 0.7, 0.08) + noise(g, 6, 0.03) + noise(g, 25, 0.05))
    rows, cols, joint, shift = ((4, 3, 2, 0.5), (16, 8, 2, 0.5), (4, 4, 2, 0.0), (2, 2, 2, 0.0))[kind]
    value, mask = blocks(g, rows, cols, joint, shift, (0.1, 0.14, 0.09, 0.05)[kind])
    f = 0.78 * value + noise(g, 0.7, 0.06) + noise(g, 4, 0.03) + noise(g, 18, 0.05)
    return grey(f * (1 - 0.45 * mask))


def cobble(g: Rng) -> Tile:
    """Rounded setts."""
    value, _ = blocks(g, 16, 16, 1, 0.5, 0.12)
    y, x = np.mgrid[0:N, 0:N]
    bump = np.abs(np.sin(np.pi * y / 16)) * np.abs(np.sin(np.pi * (x + (y // 16 % 2) * 8) / 16))
    return grey(0.8 * value * (0.35 + 0.65 * bump**0.5) + noise(g, 1, 0.04))


def grass(g: Rng, kind: int) -> Tile:
    """Lawn, rough grass with bare spots, dry grass; coloured."""
    f = 0.65 + noise(g, 0.8, 0.16) + noise(g, 6, 0.08) + noise(g, 30, 0.06)
    base = np.array(((0.42, 0.62, 0.2), (0.45, 0.55, 0.25), (0.72, 0.66, 0.38))[kind])
    other = np.array([0.5, 0.42, 0.28])
    mix = np.clip(noise(g, 10)[..., None] * 0.35 + (0.0, 0.35, 0.2)[kind], 0, 1)
    return np.clip(f, 0.1, 1)[..., None] * (base * (1 - mix) + other * mix) * 1.4


def gravel(g: Rng) -> Tile:
    """Small stones."""
    return grey(0.7 + noise(g, 1.2, 0.17) + noise(g, 20, 0.03), (1, 0.95, 0.88))


def soil(g: Rng) -> Tile:
    """Earth with litter and dead leaves."""
    f = 0.6 + noise(g, 1.5, 0.14) + noise(g, 14, 0.07)
    litter = (noise(g, 1.6) > 1.5)[..., None]
    return np.where(litter, np.array([0.75, 0.5, 0.25]), grey(f, (0.72, 0.55, 0.4)))


def brick(g: Rng, kind: int) -> Tile:
    """Brickwork of 16 courses: uniform, multi-stock, rustic, painted."""
    value, mask = blocks(g, 16, 5, 2, 0.5, (0.08, 0.2, 0.16, 0.03)[kind])
    tone, _ = blocks(g, 16, 5, 2, 0.5, 0.12)
    f = 0.72 * value + noise(g, 0.8, 0.05) + noise(g, 30, 0.05)
    colour = np.stack([f, f * (1 + 0.5 * (tone - 1)), f * (1 + 0.9 * (tone - 1))], -1)
    mortar = (0.95, 0.85, 1.0, 0.62)[kind]
    out: Tile = colour * (1 - mask[..., None]) + mask[..., None] * mortar * np.clip(f, 0.7, 1)[..., None]
    return out


def stone(g: Rng, kind: int) -> Tile:
    """Ashlar courses, or rubble."""
    value, mask = blocks(g, 8, 4, 2, 0.5, 0.09) if kind == 0 else blocks(g, 12, 7, 3, 0.37, 0.2)
    return grey((0.78 * value + noise(g, 1.5, 0.05) + noise(g, 24, 0.05)) * (1 - 0.4 * mask))


def stucco(g: Rng, kind: int) -> Tile:
    """Rendered wall: clean, with rain streaks, rough concrete with shutter lines."""
    f = 0.82 + noise(g, 0.8, (0.015, 0.03, 0.05)[kind]) + noise(g, 28, 0.03)
    if kind == 1:
        f -= np.clip(ndimage.gaussian_filter(noise(g, 3.0), (40, 0.5), mode="wrap") * 1.2, 0, 0.25)
    if kind == 2:
        f *= 1 - 0.25 * (np.arange(N)[:, None] % 64 < 2)
    return grey(f)


def cladding(g: Rng) -> Tile:
    """Ribbed metal sheet."""
    x = np.arange(N)[None]
    return grey(0.75 + 0.15 * np.sin(x * 2 * np.pi / 32) + noise(g, 20, 0.03) + 0 * x.T)


def shutter(g: Rng) -> Tile:
    """Roller shutter: level ribs, now and then a tag."""
    y = np.arange(N)[:, None]
    f = 0.72 + 0.16 * np.sin(y * 2 * np.pi / 16) + noise(g, 8, 0.03)
    return grey(f * np.where(noise(g, 9) > 2.1, 0.5, 1.0))


def timber(g: Rng) -> Tile:
    """Upright boards."""
    x = np.arange(N)
    tone = 1 + 0.14 * g.standard_normal(8)
    f = (
        0.72 * tone[x * 8 // N][None]
        + noise(g, 0.8, 0.06).T * 0.5
        + ndimage.gaussian_filter(g.standard_normal((N, N)), (14, 0.8), mode="wrap") * 0.5
    )
    return grey(f * (1 - 0.55 * (x % 32 < 2))[None])


def roof(g: Rng, kind: int) -> Tile:
    """Pantiles, slates, flat felt."""
    if kind == 2:
        return grey(0.7 + noise(g, 1, 0.06) + noise(g, 30, 0.06))
    value, mask = blocks(g, 12, 10, 1, 0.5, 0.13)
    y = np.arange(N)[:, None] % (N / 12) / (N / 12)
    return grey((0.62 + 0.25 * y) * value * (1 - 0.4 * mask) + noise(g, 25, 0.06))


def bark(g: Rng) -> Tile:
    """Upright fissures."""
    return grey(
        0.65 + ndimage.gaussian_filter(g.standard_normal((N, N)), (9, 1.2), mode="wrap") * 1.6 + noise(g, 30, 0.08)
    )


def leaf(g: Rng, kind: int) -> Tile:
    """Foliage: specks of light and dark with a varying green, or yellowish."""
    sigma = (1.0, 1.8, 3.0)[kind]
    f = 0.55 + noise(g, sigma, 0.24) + noise(g, 10, 0.1)
    hue = noise(g, sigma * 1.5, 0.12)
    return np.clip(np.stack([f * (0.85 + hue), f, f * (0.55 - hue)], -1), 0.03, 1)


def cloth(g: Rng, kind: int) -> Tile:
    """Folds, stripes, checks, blotches."""
    y, x = np.mgrid[0:N, 0:N]
    f = 0.8 + ndimage.gaussian_filter(g.standard_normal((N, N)), (24, 5), mode="wrap") * 1.1
    if kind == 1:
        f *= np.where(y % 32 < 16, 1.0, 0.45)
    if kind == 2:
        f *= np.where((y % 64 < 20) | (x % 64 < 20), 0.6, 1.0)
    if kind == 3:
        f *= np.where(noise(g, 8) > 0.3, 0.4, 1.0)
    return grey(f)


def rust(g: Rng) -> Tile:
    """Weathered paint."""
    spot = np.clip(noise(g, 6) - 0.8, 0, 1)[..., None]
    out: Tile = grey(0.8 + noise(g, 3, 0.05)) * (1 - spot) + spot * np.array([0.45, 0.25, 0.15])
    return out


def anything(g: Rng, kind: int) -> Tile:
    """A pattern of nothing in particular: stripes, checks, blobs or noise in random colours."""
    y, x = np.mgrid[0:N, 0:N]
    one, two = g.uniform(0.05, 1, 3), g.uniform(0.05, 1, 3)
    period = 2 ** int(g.integers(3, 8))
    choice = kind % 4
    if choice == 0:
        mix = 0.5 + 0.5 * np.sin(2 * np.pi * (x * int(g.integers(0, 3)) + y * int(g.integers(1, 3))) / period)
    elif choice == 1:
        mix = ((x // period + y // period) % 2).astype(float)
    elif choice == 2:
        mix = np.clip(0.5 + noise(g, g.uniform(2, 24)) * 2, 0, 1)
    else:
        mix = np.clip(0.5 + noise(g, g.uniform(0.6, 6), 0.3), 0, 1)
    mix = (mix + noise(g, 1, 0.05))[..., None]
    out: Tile = np.clip(one * mix + two * (1 - mix), 0, 1)
    return out
