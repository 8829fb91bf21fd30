"""Label spaces: a list of class names with colours, and the one way from any set's raw ids to class indices: by name.

In: a built-in name (``camvid11``) or a YAML file ``{name, classes: [{name, color}], aliases: {other_name: name}}``,
where ``learned_as`` may name more.
Out: a `LabelSpace`, and lookup tables from raw ids to its indices. Every command that reads labels uses this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simteacher.errors import UserError, nearest
from simteacher.yaml_once import read_yaml

IGNORE = 255
IGNORED_NAME = "ignore"  # as the target of an alias: these pixels are ignored
_KEYS = ("name", "classes", "aliases", "learned_as")
RGB = tuple[int, int, int]

# Names that say the same thing, or a thing that contains it: the first that the label space has is taken. Names that
# only sometimes belong together (truck and car, rider and bicyclist) are not here but in the aliases of the space that
# joins them: the published 13- and 16-class protocols ignore trucks. The last ones are Cityscapes' seven categories.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "person": ("pedestrian", "people", "human"),
    "pedestrian": ("person", "people", "human"),
    "people": ("person", "pedestrian", "human"),
    "rider": ("cyclist", "human"),
    "cyclist": ("rider", "bicyclist", "human"),
    "vegetation": ("tree", "nature"),
    "tree": ("vegetation", "nature"),
    "terrain": ("grass", "nature"),
    "grass": ("terrain", "nature"),
    "traffic sign": ("sign", "object"),
    "sign": ("traffic sign", "object"),
    "traffic light": ("traffic signal", "object"),
    "traffic signal": ("traffic light", "object"),
    "pole": ("column pole", "object"),
    "column pole": ("pole", "object"),
    "road line": ("road", "flat"),
    "lane marking": ("road", "flat"),
    "road": ("flat",),
    "sidewalk": ("pavement", "flat"),
    "pavement": ("sidewalk", "flat"),
    "building": ("construction",),
    "wall": ("construction",),
    "fence": ("construction",),
    "vehicle": ("car",),
    "car": ("vehicle",),
    "van": ("car", "vehicle"),
    "truck": ("lorry", "vehicle"),
    "lorry": ("truck", "vehicle"),
    "bus": ("vehicle",),
    "train": ("tram", "vehicle"),
    "tram": ("train", "vehicle"),
    "motorcycle": ("motorbike", "vehicle"),
    "motorbike": ("motorcycle", "vehicle"),
    "bicycle": ("bike", "vehicle"),
    "bike": ("bicycle", "vehicle"),
}


def _key(name: str) -> str:
    """How names are compared: ``Traffic Signs``, ``traffic_sign`` and ``TrafficSign`` are one name."""
    return re.sub(r"[\W_]+", "", name.casefold()).removesuffix("s")


_SYNONYMS = {_key(name): tuple(_key(other) for other in others) for name, others in SYNONYMS.items()}


@dataclass(frozen=True)
class LabelSpace:
    """Classes in the order of their indices; 255 is ignore in every space.

    Attributes:
        name: Short name, as recipes and ``dataset.yaml`` write it.
        classes: Class names; the index is the position.
        colors: One RGB colour per class, 0 to 255.
        aliases: Other names for a class; the target ``ignore`` drops a name.
        learned_as: Names that are ignored where something is measured, and learned as a class nevertheless.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[RGB, ...]
    aliases: dict[str, str] = field(default_factory=dict, hash=False)
    learned_as: dict[str, str] = field(default_factory=dict, hash=False)

    def __len__(self) -> int:
        return len(self.classes)

    def index(self, name: str) -> int | None:
        """Index of the class that ``name`` belongs to, or None: own names first, then aliases, then synonyms."""
        own = {_key(known): i for i, known in enumerate(self.classes)}
        other = {_key(alias): own.get(_key(known)) for alias, known in self.aliases.items()}
        key = _key(name)
        if key in own or key in other:
            return own.get(key, other.get(key))
        for synonym in _SYNONYMS.get(key, ()):
            if synonym in own or synonym in other:
                return own.get(synonym, other.get(synonym))
        return None

    def leaves_out(self, name: str) -> bool:
        """Whether somebody said `ignore` of this name, so that its pixels are ignored on purpose."""
        told = {_key(alias) for alias, known in self.aliases.items() if known == IGNORED_NAME}
        told -= {_key(known) for known in self.classes}  # own names come first, as in `index`
        return _key(name) in {*told, IGNORED_NAME}

    def as_learned(self) -> LabelSpace:
        """The space as training reads labels, and as answers of other classes are translated into it."""
        learned = {_key(name) for name in self.learned_as}
        kept = {n: c for n, c in self.aliases.items() if not (_key(n) in learned and _key(c) == IGNORED_NAME)}
        return replace(self, aliases={**self.learned_as, **kept}) if self.learned_as else self

    def palette_K3(self) -> NDArray[np.uint8]:
        """Colours for all 256 label values, shape (256, 3): the classes, then black."""
        palette_K3 = np.zeros((256, 3), np.uint8)
        palette_K3[: len(self.colors)] = self.colors
        return palette_K3

    def to_dict(self) -> dict[str, Any]:
        """The space as its YAML form."""
        classes = [{"name": n, "color": list(c)} for n, c in zip(self.classes, self.colors, strict=True)]
        tree = {"name": self.name, "classes": classes, "aliases": dict(self.aliases)}
        return {**tree, "learned_as": dict(self.learned_as)} if self.learned_as else tree


