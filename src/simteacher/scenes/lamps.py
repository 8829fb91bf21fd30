"""Light sources at night: what glows lights its surroundings, and the camera's own vehicle has headlights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import Scene
from simteacher.scenes.vectors import column, dot

NEAREST = 10  # lamps that are worth their cost
REACH = 70.0
DRIVEN = ("car", "truck", "bus", "train", "motorcycle", "bicycle")


@dataclass(frozen=True, slots=True)
class Lamps:
    """Point sources and a headlight, relative to the scene's origin.

    Attributes:
        place_L3: Metres.
        power_L3: Linear intensity (radiance times square metres).
        ahead_3: Unit direction of the headlights.
    """

    place_L3: F32
    power_L3: F32
    ahead_3: F32

    @classmethod
    def of(cls, scene: Scene) -> Lamps:
        """Take the strongest glowing things near the camera as point sources at the middle of their glowing faces."""
        glow = np.array([m.glow for m in scene.materials], np.float32)[scene.material_F]
        still_T = np.array([t.name not in DRIVEN for t in scene.world.things])  # vehicles shine, and light nothing
        face = np.flatnonzero((glow > 0) & still_T[scene.thing_F])
        corner = scene.vertices_V3[scene.faces_F3[face]]
        area = np.sqrt((np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) ** 2).sum(1)) / 2
        tint = np.array([m.tint for m in scene.materials], np.float32).reshape(-1, 3)[scene.material_F[face]]
        group, index = np.unique(scene.thing_F[face], return_inverse=True)
        weight = area * glow[face]
        total = np.maximum(np.bincount(index, weight, len(group)), 1e-9)

        def mean(value_F: F32) -> F32:
            return (np.bincount(index, weight * value_F, len(group)) / total).astype(np.float32)

        middle = corner.mean(1)
        place = np.stack([mean(middle[:, k]) for k in range(3)], 1) if len(group) else np.zeros((0, 3))
        power = np.stack([mean(tint[:, k]) for k in range(3)], 1) * total[:, None] if len(group) else np.zeros((0, 3))
        away = np.sqrt((place**2).sum(1))
        best = np.argsort(-power.sum(1) / (9 + away**2))[:NEAREST]
        best = best[away[best] < REACH]
        ahead = scene.world.camera.pose_44[:3, 2]
        return cls(place[best].astype(np.float32), power[best].astype(np.float32), ahead.astype(np.float32))


def lamp_light(lamps: Lamps, point_3N: F32, normal_3N: F32) -> F32:
    """Irradiance of all lamps without shadows, shape (3, N)."""
    out = np.zeros_like(point_3N)
    for place, power in zip(lamps.place_L3, lamps.power_L3, strict=True):
        to = column(place) - point_3N
        square = dot(to, to) + np.float32(0.25)
        cosine = np.clip(dot(to, normal_3N) / np.sqrt(square), 0, 1) * np.float32(0.9) + np.float32(0.1)
        out += (cosine / square) * column(power)
    square = dot(point_3N, point_3N) + 4
    along = np.clip(dot(point_3N, lamps.ahead_3) / np.sqrt(square), 0, 1)
    face = np.clip(-dot(point_3N, normal_3N) / np.sqrt(square), 0, 1) * np.float32(0.8) + np.float32(0.2)
    out += (8 * along**12 * face / square) * column(np.array([1.0, 0.95, 0.85], np.float32))
    return out
