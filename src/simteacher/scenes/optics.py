"""Pixels to rays and back, with radial distortion; the one place where image coordinates are defined.

Pixel (column j, row i) has its centre at x = j, y = i, as in OpenCV and KITTI, so the principal point of a
W x H image is ((W - 1) / 2, (H - 1) / 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import I32, CameraSpec

F64 = npt.NDArray[np.float64]


def strongest_barrel(fov: float, size: tuple[int, int]) -> float:
    """The k1 below which a corner of the picture would see nothing; ``fov`` in radians."""
    corner = float(np.hypot(*size)) / size[0] * np.tan(fov / 2)
    return float(-0.95 * 4 / (27 * corner**2))


def ahead_of(near: float, p_V3: F64, faces_F3: I32) -> F64 | None:
    """Points (N, 3) with the bounds of what of a mesh, in camera axes, lies beyond z = ``near``; None of nothing."""
    ahead = p_V3[:, 2] > near
    if ahead.all():
        return p_V3
    if not ahead.any():
        return None
    pairs = np.concatenate([faces_F3[:, [0, 1]], faces_F3[:, [1, 2]], faces_F3[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[ahead[pairs[:, 0]] & ~ahead[pairs[:, 1]]]
    a, b = p_V3[pairs[:, 0]], p_V3[pairs[:, 1]]
    return np.concatenate([p_V3[ahead], a + ((a[:, 2] - near) / (a[:, 2] - b[:, 2]))[:, None] * (b - a)])


@lru_cache(maxsize=2)
def _grid(size: tuple[int, int]) -> F64:
    """See `Optics.grid`; shared, so not to be written to."""
    grid_HW2 = np.empty((size[1], size[0], 2))
    grid_HW2[..., 0], grid_HW2[..., 1] = np.arange(size[0]), np.arange(size[1])[:, None]
    grid_HW2.setflags(write=False)
    return grid_HW2.reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Optics:
    """A pinhole with one radial coefficient: r_distorted = r (1 + k1 r^2), r on the plane z = 1 (Brown 1966).

    Attributes:
        size: Width and height in pixels.
        focal: Focal length in pixels, the same for both axes.
        k1: Radial coefficient; negative is a barrel.
    """

    size: tuple[int, int]
    focal: float
    k1: float = 0.0

    @classmethod
    def of(cls, camera: CameraSpec, size: tuple[int, int]) -> Optics:
        """The optics of a camera whose sensor has ``size`` (width, height) pixels.

        A barrel is held to what this field of view can bear: r (1 + k1 r^2) turns back at r = 1 / sqrt(-3 k1), and a
        corner beyond that would show nothing at all.
        """
        focal = size[0] / 2 / np.tan(camera.fov / 2)
        return cls(size, focal, max(camera.k1, strongest_barrel(camera.fov, size)))

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point (x, y) in pixels."""
        return (self.size[0] - 1) / 2, (self.size[1] - 1) / 2

    def matrix(self) -> F64:
        """Intrinsic matrix, shape (3, 3)."""
        x, y = self.centre
        return np.array([[self.focal, 0.0, x], [0.0, self.focal, y], [0.0, 0.0, 1.0]])

    def grid(self) -> F64:
        """Centres of all pixels in raster order, shape (H*W, 2)."""
        return _grid(self.size)

    def rays(self, xy_N2: F64) -> F64:
        """Directions through image points in camera axes with z = 1, so that a ray's parameter is its depth.

        They lie in memory as three rows (`vectors.rows`).
        """
        out = np.ones((3, len(xy_N2)))
        p = out[:2]
        for row, column, centre in zip(p, xy_N2.T, self.centre, strict=True):
            np.subtract(column, centre, out=row)
        p /= self.focal
        if self.k1:
            far = np.hypot(p[0], p[1])
            r = self._between(far) if len(far) > 64 else self._undistort(far)
            p *= r / np.maximum(far, 1e-12)
        return out.T

    def _between(self, far_N: F64) -> F64:
        """As `_undistort`, from 4096 solutions: faster than to solve for every pixel, the error below 1e-4 pixel."""
        table, step = np.linspace(0, float(far_N.max()) + 1e-9, 4096, retstep=True)
        radius = self._undistort(table)
        at = (far_N * (1 / step)).astype(np.int32)  # np.interp, which searches, takes three times as long
        np.minimum(at, 4094, out=at)
        slope = np.diff(radius) / np.diff(table)
        out: F64 = slope.take(at) * (far_N - table.take(at)) + radius.take(at)
        return out

    def _undistort(self, far_N: F64) -> F64:
        """Radius before distortion of radii after it; Newton, as the distortion is monotone for the views in use."""
        r = far_N.copy()
        for _ in range(12):
            r -= (r * (1 + self.k1 * r * r) - far_N) / np.maximum(1 + 3 * self.k1 * r * r, 0.1)
        return r

    def unfolded(self, point_N3: F64) -> npt.NDArray[np.bool_]:
        """Where points in camera axes lie within what the model maps once; beyond, r (1 + k1 r^2) runs back."""
        if self.k1 >= 0:
            return np.ones(len(point_N3), bool)
        x, y, z = point_N3.T
        inside: npt.NDArray[np.bool_] = x * x + y * y < z * z / (-3 * self.k1)
        return inside

    def project(self, point_N3: F64) -> tuple[F64, F64]:
        """Image points (N, 2) and depths (N,) of points in camera axes; meaningless where the depth is not positive."""
        z = point_N3[:, 2]
        p = point_N3[:, :2] / np.where(np.abs(z) < 1e-9, 1e-9, z)[:, None]
        if self.k1:
            r2 = (p * p).sum(1)
            turn = 1 / (-3 * self.k1) if self.k1 < 0 else np.inf  # beyond it the model folds back
            p = p * (1 + self.k1 * np.minimum(r2, turn))[:, None]
        return p * self.focal + np.array(self.centre), z