_CITYSCAPES: dict[str, RGB] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
_CAMVID: dict[str, RGB] = {  # the SegNet order and colours
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "sidewalk": (0, 0, 192),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}
_CAMVID_ALIASES = {
    "wall": "building",
    "traffic light": "sign",
    "truck": "car",
    "bus": "car",
    "train": "car",
    "rider": "bicyclist",
    "bicycle": "bicyclist",
    "motorcycle": "bicyclist",
}
# Grass is none of the 11 classes, so it is ignored where another set is measured. A network must call it something, and
# CamVid's people drew low greenery with the trees (its 32 classes' VegetationMisc).
_CAMVID_LEARNED_AS = {"terrain": "tree"}
# The subsets that SYNTHIA shares with Cityscapes (Zhang et al., "Curriculum Domain Adaptation", ICCV 2017): 16 classes,
# and the 13 without wall, fence and pole.
_NOT_IN_16 = ("terrain", "truck", "train")
_NOT_IN_13 = (*_NOT_IN_16, "wall", "fence", "pole")


def _space(name: str, colors: dict[str, RGB], without: tuple[str, ...] = (), *names: dict[str, str]) -> LabelSpace:
    kept = {known: color for known, color in colors.items() if known not in without}
    return LabelSpace(name, tuple(kept), tuple(kept.values()), *names)


SPACES: dict[str, LabelSpace] = {
    "cityscapes19": _space("cityscapes19", _CITYSCAPES),
    "cityscapes16": _space("cityscapes16", _CITYSCAPES, _NOT_IN_16),
    "cityscapes13": _space("cityscapes13", _CITYSCAPES, _NOT_IN_13),
    "camvid11": _space("camvid11", _CAMVID, (), _CAMVID_ALIASES, _CAMVID_LEARNED_AS),
}


def load_space(name_or_path: str | Path | LabelSpace) -> LabelSpace:
    """A built-in space by name, or one from a YAML file; a space stays what it is.

    Raises:
        UserError: Neither a known name nor a file, or the file is not a valid space.
    """
    if isinstance(name_or_path, LabelSpace):
        return name_or_path
    name = str(name_or_path)
    if name in SPACES:
        return SPACES[name]
    path = Path(name)
    if path.suffix.lower() not in (".yaml", ".yml") and not path.is_file():
        known = ", ".join(SPACES)
        raise UserError(f"no label space '{name}'{nearest(name, SPACES)}", None, f"use one of {known}, or a YAML file")
    if not path.exists():
        raise UserError("no such label space file", path, f"give an existing file or one of {', '.join(SPACES)}")
    space = space_from_dict(read_yaml(path), path)
    own = {_key(known): known for known in space.classes}
    for other, known in (*space.aliases.items(), *space.learned_as.items()):
        if _key(other) in own and _key(known) != _key(other):
            what = f"'{other}' is a class of this space, so that it cannot be '{known}'"
            raise UserError(what, path, f"take {own[_key(other)]} out of classes, or '{other}' out of the other names")
    return space


