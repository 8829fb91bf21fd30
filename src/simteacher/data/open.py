"""``FORMAT:PATH`` or ``PATH`` in, `DataSet` out: the first step of every command on data. Opens no image or label."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

from simteacher.data.dataset_yaml import read_dataset_yaml
from simteacher.data.images import UNREAD_SUFFIXES
from simteacher.data.layouts import (
    GTA5_MISFITS,
    SPECS,
    SPLIT_ALIASES,
    Match,
    folded,
    list_files,
    match,
    split_name,
    splits_of,
    stills,
)
from simteacher.data.numbering import NATURAL
from simteacher.data.sample import DataSet
from simteacher.errors import UserError, nearest
from simteacher.labels import SPACES, LabelSpace

FORMATS = ("cityscapes", "gta5", "synthia", "kitti", "vkitti2", "carla", "camvid", "folder")
ALL = "all"  # the split that means every frame, like None
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_PROBES = 8
_OPENINGS = count(1)


def parse_spec(spec: str | Path) -> tuple[str | None, Path]:
    """Split ``FORMAT:PATH`` into its parts; the format is None where only a path is given.

    Raises:
        UserError: The format is unknown.
    """
    text = str(spec)
    head, colon, rest = text.partition(":")
    if not (rest if colon and head in FORMATS else text).strip():
        raise UserError("no path is given", f"'{text}'", "name a folder; is a variable unset?")
    if colon and head in FORMATS:
        return head, Path(rest).expanduser()
    # a drive letter, and paths that really hold a colon, are paths
    if colon and len(head) > 1 and "/" not in head and not Path(text).expanduser().exists():
        raise UserError(f"no data format '{head}'{nearest(head, FORMATS)}", text, f"use one of {', '.join(FORMATS)}")
    return None, Path(text).expanduser()


def open_dataset(spec: str | Path | DataSet, split: str | None = None) -> DataSet:
    """Open a data set.

    Args:
        spec: ``FORMAT:PATH``, or a path whose layout is recognised. One that is open already stays what it is.
        split: The split to take; None or ``all`` takes every frame, as does ``train`` where a set has no splits.

    Returns:
        The set; its ``why`` says how the layout was recognised.

    Raises:
        UserError: Unknown format, no such path, no images of that format, or no such split.
    """
    if isinstance(spec, DataSet):
        if split not in (None, ALL, spec.split):
            raise UserError("a set that is open has its split already", spec.root, f"open it with split={split!r}")
        return spec
    if not isinstance(spec, str | Path):
        raise UserError(f"a {type(spec).__name__} is no data set", "data", "give FORMAT:PATH, a path, or an open set")
    return _select(open_with_splits(spec), split)


def open_with_splits(spec: str | Path) -> tuple[DataSet, dict[str, set[str]]]:
    """The whole set, and the names of the frames of each split. Arguments and errors as of `open_dataset`."""
    wanted, root = parse_spec(spec)
    if not root.exists():
        raise UserError("no such folder", root, "check the spelling; relative paths start where the command was called")
    if not root.is_dir():
        raise UserError("this is a file, a data set is a folder", root, "name the folder that holds it")
    files = list_files(root)
    if wanted in (None, "folder") and "dataset.yaml" in files:
        return _open_described(root, files)
    found = _recognise(wanted, root, files)
    spec_, why = found.spec, found.spec.why
    why = f"read as {spec_.format} as told: {why}" if wanted else f"recognised as {spec_.format}: {why}"
    frames = found.frames
    if spec_.format == "gta5":
        frames = tuple(pair for pair in frames if pair[0].name not in GTA5_MISFITS)
        if len(frames) < len(found.frames):
            why += f"; left out {len(found.frames) - len(frames)} frames known to differ in size from their labels"
    if spec_.format == "kitti":  # the second picture of a flow pair has no labels where the first has
        first = {frame.name for frame, _ in frames if frame.label is not None}
        frames = tuple(
            p for p in frames if p[0].label or not p[0].name.endswith("_11") or p[0].name[:-1] + "0" not in first
        )
    if spec_.format == "cityscapes" and (beside := len(files) - len(stills(files))):
        why += f"; left out {beside} video frames or foggy and rainy versions of stills that are there"
    coco = next((f for f in files if f.startswith("annotations/") and f.endswith(".json")), None)
    if coco and not found.labelled:
        why += f"; {coco}, COCO's masks of some things, is no label of every pixel and not read"
    dataset = DataSet(
        spec_.format, root, None, tuple(f for f, _ in frames), dict(spec_.names), decode=spec_.decode, why=why
    )
    return _with_probe(dataset), {s: {f.name for f, p in frames if p == s} for s in splits_of(found)}


def _recognise(wanted: str | None, root: Path, files: list[str]) -> Match:
    """The row of the table that fits ``files`` best, among those of the wanted format."""
    found = _rows(wanted, root, files) if wanted else []
    if found:
        return max(found, key=lambda m: m.labelled)  # among equals the first
    for kind in dict.fromkeys(spec.format for spec in SPECS):
        fits = [m for m in _rows(kind, root, files) if (m.spec.tells or m.labelled) and not m.spec.asked]
        if not fits:
            continue
        if wanted:
            layouts = " or ".join(spec.why for spec in SPECS if spec.format == wanted)
            what = f"holds no images in the layout of {wanted}, where {layouts}"
            raise UserError(what, root, f"it looks like {kind}: {fits[0].spec.why}")
        return max(fits, key=lambda m: m.labelled)
    what = "holds no images" if files else "the folder is empty"
    fix = "name a folder with images (jpg, png, webp, bmp, tif or ppm)"
    if archive := next((f for f in files if f.lower().endswith(ARCHIVES)), None):
        fix = f"unpack what is there, such as {archive}"
    if other := next((f for f in files if f.lower().endswith(UNREAD_SUFFIXES)), None):
        fix = f"convert what is there, such as {other}, to JPEG or PNG"
    raise UserError(what, root, fix)


def _rows(kind: str, root: Path, files: list[str]) -> list[Match]:
    """What the rows of one format find, those that find something."""
    matches = (match(spec, root, files) for spec in SPECS if spec.format == kind)
    return [m for m in matches if m.frames]


def _open_described(root: Path, files: list[str]) -> tuple[DataSet, dict[str, set[str]]]:
    """A `folder` set that brings its ``dataset.yaml``."""
    described = read_dataset_yaml(root)
    found = match(next(spec for spec in SPECS if spec.format == "folder"), root, files)
    if not found.frames:
        raise UserError("there is a dataset.yaml, but images/ is empty or missing", root, "put the images into images/")
    frames = tuple(f for f, _ in found.frames)
    names = {f.name for f in frames}
    splits, gone = _listed(described.splits, names)
    splits = splits or {s: {f.name for f, p in found.frames if p == s} for s in splits_of(found)}
    why = "recognised as folder: it has a dataset.yaml"
    if gone:
        # a bad image may be taken out without editing lists
        images = "1 image" if len(gone) == 1 else f"{len(gone)} images"
        why += f"; of what its splits name {images} cannot be found"
    if described.meta.get("complete") is False:
        why += "; the command that writes it has not finished"
    dataset = DataSet(
        "folder",
        root,
        None,
        frames,
        described.names,
        described.space,
        described.decode,
        why,
        meta=described.meta,
        gone=tuple(gone),
    )
    return _with_probe(dataset), splits


def _listed(splits: dict[str, list[str] | None], names: set[str]) -> tuple[dict[str, set[str]], list[str]]:
    """Split -> names of its frames; and what is listed and not there.

    A frame may be listed as ``train/a``, too, and with its accents taken apart, as Macs do.
    """
    composed = {folded(name): name for name in names}
    found: dict[str, set[str]] = {}
    gone: list[str] = []
    for split, listed in splits.items():
        found[split] = set(names) if listed is None else set()
        for said in listed or ():
            bare = (said.removeprefix(f"{prefix}__") for prefix in (split, *SPLIT_ALIASES))
            tried = (said, *bare, composed.get(folded(said), ""), f"{split}__{said}", f"images__{split}__{said}")
            name = next((n for n in tried if n in names), None)
            gone += [said] if name is None else []
            found[split] |= {name} if name is not None else set()
    return found, sorted(set(gone))


def _with_probe(dataset: DataSet) -> DataSet:
    labels = [f.label for f in dataset.frames if f.label]
    step = max(1, len(labels) // _PROBES)
    return replace(dataset, probe=tuple(labels[::step][:_PROBES]), opening=next(_OPENINGS))


def _select(opened: tuple[DataSet, dict[str, set[str]]], split: str | None) -> DataSet:
    """Keep the frames of one split."""
    dataset, splits = opened
    wanted = split_name(split or ALL)
    if wanted == ALL or (wanted == "train" and not splits):
        only = next(iter(splits)) if len(splits) == 1 else None
        return replace(dataset, split=only)
    if split in splits:
        wanted = split
    if wanted not in splits:
        known = list(splits) or ["train"]
        raise UserError(
            f"no split '{split}'{nearest(str(split), known)}", dataset.root, f"the set has {', '.join(sorted(known))}"
        )
    frames = tuple(f for f in dataset.frames if f.name in splits[wanted])
    if not frames:
        raise UserError(
            f"none of the images listed as {wanted} is there", dataset.root, "correct the names, or leave it out"
        )
    return replace(dataset, split=wanted, frames=frames)


def natural_space(dataset: DataSet) -> LabelSpace | None:
    """The label space that a set states or that its format is usually read in."""
    return dataset.space or (SPACES[NATURAL[dataset.format]] if dataset.format in NATURAL else None)
