"""Label file in, class indices of any label space out: by name, with every value that has no name reported.

Some sets renumbered their classes between releases. Which one a folder holds is told from a few of its labels, when
the first label is read and not before: an unlabelled target is never looked into.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simteacher.data.images import image_size
from simteacher.data.images import read_image as read_image
from simteacher.data.layouts import expected_label
from simteacher.data.raw import read_raw
from simteacher.data.releases import Labelling, repainted, resolve
from simteacher.data.sample import DataSet, Frame
from simteacher.errors import UserError
from simteacher.labels import IGNORE, LabelSpace

UNKNOWN = 254  # in tables of this module only: a value without a name


@lru_cache(maxsize=64)
def _labelling(
    format: str,
    root: Path,
    decode: str,
    names: tuple[tuple[int, str], ...],
    space: LabelSpace | None,
    probe: tuple[Path, ...],
    opening: int,
) -> Labelling:
    return resolve(decode, dict(names), space, probe, root)


def labelling(dataset: DataSet) -> Labelling:
    """How the labels of ``dataset`` are stored and what their values mean; opens a few of them the first time.

    Raises:
        UserError: The set does not state its classes.
    """
    names = tuple(dataset.names.items())
    key = dataset.format, dataset.root, dataset.decode, names, dataset.space, dataset.probe
    return _labelling(*key, dataset.opening)


@lru_cache(maxsize=16)
def _table(names: tuple[tuple[int, str], ...], space: LabelSpace, size: int) -> NDArray[np.uint8]:
    """Raw id -> class index of ``space``, 255 ignored, 254 unknown."""
    table = np.full(size, UNKNOWN, np.uint8)
    if size <= 65536:
        table[IGNORE] = table[-1] = IGNORE  # -1 and 255 mean ignore in files of any depth
    for raw, name in names:
        if 0 <= raw < size:  # -1 is stored as 255, which is ignored whatever it is called
            index = space.index(name)
            table[raw] = IGNORE if index is None else index
    return table


def _values(raw_HW: NDArray[Any]) -> int:
    """How many values the file could hold."""
    return {1: 256, 2: 65536}.get(raw_HW.dtype.itemsize, 1 << 24)


def map_raw(raw_HW: NDArray[Any], names: Mapping[int, str], space: LabelSpace) -> NDArray[np.uint8]:
    """Class indices of ``space``; 255 ignored, 254 unknown."""
    mapped_HW: NDArray[np.uint8] = _table(tuple(names.items()), space, _values(raw_HW))[raw_HW]
    return mapped_HW


def count_raw(raw_HW: NDArray[Any], names: Mapping[int, str]) -> tuple[NDArray[np.int64], int, dict[int, int]]:
    """Pixels of each of ``names``, pixels to ignore, and those of values without a name (commonest first)."""
    if raw_HW.dtype.itemsize <= 2:
        all_of = np.bincount(raw_HW.ravel())
        values = np.flatnonzero(all_of)
        counts = all_of[values]
    else:
        values, counts = np.unique(raw_HW, return_counts=True)
    pixels = {int(v): int(n) for v, n in zip(values, counts, strict=True)}
    named = np.array([pixels.pop(raw, 0) for raw in names], np.int64)
    size = _values(raw_HW)
    ignored = sum(pixels.pop(v, 0) for v in {IGNORE, size - 1} if size <= 65536)
    return named, ignored, dict(sorted(pixels.items(), key=lambda item: -item[1]))


def unknown_values(raw_HW: NDArray[Any], mapped_HW: NDArray[np.uint8]) -> dict[int, int]:
    """Values without a name and how many pixels hold each, the commonest first."""
    values, counts = np.unique(raw_HW[mapped_HW == UNKNOWN], return_counts=True)
    return {int(values[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")}


def say_values(values: Mapping[int, int], decode: str) -> str:
    """Values and their pixel counts as text; colours as #rrggbb."""
    shown = [f"{f'#{v:06x}' if decode == 'rgb' else v} ({n} pixels)" for v, n in list(values.items())[:5]]
    return ", ".join(shown) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def missing_label(dataset: DataSet, frame: Frame) -> UserError:
    """The error for a frame without label in a labelled set."""
    expected = expected_label(dataset.format, dataset.root, frame.image)
    fix = f"put it at {expected}, or remove the image" if expected else "use a set with labels here"
    if all(frame.label is None for frame in dataset.frames):
        fix += f"; 'simteacher check {dataset.root}' says what else lies there"
    return UserError("this image has no label", frame.image, fix)


