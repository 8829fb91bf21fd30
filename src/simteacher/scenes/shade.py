"""Surfaces to linear radiance: sun with shadows, sky with occlusion, lamps, reflections, wetness, fog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.lamps import Lamps, lamp_light
from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import Hits, Scene, trace
from simteacher.scenes.sky import noise_at, sky_radiance
from simteacher.scenes.surface import Faces, Materials, Surface, surface
from simteacher.scenes.vectors import Index, column, dot, put, rows, some, unit

CHUNK = 1 << 16
FAR = 400.0  # shadow rays end here
LEAF = CLASS_ID["vegetation"]
FLAT = (CLASS_ID["road"], CLASS_ID["sidewalk"])


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Rays off mirroring surfaces: pixel, its other light and distance; start, direction, and how much is seen."""

    index_N: npt.NDArray[np.intp]
    rgb_3N: F32
    range_N: F32
    start_3N: F32
    ray_3N: F32
    strength_N: F32

    @classmethod
    def of(cls, s: Surface, rgb_3N: F32, strength_N: F32, index_N: npt.NDArray[np.intp]) -> Mirrors:
        """One ray of each surface."""
        n = s.smooth_3N
        ray = n * (2 * dot(n, s.view_3N)) - s.view_3N
        below = np.minimum(dot(ray, s.normal_3N), 0)  # an interpolated normal can mirror into the surface
        ray -= np.float32(1.02) * below * s.normal_3N
        return cls(index_N, rgb_3N, s.range_N, s.above(3e-3, 2e-4).T, ray, strength_N)


def chunks(count: int) -> Iterator[slice]:
    """Slices of rays that are shaded in one go: few, as each costs 200 calls of numpy, but no large frame at once."""
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


