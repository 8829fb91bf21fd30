"""The line a street follows: bends and hills. (s, d) is metres along it and metres to its left."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.mesh import Course, Material, Mesh

Array = npt.NDArray[np.float64]
START, END, STEP = -80.0, 420.0, 1.0
_S = np.arange(round((END - START) / STEP)) * STEP + START


@dataclass(frozen=True, slots=True)
class Path:
    """A curve sampled every metre.

    Attributes:
        x_N, y_N, z_N, heading_N: World place and direction (radians) at START + i * STEP.
        at_N: The four of each sample, as plain numbers.
    """

    x_N: Array
    y_N: Array
    z_N: Array
    heading_N: Array
    at_N: list[tuple[float, float, float, float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        four = (v.tolist() for v in (self.x_N, self.y_N, self.z_N, self.heading_N))
        object.__setattr__(self, "at_N", list(zip(*four, strict=True)))

    @classmethod
    def through(cls, curvature_N: Array, slope_N: Array) -> Path:
        """Integrate curvature (1/m) and slope, both sampled every metre.

        s = 0 becomes the origin, heading along x.
        """
        zero = round(-START / STEP)
        heading = np.cumsum(curvature_N) * STEP
        heading -= heading[zero]
        x, y, z = np.cumsum(np.cos(heading)), np.cumsum(np.sin(heading)), np.cumsum(slope_N)
        return cls((x - x[zero]) * STEP, (y - y[zero]) * STEP, (z - z[zero]) * STEP, heading)

    def _at(self, s: Array, values: Array) -> Array:
        return np.interp(s, _S, values)

    def heading(self, s: npt.ArrayLike) -> Array:
        """Direction at s, radians."""
        return self._at(np.asarray(s, np.float64), self.heading_N)

    def curvature(self, s: float) -> float:
        """Change of direction per metre at s, left positive."""
        return (self._one(s + 1)[3] - self._one(s - 1)[3]) / 2

    def points(self, s: npt.ArrayLike, d: npt.ArrayLike, up: npt.ArrayLike = 0.0) -> Array:
        """World points, shape (..., 3)."""
        s, d, up = np.asarray(s, np.float64), np.asarray(d, np.float64), np.asarray(up, np.float64)
        a = self._at(s, self.heading_N)
        x, y, z = self._at(s, self.x_N) - np.sin(a) * d, self._at(s, self.y_N) + np.cos(a) * d, self._at(s, self.z_N)
        out = np.empty((*np.broadcast_shapes(x.shape, up.shape), 3))
        out[..., 0], out[..., 1], out[..., 2] = x, y, z + up
        return out

    def pose(self, s: float, d: float, up: float = 0.0, yaw: float = 0.0) -> Array:
        """Local to world for something at (s, d) turned by yaw from the street's direction, pitched with the hill."""
        x, y, z, a = self._one(s)
        slope = math.atan((self._one(s + 1)[2] - self._one(s - 1)[2]) / 2)
        return sh.pose(x - math.sin(a) * d, y + math.cos(a) * d, z + up, a + yaw, slope * math.cos(yaw))

    def _one(self, s: float) -> tuple[float, float, float, float]:
        """x, y, z and heading at one s: plain arithmetic, as this is asked for every object."""
        at = min(max((float(s) - START) / STEP, 0.0), len(self.at_N) - 1.001)
        i = int(at)
        f = at - i
        e = 1 - f
        (x0, y0, z0, a0), (x1, y1, z1, a1) = self.at_N[i], self.at_N[i + 1]
        return x0 * e + x1 * f, y0 * e + y1 * f, z0 * e + z1 * f, a0 * e + a1 * f

    def upright(self, s: float, d: float, up: float = 0.0, yaw: float = 0.0) -> Array:
        """As `pose`, but standing straight whatever the slope: buildings, posts, people."""
        x, y, z, a = self._one(s)
        return sh.pose(x - math.sin(a) * d, y + math.cos(a) * d, z + up, a + yaw)

    def course(self, s: float, d: float, up: float, yaw: float, speed: float, *, upright: bool = False) -> Course:
        """Pose by time of what goes along the street at (s, d), turned by yaw from its direction.

        It follows bends and hills, and has ``speed`` (m/s, along its own x axis) at time 0.
        """
        place = self.upright if upright else self.pose
        level = speed * math.hypot(*place(s, d, up, yaw)[:2, 0])
        onward = level * math.cos(yaw) / max(1 - self.curvature(s) * d, 0.2)  # the inner side of a bend is shorter
        aside = level * math.sin(yaw)
        return lambda seconds: place(s + onward * seconds, d + aside * seconds, up, yaw)

    def patches(self, rect_N4: npt.ArrayLike, up: float, material: Material, step: float = 6.0) -> Mesh:
        """Ground rectangles (s0, s1, d0, d1) laid on the street, cut into pieces short enough to follow it."""
        s0, s1, d0, d1 = np.asarray(rect_N4, np.float64).reshape(-1, 4).T
        count = np.maximum(1, np.ceil((s1 - s0) / step)).astype(np.intp)
        which = np.repeat(np.arange(len(count)), count)
        k = np.arange(len(which)) - (np.cumsum(count) - count)[which]  # pieces of each rectangle
        start, pitch = s0[which], ((s1 - s0) / count)[which]
        corner = np.empty((len(which), 4, 2))
        corner[:, ::3, 0] = (k * pitch + start)[:, None]
        corner[:, 1:3, 0] = np.where(k + 1 == count[which], s1[which], (k + 1) * pitch + start)[:, None]
        corner[:, :2, 1], corner[:, 2:, 1] = d0[which, None], d1[which, None]
        return self.flat(corner, up, material)

    def flat(self, corner_N42: npt.ArrayLike, up: npt.ArrayLike, material: Material) -> Mesh:
        """Ground patches from (s, d) corners, counter-clockwise seen from above; uv are (s, d)."""
        c = np.asarray(corner_N42, np.float64).reshape(-1, 4, 2)
        return sh.quads(self.points(c[..., 0], c[..., 1], up), material, c)
