"""`simteacher translate SOURCE TARGET OUT`: a labelled set with the look of photographs, as a `folder` data set.

The labels are the source's own files. The result is a cache: the same call continues it or finds nothing to do, and
other settings are refused. `simteacher adapt --source OUT` trains on it.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from simteacher.ahead import ahead
from simteacher.data.folder import FolderWriter
from simteacher.data.images import image_size, read_image
from simteacher.data.open import open_dataset, parse_spec
from simteacher.data.read import read_label
from simteacher.data.sample import DataSet, Frame
from simteacher.data.statistics import fingerprint
from simteacher.errors import UserError, nearest
from simteacher.inputs import training_split
from simteacher.overlay import overlay
from simteacher.progress import progress, say
from simteacher.translate import colour
from simteacher.translate.agreement import check as check_labels
from simteacher.translate.carry import Carrier, carrier
from simteacher.translate.settings import GanSettings, settle
from simteacher.translate.sheet import write_sheet
from simteacher.typed import typed

LOOK = 1
"""Raised whenever the same settings begin to give other images: sets of two looks are not mixed."""

SHEET_ROWS = 4
BETA = 0.01  # of FDA, the smallest of the published three
GAN_NUMBERS = ("steps", "crop", "height", "channels", "blocks")
SETTINGS: dict[str, tuple[str, ...]] = {
    "color": (),
    "histogram": (),
    "fda": ("beta",),
    "cyclegan": ("budget", *GAN_NUMBERS),
    "cut": ("budget", *GAN_NUMBERS),
}
"""Which settings each method has."""


@typed
def translate(
    source: str | Path,
    target: str | Path,
    out: str | Path,
    method: str = "color",
    *,
    seed: int = 0,
    beta: float | None = None,
    budget: str | None = None,
    steps: int | None = None,
    crop: int | None = None,
    height: int | None = None,
    channels: int | None = None,
    blocks: int | None = None,
    check: str | Path | None = None,
    target_split: str | None = None,
) -> Path:
    """Make the images of a labelled set look like photographs; labels, instances, depth, flow and boxes stay the same.

    Args:
        source: The labelled set; its training split is taken, or all of it where it has none.
        target: The photographs, likewise; their labels, if there are any, are not opened.
        out: Folder to write, a data set. An unfinished one of the same settings is continued.
        method: ``color`` (Reinhard's statistics transfer in Lab), ``histogram``, ``fda``, and, trained first,
            ``cyclegan`` or ``cut``.
        seed: Draws the photograph that an image takes its colours from, and the training's weights and crops.
        beta: Of FDA: half the side of the exchanged square of frequencies, as a share of the image's shorter side.
        budget: Of a training: "small" (default, for a CPU) or "paper" (as published).
        steps: Of a training, instead of the budget's, as are the following.
        crop: Side of the square that a step sees, in pixels.
        height: What the short side of images is scaled to.
        channels: Of the networks' first layer.
        blocks: Residual blocks of the generator.
        check: A model that reads the images before and after; ``check.json`` then says whether the labels still fit.
        target_split: Split of the photographs; training, or all of them, by default.

    Returns:
        ``out``.

    Raises:
        UserError: A set cannot be read, a setting is wrong, or ``out`` holds something else.
    """
    if method not in SETTINGS:
        raise UserError(f"no method '{method}'{nearest(method, SETTINGS)}", "--method", f"use {', '.join(SETTINGS)}")
    if not 0 <= seed < 2**31:
        raise UserError(f"{seed} is no seed", "--seed", f"give 0 to {2**31 - 1}")
    numbers = {"steps": steps, "crop": crop, "height": height, "channels": channels, "blocks": blocks}
    for name, value in {"beta": beta, "budget": budget, **numbers}.items():
        if value is not None and name not in SETTINGS[method]:
            owners = " and ".join(m for m, names in SETTINGS.items() if name in names)
            raise UserError(f"{method} has no {name}, {owners} has", f"--{name}", "leave it out, or choose that method")
        if isinstance(value, int) and value <= 0:
            raise UserError(f"{name} is {value:g}", f"--{name}", "give a number above 0, or leave it out")
    folder = Path(out)
    source, target = str(source), str(target)
    rendered, photographs = training_split(source, None), training_split(target, target_split).unlabelled()
    origin: dict[str, Any] = {
        "made by": "simteacher translate",
        "look": LOOK,
        "method": method,
        "seed": seed,
        "source": _said(source),
        "source files": fingerprint(rendered),
        "target": _said(target),
        "target files": fingerprint(photographs),
    }
    if rendered.meta.get("origin"):
        origin["source made of"] = rendered.meta["origin"]
    training = None
    if method == "fda":
        origin["beta"] = beta = _share(BETA if beta is None else beta)
    elif "budget" in SETTINGS[method]:
        larger, size = max(len(rendered), len(photographs)), image_size(rendered.frames[0].image)
        training = settle(method, budget or "small", numbers, larger, size)
        origin |= training.to_dict()
    carry = carrier(rendered)
    with FolderWriter(folder, carry.space, origin, suffix=".jpg", places=("source", "target")) as writer:
        todo = [frame for frame in rendered.frames if not writer.has(frame.name)]
        if todo:
            translator = _translator(method, rendered, photographs, folder / "translator", seed, beta, training)
            _write(carry, translator, todo, writer)
        else:
            say(f"{folder}: all {len(rendered)} images are there already")
        carry.whole(folder)
    done = open_dataset(f"folder:{folder}")
    if todo or not (folder / "sheet.jpg").is_file():
        _sheet(folder / "sheet.jpg", rendered, photographs, done, None if training else seed)
        say(f"{folder}: {len(done)} images; look at {folder / 'sheet.jpg'}")
    if check is not None:
        check_labels(check, rendered, done, folder / "check.json")
    return folder


def _translator(
    method: str,
    rendered: DataSet,
    photographs: DataSet,
    folder: Path,
    seed: int,
    beta: float | None,
    training: GanSettings | None,
) -> colour.Translator:
    """The function that makes one image out of another; trained first where the method says so."""
    if training is not None:
        from simteacher.translate.gan import trained

        return trained(method, training, rendered, photographs, folder, seed)
    transfers = {"color": colour.reinhard, "histogram": colour.match_histogram}
    transfer = partial(colour.fda, beta=beta) if beta is not None else transfers[method]
    return colour.from_photographs(photographs, seed, transfer)


def _write(carry: Carrier, translator: colour.Translator, todo: list[Frame], writer: FolderWriter) -> None:
    """Translate and write frames; the image of a frame comes last, so a frame whose image is there is complete."""
    with progress(len(carry.dataset), "translate") as bar:
        bar.skip(len(carry.dataset) - len(todo))
        for frame, image_HWC in ahead(todo, lambda frame: (frame, read_image(frame.image)), 2):
            new_HWC = translator(frame.name, image_HWC)
            carry.beside(frame, writer.out)
            writer.add(frame.name, new_HWC, **carry.of(frame))
            bar.advance(note=frame.name)


def _sheet(path: Path, rendered: DataSet, photographs: DataSet, done: DataSet, seed: int | None) -> None:
    """Draw a few images before and after, the photograph that gave the colours, and the labels over the result."""
    rows, count = [], min(SHEET_ROWS, len(done))
    for number in range(count):
        after = done.frames[number * len(done) // count]
        before = next(frame for frame in rendered.frames if frame.name == after.name)
        at = number * len(photographs) // count if seed is None else colour.chosen(photographs, seed, after.name)
        row = {
            "source": read_image(before.image),
            "target": read_image(photographs.frames[at].image),
            "translated": read_image(after.image),
        }
        if done.space is not None and after.label is not None:
            label_HW = read_label(done, after, done.space)
            row["labels over it"] = np.asarray(overlay(row["translated"], label_HW, done.space))
        rows.append(row)
    write_sheet(path, rows)


def _share(beta: float) -> float:
    if not 0 <= beta < 0.5:
        raise UserError(
            f"{beta} is no share of half a side", "--beta", "give 0 to 0.49; published are 0.01, 0.05, 0.09"
        )
    return beta


def _said(spec: str) -> str:
    """A set as the user named it, without what makes no difference."""
    format, root = parse_spec(spec)
    return f"{format}:{os.path.normpath(root)}" if format else os.path.normpath(root)
