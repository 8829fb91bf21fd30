"""Rays against triangles without Embree: a bounding volume tree in numpy, walked by numba.

For machines that Embree has no wheel for (Linux on ARM), and the second opinion that Embree is compared with. The tree
is complete: triangles in Morton order (Karras 2012), `LEAF` to a leaf, node i over 2i + 1 and 2i + 2.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from simteacher.scenes.mesh import F32, I32

F64 = npt.NDArray[np.float64]
LEAF = 4


class TreeCaster:
    """See `raycast.Caster`."""

    def __init__(self, vertices_V3: F32, faces_F3: I32) -> None:
        corner = vertices_V3[faces_F3].astype(np.float64)
        middle = corner.mean(1)
        low, span = middle.min(0), np.maximum(np.ptp(middle, 0), 1e-9)
        order = np.argsort(_morton(((middle - low) / span * 1023).astype(np.int64)), kind="stable")
        leaves = 1 << max(0, int(np.ceil(np.log2(max(1, len(order) / LEAF)))))
        padded = np.full(leaves * LEAF, -1, np.int32)
        padded[: len(order)] = order
        self._face = padded
        self._corner = np.where((padded >= 0)[:, None, None], corner[padded], np.nan)
        box = np.empty((2 * leaves - 1, 2, 3))
        kept = self._corner.reshape(leaves, -1, 3)
        empty = np.isnan(kept)
        box[leaves - 1 :, 0] = np.where(empty, np.inf, kept).min(1)
        box[leaves - 1 :, 1] = np.where(empty, -np.inf, kept).max(1)
        first = leaves - 1
        while first:
            level = box[first : 2 * first + 1].reshape(-1, 2, 2, 3)
            first //= 2
            box[first : first + len(level), 0] = level[:, :, 0].min(1)
            box[first : first + len(level), 1] = level[:, :, 1].max(1)
        self._box = box

    def nearest(self, origin_N3: F32, ray_N3: F32) -> tuple[I32, F32, F32, F32]:
        """See `raycast.Caster`."""
        face, u, v, t = self._walk(origin_N3, ray_N3, np.inf, False)
        return face, u.astype(np.float32), v.astype(np.float32), t.astype(np.float32)

    def blocked(self, origin_N3: F32, ray_N3: F32) -> npt.NDArray[np.bool_]:
        """See `raycast.Caster`."""
        out: npt.NDArray[np.bool_] = self._walk(origin_N3, ray_N3, 1.0, True)[0] >= 0
        return out

    def _walk(self, origin_N3: F32, ray_N3: F32, far: float, any_hit: bool) -> tuple[I32, F64, F64, F64]:
        origin, ray = np.ascontiguousarray(origin_N3, np.float64), np.ascontiguousarray(ray_N3, np.float64)
        out: tuple[I32, F64, F64, F64] = _walk(self._box, self._corner, self._face, origin, ray, far, any_hit)
        return out


def _morton(cell_N3: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Interleave the bits of three 10-bit numbers."""
    out = np.zeros(len(cell_N3), np.int64)
    for bit in range(10):
        for axis in range(3):
            out |= ((cell_N3[:, axis] >> bit) & 1) << (3 * bit + axis)
    return out


@numba.njit(cache=True, fastmath=False)
def _walk(box: Any, corner: Any, faces: Any, origin_N3: Any, ray_N3: Any, far: float, any_hit: bool) -> Any:
    """Depth-first, without preferring nearer children: simple before fast. Triangles by Moeller and Trumbore (1997)."""
    n, first = len(ray_N3), (len(box) + 1) // 2 - 1
    face = np.full(n, -1, np.int32)
    best_u, best_v, best_t = np.zeros(n), np.zeros(n), np.full(n, far)
    stack = np.empty(64, np.int32)
    for i in range(n):
        o, d = origin_N3[i], ray_N3[i]
        top = 1
        stack[0] = 0
        while top:
            top -= 1
            node = stack[top]
            enter, leave = 0.0, best_t[i]
            for k in range(3):
                if d[k] == 0.0:
                    if o[k] < box[node, 0, k] or o[k] > box[node, 1, k]:
                        leave = -1.0
                else:
                    a, b = (box[node, 0, k] - o[k]) / d[k], (box[node, 1, k] - o[k]) / d[k]
                    enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
            if enter > leave * (1 + 1e-12):
                continue
            if node < first:
                stack[top] = 2 * node + 1
                stack[top + 1] = 2 * node + 2
                top += 2
                continue
            for j in range((node - first) * LEAF, (node - first + 1) * LEAF):
                if faces[j] < 0:
                    break
                p, q, r = corner[j, 0], corner[j, 1], corner[j, 2]
                e, f, s = q - p, r - p, o - p
                h0, h1, h2 = d[1] * f[2] - d[2] * f[1], d[2] * f[0] - d[0] * f[2], d[0] * f[1] - d[1] * f[0]
                det = e[0] * h0 + e[1] * h1 + e[2] * h2
                if det == 0.0:
                    continue
                u = (s[0] * h0 + s[1] * h1 + s[2] * h2) / det
                g0, g1, g2 = s[1] * e[2] - s[2] * e[1], s[2] * e[0] - s[0] * e[2], s[0] * e[1] - s[1] * e[0]
                v = (d[0] * g0 + d[1] * g1 + d[2] * g2) / det
                t = (f[0] * g0 + f[1] * g1 + f[2] * g2) / det
                if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and 0.0 <= t < best_t[i]:
                    face[i], best_u[i], best_v[i], best_t[i] = faces[j], u, v, t
            if any_hit and face[i] >= 0:
                break
    return face, best_u, best_v, best_t
