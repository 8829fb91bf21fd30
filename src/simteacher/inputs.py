"""What a run works on: recipe -> opened data sets, the label space, the labelled subset.

No label file of the target is opened here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from simteacher.config import Recipe
from simteacher.contradictions import require_data
from simteacher.data.glance import glance
from simteacher.data.open import natural_space, open_dataset
from simteacher.data.read import measured_part, require_finished, require_labels
from simteacher.data.sample import DataSet
from simteacher.data.statistics import fingerprint
from simteacher.errors import UserError
from simteacher.files import read_names
from simteacher.labels import LabelSpace, load_space


@dataclass(frozen=True, slots=True)
class Inputs:
    """The sets of a run.

    Attributes:
        space: Classes to learn.
        source: Labelled synthetic set, or None for supervised training.
        target: Photographs; carries no label path at all.
        labelled: Labelled photographs that the user released with ``labelled``, or None.
    """

    space: LabelSpace
    source: DataSet | None
    target: DataSet
    labelled: DataSet | None

    def by_role(self) -> dict[str, DataSet]:
        """The sets that there are."""
        sets = {"source": self.source, "target": self.target, "labelled": self.labelled}
        return {role: s for role, s in sets.items() if s is not None}

    def fingerprints(self) -> dict[str, str]:
        """One hash a role, of its files, and one of what the classes and the numbers of the labels mean."""
        said = [(role, s.names, s.decode, s.space) for role, s in self.by_role().items()]
        meaning = hashlib.sha256(f"{self.space} {said}".encode()).hexdigest()[:16]
        return {**{role: fingerprint(s) for role, s in self.by_role().items()}, "classes": meaning}

    def images(self) -> dict[str, int]:
        """Number of images of each role."""
        return {role: len(s) for role, s in self.by_role().items()}


def training_split(spec: str, wanted: str | None) -> DataSet:
    """Open a set's named split, or "train" where it has one, else all of it.

    Raises:
        UserError: It cannot be read, has no such split, or is not finished.
    """
    if wanted is not None:
        return require_finished(open_dataset(spec, wanted))
    try:
        return require_finished(open_dataset(spec, "train"))
    except UserError as e:
        if "split" not in e.problem:
            raise
        return require_finished(open_dataset(spec, None))


def choose_labelled(target: DataSet, labelled: int | str, seed: int) -> DataSet:
    """The labelled photographs: ``all``, a number drawn by seed, or the names in a text file.

    Raises:
        UserError: More than there are, an unknown name, or no label files.
    """
    if isinstance(labelled, str) and labelled.isdecimal():
        labelled = int(labelled)
    frames = target.frames
    if isinstance(labelled, int):
        have = len(frames)
        frames = tuple(f for f in frames if f.label is not None) or frames
        if not 1 <= labelled <= len(frames):
            some = f", labels of {len(frames)} of them" if len(frames) < have else ""
            raise UserError(
                f"{labelled} labelled images asked for, the target has {have}{some}",
                "--labelled",
                f"choose 1 to {len(frames)}" + ("" if some else ", or all"),
            )
        order = np.random.default_rng([seed, 5]).permutation(len(frames))[:labelled]
        frames = tuple(frames[i] for i in sorted(order))
    elif labelled != "all":
        path = Path(labelled)
        if not path.is_file():
            raise UserError(
                "neither a number, 'all', nor a file of names", f"--labelled {labelled}", "give one of these"
            )
        by_name = {f.name: f for f in frames}
        frames = tuple(by_name[n] for n in read_names(path, by_name, partial(all_names, target)))
    missing = [f for f in frames if f.label is None or not f.label.is_file()]
    if missing:
        rest = len(frames) - len(missing)
        fix = f"--labelled {rest} takes those that have one" if labelled == "all" and rest else "add the label"
        raise UserError(
            f"{len(missing)} of {len(frames)} labelled images have no label file",
            missing[0].label or missing[0].image,
            f"{fix}, or leave the image out of --labelled",
        )
    return target.subset(frames)


def all_names(dataset: DataSet) -> set[str]:
    """Of the images of all splits."""
    return {f.name for f in open_dataset(f"{dataset.format}:{dataset.root}").frames}


def open_inputs(recipe: Recipe) -> Inputs:
    """Open what a recipe names.

    Raises:
        UserError: No target, neither source nor labels, an unreadable set, a source without labels, or no way to know
            the classes.
    """
    require_data(recipe)
    assert recipe.target is not None
    target = training_split(recipe.target, recipe.target_split)
    source = training_split(recipe.source, None) if recipe.source is not None else None
    if source is not None:
        require_labels(source)
    if recipe.classes != "auto":
        space: LabelSpace | None = load_space(recipe.classes)
    else:
        space = natural_space(target) or (natural_space(source) if source else None)
    if space is None:
        raise UserError(
            "the classes are not known from the data",
            "classes",
            "name a label space: --set classes=cityscapes19, or a YAML file",
        )
    if len(space) < 2:
        what = f"the label space '{space.name}' has one class, so that there is nothing to tell apart"
        raise UserError(what, "classes", "add a class for all else")
    labelled = choose_labelled(target, recipe.labelled, recipe.seed) if recipe.labelled is not None else None
    return Inputs(space, source, target.unlabelled(), labelled)


def open_measured(recipe: Recipe) -> DataSet | None:
    """The labelled photographs that each stage is measured on; their labels are not opened yet.

    Raises:
        UserError: No such set or split, an image of it has no label, or the set is not finished.
    """
    if recipe.eval_data is None:
        return None
    dataset = measured_part(require_finished(open_dataset(recipe.eval_data, recipe.eval_split)))
    require_labels(dataset)
    return dataset


def seen_labels(inputs: Inputs, measured: DataSet) -> int:
    """How many of the measured photographs a run learns from with their labels, by their files."""
    learned = {os.path.realpath(frame.image) for frame in inputs.labelled.frames} if inputs.labelled else set()
    return sum(os.path.realpath(frame.image) in learned for frame in measured.frames)


def measured_print(dataset: DataSet | None) -> dict[str, str]:
    """Fingerprint of what is measured on, as role ``measured``, where there is such a set."""
    return {} if dataset is None else {"measured": fingerprint(dataset)}


def glance_at(recipe: Recipe, inputs: Inputs) -> None:
    """Before hours are spent: make sure that every image of a run can be read.

    Raises:
        UserError: One cannot, or `open_measured` finds a fault.
    """
    sets = (inputs.source, inputs.target, open_measured(recipe))
    glance(s for s in sets if s is not None)
