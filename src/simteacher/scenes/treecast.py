"""Rays against triangles without Embree: a bounding volume tree in numpy, walked by numba.

For machines that Embree has no wheel for (Linux on ARM), and the second opinion that Embree is compared with. The tree
is complete: triangles halved along the longest extent, up to `LEAF` a leaf, node i over 2i + 1 and 2i + 2.
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
        leaves = 1 << max(0, int(np.ceil(np.log2(max(1, len(corner) / LEAF)))))
        padded = _order(corner.mean(1), leaves)
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


def _order(middle_F3: F64, leaves: int) -> I32:
    """Triangles leaf by leaf: every node's are halved along their longest extent. -1 fills up the leaves."""
    slots = leaves * LEAF
    order = np.full(slots, -1, np.int32)
    order[: len(middle_F3)] = np.arange(len(middle_F3))
    nodes = 1
    while nodes < leaves:
        point = np.where((order >= 0)[:, None], middle_F3[order], np.inf).reshape(nodes, -1, 3)
        known = np.isfinite(point)
        extent = np.where(known, point, -np.inf).max(1) - np.where(known, point, np.inf).min(1)
        axis = np.where(np.isfinite(extent), extent, 0).argmax(1)
        key = np.take_along_axis(point, axis[:, None, None], 2)[..., 0]
        # empty slots are spread over both halves, so that no subtree ends up full and its sister empty
        filled = known[..., 0].sum(1)
        ranked = np.take_along_axis(order.reshape(nodes, -1), np.argsort(key, 1, kind="stable"), 1)
        half = ranked.shape[1] // 2
        column = np.arange(half)
        left = (filled + 1) // 2
        first = np.where(column < left[:, None], ranked[:, :half], -1)
        at = np.minimum(left[:, None] + column, ranked.shape[1] - 1)
        second = np.where(column < (filled - left)[:, None], np.take_along_axis(ranked, at, 1), -1)
        order = np.stack([first, second], 1).ravel()
        nodes *= 2
    return order


@numba.njit(cache=True)
def _enter(box: Any, node: int, o: Any, d: Any, far: float) -> float:
    """Ray parameter at which a box is entered, or inf where it is missed or begins behind ``far``."""
    enter, leave = 0.0, far
    for k in range(3):
        if d[k] == 0.0:
            if o[k] < box[node, 0, k] or o[k] > box[node, 1, k]:
                return np.inf
        else:
            a, b = (box[node, 0, k] - o[k]) / d[k], (box[node, 1, k] - o[k]) / d[k]
            enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    return enter if enter <= leave * (1 + 1e-12) else np.inf


@numba.njit(cache=True)
def _walk(box: Any, corner: Any, faces: Any, origin_N3: Any, ray_N3: Any, far: float, any_hit: bool) -> Any:
    """Depth first, the nearer child first. Triangles by Moeller and Trumbore (1997)."""
    n, first = len(ray_N3), (len(box) + 1) // 2 - 1
    face = np.full(n, -1, np.int32)
    best_u, best_v, best_t = np.zeros(n), np.zeros(n), np.full(n, far)
    stack, entered = np.empty(64, np.int32), np.empty(64)
    for i in range(n):
        o, d = origin_N3[i], ray_N3[i]
        top, stack[0], entered[0] = 1, 0, _enter(box, 0, o, d, far)
        while top:
            top -= 1
            node = stack[top]
            if entered[top] == np.inf or entered[top] > best_t[i] * (1 + 1e-12):
                continue
            if node < first:
                a, b = 2 * node + 1, 2 * node + 2
                near, next_ = _enter(box, a, o, d, best_t[i]), _enter(box, b, o, d, best_t[i])
                if near > next_:
                    a, b, near, next_ = b, a, next_, near
                stack[top], entered[top] = b, next_
                stack[top + 1], entered[top + 1] = a, near
                top += 2
                continue
            for j in range((node - first) * LEAF, (node - first + 1) * LEAF):
                if faces[j] < 0:
                    continue
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
