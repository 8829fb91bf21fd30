"""Light that comes from the sky and off other surfaces, traced along paths by Mitsuba 3 (Jakob et al. 2022).

With ``light.paths`` of the scene file above 0 this takes the place of `ambient.occlusion`: colours bleed from a wall to
the pavement before it, and courts grow dark. All else stays: the same triangles, ground truth, textures, direct sun
with its shadows, mirrors, lamps, fog and camera. Mitsuba is an extra: ``pip install 'simteacher[paths]'``.

Its paths know each material by its mean colour and see half of the picture's rows and columns; neighbours on the same
surface share what they found, as for `ambient`. Radiance divided by the first surface's colour is the light that fell
on it. The sun has pictures of its own, with all bounces and without, of which the difference counts: traced together
with the sky, its direct part would be noise.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from simteacher.errors import UserError
from simteacher.scenes.ambient import coarse, share
from simteacher.scenes.mesh import F32
from simteacher.scenes.raycast import GBuffer, Scene
from simteacher.scenes.sky import sky_radiance
from simteacher.scenes.vectors import rows

BOUNCES = 4  # surfaces on a path at the most
SKY = (48, 96)  # rows and columns of the sky's picture
GROUND = np.float32(0.2)  # of the horizon's light, from below where the world has ended


def require() -> None:
    """Raise a UserError where Mitsuba is not installed."""
    if find_spec("mitsuba") is None:
        raise UserError("needs Mitsuba, which is not installed", "light.paths", "pip install 'simteacher[paths]', or 0")


def fallen(scene: Scene, g: GBuffer, colour_3M: F32, clouds: tuple[float, float], samples: int) -> F32:
    """Light on what each pixel sees, without that of the sun itself.

    Args:
        scene: The assembled world.
        g: Its G-buffer.
        colour_3M: Mean colour of each material.
        clouds: Offset of the cloud field.
        samples: Paths a pixel of half the resolution.

    Returns:
        Shape (3, H*W), in units in which a surface of this colour has that radiance; arbitrary for sky pixels.

    Raises:
        UserError: Mitsuba is not installed.
    """
    require()
    import drjit
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    drjit.set_thread_count(1)  # renders have a process for each processor
    mesh = mi.Mesh("street", len(scene.vertices_V3), len(scene.faces_F3), props=_diffuse(mi))
    fields = mi.traverse(mesh)
    fields["vertex_positions"] = scene.vertices_V3.ravel()
    fields["faces"] = scene.faces_F3.astype(np.uint32).ravel()
    fields.update()
    colour_F3: Any = np.clip(colour_3M.T[scene.material_F], 0.01, 0.95)
    mesh.add_attribute("face_colour", 3, colour_F3.ravel())
    local_3N = scene.world.camera.pose_44[:3, :3].T.astype(np.float32) @ rows(g.ray_N3)
    camera, size, focal = _camera(mi, scene, local_3N[:2], 2 * round(g.size[0] / 4), samples)
    light = scene.world.light
    sun: dict[str, Any] = {"type": "directional", "direction": [-v for v in light.sun_3]}
    sun["irradiance"] = {"type": "rgb", "value": [float(np.pi) * v for v in light.sun_rgb]}
    world = {"type": "scene", "camera": camera, "street": mesh}
    # what is seen of the sky beside a thin branch is not light on the branch
    paths = {"type": "path", "max_depth": BOUNCES + 1, "rr_depth": 100, "hide_emitters": True}
    light_HW3 = _lit(mi, {**world, "sky": _sky(mi, scene, clouds)}, paths)
    if any(light.sun_rgb):
        sunny = {**world, "sun": sun}
        light_HW3 += np.clip(_lit(mi, sunny, paths) - _lit(mi, sunny, {**paths, "max_depth": 2}), 0, None)
    pick, shape = coarse(g)
    at_x = np.clip((local_3N[0].take(pick) * focal + size[0] / 2).astype(np.intp), 0, size[0] - 1)
    at_y = np.clip((local_3N[1].take(pick) * focal + size[1] / 2).astype(np.intp), 0, size[1] - 1)
    return share(light_HW3[at_y, at_x].T.astype(np.float32), pick, shape, g)


def _diffuse(mi: Any) -> Any:
    """Matt on both sides, coloured face by face."""
    props = mi.Properties()
    colour = {"type": "mesh_attribute", "name": "face_colour"}
    props["bsdf"] = mi.load_dict({"type": "twosided", "matt": {"type": "diffuse", "reflectance": colour}})
    return props


def _camera(mi: Any, scene: Scene, local_2N: F32, width: int, samples: int) -> tuple[Any, tuple[int, int], float]:
    """A pinhole that sees all that the lens does, its size, and its focal length in pixels."""
    reach_x, reach_y = (float(np.abs(axis).max()) * 1.02 + 1e-3 for axis in local_2N)
    focal = width / 2 / reach_x
    height = 2 * int(np.ceil(focal * reach_y))
    pose = np.array(scene.world.camera.pose_44)
    pose[:3, 3] = 0  # the triangles are relative to the camera
    pose[:3, :2] *= -1  # its axes are left and up, ours right and down
    camera = {
        "type": "perspective",
        "fov": float(np.rad2deg(2 * np.arctan(reach_x))),
        "near_clip": 0.01,
        "to_world": mi.ScalarTransform4f(pose),
        "film": {
            "type": "hdrfilm",
            "width": width,
            "height": height,
            "rfilter": {"type": "box"},
            "pixel_format": "rgb",
        },
        "sampler": {"type": "independent", "sample_count": samples},
    }
    return camera, (width, height), focal


def _sky(mi: Any, scene: Scene, clouds: tuple[float, float]) -> dict[str, Any]:
    """The sky without the sun, all around."""
    height, width = SKY
    down = (np.arange(height) + 0.5) / height * np.pi
    around = (np.arange(width) + 0.5) / width * 2 * np.pi
    sin, cos = np.sin(down)[:, None], np.broadcast_to(np.cos(down)[:, None], SKY)
    # Mitsuba's map has +y at its top and -z in its middle; turned by 90 degrees about x, +z is up and +y in the middle
    unit = np.stack([sin * np.sin(around), -sin * np.cos(around), cos]).reshape(3, -1).astype(np.float32)
    dark = replace(scene.world.light, sun_rgb=(0.0, 0.0, 0.0))
    sky_3N = sky_radiance(dark, unit, clouds) * np.where(unit[2] < 0, GROUND, np.float32(1))
    turn = mi.ScalarTransform4f().rotate([1, 0, 0], 90)
    bitmap = mi.Bitmap(np.ascontiguousarray(sky_3N.T.reshape(height, width, 3)))
    return {"type": "envmap", "bitmap": bitmap, "to_world": turn}


def _lit(mi: Any, world: dict[str, Any], integrator: dict[str, Any]) -> F32:
    """Radiance over the first surface's colour, (H, W, 3)."""
    known = {"type": "aov", "aovs": "colour:albedo", "light": integrator}
    seen_HWC = np.asarray(mi.render(mi.load_dict({**world, "integrator": known}), seed=0), np.float32)
    return (seen_HWC[..., :3] / np.maximum(seen_HWC[..., -3:], 1e-3)).astype(np.float32)
