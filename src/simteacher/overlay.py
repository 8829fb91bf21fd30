"""A photograph painted with the colours of its classes, and what they mean. Used by `predict`, videos and `select`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from simteacher.labels import LabelSpace

U8 = npt.NDArray[np.uint8]

LONG_SIDE = 1920  # pixels; the labels have every pixel
PAINT = 0.55


def overlay(image_HWC: U8, label_HW: U8, space: LabelSpace, side: int = LONG_SIDE) -> Image.Image:
    """The photograph painted with class colours, at most ``side`` pixels long; ignored pixels stay as they are."""
    height, width = label_HW.shape
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    photo = Image.fromarray(image_HWC)
    label = Image.fromarray(label_HW)
    if factor < 1:
        photo, label = photo.resize(size, Image.Resampling.BOX), label.resize(size, Image.Resampling.NEAREST)
    label.putpalette(space.palette_K3().tobytes())
    shown = Image.fromarray(np.where(np.asarray(label) < len(space), round(255 * PAINT), 0).astype(np.uint8))
    return Image.composite(label.convert("RGB"), photo, shown)


def _font(text: str) -> Any:
    """Pillow's own font, whose letters are those of ASCII; for others one of the system's, where one is known."""
    if not text.isascii():
        for name in ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf"):
            with suppress(OSError):
                return ImageFont.truetype(name, 16)
    return ImageFont.load_default(size=16)


def legend(space: LabelSpace) -> Image.Image:
    """The colours of a label space with their names, one class a row."""
    row, edge = 28, 8
    font = _font("".join(space.classes))
    width = max(round(font.getlength(name)) for name in space.classes)
    picture = Image.new("RGB", (width + row + 3 * edge, row * len(space) + 2 * edge), "white")
    draw = ImageDraw.Draw(picture)
    for at, (name, colour) in enumerate(zip(space.classes, space.colors, strict=True)):
        top = edge + at * row
        draw.rectangle((edge, top + 3, edge + row - 1, top + row - 4), fill=colour, outline="gray")
        draw.text((row + 2 * edge, top + row / 2), name, fill="black", font=font, anchor="lm")
    return picture
