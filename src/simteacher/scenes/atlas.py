"""Textures with prefiltered levels (Williams, "Pyramidal parametrics", 1983): colour at uv without far aliasing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simteacher.scenes.mesh import F32, I32


class Atlas:
    """All tiles and all their levels in one array, so that pixels of any texture are looked up together.

    Args:
        names: One name per tile.
        tiles_TSS3: Linear RGB, shape (T, S, S, 3), S a power of two. Row 0 is the top (v = 1); tiles wrap around.
    """

    def __init__(self, names: Sequence[str], tiles_TSS3: F32) -> None:
        self.index = {name: i for i, name in enumerate(names)}
        self.side = tiles_TSS3.shape[1]
        self._side_L = np.array([self.side >> level for level in range(self.side.bit_length())], np.int32)
        size_L = len(tiles_TSS3) * self._side_L.astype(np.int64) ** 2
        self._start_L = np.concatenate([[0], np.cumsum(size_L)[:-1]]).astype(np.int32)
        self._texel = np.zeros((int(size_L.sum()), 4), np.float32)  # rows of 16 bytes gather fastest
        for index, tile in enumerate(tiles_TSS3):
            fine = self._level(0, index)
            fine[..., :3] = tile
            for number in range(1, len(self._side_L)):  # every texel the mean of four of the level before
                level = self._level(number, index)
                np.add(fine[::2, ::2], fine[::2, 1::2], out=level)
                level += fine[1::2, ::2]
                level += fine[1::2, 1::2]
                level *= np.float32(0.25)
                fine = level

    def _level(self, number: int, tile: int) -> F32:
        """One level of one tile, shape (side, side, 4), to write to."""
        side = int(self._side_L[number])
        at = int(self._start_L[number]) + tile * side**2
        return self._texel[at : at + side**2].reshape(side, side, 4)

    def find(self, name: str) -> int:
        """Index of a tile by name.

        Raises:
            KeyError: There is no such tile.
        """
        return self.index[name]

    def mean(self, tile_N: I32) -> F32:
        """Mean colour of tiles, shape (N, 3)."""
        texel_N4: F32 = self._texel.take(self._start_L[-1] + tile_N, 0)
        return texel_N4[:, :3]

    def sample(self, tile_N: I32, uv_2N: F32, width_N: F32) -> F32:
        """Bilinear colours.

        Args:
            tile_N: Which tile.
            uv_2N: Texture coordinates in repeats, u right, v up.
            width_N: Width of a pixel's footprint in repeats, which chooses the level.

        Returns:
            Linear RGB, shape (3, N).
        """
        level = np.log2(np.maximum(width_N, np.float32(1e-9)) * np.float32(self.side))
        level_N = np.clip(np.rint(level), 0, len(self._side_L) - 1).astype(np.int32)
        side, start = self._side_L.take(level_N), self._start_L.take(level_N)
        start += tile_N * (side * side)
        mask = side - 1  # sides are powers of two: & wraps around
        scale = side.astype(np.float32)
        x, y = uv_2N[0] * scale - np.float32(0.5), np.float32(-0.5) - uv_2N[1] * scale
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (np.repeat(f, 4).reshape(-1, 4) for f in (x - x0, y - y0))
        left, above = x0.astype(np.int32) & mask, y0.astype(np.int32) & mask
        right, below = (left + 1) & mask, (above + 1) & mask
        above, below = start + above * side, start + below * side
        t = self._texel  # take is several times faster than indexing with []
        upper, lower = t.take(above + left, 0), t.take(below + left, 0)
        upper += (t.take(above + right, 0) - upper) * fx
        lower += (t.take(below + right, 0) - lower) * fx
        upper += (lower - upper) * fy
        return np.ascontiguousarray(upper[:, :3].T)
