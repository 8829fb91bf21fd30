"""16-bit RGB PNG in and out: SYNTHIA's labels, KITTI's and Virtual KITTI's optical flow.

Pillow reads such files without a word as their upper 8 bits, which makes a SYNTHIA label all zeros. Its decoder has
the other half too: told that the bytes come in the other order it delivers the lower 8 bits, so two passes give all 16
at C speed and without another library (torchvision's decoder does as much, but is deprecated). No library here writes
such files, but a writer is a few lines.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from simteacher.data.images import DAMAGED, damaged, open_image
from simteacher.errors import UserError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_wide_rgb(path: Path) -> bool:
    """Whether the file is a PNG with 16 bits a channel and at least 3 channels, from its header."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == _SIGNATURE and len(head) == 26 and head[24] == 16 and head[25] in (2, 6)


def read_png16(path: Path) -> NDArray[np.uint16]:
    """All 16 bits of a colour PNG.

    Returns:
        Shape (H, W, 3), 0 to 65535.

    Raises:
        UserError: The file is missing, truncated or holds 8 bits.
    """
    image = open_image(path)
    with image:
        if not is_wide_rgb(path):
            raise UserError("16 bits a channel were expected, this has 8", path, "use the set's original file")
    upper, lower = (_bytes(path, order).astype(np.uint16) for order in "BL")
    pixels_HWC: NDArray[np.uint16] = upper * np.uint16(256) + lower
    return pixels_HWC


def _bytes(path: Path, order: str) -> NDArray[np.uint8]:
    """The upper bytes if decoded in the file's order (``B``, big end first), the lower ones in the other (``L``)."""
    try:
        with Image.open(path) as image:
            assert isinstance(image, PngImageFile)
            image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
            return np.asarray(image)[..., :3]
    except DAMAGED as error:
        raise damaged(path, error) from None


def write_png16(path: Path, pixels_HWC: NDArray[np.uint16]) -> None:
    """Write 16-bit RGB. The caller makes it atomic.

    Args:
        path: File to write.
        pixels_HWC: Shape (H, W, 3), 0 to 65535.
    """
    height, width, channels = pixels_HWC.shape
    assert channels == 3 and pixels_HWC.dtype == np.uint16
    rows = np.zeros((height, 1 + width * 6), np.uint8)  # each row starts with its filter, 0 = none
    rows[:, 1:] = pixels_HWC.astype(">u2").reshape(height, -1).view(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 3)), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(_SIGNATURE + b"".join(packed))
