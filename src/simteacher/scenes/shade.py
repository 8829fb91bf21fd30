"""Hits to linear radiance: textures, sun with shadows, sky with occlusion, lamps, reflections, wetness, fog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simteacher.scenes.atlas import Atlas
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.lamps import Lamps, lamp_light
from simteacher.scenes.mesh import F32, I32
from simteacher.scenes.raycast import CREASE, Hits, Scene, trace
from simteacher.scenes.sky import noise_at, sky_radiance

FAR = 400.0  # shadow rays end here
LEAF = CLASS_ID["vegetation"]
FLAT = (CLASS_ID["road"], CLASS_ID["sidewalk"])


def _dot(a_N3: F32, b_N3: F32) -> F32:
    out: F32 = np.einsum("ij,ij->i", a_N3, b_N3)
    return out


@dataclass(frozen=True, slots=True)
class Surface:
    """Everything shading needs at N hits, world axes relative to the scene's origin.

    Attributes:
        point_N3, normal_N3, smooth_N3: Place, flat and interpolated unit normal, both turned towards the viewer.
        albedo_N3: Linear colour.
        gloss_N, glow_N: Of the material.
        class_N: cityscapes19 index.
        view_N3: Unit direction from the surface to the viewer.
        range_N: Distance to the viewer in metres.
    """

    point_N3: F32
    normal_N3: F32
    smooth_N3: F32
    albedo_N3: F32
    gloss_N: F32
    glow_N: F32
    class_N: npt.NDArray[np.uint8]
    view_N3: F32
    range_N: F32


@dataclass(frozen=True, slots=True)
class Materials:
    """The scene's materials as arrays."""

    tile_M: I32
    tint_M3: F32
    gloss_M: F32
    glow_M: F32
    scale_M: F32

    @classmethod
    def of(cls, scene: Scene, atlas: Atlas) -> Materials:
        """Look the texture names up once a frame."""
        m = scene.materials
        return cls(
            np.array([atlas.find(x.texture) for x in m], np.int32),
            np.array([x.tint for x in m], np.float32).reshape(-1, 3),
            np.array([x.gloss for x in m], np.float32),
            np.array([x.glow for x in m], np.float32),
            np.array([x.scale for x in m], np.float32),
        )


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

    def surface(self, hits: Hits, ray_N3: F32) -> Surface:
        """Gather geometry and material at rows that all hit something."""
        scene, m, face = self.scene, self.materials, hits.face_N
        corner = scene.faces_F3[face]
        w = np.stack([1 - hits.u_N - hits.v_N, hits.u_N, hits.v_N], 1)[:, :, None]
        point = ray_N3 * hits.depth_N[:, None]
        flat = scene.normal_F3[face]
        vertex = scene.smooth_V3[corner]
        shared = np.einsum("nkc,nc->nk", vertex, flat) > CREASE
        smooth = (np.where(shared[:, :, None], vertex, flat[:, None]) * w).sum(1)
        smooth /= np.maximum(np.sqrt(_dot(smooth, smooth)), 1e-12)[:, None]
        length = np.sqrt(_dot(ray_N3, ray_N3))
        view = ray_N3 / -length[:, None]
        turned = np.where(_dot(flat, view) < 0, np.float32(-1), np.float32(1))[:, None]
        distance = hits.depth_N * length
        material = scene.material_F[face]
        facing = np.maximum(np.abs(_dot(flat, view)), 0.08)
        width = distance * self.pixel * scene.density_F[face] / (m.scale_M[material] * np.sqrt(facing))
        uv = (scene.uv_F32[face] * w).sum(1) / m.scale_M[material][:, None]
        albedo = self.atlas.sample(m.tile_M[material], uv, width) * m.tint_M3[material]
        return Surface(
            point, flat * turned, smooth * turned, albedo, m.gloss_M[material], m.glow_M[material],
            scene.class_T[scene.thing_F[face]], view, distance,
        )  # fmt: skip

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

    def ambient(self, s: Surface, open_N3: F32 | None) -> F32:
        """Light from sky and surroundings on each surface; ``open_N3`` from `occlusion`, or a guess without it."""
        if open_N3 is not None:
            return self.sky_rgb * open_N3[:, :1] + self.bounce_rgb * open_N3[:, 1:2]
        up = 0.5 + 0.5 * s.smooth_N3[:, 2:]
        return self.sky_rgb * (0.65 * up) + self.bounce_rgb * (1 - 0.65 * up)

    def reflection(self, s: Surface, strength_N: F32) -> F32:
        """What mirrors show, times ``strength_N``: one more ray, shaded by mean colours."""
        out = np.zeros_like(s.albedo_N3)
        rows = np.flatnonzero(strength_N > 0.015)
        if not len(rows):
            return out
        n, v = s.smooth_N3[rows], s.view_N3[rows]
        ray = 2 * _dot(n, v)[:, None] * n - v
        below = _dot(ray, s.normal_N3[rows])
        ray = np.where(below[:, None] < 0, ray - 1.02 * below[:, None] * s.normal_N3[rows], ray)
        hits = trace(self.scene, ray, s.point_N3[rows] + s.normal_N3[rows] * (3e-3 + 2e-4 * s.range_N[rows])[:, None])
        face = hits.face_N
        seen = face >= 0
        light = sky_radiance(self.light, ray, self.clouds)
        material = self.scene.material_F[face]
        colour = self.atlas.mean(self.materials.tile_M[material]) * self.materials.tint_M3[material]
        normal = self.scene.normal_F3[face]
        normal = np.where(_dot(normal, ray)[:, None] > 0, -normal, normal)
        sun = np.clip(normal @ self.sun_3, 0, 1)[:, None] * self.sun_rgb * 0.6
        sky = self.sky_rgb * (0.4 + 0.3 * normal[:, 2:])
        body = colour * (sun + sky + self.bounce_rgb * 0.3 + self.materials.glow_M[material][:, None] * self.night)
        out[rows] = np.where(seen[:, None], body, light) * strength_N[rows][:, None]
        return out

    @property
    def night(self) -> float:
        """1 when lamps are lit; by day what glows (signals, screens) keeps a part of it."""
        return 1.0 if self.light.night else 0.6

    def radiance(self, hits: Hits, ray_N3: F32, open_N3: F32 | None = None, sun_N: F32 | None = None) -> F32:
        """Linear radiance along rays from the camera.

        Args:
            hits: What they hit, some may miss.
            ray_N3: Their directions, parameter = depth.
            open_N3: Sky and surroundings visible from each (`occlusion`), or None.
            sun_N: Result of `sunlit` where it is known already.

        Returns:
            Shape (N, 3).
        """
        out = np.empty((len(ray_N3), 3), np.float32)
        seen = np.flatnonzero(hits.face_N >= 0)
        sky = np.flatnonzero(hits.face_N < 0)
        unit = ray_N3[sky] / np.sqrt(_dot(ray_N3[sky], ray_N3[sky]))[:, None]
        out[sky] = sky_radiance(self.light, unit, self.clouds)
        if not len(seen):
            return out
        s = self.surface(hits.take(seen), ray_N3[seen])
        sun_N = self.sunlit(s) if sun_N is None else sun_N[seen]
        lit = sun_N[:, None] * self.sun_rgb
        lit += self.ambient(s, None if open_N3 is None else open_N3[seen])
        if self.lamps is not None:
            lit += lamp_light(self.lamps, s.point_N3, s.smooth_N3)
        albedo, gloss = s.albedo_N3, s.gloss_N
        if self.light.wet > 0:
            albedo, gloss = self._wet(s)
        lit += (s.glow_N * self.night)[:, None]
        rgb = albedo * lit
        cosine = np.clip(_dot(s.smooth_N3, s.view_N3), 0, 1)
        shiny = gloss > 0.02
        if shiny.any():
            base = 0.05 * np.minimum(1, 2 * gloss) + 0.55 * gloss**8
            fresnel = np.where(shiny, base + (np.minimum(1, gloss * 1.2) - base).clip(0) * (1 - cosine) ** 5, 0)
            rgb = rgb * (1 - fresnel[:, None]) + self.reflection(s, fresnel.astype(np.float32))
            half = s.view_N3 + self.sun_3
            half /= np.maximum(np.sqrt(_dot(half, half)), 1e-6)[:, None]
            power = 2.0 ** (3 + 8 * gloss)
            shine = gloss * (power + 8) / 60 * np.clip(_dot(s.smooth_N3, half), 0, 1) ** power * (sun_N > 0) * shiny
            rgb += np.minimum(shine, 12)[:, None] * self.sun_rgb * 0.25
        if self.light.fog > 0:
            clear = np.exp(-self.light.fog * s.range_N)[:, None]
            air = np.asarray(self.light.horizon_rgb, np.float32)
            rgb = rgb * clear + air * (1 - clear)
        out[seen] = rgb
        return out

    def _wet(self, s: Surface) -> tuple[F32, F32]:
        """Albedo and gloss of a rained-on world: flat ground darkens and mirrors, most in puddles (Lagarde 2013)."""
        flat = (s.normal_N3[:, 2] > 0.9) & np.isin(s.class_N, FLAT)
        place = s.point_N3[:, :2] + self.scene.origin_3[:2].astype(np.float32)
        puddle = np.clip((noise_at(place * np.float32(1 / 23)) - 0.55) * 4, 0, 1)
        wet = self.light.wet * np.where(flat, 0.55 + 0.45 * puddle, 0.25 * (s.normal_N3[:, 2] > 0.3))
        albedo = s.albedo_N3 * (1 - 0.5 * wet)[:, None]
        return albedo, np.maximum(s.gloss_N, np.where(flat, wet * (0.35 + 0.55 * puddle), 0)).astype(np.float32)
