"""Surfaces to linear radiance: sun with shadows, sky with occlusion, lamps, reflections, wetness, fog."""

from __future__ import annotations

import numpy as np

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.lamps import Lamps, lamp_light
from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import Hits, Scene, trace
from simteacher.scenes.sky import noise_at, sky_radiance
from simteacher.scenes.surface import Materials, Surface, dot, surface, unit

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
        self.sun_rgb = np.asarray(self.light.sun_rgb, np.float32)
        self.sky_rgb = np.asarray(self.light.sky_rgb, np.float32)
        height = max(float(self.sun_3[2]), 0.0)
        self.bounce_rgb = 0.22 * (0.8 * self.sky_rgb + 0.7 * height * self.sun_rgb)
        self.lamps = Lamps.of(scene) if self.light.night else None
        self.glow = np.float32(1.0 if self.light.night else 0.6)  # by day signals and screens keep a part of it

    def sunlit(self, s: Surface) -> F32:
        """Share of the sun that arrives times the cosine; leaves let some through from behind. Shape (N,)."""
        out = np.zeros(len(s.point_N3), np.float32)
        if not self.sun_rgb.any():
            return out
        cosine = s.smooth_N3 @ self.sun_3
        side = s.normal_N3 @ self.sun_3
        leaf = s.class_N == LEAF
        facing = np.where(leaf, np.where(cosine > 0, 0.35 + 0.65 * cosine, -0.45 * cosine), cosine)
        ask = np.flatnonzero((facing > 0) & (leaf | (side > 0)))
        lift = np.where(side[ask] > 0, np.float32(1), np.float32(-1)) * (2e-3 + 1e-4 * s.range_N[ask])
        start = s.point_N3[ask] + s.normal_N3[ask] * lift[:, None]
        free = ~self.scene.caster.blocked(start, np.broadcast_to(self.sun_3 * np.float32(FAR), start.shape))
        out[ask] = facing[ask] * free
        return out

    def ambient(self, s: Surface, open_N2: F32 | None) -> F32:
        """Light from sky and surroundings on each surface; ``open_N2`` from `occlusion`, or a guess without it."""
        if open_N2 is None:
            up = 0.65 * (0.5 + 0.5 * s.smooth_N3[:, 2:])
            open_N2 = np.concatenate([up, 1 - up], 1)
        out: F32 = open_N2 @ np.stack([self.sky_rgb, self.bounce_rgb])
        return out

    def reflection(self, s: Surface, strength_N: F32) -> F32:
        """What the surfaces mirror times ``strength_N``: one more ray, shaded by mean colours. Shape (N, 3)."""
        n = s.smooth_N3
        ray = 2 * dot(n, s.view_N3)[:, None] * n - s.view_N3
        below = dot(ray, s.normal_N3)  # an interpolated normal can mirror into the surface
        ray = np.where(below[:, None] < 0, ray - 1.02 * below[:, None] * s.normal_N3, ray).astype(np.float32)
        hits = trace(self.scene, ray, s.point_N3 + s.normal_N3 * (3e-3 + 2e-4 * s.range_N)[:, None])
        face = hits.face_N
        out = sky_radiance(self.light, ray, self.clouds)
        seen = np.flatnonzero(face >= 0)
        face = face[seen]
        material = self.scene.material_F[face]
        colour = self.atlas.mean(self.materials.tile_M[material]) * self.materials.tint_M3[material]
        normal = self.scene.spans(face)[1]
        normal = np.where(dot(normal, ray[seen])[:, None] > 0, -normal, normal)
        light = np.clip(normal @ self.sun_3, 0, 1)[:, None] * self.sun_rgb * 0.6
        light += self.sky_rgb * (0.4 + 0.3 * normal[:, 2:]) + self.bounce_rgb * 0.3
        out[seen] = colour * (light + (self.materials.glow_M[material] * self.glow)[:, None])
        return out * strength_N[:, None]

    def radiance(self, hits: Hits, ray_N3: F32, open_N2: F32 | None = None) -> F32:
        """Linear radiance along rays from the camera.

        Args:
            hits: What they hit, some may miss.
            ray_N3: Their directions, parameter = depth.
            open_N2: Sky and surroundings visible from each (`occlusion`), or None.

        Returns:
            Shape (N, 3).
        """
        out = np.empty((len(ray_N3), 3), np.float32)
        seen, sky = np.flatnonzero(hits.face_N >= 0), np.flatnonzero(hits.face_N < 0)
        out[sky] = sky_radiance(self.light, unit(ray_N3[sky]), self.clouds)
        if not len(seen):
            return out
        s = surface(self.scene, self.materials, self.atlas, hits.take(seen), ray_N3[seen], self.pixel)
        sun_N = self.sunlit(s)
        lit = self.ambient(s, None if open_N2 is None else open_N2[seen])
        lit += sun_N[:, None] * self.sun_rgb
        if self.lamps is not None:
            lit += lamp_light(self.lamps, s.point_N3, s.smooth_N3)
        lit += (s.glow_N * self.glow)[:, None]
        albedo, gloss = self._wet(s) if self.light.wet > 0 else (s.albedo_N3, s.gloss_N)
        lit *= albedo
        self._shine(s, gloss, sun_N, lit)
        if self.light.fog > 0:
            clear = np.exp(s.range_N * np.float32(-self.light.fog))[:, None]
            lit -= np.asarray(self.light.horizon_rgb, np.float32)
            lit *= clear
            lit += np.asarray(self.light.horizon_rgb, np.float32)
        out[seen] = lit
        return out

    def _shine(self, s: Surface, gloss_N: F32, sun_N: F32, rgb_N3: F32) -> None:
        """Add mirror images (Fresnel by Schlick 1994) and the sun's highlight (Blinn 1977) to ``rgb_N3``, in place."""
        rows = np.flatnonzero(gloss_N > 0.02)
        if not len(rows):
            return
        part = s.take(rows)
        gloss = gloss_N[rows]
        cosine = np.clip(dot(part.smooth_N3, part.view_N3), 0, 1)
        base = 0.05 * np.minimum(1, 2 * gloss) + 0.55 * gloss**8
        fresnel = (base + np.maximum(np.minimum(1, gloss * 1.2) - base, 0) * (1 - cosine) ** 5).astype(np.float32)
        half = unit(part.view_N3 + self.sun_3)
        power = 2.0 ** (3 + 8 * gloss)
        shine = gloss * (power + 8) / 60 * np.clip(dot(part.smooth_N3, half), 0, 1) ** power * (sun_N[rows] > 0)
        rgb = rgb_N3[rows] * (1 - fresnel[:, None]) + np.minimum(shine, 12)[:, None] * self.sun_rgb * 0.25
        mirror = np.flatnonzero(fresnel > 0.015)
        rgb[mirror] += self.reflection(part.take(mirror), fresnel[mirror])
        rgb_N3[rows] = rgb

    def _wet(self, s: Surface) -> tuple[F32, F32]:
        """Albedo and gloss of a rained-on world: flat ground darkens and mirrors, most in puddles (Lagarde 2013)."""
        flat = (s.normal_N3[:, 2] > 0.9) & np.isin(s.class_N, FLAT)
        place = s.point_N3[:, :2] + self.scene.origin_3[:2].astype(np.float32)
        puddle = np.clip((noise_at(place * np.float32(1 / 23)) - 0.55) * 4, 0, 1)
        wet = self.light.wet * np.where(flat, 0.55 + 0.45 * puddle, 0.25 * (s.normal_N3[:, 2] > 0.3))
        albedo = s.albedo_N3 * (1 - 0.5 * wet)[:, None].astype(np.float32)
        return albedo, np.maximum(s.gloss_N, np.where(flat, wet * (0.35 + 0.55 * puddle), 0)).astype(np.float32)
