"""Read photographs and videos with a model: `simteacher predict MODEL INPUT OUT`.

In: an image, a folder, a glob, a data set or a video. Out: a `folder` data set whose labels are palette PNGs of class
indices, with ``confidence/`` and, to look at, ``overlays/`` and ``legend.png``; of a video a painted video too. What is
done already is skipped, so an interrupted call is simply repeated; files that cannot be read are told at the end.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simteacher.ahead import ahead, batches
from simteacher.data import FolderWriter, Frame, open_dataset, read_image
from simteacher.data.folder import LEGEND
from simteacher.data.hints import unread
from simteacher.data.images import IMAGE_SUFFIXES
from simteacher.data.layouts import list_files, unique_names
from simteacher.data.open import FORMATS
from simteacher.dense import Prediction, Reader, read_images, read_one, require_views, working_size
from simteacher.errors import UserError, one_of
from simteacher.files import atomic_path, atomic_write, disk_errors
from simteacher.memory import keep_freed_memory
from simteacher.models.store import Model, load
from simteacher.overlay import legend, overlay
from simteacher.progress import progress, say
from simteacher.shipped import arguments, origin_of, whereabouts
from simteacher.typed import typed
from simteacher.video import VIDEO_SUFFIXES, paint_video

U8 = npt.NDArray[np.uint8]

BATCH_PIXELS = 1_000_000  # of photographs that share a forward pass


@typed
def predict(
    model: str | Path | Model,
    input: str | Path | None = None,
    out: str | Path | None = None,
    *,
    scale: float = 1.0,
    views: int | None = None,
) -> Path:
    """Label every pixel of photographs or of a video; ``predict("photo.jpg")`` with the tool's own teacher.

    Args:
        model: A run folder, a stage of one, a ``model.safetensors`` or a ``.onnx`` file, ``street``, or a loaded model.
        input: An image, a folder with the folders below it, a glob, a data set (``FORMAT:PATH``) or a video. Names are
            kept. Where it is left out, the only word is the input, and ``street`` reads it.
        out: Folder to write, a `folder` data set; for one video also a video file, then only that is written.
            ``runs/predict/NAME`` where it is left out.
        scale: 1 sees things as large as in training, 2 twice as close: slower, finer.
        views: 3 averages with two closer views, 2 with the first of them; 1 takes a seventh of the time and mostly
            reads less well. None: as the model's card says.

    Returns:
        ``out``.

    Raises:
        UserError: No such model or input, or ``out`` holds something else; a damaged file, after all others were read.
    """
    if not 0.05 <= scale <= 20:  # not so either where it is no number
        raise UserError(f"{scale:g} is no scale to read at", "--scale", "give 0.05 to 20; 1 is as in training")
    require_views(views)
    model, input, folder = arguments("predict", model, input, out)
    keep_freed_memory()
    loaded = model if isinstance(model, Model) else load(model)
    pictures, videos = find_inputs(input)
    for hint in unread(Path(input).expanduser()):
        say(hint)
    if folder.suffix.lower() in VIDEO_SUFFIXES:
        if pictures or len(videos) != 1:
            raise UserError("a video file is written from one video only", folder, "name a folder to write")
        if folder.exists() and folder.samefile(videos[0]):
            raise UserError("the painted video would take the place of its source", folder, "name another file")
        paint_video(loaded, videos[0], folder, scale=scale, views=views)
        return folder
    views = loaded.card.views if views is None else views
    place = whereabouts(str(input), origin_of(folder).get("input"))
    origin = {"kind": "predictions", "model": weights_id(loaded), "input": place, "scale": scale, "views": views}
    with FolderWriter(folder, loaded.card.space, origin, suffix=".jpg") as writer:
        if not (folder / LEGEND).is_file():
            with atomic_path(folder / LEGEND) as part:
                legend(loaded.card.space).save(part)
        clips = _clips(videos, Path(input), {frame.name for frame in pictures})
        forget_changed(folder, {frame.name: frame.image for frame in pictures}, dict(clips))
        damaged = predict_frames(loaded, pictures, writer, scale=scale, views=views)
        for name, video in clips:
            target = folder / "overlays" / f"{name}.mp4"
            try:
                paint_video(loaded, video, target, scale=scale, views=views, writer=writer, name=name)
            except UserError as error:
                if error.where != str(video):  # what cannot be written, say
                    raise
                damaged.append(error)
        if damaged:
            raise one_of(damaged)
    return folder


def predict_image(model: Reader, image_HWC: U8, *, scale: float = 1.0, views: int | None = None) -> Prediction:
    """Class and confidence of every pixel of one photograph (uint8 RGB, any size)."""
    return read_one(model, image_HWC, scale=scale, views=views)


def predict_frames(
    model: Reader, frames: Sequence[Frame], writer: FolderWriter, *, scale: float, views: int | None
) -> list[UserError]:
    """Predict photographs into an open data set, skipping those that are complete.

    Returns:
        What is wrong with those that cannot be read.
    """
    overlays = writer.out / "overlays"
    damaged: list[UserError] = []

    def readable(items: Iterable[tuple[Frame, U8 | UserError]]) -> Iterator[tuple[Frame, U8]]:
        for frame, image in items:
            if isinstance(image, UserError):
                damaged.append(image)
            else:
                yield frame, image

    def room(item: tuple[Frame, U8]) -> int:  # as the network sees it: small photographs are enlarged
        height, width = working_size(item[1].shape[0], item[1].shape[1], model.card.size, scale)
        return BATCH_PIXELS // max(height * width, 1)

    todo = [f for f in frames if not (writer.has(f.name) and (overlays / f"{f.name}.jpg").is_file())]
    with progress(len(frames), "predict") as bar:
        bar.skip(len(frames) - len(todo))
        for batch in batches(readable(ahead(todo, _try_to_read, 2)), lambda item: item[1].shape, room):
            predictions = read_images(model, [image for _, image in batch], scale=scale, views=views)
            for (frame, image), seen in zip(batch, predictions, strict=True):
                with atomic_path(overlays / f"{frame.name}.jpg") as part:
                    overlay(image, seen.label_HW, model.card.space).save(part, quality=88)
                writer.add(frame.name, frame.image, label=seen.label_HW, confidence=seen.confidence_HW)
                bar.advance(note=frame.name)
    return damaged


def _try_to_read(frame: Frame) -> tuple[Frame, U8 | UserError]:
    try:
        return frame, read_image(frame.image)
    except UserError as error:
        return frame, error


def weights_id(model: Model) -> str:
    """Name and hash of a model's weights: predictions of another model are not mixed into an unfinished folder."""
    with open(model.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
    return f"{model.path.parent.name}/{model.path.name} sha256:{digest.hexdigest()[:16]}"


def find_inputs(input: str | Path) -> tuple[list[Frame], list[Path]]:
    """Photographs and videos that an argument means.

    A folder means what it means as a data set: its images, or those of all folders below it; and the videos in it.

    Raises:
        UserError: Nothing there.
    """
    text, path = str(input), Path(input).expanduser()
    if not text:
        raise UserError("the input is empty", "predict", "give an image, a folder, a pattern in quotes, or a video")
    if text.partition(":")[0] in FORMATS and ":" in text and not path.exists():
        return list(open_dataset(text).frames), []
    if path.is_file():
        files, root = [path], path.parent
    elif path.is_dir():
        videos = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.name[0] != ".")
        if videos and not any(f.lower().endswith(IMAGE_SUFFIXES) for f in list_files(path)):
            return [], videos
        return list(open_dataset(path).frames), videos
    elif any(c in text for c in "*?["):
        files = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())
        root = Path(*[part for part in path.parts[: next(i for i, p in enumerate(path.parts) if set(p) & set("*?["))]])
        if not files:
            raise UserError("no file matches this pattern", text, "quote it, check it with ls; [ and ] are part of it")
    else:
        raise UserError("no such file or folder", text, "give an image, a folder, a pattern in quotes, or a video")
    videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES]
    return [Frame(name, p) for name, p in _named([p for p in files if p not in videos], root)], videos


