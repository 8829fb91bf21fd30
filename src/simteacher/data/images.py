"""Image file in, 8-bit RGB array out, whatever the file holds; damaged files are named. Used by all that reads."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from simteacher.errors import UserError
from simteacher.files import user_error

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm")
UNREAD_SUFFIXES = (
    ".heic", ".heif", ".avif", ".jxl", ".gif", ".dng", ".cr2", ".cr3", ".nef", ".arw",
    ".raf", ".rw2", ".orf", ".jp2", ".jfif", ".jpe", ".pgm",
)  # fmt: skip

# What Pillow raises on damaged files, by format and by place of the damage.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

# EXIF orientations whose picture is turned by 90 degrees
_TURNED = (5, 6, 7, 8)
_ORIENTATION = 0x0112


def open_image(path: Path) -> Image.Image:
    """Open an image file without decoding its pixels.

    Raises:
        UserError: The file is missing, empty or no image.
    """
    try:
        return Image.open(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise UserError("this link leads nowhere", path, "put its file back, or remove the link") from None
        raise UserError("no such file", path, "put the file back or take its name out of the set") from None
    except UnidentifiedImageError:
        what = "the file is empty" if path.stat().st_size == 0 else "this is no image that can be read"
        kind = path.suffix.lower()
        fix = "replace or remove the file" if kind in IMAGE_SUFFIXES else "name images, or a folder of images"
        raise UserError(what, path, "convert it to JPEG or PNG" if kind in UNREAD_SUFFIXES else fix) from None
    except DAMAGED as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> UserError:
    """The error for a file whose pixels cannot be decoded, or that the system does not let us read."""
    if isinstance(error, OSError) and error.errno:
        return user_error(error, path)
    if isinstance(error, Image.DecompressionBombError):
        return UserError("the image has more pixels than can be read at once", path, "cut it up, or scale it down")
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"the image is truncated or damaged ({said})", path, "copy it again from its source, or remove it")


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture as RGB.

    EXIF rotation is applied; grey, palette and CMYK become RGB; alpha is dropped; 16 bits keep their upper 8.

    Args:
        path: Any image file that Pillow reads.

    Returns:
        Pixels, shape (H, W, 3), 0 to 255.

    Raises:
        UserError: The file is missing, unreadable or truncated.
    """
    path = Path(path)
    image = open_image(path)
    try:
        with image:
            turned = ImageOps.exif_transpose(image) if _ORIENTATION in image.getexif() else image
            if turned.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
                return _wide_grey(np.asarray(turned), path)
            if turned.mode == "P" and "transparency" in turned.info:
                turned = turned.convert("RGBA")
            return np.asarray(turned if turned.mode == "RGB" else turned.convert("RGB"))
    except DAMAGED as error:
        raise damaged(path, error) from None


def _wide_grey(grey_HW: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    """16-bit grey, which Pillow would clip instead of scale, as 8-bit RGB."""
    if grey_HW.dtype.kind == "f" or grey_HW.min() < 0 or grey_HW.max() > 65535:
        raise UserError(
            "the image holds numbers that are no 8- or 16-bit pixels", path, "save it as an 8-bit PNG or JPEG"
        )
    return np.repeat((grey_HW.astype(np.uint16) >> 8).astype(np.uint8)[..., None], 3, axis=2)


def image_size(path: str | Path) -> tuple[int, int]:
    """(width, height) in pixels after EXIF rotation, from the header alone.

    Raises:
        UserError: The file is missing or no image.
    """
    with open_image(Path(path)) as image:
        width, height = image.size
        if isinstance(image, TiffImageFile):  # whose size Pillow has turned already, in some releases
            width, height = int(image.tag_v2[IMAGEWIDTH]), int(image.tag_v2[IMAGELENGTH])
        try:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
        except DAMAGED:  # a broken EXIF block says nothing about the pixels
            turned = False
    return (height, width) if turned else (width, height)
