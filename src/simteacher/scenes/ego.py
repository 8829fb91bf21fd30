"""The camera, and the bonnet of the vehicle that carries it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.draw import uniform
from simteacher.scenes.mesh import CameraSpec, Material
from simteacher.scenes.palette import CAR_PAINT, Rng, pick
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.street import Street

Pose = npt.NDArray[np.float64]
LOWEST = 0.25  # metres above the road, of the middle of a bonnet


def rotation(yaw: float, pitch: float, roll: float) -> Pose:
    """Turn of a body whose axes are forward, left, up; radians, shape (3, 3)."""
    cr, sr = np.cos(roll), np.sin(roll)
    out: Pose = sh.pose(0, 0, 0, yaw, pitch)[:3, :3] @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return out


def camera(g: Rng, street: Street, spec: SceneSpec, d: float) -> CameraSpec:
    """Draw the camera, at s = 0 and d metres left of the street's middle.

    Where things are staged it does not look aside, unless the file says so: they are to be seen.
    """
    ranges = spec.camera
    turns = not spec.stage or "turning" in ranges.model_fields_set
    at = street.path.pose(0.0, d, uniform(g, ranges.height))
    yaw, pitch, roll = (float(np.deg2rad(uniform(g, r))) for r in (ranges.yaw, ranges.pitch, ranges.roll))
    if g.random() < (ranges.turning if turns else 0.0):
        yaw += float(np.deg2rad(g.uniform(12, 40) * g.choice([-1, 1])))
    body = at[:3, :3] @ rotation(yaw, pitch, roll)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([-body[:, 1], -body[:, 2], body[:, 0]])
    pose[:3, 3] = at[:3, 3]
    warm, green = uniform(g, ranges.warmth), g.normal(0, 0.012)
    return CameraSpec(
        pose_44=pose,
        fov=float(np.deg2rad(uniform(g, ranges.fov))),
        k1=_sometimes(g, 0.5, ranges.distortion),
        exposure=float(np.exp(g.uniform(*np.log(ranges.exposure)))),
        white_balance=(1 + warm, float(1 + green), 1 - warm),
        gamma_contrast=(uniform(g, ranges.gamma), uniform(g, ranges.contrast)),
        saturation=uniform(g, ranges.saturation),
        blur=uniform(g, ranges.blur),
        noise=_partly(g, ranges.noise),
        vignette=uniform(g, ranges.vignette),
        jpeg=round(uniform(g, ranges.jpeg)),
    )


def _sometimes(g: Rng, chance: float, ranges: tuple[float, float]) -> float:
    """A value of a range in a share of the frames, else 0; one number is meant for all frames."""
    if g.random() >= chance:
        return ranges[0] if ranges[0] == ranges[1] else 0.0
    return uniform(g, ranges)


def _partly(g: Rng, ranges: tuple[float, float]) -> float:
    """A value of a range, more often a small one; one number is meant as it is."""
    value, part = uniform(g, ranges), float(g.random())
    return value if ranges[0] == ranges[1] else value * part


def bonnet(g: Rng, street: Street, view: CameraSpec, size: tuple[int, int]) -> None:
    """The own bonnet along the lower edge of the picture, class-less; it moves with the camera."""
    forward = view.pose_44[:3, 2]
    half = np.arctan(np.tan(view.fov / 2) * size[1] / size[0])
    dip = float(half * g.uniform(0.72, 1.0) - np.arcsin(np.clip(forward[2], -1, 1)))
    above = float(street.path.pose(0.0, 0.0, 0.0)[2, 3]) + LOWEST - float(view.pose_44[2, 3])
    if dip < 0.12 or above > -0.2:  # it looks too high, or its camera is too low to look over one
        return
    far, wide = g.uniform(1.1, 1.7), g.uniform(0.7, 0.95)
    far = min(far, max(-(above + 0.1) / np.tan(dip), 0.4))  # a camera near the ground has it nearer, not under the road
    low = max(-far * np.tan(dip) - 0.1, above)
    paint = Material("plain", pick(g, CAR_PAINT, 0.2), gloss=float(g.uniform(0.3, 0.7)))
    mesh = sh.balls([[far - 0.75, g.normal(0, 0.35), low]], [[0.8, wide, 0.14]], paint, 10, 18)
    x, y, z = (float(c) for c in view.pose_44[:3, 3])
    pose = sh.pose(x, y, z, float(np.arctan2(forward[1], forward[0])))
    street.put(mesh, pose, "")
