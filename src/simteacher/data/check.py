"""A data set, or source and target, looked at without training: the `check` command.

Pairs, unreadable and odd files, label values outside the set's numbering, class shares of both sides, classes that the
source lacks, pictures that two splits share. Every file is read once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from simteacher.data.hints import beginning, hints
from simteacher.data.images import IMAGE_SUFFIXES
from simteacher.data.inspect import Seen, inspect
from simteacher.data.layouts import GTA5_MISFITS
from simteacher.data.open import natural_space, open_dataset, open_with_splits
from simteacher.data.read import labelling
from simteacher.data.releases import Labelling
from simteacher.data.sample import DataSet
from simteacher.errors import UserError, nearest
from simteacher.labels import SPACES, LabelSpace, load_space
from simteacher.progress import progress

SAME_BITS = 24  # of 256: fingerprints this close are of one picture


def check(
    data: str | Path, split: str | None = None, target: str | Path | None = None, classes: str | Path | None = None
) -> dict[str, Any]:
    """Look at a data set.

    Args:
        data: ``FORMAT:PATH`` or a path.
        split: One split only; None looks at all of them, and for pictures that they share.
        target: Photographs that a model is to be adapted to. Their labels, where there are any, are counted too.
        classes: Label space to count in; by default the set's own, or the target's.

    Returns:
        ``format, why, split, images, labelled, classes {name: pixels}, ignored`` (pixels) and
        ``problems [{file, problem, fix}]``; also ``space, sizes {WxH: images}, odd {kind: {images, first}}, labels``
        (how these are stored), ``unknown {value: pixels}, unmapped {class name of the set: pixels}`` (those that
        the space says to ignore under ``left_out``; as what training learns some, ``learned_as``), ``hints [text]``,
        ``lacks [{class, why}], shared [[name, name]]`` and, with ``target``, the same for it under ``target``.

    Raises:
        UserError: The set cannot be opened at all.
    """
    dataset = open_dataset(data, split)
    other = open_dataset(target) if target is not None else None
    space = load_space(classes) if classes is not None else (other and natural_space(other)) or natural_space(dataset)
    splits = open_with_splits(data)[1] if split is None else {}
    result = _look(dataset, splits, space, strict=True, whole=split is None)
    if split not in (None, "all"):
        result["splits"] = {split: len(dataset)}
    if other is not None and target is not None:
        result["target"] = _look(other, open_with_splits(target)[1], space, strict=False, whole=True)
        for problem in result["target"].pop("problems"):
            result["problems"].append(problem)
    if space is not None and result["labelled"]:
        own = dataset.root / "dataset.yaml" if dataset.space == space else None  # names its space itself
        result["lacks"], wrong = _lacking(dataset, result, space, Path(classes) if classes is not None else own)
        result["problems"] += wrong
    return result


def _look(
    dataset: DataSet, splits: Mapping[str, set[str]], space: LabelSpace | None, strict: bool, whole: bool
) -> dict[str, Any]:
    """All about one side.

    Args:
        dataset: The frames to look at.
        splits: Split -> names of its frames; empty where not all splits are looked at.
        space: Label space to count in.
        strict: Where some images of a split have labels, all have to.
        whole: These are all frames of the set.
    """
    problems = _described(dataset) if whole else []
    labelled = sum(frame.label is not None for frame in dataset.frames)
    how: Labelling | None = None
    if labelled:
        try:
            how = labelling(dataset)
        except UserError as error:
            problems.append(error)
    seen = _inspect_all(
        dataset, how, _bare(dataset, splits) if strict else {f.name for f in dataset.frames if not f.label}
    )
    problems += [p for s in seen for p in s.problems]
    problems += [*_orphans(dataset), *_doubles(dataset)] if whole else []
    classes, ignored, unmapped, left_out = _count(seen, how, space)
    return {
        "format": dataset.format,
        "why": dataset.why,
        "split": dataset.split,
        "splits": {name: len(names) for name, names in splits.items()},
        "images": len(dataset),
        "labelled": labelled,
        "space": space.name if space else None,
        "labels": (how.why or f"stored as {how.decode}") if how else None,
        "classes": classes,
        "ignored": ignored,
        "unmapped": unmapped,
        "left_out": left_out,
        "learned_as": _learned(unmapped, space),
        "unknown": _sum(s.unknown for s in seen),
        "sizes": dict(Counter(f"{s.size[0]}x{s.size[1]}" for s in seen if s.size).most_common()),
        "odd": _odd(seen),
        "shared": _shared(seen, splits),
        "hints": hints(dataset) if whole else [],
        "problems": [{"file": p.where, "problem": p.problem, "fix": p.fix} for p in problems],
    }


def _described(dataset: DataSet) -> list[UserError]:
    """What is wrong with a set's own description."""
    path, problems = dataset.root / "dataset.yaml", []
    if dataset.meta.get("complete") is False:
        problems.append(
            UserError("the command that writes this set has not finished", path, "run the same command again")
        )
    if gone := dataset.gone:
        what = f"the splits name {len(gone)} image{'s' * (len(gone) > 1)} not to be found, such as {gone[0]}"
        problems.append(UserError(what, path, "put them back, or take their names out"))
    return problems


