"""One world to one frame: picture and G-buffer. The picture is anti-aliased, the labels are what pixel centres see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simteacher.scenes.ambient import occlusion
from simteacher.scenes.assemble import assemble
from simteacher.scenes.atlas import Atlas
from simteacher.scenes.camera import expose, meter
from simteacher.scenes.classes import CLASS_ID
from simteacher.scenes.mesh import F32, World
from simteacher.scenes.optics import Optics
from simteacher.scenes.pathlight import fallen
from simteacher.scenes.raycast import GBuffer, Scene, gbuffer, trace, world_rays
from simteacher.scenes.shade import Shader
from simteacher.scenes.vectors import dot, median, put, rows

EDGE_SAMPLES = np.array([(-0.34, 0.17), (0.17, -0.34), (0.34, 0.30)])  # besides the centre
TILE = 8  # pixels a side
STEP = np.float32(0.12)  # relative change of light that shows as a jag
LEAF = CLASS_ID["vegetation"]
DARK, NIGHT = 0.1, 0.55  # radiance of the sky below which it is night, and what a camera makes of a grey meter's gain


@dataclass(frozen=True, slots=True)
class Rendered:
    """A frame and what it was made from.

    Attributes:
        image_HW3: The picture.
        g: The G-buffer.
        scene: The assembled world.
        gain: Exposure that was used, to hold it through a clip.
    """

    image_HW3: npt.NDArray[np.uint8]
    g: GBuffer
    scene: Scene
    gain: float


def edges(g: GBuffer, rgb_3N: F32) -> npt.NDArray[np.bool_]:
    """Whether each pixel lies beside another thing or a crease and looks different; not leaf against leaf."""
    w, h = g.size
    light = rgb_3N.sum(0).reshape(h, w)
    thing, normal = g.thing_N.reshape(h, w), rows(g.normal_N3).reshape(3, h, w)
    crease = (thing >= 0) & (g.class_N != LEAF).reshape(h, w)
    edge = np.zeros((h, w), bool)
    for a, b in (((slice(None), slice(1, None)), (slice(None), slice(-1))), ((slice(1, None),), (slice(-1),))):
        bend = dot(normal[(slice(None), *a)], normal[(slice(None), *b)]) < 0.9
        differ = (thing[a] != thing[b]) | (bend & crease[a])
        differ &= np.abs(light[a] - light[b]) > STEP * np.maximum(light[a], light[b])
        edge[a] |= differ
        edge[b] |= differ
    return edge.ravel()


@lru_cache(maxsize=2)
def tile_order(size: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Raster indices of all pixels, tile after tile: rays that are cast together then meet the same triangles."""
    w, h = size
    tile_HW = np.arange(h)[:, None] // TILE * w + np.arange(w) // TILE
    return np.argsort(tile_HW.ravel(), kind="stable")


def linear(scene: Scene, g: GBuffer, atlas: Atlas, clouds: tuple[float, float] = (0.0, 0.0)) -> F32:
    """Linear radiance of every pixel, shape (H, W, 3)."""
    optics = Optics.of(scene.world.camera, g.size)
    shader = Shader(scene, atlas, 1 / optics.focal, clouds)
    paths = scene.world.light.paths
    around_3N = fallen(scene, g, shader.mean_3M, clouds, paths) if paths else shader.around(occlusion(scene, g))
    rgb = np.empty((3, g.size[0] * g.size[1]), np.float32)
    order = tile_order(g.size)
    put(rgb, order, shader.radiance(g.hits.take(order), rows(g.ray_N3).take(order, 1).T, around_3N.take(order, 1)))
    edge = order[edges(g, rgb).take(order)]
    if len(edge):
        centre = np.stack([edge % g.size[0], edge // g.size[0]], 1).astype(np.float64)
        ray = world_rays(scene.world, optics, (centre[:, None] + EDGE_SAMPLES).reshape(-1, 2))
        extra = shader.radiance(trace(scene, ray), ray, np.repeat(around_3N.take(edge, 1), len(EDGE_SAMPLES), 1))
        # limited before averaging, or one sample of sky or sun swallows a thin branch
        cap = np.float32(4 * median(rgb.max(0)) + 1e-6)
        total = np.minimum(rgb.take(edge, 1), cap)
        for k in range(len(EDGE_SAMPLES)):
            total += np.minimum(extra[:, k :: len(EDGE_SAMPLES)], cap)
        total /= 1 + len(EDGE_SAMPLES)
        put(rgb, edge, total)
    return np.ascontiguousarray(rgb.T).reshape(g.size[1], g.size[0], 3)


def drawn_clouds(rng: np.random.Generator) -> tuple[float, float]:
    """Where the clouds are: their layer's shift."""
    return float(rng.random()), float(rng.random())


def draw(
    world: World,
    size: tuple[int, int],
    atlas: Atlas,
    rng: np.random.Generator,
    gain: float | None = None,
    clouds: tuple[float, float] | None = None,
    *,
    whole: bool = False,
) -> Rendered:
    """Render one world.

    Args:
        world: What to show.
        size: Width and height.
        atlas: The textures.
        rng: Clouds and sensor noise.
        gain: Fixed exposure; by default metered.
        clouds: Where they are; by default drawn.
        whole: Keep also what this frame does not show, for flow to other frames.
    """
    scene = assemble(world, None if whole else size)
    g = gbuffer(scene, size)
    own = drawn_clouds(rng)
    clouds = clouds or own
    rgb = linear(scene, g, atlas, clouds)
    if gain is None:
        gain = meter(rgb) * (NIGHT if max(world.light.sky_rgb) < DARK else 1.0)
    return Rendered(expose(rgb, world.camera, rng, gain), g, scene, gain)