def space_from_dict(content: Any, where: str | Path) -> LabelSpace:
    """Check the YAML form of a space. Errors name the entry; ``where`` is the file it came from."""

    def wrong(problem: str, fix: str) -> UserError:
        return UserError(problem, where, fix)

    if isinstance(content, str):
        return load_space(content)
    if not isinstance(content, dict) or not isinstance(content.get("classes"), list) or not content["classes"]:
        raise wrong("a label space needs a list 'classes'", "write classes: [{name: road, color: [128, 64, 128]}, ...]")
    for unknown in content.keys() - set(_KEYS):
        hint = nearest(str(unknown), _KEYS)
        raise wrong(f"unknown key '{unknown}'{hint}", f"a label space has the keys {', '.join(_KEYS)}")
    colors: dict[str, RGB] = {}
    for entry in content["classes"]:
        entry = {"name": entry} if isinstance(entry, str) else entry
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _key(name):
            raise wrong(f"the class entry {entry!r} has no name", "write {name: road, color: [128, 64, 128]}")
        if _key(name) in {_key(known) for known in colors} or _key(name) == IGNORED_NAME:
            raise wrong(f"the class name '{name}' is used twice or reserved", "give every class a name of its own")
        colors[name] = _color(entry.get("color"), len(colors), name, where)
    if len(colors) >= IGNORE - 1:
        raise wrong(f"{len(colors)} classes do not fit in 8 bits beside the ignore value", "use at most 253 classes")
    aliases, learned_as = (_names(content, key, tuple(colors), where) for key in _KEYS[2:])
    name = str(content.get("name") or Path(where).stem)
    return LabelSpace(name, tuple(colors), tuple(colors.values()), aliases, learned_as)


def _names(content: dict[str, Any], key: str, classes: tuple[str, ...], where: str | Path) -> dict[str, str]:
    """A map of other names to classes."""
    found = content.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"'{key}' is not a map", where, f"write {key}: {{other_name: class_name}}")
    for other, known in found.items():
        if _key(str(known)) not in {_key(n) for n in (*classes, IGNORED_NAME)}:
            kind = "alias" if key == "aliases" else "name"
            what = f"{kind} '{other}' leads to '{known}', which is no class{nearest(str(known), classes)}"
            raise UserError(what, where, "use a name from 'classes', or ignore")
    told: dict[str, str] = {}
    for other, known in found.items():
        if told.setdefault(_key(str(other)), _key(str(known))) != _key(str(known)):
            what = f"'{other}' is in '{key}' twice, in another spelling, and leads to two classes"
            raise UserError(what, where, "leave one of them out")
    return {str(other): str(known) for other, known in found.items()}


def _color(value: Any, index: int, name: str, where: str | Path) -> RGB:
    """A colour as given, or one from the golden-angle hue circle where none is given."""
    if value is None:
        hue = 2.39996 * index
        red, green, blue = (int(128 + 100 * np.cos(hue + shift)) for shift in (0.0, 2.0944, 4.1888))
        return red, green, blue
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v <= 255 for v in value):
        return value[0], value[1], value[2]
    raise UserError(f"the colour of class '{name}' is {value!r}", where, "write three whole numbers from 0 to 255")


def lut(names: Mapping[int, str], space: LabelSpace) -> NDArray[np.uint8]:
    """Table from raw id to class index of ``space``, 255 for everything else.

    Args:
        names: Raw id -> class name. Negative ids wrap as stored in unsigned files (-1 -> 255).
        space: The space to map into.

    Returns:
        256 entries where every id fits in 8 bits, else 65536.
    """
    size = 256 if all(raw < 256 for raw in names) else 65536
    table = np.full(size, IGNORE, np.uint8)
    for raw, name in names.items():
        index = space.index(name)
        if index is not None:
            table[raw % size] = index
    return table