def _bare(dataset: DataSet, splits: Mapping[str, set[str]]) -> set[str]:
    """Frames that need no label: those of splits in which nothing is labelled, such as Cityscapes' extra frames."""
    labelled = {frame.name for frame in dataset.frames if frame.label}
    return {name for names in splits.values() if not names & labelled for name in names}


def _inspect_all(dataset: DataSet, how: Labelling | None, bare: set[str]) -> list[Seen]:
    """All frames, by threads: decoding leaves the interpreter free. The frames ``bare`` need no label."""
    pool, seen = ThreadPoolExecutor(os.cpu_count() or 1), []
    try:
        with progress(len(dataset), f"read {dataset.root.name}") as bar:
            for one in pool.map(lambda f: inspect(dataset, f, None if f.name in bare else how), dataset.frames):
                seen.append(one)
                bar.advance()
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
    return seen


def _count(
    seen: list[Seen], how: Labelling | None, space: LabelSpace | None
) -> tuple[dict[str, int], int, dict[str, int], dict[str, int]]:
    """Pixels by class of ``space``, ignored pixels; of these by name those of no class of it, those left out."""
    if how is None or space is None:
        return {}, 0, {}, {}
    total = sum((s.pixels for s in seen if s.pixels is not None), np.zeros(len(how.names) + 1, np.int64))
    classes = dict.fromkeys(space.classes, 0)
    unmapped: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for name, pixels in zip(how.names.values(), total, strict=False):
        index = space.index(name)
        if space.leaves_out(name):
            left_out[name] += int(pixels)
        elif index is None:
            unmapped[name] += int(pixels)
        else:
            classes[space.classes[index]] += int(pixels)
    strange = sum(sum(s.unknown.values()) for s in seen)
    ignored = int(total[-1]) + sum(left_out.values()) + sum(unmapped.values()) + strange
    by_name, told = ({name: n for name, n in counts.most_common() if n} for counts in (unmapped, left_out))
    return classes, ignored, by_name, told


def _learned(unmapped: Mapping[str, int], space: LabelSpace | None) -> dict[str, str]:
    """Which of the ignored names training learns, and as which class."""
    if space is None:
        return {}
    found = {name: space.as_learned().index(name) for name in unmapped}
    return {name: space.classes[index] for name, index in found.items() if index is not None}


def _lacking(
    dataset: DataSet, result: Mapping[str, Any], space: LabelSpace, where: Path | None
) -> tuple[list[dict[str, str]], list[dict[str, str | None]]]:
    """Classes that no pixel shows, and names of a label space that are likely misspelt."""
    try:
        own = sorted(set(labelling(dataset).names.values()))
    except UserError:
        return [], []
    reached = {space.index(name) for name in own}
    lacks: list[dict[str, str]] = []
    wrong: list[dict[str, str | None]] = []
    for index, name in enumerate(space.classes):
        if result["classes"].get(name):
            continue
        why = "none of the images shows it" if index in reached else f"the {dataset.format} set has no such class"
        others = [n for n in own if space.index(n) is None and not space.leaves_out(n) and n.lower() != "ignore"]
        hint = nearest(name, others) if index not in reached else ""
        lacks.append({"class": name, "why": why + hint})
    # a built-in space names classes of several sets, so that a name this set does not have is no mistake there
    lost = [name for name in own if space.index(name) is None and not space.leaves_out(name)]
    elsewhere = {n.casefold() for known in SPACES.values() for n in (*known.classes, *known.aliases)}
    for alias in space.aliases if where is not None and space.name not in SPACES else ():
        if alias not in own and alias.casefold() not in elsewhere and (hint := nearest(alias, lost)):
            fix = f"write one of the set's own names: {', '.join(own)}"
            wrong.append(
                {"file": str(where), "problem": f"alias '{alias}' names no class of the set{hint}", "fix": fix}
            )
    return lacks, wrong