def _clips(videos: Sequence[Path], root: Path, taken: set[str]) -> list[tuple[str, Path]]:
    """Videos and the names of their frames' beginnings, which no photograph has."""
    clips = []
    for name, video in _named(videos, root):
        frames = re.compile(re.escape(name) + r"_\d{6}")
        clips.append((f"{name}_{video.suffix[1:].lower()}" if any(map(frames.fullmatch, taken)) else name, video))
    return clips


def forget_changed(folder: Path, pictures: Mapping[str, Path], clips: Mapping[str, Path]) -> None:
    """Remove what was read in files that are others by now: of another size or time.

    Args:
        folder: The predictions; ``inputs.json`` in it keeps size and time of every input.
        pictures: Photographs by name.
        clips: Videos by the beginning of their frames' names.
    """
    kept = folder / "inputs.json"
    try:
        before = dict(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        before = {}
    now = {}

    def changed(key: str, path: Path) -> bool:
        now[key] = f"{path.stat().st_size} {path.stat().st_mtime_ns}"
        return bool(before.get(key, now[key]) != now[key])

    with disk_errors(folder):
        for name, path in pictures.items():
            if changed(name, path):
                _forget(folder, name, path.suffix)
        for name, path in clips.items():
            if changed(f"video {name}", path):
                for frame in (folder / "images").glob(f"{glob.escape(name)}_{6 * '[0-9]'}.jpg"):
                    _forget(folder, frame.stem, ".jpg")
                (folder / "overlays" / f"{name}.mp4").unlink(missing_ok=True)
    atomic_write(kept, json.dumps({**before, **now}, indent=0))


def _forget(folder: Path, name: str, suffix: str) -> None:
    """Remove one frame."""
    for file in (f"labels/{name}.png", f"confidence/{name}.png", f"overlays/{name}.jpg"):
        (folder / file).unlink(missing_ok=True)
    for end in {suffix, suffix.lower(), ".jpg"}:
        (folder / "images" / f"{name}{end}").unlink(missing_ok=True)


def _named(files: Sequence[Path], root: Path) -> list[tuple[str, Path]]:
    """Files with their stem as name; their path, too, where stems repeat. No name begins with a dot."""
    paths = [(p.relative_to(root) if p.is_relative_to(root) else p).as_posix().lstrip("/.") for p in files]
    names = unique_names([(path, p.stem.lstrip(".") or "_") for p, path in zip(files, paths, strict=True)])
    return list(zip(names, files, strict=True))
