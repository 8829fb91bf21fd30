"""Measure a model on labelled images: `simteacher evaluate` and the evaluations inside a run.

In: a model and a labelled data set. Out: IoU by class, their mean, pixel accuracy, all at the labels' own resolution.
A model of another label space is measured through class names; what it calls by a name unknown to the wanted space
counts as wrong.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.ahead import ahead, batches
from simteacher.data import DataSet, Frame, open_dataset, read_image, read_label, require_labels
from simteacher.data.read import kind_of, labelling, measured_part
from simteacher.dense import Reader, read_images
from simteacher.errors import UserError
from simteacher.files import atomic_path
from simteacher.labels import LabelSpace, load_space, lut
from simteacher.memory import keep_freed_memory
from simteacher.metrics import Confusion, Scores
from simteacher.models.store import Model, load
from simteacher.progress import progress, say
from simteacher.typed import typed

U8 = npt.NDArray[np.uint8]

BATCH = 4  # images a forward pass; more is no faster on a CPU
WORST, SHOWN = 6, 4  # photographs kept for the report
LONG_SIDE = 640  # of a kept photograph


class _Told(TypedDict, total=False):
    unnameable: list[str]


class Measured(Scores, _Told):
    """`Scores`, the number of images that they come from, and classes that no label there can show, if named at all."""

    images: int


class Evaluation(Measured):
    """What ``evaluate --json`` prints."""

    split: str | None
    model: str


class _Kept(NamedTuple):
    score: float
    name: str
    image: U8
    pred: U8
    label: U8


@typed
def evaluate(
    model: str | Path | Model,
    data: str | Path | DataSet,
    split: str | None = None,
    classes: str | Path | LabelSpace | None = None,
    views: int | None = None,
) -> Evaluation:
    """Measure a model on a labelled data set.

    Args:
        model: A run folder, a stage of one, a ``model.safetensors`` or a ``.onnx`` file, or a loaded model.
        data: A labelled data set.
        split: The split to measure on; None takes every frame.
        classes: Label space to measure in; None takes the model's own.
        views: How each photograph is read: 1, 2 or 3 views; None: as the model's card says, like `predict`.

    Returns:
        ``{"miou", "pixel_accuracy", "iou": {class: value or None}, "images", "split", "model"}``, values in [0, 1]; and
        ``"unnameable": [class]`` where the model names classes that the set's labels cannot show: their IoU is 0.

    Raises:
        UserError: No such model or data, an image without label, or label values that mean nothing.
    """
    keep_freed_memory()
    loaded = model if isinstance(model, Model) else load(model)
    whole = data if isinstance(data, DataSet) else open_dataset(data, split)
    if len(dataset := measured_part(whole)) < len(whole):
        say(f"{len(dataset)} of {len(whole)} images are measured, those that were corrected")
    space = load_space(classes) if classes is not None else loaded.card.space
    began = time.monotonic()
    scores = evaluate_model(loaded, dataset, space, views=views)
    say(f"{scores['images']} images, {scores['images'] / (time.monotonic() - began):.1f} a second")
    return {**scores, "split": dataset.split or split, "model": str(loaded.path if isinstance(model, Model) else model)}


def evaluate_model(
    model: Reader, dataset: DataSet, space: LabelSpace, keep: Path | None = None, views: int | None = None
) -> Measured:
    """Measure a loaded model.

    Args:
        model: Scores pixels.
        dataset: Every frame needs a label.
        space: Label space to measure in.
        keep: Folder of a stage that gets, for the report, the photographs read worst (``worst/``) and a few evenly
            spaced ones (``samples/``), each with mask and label.
        views: How each photograph is read; None: as the model's card says.

    Raises:
        UserError: An image has no label, or a wrong one; no class of the model is in the space.
    """
    require_labels(dataset)
    if kind_of(dataset) in ("pseudo-labels", "predictions"):
        say(f"{dataset.root}: its labels are a model's: what is measured is agreement with it, not what is right")
    told = list(dict.fromkeys(labelling(dataset).names.values()))
    if told and all(space.index(name) is None for name in told):
        some = ", ".join(told[:4]) + (", ..." if len(told) > 4 else "")
        fix = "give --classes the label space to measure in, or a YAML file with aliases"
        raise UserError(f"none of its classes ({some}) is in {space.name}", dataset.root, fix)
    if dataset.space is not None:  # a numbering of a benchmark has many names that nobody measures
        lost = [name for name in told if space.index(name) is None and not space.leaves_out(name)]
        if lost:
            say(f"not measured, as {space.name} has no such class: {', '.join(lost)}")
    table = class_table(model.card.space, space)
    confusion, worst = Confusion(len(space)), list[_Kept]()
    shown = {dataset.frames[i].name for i in np.linspace(0, len(dataset) - 1, SHOWN).round().astype(int)}

    def read(frame: Frame) -> tuple[Frame, U8, U8]:
        return frame, read_image(frame.image), read_label(dataset, frame, space)

    with progress(len(dataset), "evaluate") as bar:
        images = ahead(dataset.frames, read, 2 * BATCH)
        for batch in batches(images, lambda item: item[1].shape, lambda _: BATCH):
            predictions = read_images(model, [image for _, image, _ in batch], views=views)
            for (frame, image, label), seen in zip(batch, predictions, strict=True):
                pred = table[seen.label_HW]
                one = Confusion(len(space))
                one.update(pred, label)
                confusion.counts_KP += one.counts_KP
                if keep is not None and one.counts_KP.any():
                    this = _Kept(float(np.nanmean(one.iou_K())), frame.name, image, pred, label)
                    worst = sorted([*worst, this], key=lambda k: k.score)[:WORST]
                    if frame.name in shown:
                        _write(keep / "samples", frame.name, this, space)
            bar.advance(len(batch))
    if keep is not None:
        for rank, this in enumerate(worst, 1):
            _write(keep / "worst", f"{rank}-{this.name}", this, space)
    counted = confusion.scores(space)
    named = {space.index(name) for name in told}
    zero = [k for k, name in enumerate(space.classes) if told and counted["iou"][name] == 0]
    miou, accuracy, iou = counted["miou"], counted["pixel_accuracy"], counted["iou"]
    result: Measured = {"miou": miou, "pixel_accuracy": accuracy, "iou": iou, "images": len(dataset)}
    if unnameable := [space.classes[k] for k in zero if k not in named]:
        result["unnameable"] = unnameable
        names = f"{', '.join(unnameable)}; --classes names a space to measure in"
        say(f"0 in the mean, as the model names them and the labels of {dataset.root} cannot: {names}")
    return result


def class_table(of: LabelSpace, to: LabelSpace) -> U8:
    """Index in one space -> index in another, by name; 255 for names that the other does not have. 256 entries.

    Raises:
        UserError: They have no class in common.
    """
    if of.classes == to.classes:
        return np.arange(256, dtype=np.uint8)
    table = lut(dict(enumerate(of.classes)), to.as_learned())
    if (table == 255).all():
        raise UserError(
            f"none of the model's classes ({', '.join(of.classes)}) is in {to.name} ({', '.join(to.classes)})",
            "--classes",
            "choose another label space, or add aliases to a YAML one",
        )
    return table


def _write(folder: Path, name: str, kept: _Kept, space: LabelSpace) -> None:
    """Write photograph, mask and label, scaled down to at most `LONG_SIDE`, in the form of `samples/`."""
    height, width = kept.label.shape
    factor = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    with atomic_path(folder / f"{name}.jpg") as part:
        Image.fromarray(kept.image).resize(size, Image.Resampling.LANCZOS).save(part, quality=88)
    for suffix, plane in (("", kept.pred), ("_label", kept.label)):
        mask = Image.fromarray(plane).resize(size, Image.Resampling.NEAREST)
        mask.putpalette(space.palette_K3().tobytes())
        with atomic_path(folder / f"{name}{suffix}.png") as part:
            mask.save(part)
