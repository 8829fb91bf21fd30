"""Videos, through the optional package `av`: frames in, a video painted with class colours out. Used by `predict`."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simteacher.data import FolderWriter
from simteacher.data.raw import read_raw
from simteacher.dense import Reader, read_images
from simteacher.encode import VideoWriter, package
from simteacher.errors import UserError
from simteacher.files import atomic_path
from simteacher.overlay import overlay
from simteacher.progress import progress, say

U8 = npt.NDArray[np.uint8]

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
BATCH = 4  # frames a forward pass


class Shot(NamedTuple):
    """One frame: RGB (H, W, 3), and when it is shown."""

    image_HWC: U8
    pts: int | None
    time_base: Any


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """A video opened for decoding; what goes wrong inside the block becomes a message about the file.

    Raises:
        UserError: No such file, no video in it, damaged, or `av` is not installed.
    """
    av = package(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError("there is no video in this file", path, "give a video or an image")
            yield container
    except FileNotFoundError:
        raise UserError("no such file", path, "check the spelling of the path") from None
    except av.FFmpegError as error:
        if path.is_file() and not path.stat().st_size:
            raise UserError("the file is empty", path, "copy it again from its source") from None
        fix = "copy it again from its source if it was cut off, or convert it, for example to MP4"
        raise UserError(f"this video cannot be decoded ({error})", path, fix) from error


def read_frames(path: Path) -> Iterator[Shot]:
    """Decode a video, turned upright as its player would."""
    with _open(path) as container:
        for frame in container.decode(container.streams.video[0]):
            turns = round(getattr(frame, "rotation", 0) / 90) % 4
            image = np.rot90(frame.to_ndarray(format="rgb24"), turns)
            yield Shot(np.ascontiguousarray(image), frame.pts, frame.time_base)


def facts(path: Path) -> tuple[int, Any, float]:
    """Number of frames (0 where neither the file nor its duration says it), frames a second as a fraction, seconds."""
    with _open(path) as container:
        stream = container.streams.video[0]
        count, rate = int(stream.frames), stream.average_rate
        if not count and container.duration and rate:
            count = round(container.duration / 1e6 * float(rate))
        length = float((container.duration or 0) / 1e6)
    return count, rate or 25, length


def paint_video(
    model: Reader,
    source: Path,
    target: Path,
    *,
    scale: float = 1.0,
    views: int | None = None,
    writer: FolderWriter | None = None,
    name: str = "",
) -> None:
    """Paint a video with class colours; with ``writer``, also keep each frame, label and confidence in that data set.

    A finished ``target`` is left alone. Frames are called by ``name``, by default the file's; those that the data set
    already has are not predicted again.

    Raises:
        UserError: The video cannot be read, or the disk is full.
    """
    name = name or source.stem
    if writer is not None and target.is_file():
        for path in sorted((writer.out / "images").glob(f"{glob.escape(name)}_*.jpg")):
            writer.has(path.stem)
        return
    shots = enumerate(read_frames(source))
    total, rate, length = facts(source)
    read, until = 0, 0.0
    with progress(total, f"predict {source.name}") as bar, atomic_path(target) as part:
        out: VideoWriter | None = None
        try:
            while batch := list(islice(shots, BATCH)):
                for (_, shot), label in zip(batch, _labels(model, name, batch, scale, views, writer), strict=True):
                    painted = np.asarray(overlay(shot.image_HWC, label, model.card.space))
                    if out is None:
                        out = VideoWriter(part, (painted.shape[1], painted.shape[0]), rate)
                    out.add(painted, shot.pts, shot.time_base)
                    read, until = read + 1, max(until, float((shot.pts or 0) * (shot.time_base or 0)))
                    bar.advance()
        finally:
            if out is not None:
                out.close()
        if out is None:
            raise UserError("this video has no frames", source, "give another one")
    if 0 < until < 0.9 * length - 1 / float(rate):
        say(f"{source}: read up to {until:.1f} of {length:.1f} seconds, {read} frames: the file seems to be cut off")


def _labels(
    model: Reader,
    video: str,
    batch: list[tuple[int, Shot]],
    scale: float,
    views: int | None,
    writer: FolderWriter | None,
) -> list[U8]:
    """Label maps of a few frames: from the data set where it has them, else predicted and kept there."""
    names = [f"{video}_{number:06d}" for number, _ in batch]
    if writer is not None and all(writer.has(name) for name in names):
        return [read_raw(writer.out / "labels" / f"{name}.png", "index").astype(np.uint8) for name in names]
    predictions = read_images(model, [shot.image_HWC for _, shot in batch], scale=scale, views=views)
    if writer is not None:
        for name, (_, shot), seen in zip(names, batch, predictions, strict=True):
            writer.add(name, shot.image_HWC, label=seen.label_HW, confidence=seen.confidence_HW)
    return [seen.label_HW for seen in predictions]
