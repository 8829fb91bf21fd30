"""The `folder` layout: ``dataset.yaml`` in, and the writer of everything that the tool writes as data.

``images/<name>.<jpg|png>``, ``labels/<name>.png`` and, where they exist, ``instances/ depth/ flow/ confidence/``.
``dataset.yaml``::

    version: 1
    space: cityscapes19           # or a YAML file beside it, or {name, classes, aliases, learned_as}
    ids: {7: road, 8: sidewalk}   # only where labels hold other numbers than the positions of the classes; or a file
    splits: {train: [a, b], val: [c]}   # or {train: all}
    origin: {...}                 # where the data came from
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simteacher.data.images import IMAGE_SUFFIXES
from simteacher.data.layouts import split_name
from simteacher.errors import UserError, nearest
from simteacher.labels import SPACES, LabelSpace, load_space, space_from_dict
from simteacher.yaml_once import read_yaml

YAML = "dataset.yaml"
VERSION = 1
KEYS = ("version", "space", "ids", "splits", "images", "sizes", "origin", "complete")


@dataclass(frozen=True)
class Described:
    """What a ``dataset.yaml`` says. A split of None means every image."""

    space: LabelSpace | None
    names: dict[int, str]
    decode: str
    splits: dict[str, list[str] | None]
    meta: dict[str, Any] = field(default_factory=dict)


def read_dataset_yaml(root: Path) -> Described:
    """Read and check ``dataset.yaml``.

    Raises:
        UserError: It is no YAML map, or one of its entries is wrong.
    """
    path = root / YAML
    meta = read_yaml(path) or {}
    if not isinstance(meta, dict):
        raise UserError("this is no map of keys", path, f"write keys: {', '.join(KEYS)}")
    for key in meta:
        # keys of a later version pass, misspelt ones do not
        if key not in KEYS and (hint := nearest(str(key), KEYS)):
            raise UserError(f"unknown key '{key}'{hint}", path, f"the keys are {', '.join(KEYS)}")
    if isinstance(meta.get("version"), int) and meta["version"] > VERSION:
        raise UserError(f"written by a later release (version {meta['version']})", path, "update simteacher")
    space = _space(meta.get("space"), path)
    ids = _ids(meta.get("ids"), path)
    names = ids or dict(enumerate(space.classes if space else ()))
    return Described(space, names, "index" if ids else "folder", _splits(meta.get("splits"), path), meta)


def _space(value: Any, path: Path) -> LabelSpace | None:
    if value is None:
        return None
    if isinstance(value, str):
        beside = path.parent / value
        if value not in SPACES and not beside.is_file() and not Path(value).is_file():
            hint = nearest(value, SPACES)
            raise UserError(f"no label space '{value}'{hint}", path, f"use one of {', '.join(SPACES)}, or a YAML file")
        return load_space(value if value in SPACES or not beside.is_file() else beside)
    return space_from_dict(value, path)


def _ids(value: Any, path: Path) -> dict[int, str]:
    if value is None:
        return {}
    if isinstance(value, str):  # a simulator's own list, as JSON or YAML
        if not (path.parent / value).is_file():
            raise UserError(f"'ids' names {value}, which is not there", path, "name a file beside dataset.yaml")
        path = path.parent / value
        value = _json(path) if path.suffix.lower() == ".json" else read_yaml(path)
    if isinstance(value, dict):  # the keys of JSON are text
        value = {int(k) if isinstance(k, str) and re.fullmatch(r"-?\d+", k) else k: v for k, v in value.items()}
    if not isinstance(value, dict) or not all(type(k) is int and isinstance(v, str) for k, v in value.items()):
        what = "'ids' is no map from numbers to class names"
        raise UserError(what, path, "write ids: {7: road, 8: sidewalk}, or name a JSON or YAML file with such a map")
    if value.get(255, "ignore") != "ignore":
        raise UserError(
            "'ids' gives 255 a name, which is ignored everywhere", path, "store that class as another number"
        )
    return {k: v for k, v in value.items()}


def _json(path: Path) -> Any:
    """As `read_yaml`; YAML knows no tabs."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"not valid JSON: {error}", path, "correct that line") from None


def _splits(value: Any, path: Path) -> dict[str, list[str] | None]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError("'splits' is no map", path, "write splits: {train: [name, name], val: [name]}")
    splits: dict[str, list[str] | None] = {}
    for said, listed in value.items():
        split = split_name(str(said))
        if split in splits:
            raise UserError(f"'splits' has {split} twice, also as {said}", path, "join the two, or rename one")
        if listed != "all" and not isinstance(listed, list):
            raise UserError(f"split '{split}' is no list of image names", path, "write [name, name], or all")
        if listed == "all":
            splits[split] = None
            continue
        for name in listed:
            if not isinstance(name, str):  # YAML reads 00012 as the number 10
                raise UserError(
                    f"split '{split}' lists {name!r}, no name", path, "put names that look like numbers in quotes"
                )
        splits[split] = [_bare(name) for name in listed]
    return splits


def _bare(name: str) -> str:
    stem, suffix = os.path.splitext(name.replace("/", "__"))  # images of subfolders are called so
    return stem if suffix.lower() in IMAGE_SUFFIXES else stem + suffix


def split_entry(splits: dict[str, str]) -> dict[str, Any]:
    """The ``splits`` entry for name -> split; one split for everything is ``all``, which keeps the file short."""
    known: Sequence[str] = sorted(set(splits.values()))
    if len(known) <= 1:
        return {split: "all" for split in known}
    return {split: sorted(n for n, s in splits.items() if s == split) for split in known}
