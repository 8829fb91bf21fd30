"""The sheet of `select`: one HTML file with the chosen photographs, the model's reading, its doubt, and the reasons."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simteacher.data import read_image
from simteacher.dense import Reader, read_images
from simteacher.files import atomic_write
from simteacher.overlay import overlay
from simteacher.page import page
from simteacher.selection import Choice

SIDE = 420  # pixels of a picture on the sheet
MOST = 60  # pictures shown; the names file has all


def write_sheet(path: Path, model: Reader, choices: Sequence[Choice], data: str, total: int) -> None:
    """Write the sheet.

    Args:
        path: HTML file.
        model: Looks at the chosen photographs once more.
        choices: In their order.
        data: What the user called the set.
        total: Photographs in it.
    """
    cards = [_card(model, choice) for choice in choices[:MOST]]
    space = model.card.space
    colours = {name: "#{:02x}{:02x}{:02x}".format(*c) for name, c in zip(space.classes, space.colors, strict=True)}
    content = page("select.html.j2", cards=cards, chosen=len(choices), data=data, total=total, colours=colours)
    atomic_write(path, content)


def _card(model: Reader, choice: Choice) -> dict[str, Any]:
    image = Image.fromarray(read_image(choice.frame.image))
    factor = min(1.0, 2 * SIDE / max(image.size))
    image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    seen = read_images(model, [np.asarray(image)])[0]
    painted = overlay(np.asarray(image), seen.label_HW, model.card.space, SIDE)
    doubt = Image.fromarray(np.round(255 * (1 - seen.confidence_HW)).astype(np.uint8)).resize(painted.size)
    photo = image.resize(painted.size, Image.Resampling.LANCZOS)
    return {"choice": choice, "photo": _uri(photo), "painted": _uri(painted), "doubt": _uri(doubt)}


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
