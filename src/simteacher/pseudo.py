"""A model labels photographs: augmented views -> one confidence map -> a threshold -> a `folder` set of pseudo-labels.

In: a model and an unlabelled set. Out: labels (IGNORE where the model is not sure), confidences, per-class thresholds
and coverage.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.config import PseudoLabels
from simteacher.data.folder import FolderWriter
from simteacher.data.hints import unread
from simteacher.data.images import read_image
from simteacher.data.open import open_dataset
from simteacher.data.sample import IGNORE, DataSet, Frame
from simteacher.data.statistics import fingerprint
from simteacher.dense import CLOSER, Reader, probabilities
from simteacher.dense import VIEWS as READ
from simteacher.errors import UserError, one_of
from simteacher.files import alone, atomic_path, atomic_write, disk_errors, part_of, sole_writer
from simteacher.labels import LabelSpace
from simteacher.memory import keep_freed_memory
from simteacher.predict import weights_id
from simteacher.progress import progress, say
from simteacher.prototypes import weighed
from simteacher.shipped import arguments
from simteacher.typed import typed

if TYPE_CHECKING:
    from simteacher.models.store import Model

_CHOOSES = ("files", "portion", "select", "threshold", "floor")
"""Of a set's origin, what says which photographs and pixels are in it, and not how they are read."""

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

# (scale, mirrored) of each view. The first three are those that `read_images` takes.
VIEWS = ((1.0, False), *CLOSER, (1.0, True), (1.5, False), (1.25, True))


def combine(views_VKHW: Iterable[F32], how: str) -> tuple[U8, U8]:
    """Merge the class probabilities of several views of one image.

    Args:
        views_VKHW: Probabilities of each view, moved back to the image's geometry.
        how: "max": at each pixel the class of the most confident view (the source's maximum-confidence map);
            "mean": the class of the mean probability.

    Returns:
        Label (H, W) and confidence (H, W), 0..255.
    """
    label: U8 | None = None
    best: F32 | None = None
    total: F32 | None = None
    count = 0
    for p_KHW in views_VKHW:
        count += 1
        if how == "mean":
            total = p_KHW.copy() if total is None else total + p_KHW
            continue
        top, which = p_KHW.max(0), p_KHW.argmax(0).astype(np.uint8)
        if best is None or label is None:
            best, label = top, which
        else:
            label, best = np.where(top > best, which, label), np.maximum(top, best)
    if how == "mean":
        assert total is not None
        total /= count
        best, label = total.max(0), total.argmax(0).astype(np.uint8)
    assert best is not None and label is not None
    return label, np.round(np.clip(best, 0, 1) * 255).astype(np.uint8)


def look(model: Reader, image_HWC: U8, views: int, how: str) -> tuple[U8, U8]:
    """Label and confidence (0..255) of one photograph from ``views`` augmented views."""
    if how == "mean" and views <= READ:  # then in fewer windows
        return combine([probabilities(model, image_HWC, views=views)], how)

    def one(scale: float, mirrored: bool) -> F32:
        p = probabilities(model, image_HWC[:, ::-1] if mirrored else image_HWC, scale=scale)
        return p[..., ::-1] if mirrored else p

    return combine((one(*VIEWS[v % len(VIEWS)]) for v in range(views)), how)


def thresholds(histogram_KC: npt.NDArray[np.int64], how: PseudoLabels, portion: float) -> npt.NDArray[np.int64]:
    """Least confidence (0..255) at which a pixel of each class is kept, shape (K,).

    Args:
        histogram_KC: Pixels by predicted class and confidence, (K, 256).
        how: ``threshold``: one value for all. ``balanced``: the value above which lies at least ``portion`` of the
            class's own pixels (class-balanced self-training, Zou et al. 2018), never under ``floor``.
        portion: Share of each class to keep.
    """
    classes = len(histogram_KC)
    if how.select == "threshold":
        return np.full(classes, int(np.ceil(how.threshold * 255)), np.int64)
    from_top = np.cumsum(histogram_KC[:, ::-1], 1)[:, ::-1]  # pixels with at least this confidence
    wanted = portion * histogram_KC.sum(1, keepdims=True)
    level = (from_top >= np.maximum(wanted, 1)).sum(1) - 1  # highest confidence that still keeps enough
    level[~histogram_KC.any(1)] = 255  # never answered: a student's averaged network has to be quite sure of it
    return np.asarray(np.maximum(level, int(np.ceil(how.floor * 255))), np.int64)


