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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from simteacher.data.images import DAMAGED, damaged, open_image
from simteacher.errors import UserError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_wide_rgb(path: Path) -> bool:
    """Whether the file is a PNG with 16 bits a channel and at least 3 channels, from its header."""
    return _depth_and_kind(path) in ((16, 2), (16, 6))


def is_wide_grey_with_alpha(path: Path) -> bool:
    """Whether the file is a PNG of 16-bit grey with transparency, whose lower bytes no decoder here gives."""
    return _depth_and_kind(path) == (16, 4)


def _depth_and_kind(path: Path) -> tuple[int, int] | None:
    """Bits a channel and colour type of a PNG (ISO 15948, 11.2.2); None of other files."""
    with path.open("rb") as file:
        head = file.read(26)
    return (head[24], head[25]) if head[:8] == _SIGNATURE and len(head) == 26 else None


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
    assert pixels_HWC.shape[2] == 3 and pixels_HWC.dtype == np.uint16
    scan = _bytes_HB(pixels_HWC)
    rows = np.zeros((len(scan), 1 + scan.shape[1]), np.uint8)  # each row starts with its filter, 0 = none
    rows[:, 1:] = scan
    _save(path, pixels_HWC, zlib.compress(rows.tobytes(), 3))


def write_flat_png(path: Path, pixels_HWC: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write synthetic maps, which are flat, in a third to half of Pillow's time. The caller makes it atomic.

    Every row is stored less the one above, and only runs of the same byte are looked for: Pillow tries all filters.

    Args:
        path: File to write.
        pixels_HWC: 8 or 16 bits, shape (H, W) or (H, W, 3).
    """
    scan = _bytes_HB(pixels_HWC)
    rows = np.full((len(scan), 1 + scan.shape[1]), 2, np.uint8)  # filter 2 = up
    rows[0, 1:] = scan[0]
    np.subtract(scan[1:], scan[:-1], out=rows[1:, 1:])
    pack = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    _save(path, pixels_HWC, pack.compress(rows.tobytes()) + pack.flush())


def _bytes_HB(pixels_HWC: NDArray[Any]) -> NDArray[np.uint8]:
    """Rows of bytes, the upper half of 16 bits first."""
    big = pixels_HWC.astype(pixels_HWC.dtype.newbyteorder(">"), copy=False)
    return np.ascontiguousarray(big).reshape(len(big), -1).view(np.uint8)


def _save(path: Path, pixels_HWC: NDArray[Any], packed: bytes) -> None:
    """Frame packed rows as a PNG."""
    height, width = pixels_HWC.shape[:2]
    kind = 2 if pixels_HWC.ndim == 3 else 0  # RGB or grey
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels_HWC.dtype.itemsize, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    framed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(_SIGNATURE + b"".join(framed))