class Shader:
    """Shades rays of one frame.

    Args:
        scene: The geometry.
        atlas: The textures.
        pixel: Angle of one pixel in radians, which sets texture footprints.
        clouds: Offset of the cloud field.
    """

    def __init__(self, scene: Scene, atlas: Atlas, pixel: float, clouds: tuple[float, float] = (0.0, 0.0)) -> None:
        self.scene, self.atlas, self.pixel, self.clouds = scene, atlas, pixel, clouds
        self.materials = Materials.of(scene, atlas)
        self.mean_3M = rows(atlas.mean(self.materials.tile_M) * self.materials.tint_M3)
        self.light = scene.world.light
        self.sun_3 = np.asarray(self.light.sun_3, np.float32)
        self.sun_rgb = column(np.asarray(self.light.sun_rgb, np.float32))
        self.sky_rgb = column(np.asarray(self.light.sky_rgb, np.float32))
        self.air_rgb = column(np.asarray(self.light.horizon_rgb, np.float32))
        height = np.float32(max(self.light.sun_3[2], 0.0))
        self.bounce_rgb = np.float32(0.22) * (np.float32(0.8) * self.sky_rgb + np.float32(0.7) * height * self.sun_rgb)
        self.lamps = Lamps.of(scene) if self.light.night else None
        self.glow = np.float32(1.0 if self.light.night else 0.6)  # by day signals and screens keep a part of it

    def sunlit(self, s: Surface) -> F32:
        """Share of the sun that arrives times the cosine; leaves let some through from behind. Shape (N,)."""
        out = np.zeros_like(s.range_N)
        if not self.sun_rgb.any():
            return out
        cosine, side = dot(s.smooth_3N, self.sun_3), dot(s.normal_3N, self.sun_3)
        leaf = np.flatnonzero(s.class_N == LEAF)
        through = cosine.take(leaf)
        ok = (cosine > 0) & (side > 0)
        cosine[leaf] = np.where(through > 0, 0.35 + 0.65 * through, -0.45 * through)
        ok[leaf] = True
        ask = np.flatnonzero(ok)
        lift = (np.float32(2e-3) + np.float32(1e-4) * s.range_N.take(ask)) * np.sign(side.take(ask))
        start = (s.point_3N.take(ask, 1) + s.normal_3N.take(ask, 1) * lift).T
        blocked = self.scene.caster.blocked(start, np.broadcast_to(self.sun_3 * np.float32(FAR), start.shape))
        out[ask] = cosine.take(ask) * ~blocked
        return out

    def around(self, open_2N: F32) -> F32:
        """Light from sky and surroundings by the shares of them that are open (`ambient.occlusion`), shape (3, N)."""
        out: F32 = self.sky_rgb * open_2N[0] + self.bounce_rgb * open_2N[1]
        return out

    def reflection(self, mirrors: Mirrors) -> F32:
        """What surfaces mirror: one more ray, shaded by mean colours. Shape (3, N)."""
        hits = trace(self.scene, mirrors.ray_3N.T, mirrors.start_3N.T)
        face_K, row_N = self.scene.seen(hits.face_N)
        flat_3K = rows(self.scene.spans(face_K)[1])
        material_K = self.scene.material_F.take(face_K)
        colour_3K, glow_K = self.mean_3M.take(material_K, 1), self.materials.glow_M.take(material_K) * self.glow
        out = np.empty_like(mirrors.ray_3N)
        for part in chunks(len(row_N)):
            ray, found = mirrors.ray_3N[:, part], hits.face_N[part] >= 0
            rgb, seen, sky = out[:, part], np.flatnonzero(found), np.flatnonzero(~found)
            put(rgb, sky, sky_radiance(self.light, ray.take(sky, 1), self.clouds))
            row = row_N[part].take(seen)
            normal = flat_3K.take(row, 1)
            normal *= np.where(dot(normal, ray.take(seen, 1)) > 0, np.float32(-1), np.float32(1))
            light = np.clip(dot(normal, self.sun_3), 0, 1) * (self.sun_rgb * np.float32(0.6))
            light += self.sky_rgb * (np.float32(0.4) + np.float32(0.3) * normal[2]) + self.bounce_rgb * np.float32(0.3)
            light += glow_K.take(row)
            put(rgb, seen, colour_3K.take(row, 1) * light)
        out *= mirrors.strength_N
        return out

    def radiance(self, hits: Hits, ray_N3: F32, around_3N: F32) -> F32:
        """Linear radiance along rays from the camera.

        Args:
            hits: What they hit, some may miss.
            ray_N3: Their directions, parameter = depth.
            around_3N: Light that comes to each from sky and surroundings: `around`, or `pathlight.fallen`.

        Returns:
            Shape (3, N).
        """
        ray = rows(ray_N3)
        out = np.empty_like(ray)
        faces = Faces.of(self.scene, self.materials, hits.face_N, self.pixel)
        mirrors: list[Mirrors] = []
        for part in chunks(ray.shape[1]):
            found = hits.face_N[part] >= 0
            seen: Index = part
            if not found.all():
                seen, sky = part.start + np.flatnonzero(found), part.start + np.flatnonzero(~found)
                put(out, sky, sky_radiance(self.light, unit(ray.take(sky, 1)), self.clouds))
                if not found.any():
                    continue
            s = surface(faces, self.atlas, seen, hits.take(seen), some(ray, seen))
            sun_N = self.sunlit(s)
            lit = some(around_3N, seen) + sun_N * self.sun_rgb
            if self.lamps is not None:
                lit += lamp_light(self.lamps, s.point_3N, s.smooth_3N)
            lit += s.glow_N * self.glow
            albedo, gloss = self._wet(s) if self.light.wet > 0 else (s.albedo_3N, s.gloss_N)
            lit *= albedo
            number_N = np.arange(part.start, part.stop) if isinstance(seen, slice) else seen
            mirrors += self._shine(s, gloss, sun_N, lit, number_N)
            put(out, seen, self._air(lit, s.range_N))
        if mirrors:
            all_of = Mirrors(*(np.concatenate([getattr(m, name) for m in mirrors], -1) for name in Mirrors.__slots__))
            put(out, all_of.index_N, self._air(all_of.rgb_3N + self.reflection(all_of), all_of.range_N))
        return out

    def _air(self, rgb_3N: F32, range_N: F32) -> F32:
        """What of ``rgb_3N`` gets through haze and fog, and their own light; works in place."""
        if self.light.fog > 0:
            rgb_3N -= self.air_rgb
            rgb_3N *= np.exp(range_N * np.float32(-self.light.fog))
            rgb_3N += self.air_rgb
        return rgb_3N

    def _shine(self, s: Surface, gloss_N: F32, sun_N: F32, rgb_3N: F32, index_N: npt.NDArray[np.intp]) -> list[Mirrors]:
        """Make ``rgb_3N`` shine, in place: Fresnel by Schlick (1994), the sun's highlight by Blinn (1977).

        Returns:
            What mirrors its surroundings, if anything; these are numbered by ``index_N``.
        """
        index = np.flatnonzero(gloss_N > 0.02)
        if not len(index):
            return []
        smooth, view = s.smooth_3N.take(index, 1), s.view_3N.take(index, 1)
        gloss, sun = gloss_N.take(index), sun_N.take(index)
        dark = 1 - np.clip(dot(smooth, view), 0, 1)
        base = np.float32(0.05) * np.minimum(1, 2 * gloss) + np.float32(0.55) * gloss**8
        fresnel = base + np.maximum(np.minimum(1, np.float32(1.2) * gloss) - base, 0) * dark**5
        half = unit(view + column(self.sun_3))
        power = np.exp2(3 + 8 * gloss)
        shine = gloss * (power + 8) / 60 * np.clip(dot(smooth, half), 0, 1) ** power * (sun > 0)
        rgb = rgb_3N.take(index, 1) * (1 - fresnel) + np.minimum(shine, 12) * (self.sun_rgb * np.float32(0.25))
        put(rgb_3N, index, rgb)
        at = np.flatnonzero(fresnel > 0.025)
        which = index.take(at)
        return [Mirrors.of(s.take(which), rgb.take(at, 1), fresnel.take(at), index_N.take(which))]

    def _wet(self, s: Surface) -> tuple[F32, F32]:
        """Albedo and gloss of a rained-on world: flat ground darkens and mirrors, most in puddles (Lagarde 2013)."""
        flat = (s.normal_3N[2] > 0.9) & np.isin(s.class_N, FLAT)
        place = s.point_3N[:2] + self.scene.origin_3[:2, None].astype(np.float32)
        puddle = np.clip((noise_at(place * np.float32(1 / 23)) - np.float32(0.55)) * 4, 0, 1)
        wet = np.float32(self.light.wet) * np.where(
            flat, np.float32(0.55) + np.float32(0.45) * puddle, np.float32(0.25) * (s.normal_3N[2] > 0.3)
        )
        gloss = np.maximum(s.gloss_N, np.where(flat, wet * (np.float32(0.35) + np.float32(0.55) * puddle), 0))
        return s.albedo_3N * (1 - np.float32(0.5) * wet), gloss.astype(np.float32, copy=False)
