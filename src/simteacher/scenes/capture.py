"""All ground truth of one frame in one place, before a writer gives it a file format."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.errors import UserError
from simteacher.scenes.camera import jpeg
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.frame import Rendered
from simteacher.scenes.mesh import F32
from simteacher.scenes.optics import Optics
from simteacher.scenes.truth import camera_facts, camera_normals, objects

U8 = npt.NDArray[np.uint8]
DEPTH_EDGES = (0.0, 2.0, 4.0, 7.0, 12.0, 20.0, 35.0, 60.0, 100.0)  # metres; the last bin is open


@dataclass(frozen=True, slots=True)
class Capture:
    """One frame.

    Attributes:
        name: File name without suffix.
        image_HW3: The developed picture.
        jpeg: The same as the camera would store it.
        label_HW: cityscapes19 indices, 255 for what has no class.
        instance_HW: Cityscapes instance ids, uint16.
        depth_HW: Metres along the optical axis, inf for sky.
        normal_HW3: 8-bit camera-axes normals.
        meta: Camera, objects and statistics, ready for JSON.
        flow: Displacement (H, W, 2) and state (H, W) to the next frame, in clips.
        back: The same to the previous frame.
    """

    name: str
    image_HW3: U8
    jpeg: bytes
    label_HW: U8
    instance_HW: npt.NDArray[np.uint16]
    depth_HW: F32
    normal_HW3: U8
    meta: dict[str, Any]
    flow: tuple[F32, U8] | None = None
    back: tuple[F32, U8] | None = None


def capture(
    name: str, made: Rendered, flow: tuple[F32, U8] | None = None, back: tuple[F32, U8] | None = None
) -> Capture:
    """Collect everything that is known about a rendered frame."""
    g, camera = made.g, made.scene.world.camera
    w, h = g.size
    counts = np.bincount(g.class_N, minlength=256)
    near = g.hits.depth_N[g.hits.face_N >= 0]
    beyond = [int(np.count_nonzero(near >= edge)) for edge in DEPTH_EDGES]  # np.digitize searches for every pixel
    meta = {
        "name": name,
        "time": float(made.scene.world.clock),
        "camera": camera_facts(made.scene, Optics.of(camera, g.size)),
        "facts": made.scene.world.facts,
        "classes": {c: int(counts[i]) for i, c in enumerate(CLASSES) if counts[i]},
        "ignored": int(counts[255]),
        "depth_histogram": [a - b for a, b in itertools.pairwise((*beyond, 0))],
        "objects": objects(made.scene, g),
    }
    asked_T = np.array([t.asked for t in made.scene.world.things], np.intp)
    if asked_T.any():
        meta["staged"] = np.bincount(asked_T.take(g.owner_N[g.owner_N >= 0]), minlength=asked_T.max() + 1)[1:].tolist()
    return Capture(
        name,
        made.image_HW3,
        jpeg(made.image_HW3, camera.jpeg or 95),
        g.class_N.reshape(h, w),
        g.instance_N.reshape(h, w),
        g.hits.depth_N.reshape(h, w),
        camera_normals(made.scene, g),
        meta,
        flow,
        back,
    )


def _brief(value: Any) -> Any:
    """Numbers short enough to store by the million: 5 decimals, numpy types made plain."""
    kind = type(value)
    if kind is float:  # the most frequent first: a frame has a thousand numbers
        return round(value, 5)
    if kind is int or kind is str or kind is bool:
        return value
    if isinstance(value, dict):
        return {str(k): _brief(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [round(v, 5) if type(v) is float else _brief(v) for v in value]
    if isinstance(value, np.ndarray):
        return _brief(value.tolist())
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.floating):
        return round(float(value), 5)
    return int(value) if isinstance(value, np.integer) else value


def read_facts(path: Path) -> dict[str, Any]:
    """What is written beside a frame.

    Raises:
        UserError: It is damaged.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        fix = "delete it and run the same command again, which draws that frame again"
        raise UserError("this frame's facts cannot be read", path, fix) from None


def meta_json(meta: dict[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(_brief(meta), separators=(",", ":"), default=str)
