"""A sample sheet: one row an image, one column a stage, with headings. To look at while a translation is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from simteacher.files import atomic_path

U8 = npt.NDArray[np.uint8]

CELL = 240  # height of a picture, in pixels
HEAD = 18
GAP = 4
WIDEST = 16 * CELL  # JPEG ends at 65,500 pixels


def write_sheet(path: Path, rows: list[dict[str, U8]]) -> None:
    """Write pictures in a grid as JPEG.

    Args:
        path: File to write.
        rows: Heading -> RGB (H, W, 3) of any size; the same headings in each row.
    """
    cells = [[_scaled(image_HWC) for image_HWC in row.values()] for row in rows]
    widths = [max(row[column].width for row in cells) for column in range(len(cells[0]))]
    size = (sum(widths) + GAP * (len(widths) + 1), HEAD + (CELL + GAP) * len(cells))
    sheet = Image.new("RGB", size, "white")
    draw, left = ImageDraw.Draw(sheet), GAP
    for column, title in enumerate(rows[0]):
        draw.text((left, 3), title, fill="black")
        for number, row in enumerate(cells):
            sheet.paste(row[column], (left, HEAD + (CELL + GAP) * number))
        left += widths[column] + GAP
    with atomic_path(path) as part:
        sheet.save(part, format="JPEG", quality=88)


def _scaled(image_HWC: U8) -> Image.Image:
    width = min(max(1, round(image_HWC.shape[1] * CELL / image_HWC.shape[0])), WIDEST)
    return Image.fromarray(image_HWC).resize((width, CELL), Image.Resampling.LANCZOS)
