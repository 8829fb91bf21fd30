"""Surfaces to linear radiance: sun with shadows, sky with occlusion, lamps, reflections, wetness, fog."""

from __future__ import annotations

import numpy as np

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.lamps import Lamps, lamp_light
from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import Hits, Scene, trace
from simteacher.scenes.sky import noise_at, sky_radiance
from simteacher.scenes.surface import Materials, Surface, surface
from simteacher.scenes.vectors import column, dot, rows, unit

FAR = 400.0  # shadow rays end here
LEAF = CLASS_ID["vegetation"]
FLAT = (CLASS_ID["road"], CLASS_ID["sidewalk"])


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

    def ambient(self, s: Surface, open_2N: F32 | None) -> F32:
        """Light from sky and surroundings on each surface; ``open_2N`` from `occlusion`, or a guess without it."""
        if open_2N is None:
            up = np.float32(0.65) * (np.float32(0.5) + np.float32(0.5) * s.smooth_3N[2])
            open_2N = np.stack([up, 1 - up])
        out: F32 = self.sky_rgb * open_2N[0] + self.bounce_rgb * open_2N[1]
        return out

    def reflection(self, s: Surface, strength_N: F32) -> F32:
        """What the surfaces mirror times ``strength_N``: one more ray, shaded by mean colours. Shape (3, N)."""
        n = s.smooth_3N
        ray = n * (2 * dot(n, s.view_3N)) - s.view_3N
        below = np.minimum(dot(ray, s.normal_3N), 0)  # an interpolated normal can mirror into the surface
        ray -= np.float32(1.02) * below * s.normal_3N
        hits = trace(self.scene, ray.T, s.above(3e-3, 2e-4))
        out = sky_radiance(self.light, ray, self.clouds)
        seen = np.flatnonzero(hits.face_N >= 0)
        face = hits.face_N.take(seen)
        material = self.scene.material_F.take(face)
        colour = rows(self.atlas.mean(self.materials.tile_M[material]) * self.materials.tint_M3[material])
        normal = rows(self.scene.spans(face)[1])
        normal *= np.where(dot(normal, ray.take(seen, 1)) > 0, np.float32(-1), np.float32(1))
        light = np.clip(dot(normal, self.sun_3), 0, 1) * (self.sun_rgb * np.float32(0.6))
        light += self.sky_rgb * (np.float32(0.4) + np.float32(0.3) * normal[2]) + self.bounce_rgb * np.float32(0.3)
        out[:, seen] = colour * (light + self.materials.glow_M[material] * self.glow)
        out *= strength_N
        return out

    def radiance(self, hits: Hits, ray_N3: F32, open_2N: F32 | None = None) -> F32:
        """Linear radiance along rays from the camera.

        Args:
            hits: What they hit, some may miss.
            ray_N3: Their directions, parameter = depth.
            open_2N: Sky and surroundings visible from each (`occlusion`), or None.

        Returns:
            Shape (3, N).
        """
        ray = rows(ray_N3)
        out = np.empty_like(ray)
        seen, sky = np.flatnonzero(hits.face_N >= 0), np.flatnonzero(hits.face_N < 0)
        if len(sky):
            out[:, sky] = sky_radiance(self.light, unit(ray.take(sky, 1)), self.clouds)
        if not len(seen):
            return out
        s = surface(self.scene, self.materials, self.atlas, hits.take(seen), ray.take(seen, 1), self.pixel)
        sun_N = self.sunlit(s)
        lit = self.ambient(s, None if open_2N is None else open_2N.take(seen, 1))
        lit += sun_N * self.sun_rgb
        if self.lamps is not None:
            lit += lamp_light(self.lamps, s.point_3N, s.smooth_3N)
        lit += s.glow_N * self.glow
        albedo, gloss = self._wet(s) if self.light.wet > 0 else (s.albedo_3N, s.gloss_N)
        lit *= albedo
        self._shine(s, gloss, sun_N, lit)
        if self.light.fog > 0:
            clear = np.exp(s.range_N * np.float32(-self.light.fog))
            lit -= self.air_rgb
            lit *= clear
            lit += self.air_rgb
        out[:, seen] = lit
        return out

    def _shine(self, s: Surface, gloss_N: F32, sun_N: F32, rgb_3N: F32) -> None:
        """Add mirror images (Fresnel by Schlick 1994) and the sun's highlight (Blinn 1977) to ``rgb_3N``, in place."""
        index = np.flatnonzero(gloss_N > 0.02)
        if not len(index):
            return
        part, gloss, sun = s.take(index), gloss_N.take(index), sun_N.take(index)
        dark = 1 - np.clip(dot(part.smooth_3N, part.view_3N), 0, 1)
        base = np.float32(0.05) * np.minimum(1, 2 * gloss) + np.float32(0.55) * gloss**8
        fresnel = base + np.maximum(np.minimum(1, np.float32(1.2) * gloss) - base, 0) * dark**5
        half = unit(part.view_3N + column(self.sun_3))
        power = np.exp2(3 + 8 * gloss)
        shine = gloss * (power + 8) / 60 * np.clip(dot(part.smooth_3N, half), 0, 1) ** power * (sun > 0)
        rgb = rgb_3N.take(index, 1) * (1 - fresnel) + np.minimum(shine, 12) * (self.sun_rgb * np.float32(0.25))
        mirror = np.flatnonzero(fresnel > 0.025)
        rgb[:, mirror] += self.reflection(part.take(mirror), fresnel.take(mirror))
        rgb_3N[:, index] = rgb

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