def kind_of(dataset: DataSet) -> str:
    """What its description says that made it, such as ``predictions``; empty where it says nothing."""
    origin = dataset.meta.get("origin")  # one written by hand may be a sentence
    return str(origin.get("kind", "")) if isinstance(origin, dict) else ""


def measured_part(dataset: DataSet) -> DataSet:
    """What is measured of a set: all of it, but of one that `handover` read back the images that were corrected."""
    if kind_of(dataset) != "corrected labels":
        return dataset
    frames = tuple(f for f in dataset.frames if f.label is not None)
    return dataset.subset(frames) if frames else dataset


def require_labels(dataset: DataSet) -> None:
    """Make sure that every frame has a label file, without opening any.

    Raises:
        UserError: Names the first image without one and where its label should be.
    """
    bare = [frame for frame in dataset.frames if frame.label is None]
    if bare:
        error = missing_label(dataset, bare[0])
        more = f" ({len(bare)} of {len(dataset)} images have none)" if len(bare) > 1 else ""
        raise UserError(error.problem + more, error.where, error.fix)


def require_finished(dataset: DataSet) -> DataSet:
    """The set; not one that is being written, or whose writing was stopped: what it holds so far is a part.

    Raises:
        UserError: It says itself that it is not finished.
    """
    if dataset.meta.get("complete") is False or _rendering(dataset.root):
        fix = "run the command that writes it again; it goes on where it was stopped"
        raise UserError("this set is not finished", dataset.root, fix)
    return dataset


def _rendering(root: Path) -> bool:
    """Whether a render in another layout, which has no ``dataset.yaml``, says of itself that it is not finished."""
    with suppress(OSError, ValueError):
        origin = json.loads((root / "origin.json").read_text(encoding="utf-8"))
        return isinstance(origin, dict) and origin.get("complete") is False
    return False


def read_label(dataset: DataSet, frame: Frame, space: LabelSpace) -> NDArray[np.uint8]:
    """Read one label.

    Args:
        dataset: The set that the frame belongs to.
        frame: The frame.
        space: The label space wanted.

    Returns:
        Shape (H, W), indices of ``space``, 255 where the class is unknown to it.

    Raises:
        UserError: No label, a damaged one, one of another size than the image, or values that the set does not define.
    """
    if frame.label is None:
        raise missing_label(dataset, frame)
    how = labelling(dataset)
    raw_HW = read_raw(frame.label, how.decode)
    if dataset.space is not None and how.decode == "index":
        error = repainted(frame.label, raw_HW, how.names, dataset.space)
        if error is not None:
            raise error
    label_HW = map_raw(raw_HW, how.names, space)
    if (label_HW == UNKNOWN).any():
        said = say_values(unknown_values(raw_HW, label_HW), how.decode)
        fix = f"the values of a {dataset.format} set are {how.values}; `simteacher check` lists every file that differs"
        raise UserError(f"label values that mean no class: {said}", frame.label, fix)
    size = image_size(frame.image)
    if label_HW.shape[::-1] != size:
        raise size_mismatch(frame, size, label_HW.shape[::-1])
    return label_HW


def size_mismatch(frame: Frame, size: tuple[int, int], label_size: tuple[int, ...]) -> UserError:
    """The error for a label that does not cover its image."""
    # Without the image's name, so that `check` says once what is wrong with a thousand files.
    problem = f"the label is {label_size[0]}x{label_size[1]} pixels, its image {size[0]}x{size[1]}"
    return UserError(problem, frame.label, "replace one of the two, or remove both")


def read_confidence(frame: Frame) -> NDArray[np.uint8]:
    """Confidence of a frame's label, shape (H, W), 0 to 255; 255 everywhere where the set stores none.

    Raises:
        UserError: The file is damaged.
    """
    if frame.confidence is None:
        width, height = image_size(frame.image)
        return np.full((height, width), 255, np.uint8)
    return read_raw(frame.confidence, "index").astype(np.uint8)
