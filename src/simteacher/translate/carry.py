"""What a translated frame keeps from its source: label, instances, depth, flow, boxes. The image alone changes.

Files of a `folder` set are linked unchanged; other layouts are converted to what a `folder` set stores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simteacher.data.folder import link_file
from simteacher.data.geometry import read_flow, read_vkitti2_flow
from simteacher.data.open import natural_space
from simteacher.data.png16 import is_wide_rgb, read_png16
from simteacher.data.raw import read_raw
from simteacher.data.read import labelling, read_label, require_labels
from simteacher.data.sample import DataSet, Frame
from simteacher.labels import LabelSpace

Array = NDArray[Any]
KINDS = ("confidence", "instances", "depth", "flow")
BESIDE = ("normals", "flow_back")  # of renders; `Frame` does not know them
BOXES = "boxes.json"


@dataclass(frozen=True)
class Carrier:
    """How the frames of one set are carried over.

    Attributes:
        dataset: The source.
        space: Label space of the written labels; None where the source has no labels.
        kinds: Other maps that every frame has.
    """

    dataset: DataSet
    space: LabelSpace | None
    kinds: tuple[str, ...]

    def of(self, frame: Frame) -> dict[str, Any]:
        """Arguments of `FolderWriter.add` besides name, image and split.

        Raises:
            UserError: A label cannot be read, or means no class.
        """
        kept = {kind: _map(self.dataset.format, kind, getattr(frame, kind)) for kind in self.kinds}
        if self.space is not None and frame.label is not None:
            kept["label"] = frame.label if self._as_they_are else read_label(self.dataset, frame, self.space)
        return kept

    @property
    def _as_they_are(self) -> bool:
        """Whether the label files are what a `folder` set stores: indices of its space."""
        return self.dataset.decode == "folder" and labelling(self.dataset).decode == "index"

    def beside(self, frame: Frame, out: Path) -> None:
        """Link the maps of a rendered frame that `Frame` does not know."""
        for kind in BESIDE if self.dataset.format == "folder" else ():
            path = self.dataset.root / kind / f"{frame.name}.png"
            if path.is_file():
                link_file(path, out / kind / path.name)

    def whole(self, out: Path) -> None:
        """Link what concerns all frames: the boxes."""
        path = self.dataset.root / BOXES
        if self.dataset.format == "folder" and path.is_file():
            link_file(path, out / BOXES)


def carrier(source: DataSet) -> Carrier:
    """How to carry over what ``source`` has.

    Raises:
        UserError: Some frames have a label and others have none, or nothing says which classes the labels hold.
    """
    labelled = any(frame.label is not None for frame in source.frames)
    if labelled:
        require_labels(source)
        labelling(source)
    kinds = tuple(kind for kind in KINDS if all(getattr(frame, kind) is not None for frame in source.frames))
    return Carrier(source, natural_space(source) if labelled else None, kinds)


def _map(format: str, kind: str, path: Path) -> Array | Path:
    """A map as `FolderWriter.add` takes it: the file where it is stored alike, else its content."""
    convert = _CONVERT.get((format, kind))
    return path if convert is None else convert(path)


def _cityscapes_instances(path: Path) -> Array:
    """24 and up to 33 are class ids of what has no instances; objects are class id * 1000 + number."""
    ids_HW = read_raw(path, "index")
    return np.where(ids_HW >= 1000, ids_HW, 0).astype(np.uint16)


def _kitti_instances(path: Path) -> Array:
    """Class id * 256 + number, 0 for what has no instances."""
    ids_HW = read_raw(path, "index").astype(np.uint16)
    return np.where(ids_HW % 256 > 0, ids_HW, 0).astype(np.uint16)


def _synthia_depth(path: Path) -> Array:
    """Centimetres, repeated in three channels."""
    stored_HW = read_png16(path)[..., 0] if is_wide_rgb(path) else read_raw(path, "index")
    return np.where(stored_HW >= 65535, np.inf, stored_HW / 100).astype(np.float32)


_CONVERT: dict[tuple[str, str], Callable[[Path], Array]] = {
    ("cityscapes", "instances"): _cityscapes_instances,
    ("kitti", "instances"): _kitti_instances,
    ("kitti", "flow"): read_flow,
    ("synthia", "depth"): _synthia_depth,
    ("vkitti2", "flow"): read_vkitti2_flow,
}
