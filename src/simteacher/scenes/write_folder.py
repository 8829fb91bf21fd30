"""Frames to a `folder` data set: images, labels, instances, depth, normals, flow, boxes.json.

Depth and flow are stored as `data.geometry` reads them (centimetres; KITTI flow). The third channel of ``flow`` is 1
where the pixel is seen in the next frame, 2 where it is hidden there; ``flow_back`` likewise for the previous frame.
Several processes write at once, and speed counts: so files are written here, and `data.folder` only signs the set.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.data.png16 import write_flat_png, write_png16
from simteacher.files import atomic_path, atomic_write
from simteacher.labels import SPACES
from simteacher.scenes.capture import U8, Capture
from simteacher.scenes.mesh import F32

# zlib: synthetic maps are flat, so that run lengths alone are found faster than matches, and pack them better
_PACK = {"compress_level": 1, "compress_type": zlib.Z_RLE}
MAPS = ("labels", "instances", "depth", "normals")
_PALETTE = SPACES["cityscapes19"].palette_K3().tobytes()


def write(out: Path, c: Capture) -> None:
    """Write one frame; the image comes last, so a frame whose image is there is complete."""
    label = Image.fromarray(c.label_HW)
    label.putpalette(_PALETTE)
    for kind, picture in (("labels", label), ("depth", Image.fromarray(centimetres(c.depth_HW)))):
        with atomic_path(out / kind / f"{c.name}.png") as part:
            picture.save(part, "PNG", **_PACK)
    for kind, pixels in (("instances", c.instance_HW), ("normals", c.normal_HW3)):
        with atomic_path(out / kind / f"{c.name}.png") as part:
            write_flat_png(part, pixels)
    for kind, moved in (("flow", c.flow), ("flow_back", c.back)):
        if moved is not None:
            with atomic_path(out / kind / f"{c.name}.png") as part:
                write_png16(part, flow_pixels(*moved))
    atomic_write(image_path(out, c.name), c.jpeg)


def centimetres(depth_HW: F32) -> npt.NDArray[np.uint16]:
    """Metres to the stored form; 65535 is infinite, and what is farther than 655.34 m is stored as that."""
    return np.where(np.isinf(depth_HW), 65535, np.minimum(np.rint(depth_HW * 100), 65534)).astype(np.uint16)


def flow_pixels(flow_HW2: F32, state_HW: U8) -> npt.NDArray[np.uint16]:
    """Displacements in the KITTI form, 1/64 pixel about 2^15, and the state; beyond 511 pixels they are invalid."""
    out = np.zeros((*state_HW.shape, 3), np.uint16)
    fits = np.abs(flow_HW2).max(2) < 511
    out[..., :2] = np.rint(np.where(fits[..., None], flow_HW2, 0) * 64) + 2**15
    out[..., 2] = np.where(fits, state_HW, 0)
    return out


def image_path(out: Path, name: str) -> Path:
    """Where the picture of a frame is."""
    return out / "images" / f"{name}.jpg"


def files(out: Path, name: str) -> list[Path]:
    """All that a finished frame has, but for flow."""
    return [image_path(out, name), *(out / kind / f"{name}.png" for kind in MAPS)]


def finish(out: Path, names: list[str]) -> None:
    """Join the frames' facts to boxes.json, a frame at a time."""
    with atomic_path(out / "boxes.json") as part, part.open("w", encoding="utf-8") as file:
        file.write('{"frames":{\n')
        for i, name in enumerate(names):
            text = (out / "meta" / f"{name}.json").read_text(encoding="utf-8").strip()
            file.write(f'"{name}":{text}{"," if i + 1 < len(names) else ""}\n')
        file.write("}}\n")
