"""One frame in, everything that `check` wants to know about it out: nothing raised, everything noted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simteacher.data.images import DAMAGED, open_image, read_image
from simteacher.data.png16 import is_wide_rgb
from simteacher.data.raw import read_raw
from simteacher.data.read import count_raw, missing_label, say_values, size_mismatch
from simteacher.data.releases import Labelling, repainted
from simteacher.data.sample import DataSet, Frame
from simteacher.errors import UserError

HASH = 16  # bits a side of a picture's fingerprint
_ORIENTATION = 0x0112


@dataclass
class Seen:
    """What one frame holds.

    Attributes:
        size: (width, height) of the image, None where it cannot be read.
        odd: How the image differs from plain 8-bit RGB, all of it dealt with when reading.
        pixels: Pixels by position in the set's names, the ignored last; None where there is no readable label.
        unknown: Label values without a name, with their counts.
        fingerprint: 256 bits that stay almost the same when a picture is scaled, compressed or brightened.
    """

    frame: Frame
    size: tuple[int, int] | None = None
    odd: tuple[str, ...] = ()
    pixels: NDArray[np.int64] | None = None
    unknown: dict[int, int] = field(default_factory=dict)
    fingerprint: NDArray[np.uint64] | None = None
    problems: list[UserError] = field(default_factory=list)


def inspect(dataset: DataSet, frame: Frame, how: Labelling | None) -> Seen:
    """Read one frame and its label.

    Args:
        dataset: The set of the frame.
        frame: The frame.
        how: How the labels are stored; None where the set has none.
    """
    seen = Seen(frame)
    try:
        seen.odd = _oddities(frame)
        image_HWC = read_image(frame.image)
        seen.size, seen.fingerprint = (image_HWC.shape[1], image_HWC.shape[0]), fingerprint(image_HWC)
    except UserError as error:
        seen.problems.append(error)
    if how is not None:
        try:
            _inspect_label(dataset, seen, how)
        except UserError as error:
            seen.problems.append(error)
    return seen


def _inspect_label(dataset: DataSet, seen: Seen, how: Labelling) -> None:
    frame = seen.frame
    if frame.label is None:
        raise missing_label(dataset, frame)
    raw_HW = read_raw(frame.label, how.decode)
    if dataset.space is not None and how.decode == "index":
        seen.problems += filter(None, [repainted(frame.label, raw_HW, how.names, dataset.space)])
    named, ignored, seen.unknown = count_raw(raw_HW, how.names)
    seen.pixels = np.append(named, ignored)
    if seen.unknown:
        said = say_values(seen.unknown, how.decode)
        fix = f"the values of this set are {how.values}"
        if dataset.format == "folder" and how.decode != "rgb":
            one = next(iter(seen.unknown))
            fix += f"; say under `ids` in {dataset.root / 'dataset.yaml'} what the others mean, such as {one}: ignore"
        seen.problems.append(UserError(f"label values that mean no class: {said}", frame.label, fix))
    if seen.size is not None and raw_HW.shape[::-1] != seen.size:
        error = size_mismatch(frame, seen.size, raw_HW.shape[::-1])
        if "EXIF rotation" in seen.odd and raw_HW.shape == seen.size:
            error = UserError(error.problem, error.where, "the image carries an EXIF rotation: rotate the label alike")
        seen.problems.append(error)


def _oddities(frame: Frame) -> tuple[str, ...]:
    odd = []
    with open_image(frame.image) as image:
        if image.mode in ("I", "I;16", "I;16B", "I;16L") or (image.format == "PNG" and is_wide_rgb(frame.image)):
            odd.append("16 bits")
        if image.mode in ("RGBA", "LA", "PA"):
            odd.append("alpha channel")
        if image.mode in ("L", "LA", "1", "I", "I;16"):
            odd.append("grey")
        if image.mode in ("P", "PA"):
            odd.append("palette")
        if image.mode == "CMYK":
            odd.append("CMYK")
        try:
            if image.getexif().get(_ORIENTATION, 1) != 1:
                odd.append("EXIF rotation")
        except DAMAGED:
            odd.append("broken EXIF data")
    return tuple(odd)


def fingerprint(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Difference hash of a picture, 256 bits as 4 numbers: whether brightness rises between the cells of a grid.

    Krawetz, "Kind of Like That" (2013), with 16x16 instead of 8x8 cells. On street photographs the same picture scaled,
    compressed and brightened differs in at most 20 bits, another photograph in 76 and more.
    """
    grey = Image.fromarray(image_HWC).convert("L").resize((HASH + 1, HASH), Image.Resampling.BOX)
    cells = np.asarray(grey)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).view(np.uint64)