def _odd(seen: list[Seen]) -> dict[str, dict[str, Any]]:
    odd: dict[str, dict[str, Any]] = {}
    for one in seen:
        for kind in one.odd:
            entry = odd.setdefault(kind, {"images": 0, "first": str(one.frame.image)})
            entry["images"] += 1
    return odd


def _sum(counts: Iterable[Mapping[int, int]]) -> dict[str, int]:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return {str(value): n for value, n in total.most_common()}


def _shared(seen: list[Seen], splits: Mapping[str, set[str]]) -> list[list[str]]:
    """Pairs of near-identical pictures of different splits."""
    by_split = [
        [s for s in seen if s.frame.name in names and s.fingerprint is not None] for _, names in sorted(splits.items())
    ]
    pairs: list[list[str]] = []
    for i, first in enumerate(by_split):
        hashes = np.array([s.fingerprint for s in first])
        for other in (s for later in by_split[i + 1 :] for s in later):
            if len(hashes):
                differ = np.bitwise_count(hashes ^ other.fingerprint).sum(axis=1)
                pairs += [[first[k].frame.name, other.frame.name] for k in np.flatnonzero(differ <= SAME_BITS)]
    return pairs


def _put_right(label: Path, bare: set[str]) -> str:
    """What to do about a label without image, where ``bare`` images have none."""
    if name := beginning(label.stem, bare):
        return f"rename it to {name}.png if it is the label of {name}, or remove it"
    return "put its image back, or remove it"


def _doubles(dataset: DataSet) -> list[UserError]:
    """Labels that belong to several images, in a `folder` set: foggy versions of a still share its label."""
    images: dict[Path, list[str]] = {}
    for frame in dataset.frames:
        if dataset.format == "folder" and frame.label is not None:
            images.setdefault(frame.label, []).append(frame.image.name)
    return [
        UserError(f"this label belongs to several images, {' and '.join(names)}", label, "name them differently")
        for label, names in images.items()
        if len(names) > 1
    ]


def _orphans(dataset: DataSet) -> list[UserError]:
    """Label files that belong to no image."""
    used = {frame.label for frame in dataset.frames if frame.label}
    folders = {label.parent for label in used}
    inside = {p.name.lower(): p for p in dataset.root.iterdir() if p.is_dir()}
    shown = inside.get("labels", dataset.root / "labels")
    if not used and dataset.format == "folder" and shown.is_dir() and "images" in inside:
        folders = {shown, *(p for p in shown.rglob("*") if p.is_dir())}
    tail = {"cityscapes": "_labelIds.png", "carla": "_labelIds.png"}.get(dataset.format, ".png")
    if dataset.format == "carla" and not any(label.name.endswith(tail) for label in used):
        tail = ".png"
    lost = [p for f in folders for p in f.iterdir() if p.name.endswith(tail) and p not in used]
    if dataset.format == "gta5":  # their images are left out
        lost = [p for p in lost if p.stem not in GTA5_MISFITS]
    if not tail.startswith("_"):  # converters for other tools leave their own labels beside
        lost = [p for p in lost if not p.name.endswith("_labelTrainIds.png")]
    bare = {frame.image.stem for frame in dataset.frames if frame.label is None}
    lost = [p for p in sorted(lost) if not p.name.startswith(".")]
    problems = [UserError("this label has no image", p, _put_right(p, bare)) for p in lost]
    if dataset.format == "folder" and shown.is_dir():
        pictures = sorted(p for p in shown.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        other = [p for p in pictures if p.suffix.lower() != ".png" and not p.name.startswith(".")]
        problems += [UserError("this label is not read: labels are PNG files", p, "store it as PNG") for p in other]
    return problems