def label_dataset(
    model: Reader, dataset: DataSet, out: Path, how: PseudoLabels, portion: float, origin: dict[str, Any]
) -> dict[str, Any]:
    """Label every frame of a set and write the result as a `folder` data set; continues where it was stopped.

    Returns:
        ``{"coverage", "mean_confidence", "class_share": {name: share of kept pixels}, "predicted_share": {…},
        "thresholds": {…}}``.
    """
    space = model.card.space
    summary, raw = out / "pseudo.json", out / ".raw"
    writer = _writer(out, space, origin, how, portion)
    told = _told(summary)
    if told is not None and all([writer.has(frame.name) for frame in dataset.frames]):
        shutil.rmtree(raw, ignore_errors=True)
        return told
    with disk_errors(raw):
        if writer.chosen_anew:
            _forget_changed(raw, dataset, keep=not how.prototypes)
        raw.mkdir(parents=True, exist_ok=True)
    if how.prototypes:
        model = weighed(model, dataset, raw, how.prototypes, how.threshold)
    histogram = np.zeros((len(space), 256), np.int64)
    frames = progress(dataset.frames, f"label {out.parent.name}" if out.name == "pseudo" else "label")
    for label, confidence in _read_all(model, frames, raw, how):
        np.add.at(histogram, (label.ravel(), confidence.ravel()), 1)
    level_K = thresholds(histogram, how, portion)
    table_K = np.append(level_K, np.zeros(256 - len(level_K), np.int64))
    kept = np.zeros(len(space), np.int64)
    for frame in dataset.frames:
        if not writer.has(frame.name):
            label, confidence = _split(raw / f"{frame.name}.png")
            sure = confidence >= table_K[label]
            writer.add(
                frame.name,
                image=frame.image,
                label=np.where(sure, label, IGNORE).astype(np.uint8),
                confidence=confidence,
            )
    writer.close()
    for c in range(len(space)):
        kept[c] = histogram[c, level_K[c] :].sum()
    total = histogram.sum()
    result = {
        "coverage": float(kept.sum() / total),
        "mean_confidence": float((histogram.sum(0) * np.arange(256)).sum() / total / 255),
        "class_share": {n: float(kept[i] / max(kept.sum(), 1)) for i, n in enumerate(space.classes)},
        "predicted_share": {n: float(histogram[i].sum() / total) for i, n in enumerate(space.classes)},
        "thresholds": {n: float(level_K[i] / 255) for i, n in enumerate(space.classes)},
    }
    atomic_write(summary, json.dumps(result, indent=1))
    shutil.rmtree(raw)
    return result


