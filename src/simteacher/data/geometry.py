"""Depth and optical flow, as Virtual KITTI 2 and KITTI store them; `folder` sets use the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simteacher.data.images import DAMAGED, damaged, open_image
from simteacher.data.png16 import read_png16, write_png16

FAR = 65535  # the largest stored depth: this far or nothing there
_FLOW_ZERO, _FLOW_UNITS = 2**15, 64.0  # KITTI development kit 2015: (value - 2^15) / 64 pixels, third channel = valid


def read_depth(path: Path) -> NDArray[np.float32]:
    """Depth in metres, shape (H, W), infinite where nothing was hit. Stored: 16-bit PNG in centimetres.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        with open_image(path) as image:
            stored_HW = np.asarray(image).astype(np.float32)
    except DAMAGED as error:
        raise damaged(path, error) from None
    return np.where(stored_HW >= FAR, np.float32(np.inf), stored_HW / np.float32(100))


def write_depth(path: Path, depth_HW: NDArray[Any]) -> None:
    """Write metres as centimetres; beyond 655.34 m counts as infinite."""
    stored_HW = np.rint(np.nan_to_num(depth_HW, nan=np.inf, posinf=FAR) * 100).clip(0, FAR)
    Image.fromarray(stored_HW.astype(np.uint16)).save(path)


def read_flow(path: Path) -> NDArray[np.float32]:
    """Optical flow of a `folder` or KITTI file: pixels right and down, shape (H, W, 2), NaN where not valid."""
    stored_HWC = read_png16(path).astype(np.float32)
    flow_HWC = (stored_HWC[..., :2] - _FLOW_ZERO) / np.float32(_FLOW_UNITS)
    flow_HWC[stored_HWC[..., 2] == 0] = np.nan
    return flow_HWC


def write_flow(path: Path, flow_HWC: NDArray[Any]) -> None:
    """Write flow in the KITTI form; steps of 1/64 pixel, up to 512 pixels."""
    valid_HW = np.isfinite(flow_HWC).all(axis=2)
    stored_HWC = np.zeros((*valid_HW.shape, 3), np.uint16)
    scaled_HWC = np.rint(np.where(valid_HW[..., None], flow_HWC, 0) * _FLOW_UNITS) + _FLOW_ZERO
    stored_HWC[..., :2] = scaled_HWC.clip(0, 65535)
    stored_HWC[..., 2] = valid_HW
    write_png16(path, stored_HWC)


def read_vkitti2_flow(path: Path) -> NDArray[np.float32]:
    """Flow of Virtual KITTI 2: red and green run over plus and minus the image's width and height, blue is valid."""
    stored_HWC = read_png16(path).astype(np.float32)
    height, width = stored_HWC.shape[:2]
    reach = np.array([width - 1, height - 1], np.float32)
    flow_HWC = (stored_HWC[..., :2] * np.float32(2 / 65535) - 1) * reach
    flow_HWC[stored_HWC[..., 2] == 0] = np.nan
    return flow_HWC
