"""Label file in, raw ids out, exactly as stored. How a file stores them is its data set's ``decode``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simteacher.data.images import DAMAGED, damaged, open_image
from simteacher.data.png16 import is_wide_grey_with_alpha, is_wide_rgb, read_png16
from simteacher.errors import UserError

CHANNELS = "save class numbers, one channel of 8 bits; colours are read where the label space lists them"


def label_mode(path: Path) -> str:
    """Pillow's mode of a label file, from its header; ``RGB;16`` for 16-bit colour, which Pillow calls RGB."""
    with open_image(path) as image:
        mode = image.mode
    return "RGB;16" if mode in ("RGB", "RGBA") and is_wide_rgb(path) else mode


def palette(path: Path) -> dict[int, tuple[int, int, int]]:
    """Colours of a palette picture by number; empty for others."""
    with open_image(path) as image:
        flat = image.getpalette("RGB") if image.mode == "P" else None
    return {k: (c[0], c[1], c[2]) for k, c in enumerate(zip(*[iter(flat or ())] * 3, strict=False))}


def read_raw(path: Path, decode: str) -> NDArray[Any]:
    """Raw ids of a label file.

    Args:
        path: The label file.
        decode: ``index`` (one channel, 8 or 16 bits, palette numbers as such), ``red`` (the first of three channels,
            8 or 16 bits), or ``rgb`` (colours, packed into one number a pixel).

    Returns:
        Shape (H, W), uint8, uint16 or (for ``rgb``) int32.

    Raises:
        UserError: The file is missing, truncated or stores something else.
    """
    with open_image(path) as image:
        if decode != "rgb" and image.mode in ("RGB", "RGBA") and is_wide_rgb(path):  # Pillow gives the upper bytes
            wide_HWC = read_png16(path)
            if decode == "red" or (wide_HWC[..., :3] == wide_HWC[..., :1]).all():
                return np.ascontiguousarray(wide_HWC[..., 0])
            raise UserError("the label is a colour picture, not class numbers", path, CHANNELS)
        if image.mode in ("LA", "RGBA") and is_wide_grey_with_alpha(path):
            raise UserError("16-bit grey with transparency would lose its lower bits", path, CHANNELS)
        try:
            return _decode(image, decode, path)
        except DAMAGED as error:
            raise damaged(path, error) from None


def _decode(image: Image.Image, decode: str, path: Path) -> NDArray[Any]:
    if decode == "rgb":
        rgb_HWC = np.asarray(image.convert("RGB")).astype(np.int32)
        return rgb_HWC[..., 0] << 16 | rgb_HWC[..., 1] << 8 | rgb_HWC[..., 2]
    tiles = getattr(image, "tile", None)  # of files that are not decoded yet
    stored = str(tiles[0][3]) if tiles else ""
    raw = np.asarray(image)
    if image.mode == "L":  # Pillow spreads grey of 2 and 4 bits over 8
        return raw // {"L;2": 85, "L;4": 17}.get(stored, 1)
    if image.mode == "P":
        return raw
    if image.mode == "1":
        return raw.astype(np.uint8)
    if image.mode in ("I", "I;16", "I;16B", "I;16L") and raw.min() >= 0 and raw.max() <= 65535:
        return raw.astype(np.uint16)
    if raw.ndim == 3 and raw.dtype == np.uint8:
        # grey pictures are often saved with three equal channels
        if decode == "red" or raw.shape[2] == 2 or (raw[..., :3] == raw[..., :1]).all():
            return np.ascontiguousarray(raw[..., 0])
        raise UserError("the label is a colour picture, not class numbers", path, CHANNELS)
    raise UserError(f"a label cannot be stored as {image.mode}", path, "save class numbers, one channel of 8 bits")
