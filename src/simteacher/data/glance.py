"""A glance at every image before hours are spent: what cannot be read is named at the start and not in the midst.

Headers are opened and the last bytes looked at, which takes a tenth of a millisecond an image; pixels are decoded only
where the end is missing. `simteacher check` reads everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from simteacher.data.images import open_image, read_image
from simteacher.data.sample import DataSet
from simteacher.errors import UserError

TAIL = 1024  # bytes; some cameras append a few of their own
# A JPEG's pixels never hold the end marker, as every 0xFF in them is followed by a zero (ITU T.81, B.1.1.5).
END = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}


def glance(sets: Iterable[DataSet]) -> None:
    """Look at all images of some sets.

    Raises:
        UserError: Some cannot be read: the first of them, and how many more there are.
    """
    broken = [error for dataset in sets for frame in dataset.frames if (error := _look(frame.image)) is not None]
    if broken:
        first, more = broken[0], len(broken) - 1
        files = f"{more} more file{'s' if more > 1 else ''}"
        also = f"; {files} cannot be read either: `simteacher check` lists all" if more else ""
        raise UserError(first.problem, first.where, f"{first.fix}{also}")


def _look(path: Path) -> UserError | None:
    try:
        with open_image(path) as image:
            end = END.get(image.format or "")
        if end is not None and end not in _tail(path):
            read_image(path)
    except UserError as error:
        return error
    return None


def _tail(path: Path) -> bytes:
    with open(path, "rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - TAIL))
        return f.read()
