"""Frames in the Cityscapes layout, as cityscapesscripts reads it.

``leftImg8bit``, ``gtFine`` with labelIds, labelTrainIds, instanceIds and color, and ``camera``.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.files import atomic_path, atomic_write
from simteacher.labels import SPACES
from simteacher.scenes.capture import U8, Capture
from simteacher.scenes.classes import LABEL_ID

CITY, SPLIT = "simteacher", "train"
KINDS = ("labelIds", "labelTrainIds", "instanceIds", "color")
_IDS = np.zeros(256, np.uint8)  # 0 is "unlabeled"
_IDS[: len(LABEL_ID)] = LABEL_ID


def label_ids(label_HW: U8) -> U8:
    """cityscapes19 indices to Cityscapes labelIds."""
    out: U8 = _IDS[label_HW]
    return out


def stored_image(c: Capture) -> Image.Image:
    """The picture as the camera stored it: its compression stays visible in a PNG."""
    with Image.open(io.BytesIO(c.jpeg)) as image:
        image.load()
        return image


def stem(name: str) -> str:
    """``00001_0007`` (clip and frame) or ``000123`` -> ``simteacher_000001_000007``."""
    clip, _, frame = name.rpartition("_")
    return f"{CITY}_{int(clip or 0):06d}_{int(frame):06d}"


def image_path(out: Path, name: str) -> Path:
    """Where the picture of a frame is."""
    return out / "leftImg8bit" / SPLIT / CITY / f"{stem(name)}_leftImg8bit.png"


def files(out: Path, name: str) -> list[Path]:
    """All that a finished frame has."""
    return [image_path(out, name), _camera_path(out, name), *(_fine(out, name, kind) for kind in KINDS)]


def _fine(out: Path, name: str, kind: str) -> Path:
    return out / "gtFine" / SPLIT / CITY / f"{stem(name)}_gtFine_{kind}.png"


def _camera_path(out: Path, name: str) -> Path:
    return out / "camera" / SPLIT / CITY / f"{stem(name)}_camera.json"


def write(out: Path, c: Capture) -> None:
    """Write one frame."""
    color = np.concatenate(
        [SPACES["cityscapes19"].palette_K3()[c.label_HW], np.full((*c.label_HW.shape, 1), 255, np.uint8)], 2
    )
    maps: tuple[npt.NDArray[Any], ...] = (label_ids(c.label_HW), c.label_HW, c.instance_HW, color)
    pictures = {_fine(out, c.name, kind): Image.fromarray(m) for kind, m in zip(KINDS, maps, strict=True)}
    pictures[image_path(out, c.name)] = stored_image(c)
    for path, picture in pictures.items():
        with atomic_path(path) as part:
            picture.save(part, "PNG", compress_level=1)
    atomic_write(_camera_path(out, c.name), json.dumps(camera(c), indent=1))


def camera(c: Capture) -> dict[str, Any]:
    """Calibration in the form of Cityscapes' camera.json: metres and radians, vehicle axes x forward, y left, z up.

    There is one camera, so the baseline is 0; its place and angles are those in the world.
    """
    k, pose = np.array(c.meta["camera"]["intrinsics"]), np.array(c.meta["camera"]["camera_to_world"])
    ahead, right = pose[:3, 2], pose[:3, 0]
    x, y, z = (float(v) for v in pose[:3, 3])
    return {
        "extrinsic": {
            "baseline": 0.0,
            "pitch": float(np.arcsin(-ahead[2])),
            "roll": float(np.arcsin(np.clip(-right[2] / max(np.hypot(ahead[0], ahead[1]), 1e-9), -1, 1))),
            "yaw": float(np.arctan2(ahead[1], ahead[0])),
            "x": x,
            "y": y,
            "z": z,
        },
        "intrinsic": {"fx": float(k[0, 0]), "fy": float(k[1, 1]), "u0": float(k[0, 2]), "v0": float(k[1, 2])},
    }


def finish(out: Path, names: list[str]) -> None:
    """Nothing to join: each frame has its own files."""