def _told(summary: Path) -> dict[str, Any] | None:
    """What `label_dataset` returned of a finished set; None where there is none, or its record is damaged."""
    try:
        told = json.loads(summary.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _forget_changed(raw: Path, dataset: DataSet, keep: bool) -> None:
    """Remove what a call for other photographs or thresholds has read, but, with ``keep``, of unchanged ones."""
    images = {f"{frame.name}.png": frame.image for frame in dataset.frames}
    for path in raw.glob("*"):
        image = images.get(path.name)
        if not keep or image is None:
            path.unlink()
            continue
        changed = max(image.stat().st_ctime_ns, image.lstat().st_ctime_ns)  # a link may lead to another file by now
        if changed >= path.stat().st_mtime_ns:
            path.unlink()


def _writer(out: Path, space: LabelSpace, origin: dict[str, Any], how: PseudoLabels, portion: float) -> FolderWriter:
    """The set at ``out``; refuses that of another model, set or selection."""
    said = {**origin, **how.model_dump(mode="json"), "portion": portion}
    return FolderWriter(out, space, said, chooses=_CHOOSES, places=("data",) if "files" in origin else ())


def read_part(
    model: Reader, dataset: DataSet, out: Path, how: PseudoLabels, part: tuple[int, int], quiet: bool | None = None
) -> None:
    """Read every so many-th frame of a set, for a `label_dataset` that then finds all of them read.

    Args:
        model: Scores pixels.
        dataset: The whole set.
        out: As of `label_dataset`.
        how: Likewise.
        part: (number from 0, of how many): of several processes, each with another number.
        quiet: Show no progress; by default all but the first do not.
    """
    if (out / "pseudo.json").is_file():
        return
    with disk_errors(out):
        (out / ".raw").mkdir(parents=True, exist_ok=True)
    if how.prototypes:
        model = weighed(model, dataset, out / ".raw", how.prototypes, how.threshold)
    number, parts = part
    frames = progress(
        [f for f in dataset.frames[number::parts] if not (out / ".raw" / f"{f.name}.png").is_file()],
        f"label, part {number + 1} of {parts}",
        quiet=bool(number) if quiet is None else quiet,
    )
    for _ in _read_all(model, frames, out / ".raw", how):
        pass


def _read_all(model: Reader, frames: Iterable[Frame], raw: Path, how: PseudoLabels) -> Iterator[tuple[U8, U8]]:
    """Label and confidence of every frame; what cannot be read is told when all others are read and kept.

    Raises:
        UserError: Some photographs cannot be read, or a file cannot be written.
    """
    damaged: list[UserError] = []
    for frame in frames:
        try:
            yield _raw(model, frame, raw / f"{frame.name}.png", how)
        except UserError as error:
            if error.where != str(frame.image):  # the disk is full, say
                raise
            damaged.append(error)
    if damaged:
        raise one_of(damaged)


def _raw(model: Reader, frame: Frame, path: Path, how: PseudoLabels) -> tuple[U8, U8]:
    """Label and confidence before any threshold, from the kept file where there is one."""
    if path.is_file():
        return _split(path)
    label, confidence = look(model, read_image(frame.image), how.views, how.combine)
    with atomic_path(path) as part:
        Image.fromarray(np.concatenate([label, confidence])).save(part, format="PNG", compress_level=1)
    return label, confidence


def _split(path: Path) -> tuple[U8, U8]:
    both = np.asarray(Image.open(path))
    half = len(both) // 2
    return both[:half], both[half:]


@typed
def label(
    model: str | Path | Model,
    data: str | Path | DataSet | None = None,
    out: str | Path | None = None,
    split: str | None = None,
    portion: float | None = None,
    threshold: float | None = None,
    part: str | None = None,
) -> dict[str, Any]:
    """Label a data set's photographs with a model; the result is a `folder` data set with confidence.

    Args:
        model: Run folder, stage of one, ``model.safetensors`` or ``.onnx``, ``street``, which comes with the tool, or a
            loaded model.
        data: The photographs; their labels, if there are any, are not opened. Where it is left out, the only word is
            the data, and ``street`` labels it.
        out: Folder to write; ``runs/label/NAME`` where it is left out.
        split: Which of the set's splits.
        portion: Share of each class's pixels to keep, the most confident first; the rest is IGNORE. 1 by default.
        threshold: One confidence for all classes instead.
        part: ``"2/4"``: only read the second of four shares of the photographs, for machines that write to one folder.
            When all shares are there, the same call without it finishes the set.

    Returns:
        As `label_dataset`; nothing with ``part``.

    Raises:
        UserError: Model or data cannot be read, or ``out`` holds other files.
    """
    from simteacher.models.store import Model, load

    if portion is not None and threshold is not None:
        raise UserError("a portion and a threshold are given", "--threshold", "leave one of them out")
    for flag, value in (("--portion", portion), ("--threshold", threshold)):
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"{value:g} is no share", flag, "give a number from 0 to 1")
    portion = 1.0 if portion is None else portion
    said = f"{data.format}:{data.root}" if isinstance(data, DataSet) else data
    model, said, folder = arguments("label", model, said, out)
    data = data if isinstance(data, DataSet) else said
    keep_freed_memory()
    loaded = model if isinstance(model, Model) else load(model)
    dataset = open_dataset(data, split).unlabelled()
    for hint in unread(dataset.root):
        say(hint)
    how = PseudoLabels() if threshold is None else PseudoLabels(select="threshold", threshold=threshold)
    files = fingerprint(dataset)  # of a set that grew, the new photographs would have no labels
    origin = {"kind": "pseudo-labels", "model": weights_id(loaded), "data": said, "split": split, "files": files}
    share = None if part is None else part_of(part)
    with sole_writer(folder, shared=share is not None):
        if share is None:
            told = label_dataset(loaded, dataset, folder, how, portion, origin)
            say(f"{folder}: written; {told['coverage']:.0%} of the pixels are labelled, the rest is ignored")
            return told
        with alone(folder):  # the shares begin at the same time
            _writer(folder, loaded.card.space, origin, how, portion)
        read_part(loaded, dataset, folder, how, share, quiet=False)
    say(f"{folder}: part {part} is done; when all are, the same command without --part finishes the set")
    return {}
