"""A few label files in, the set's numbering and storage out: releases of SYNTHIA and CARLA differ in nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simteacher.data.numbering import CARLA_COLORS, CARLA_RELEASES, SYNTHIA_RELEASES, VKITTI2_COLORS, packed
from simteacher.data.png16 import read_png16
from simteacher.data.raw import label_mode, palette, read_raw
from simteacher.errors import UserError
from simteacher.labels import LabelSpace

GTA5_ROAD = (128, 64, 128)  # at 7 in the palette of its labels


@dataclass(frozen=True)
class Labelling:
    """How label files are decoded (see `simteacher.data.raw`), what each value means, and why that is believed."""

    decode: str
    names: dict[int, str]
    why: str = ""

    @property
    def values(self) -> str:
        """The allowed values as text."""
        if self.decode == "rgb":
            return "the colours of its classes"
        numbers = sorted(v for v in self.names if v >= 0)
        if not numbers:
            return "none but 255"
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{numbers[0]} to {numbers[-1]} and 255"
        return ", ".join(map(str, numbers[:30])) + (" …" if len(numbers) > 30 else "") + " and 255"


def resolve(
    decode: str, names: dict[int, str], space: LabelSpace | None, probe: tuple[Path, ...], root: Path
) -> Labelling:
    """Find out what a set's labels hold.

    Args:
        decode: The ``decode`` of its layout; other than a format's name it is returned as it is.
        names: Raw id -> class name of its layout.
        space: Label space that a `folder` set states.
        probe: Label files from all over the set.
        root: The set's folder.

    Raises:
        UserError: A `folder` set without label space, or labels that do not fit the recognised layout.
    """
    if decode == "folder":
        return _folder(names, space, probe, root)
    if decode == "carla":
        return _carla(probe)
    if decode == "synthia":
        return _synthia(probe, root)
    if decode == "vkitti2":
        return _vkitti2(probe)
    if decode == "gta5":
        if probe and label_mode(probe[0]) != "P":
            fix = f"write folder:{root} and state the classes in {root / 'dataset.yaml'} (space: NAME)"
            raise UserError("looked like GTA5 by its file names, but its labels are no palette pictures", probe[0], fix)
        other = bool(probe) and palette(probe[0]).get(7) != GTA5_ROAD
        why = "numbers of GTA5's classes, though their palette is not GTA5's: are they? If not, write a dataset.yaml"
        return Labelling("index", names, why if other else "")
    return Labelling(decode, names)


def _folder(names: dict[int, str], space: LabelSpace | None, probe: tuple[Path, ...], root: Path) -> Labelling:
    if space is None:
        fix = "write a line such as `space: cityscapes19` there, or name a YAML file of your own classes"
        raise UserError("nothing says which classes the labels hold", root / "dataset.yaml", fix)
    if probe and (_coloured(probe, names, space) or _painted(probe, space)):
        colors: dict[int, str] = {}
        for color, name in zip(space.colors, space.classes, strict=True):
            if colors.setdefault(packed(color), name) != name:
                what = f"labels are colour pictures, and {colors[packed(color)]} and {name} have one colour, {color}"
                raise UserError(what, root / "dataset.yaml", "give each class of the label space a colour of its own")
        return Labelling(
            "rgb", {0: "ignore", **colors}, "labels are colour pictures, read by the colours of the label space"
        )
    return Labelling("index", names)


def _coloured(probe: tuple[Path, ...], names: dict[int, str], space: LabelSpace) -> bool:
    """Whether labels are colour pictures; class numbers are often saved with three equal channels."""
    if label_mode(probe[0]) not in ("RGB", "RGBA"):
        return False
    seen = np.unique(np.concatenate([np.unique(read_raw(path, "rgb")) for path in probe]))
    numbers = [packed((v, v, v)) for v in (*(v for v in names if 0 <= v < 255), 255)]
    painted = np.isin(seen, [packed(color) for color in space.colors]).all()
    return bool(painted or not np.isin(seen, numbers).all())


def _painted(probe: tuple[Path, ...], space: LabelSpace) -> bool:
    """Whether palettes say that the numbers are no classes: most colours are the space's, but not at their places.

    Such are colour pictures that a program has packed into a palette. Strays among them are told as such then.
    """
    place = {color: index for index, color in enumerate(space.colors)}
    if len(place) < len(space.colors):
        return False
    moved: set[int] = set()
    for path in probe:
        colors = palette(path)
        used = [int(v) for v in np.unique(read_raw(path, "index")) if v != 255] if colors else []
        found = [place.get(colors.get(v, (-1, -1, -1)), -1) for v in used]
        black = [colors.get(v) == (0, 0, 0) for v in used]
        if (
            not used
            or not _of_space(colors, space)
            or len({colors.get(v) for v in used}) < len(used)
            or 2 * sum(at >= 0 or none for at, none in zip(found, black, strict=True)) <= len(used)
        ):
            return False
        moved |= {at for v, at in zip(used, found, strict=True) if at not in (v, -1) and any(colors[v])}
    return len(moved) > 1  # one may be chance: the first colour of many palettes is dark red


def _of_space(colors: Mapping[int, tuple[int, int, int]], space: LabelSpace) -> bool:
    """Whether most colours of a palette are a label space's; not so of the palette that PASCAL VOC's tools add."""
    shown = {color for color in colors.values() if any(color)}
    return 2 * len(shown & set(space.colors)) > len(shown)


def repainted(path: Path, raw_HW: NDArray[Any], names: Mapping[int, str], space: LabelSpace) -> UserError | None:
    """What is wrong with a palette picture whose colours say other classes than its numbers do, as of a paint program.

    Args:
        path: A label file.
        raw_HW: Its numbers.
        names: What these mean.
        space: Whose colours they are painted in.
    """
    colors = palette(path)
    place = {color: index for index, color in enumerate(space.colors)}
    if len(place) < len(space) or not _of_space(colors, space):
        return None
    wrong = []  # what the set itself says of a number, under `ids`, is on purpose
    for value in np.flatnonzero(np.bincount(raw_HW.ravel(), minlength=1)):
        color = colors.get(int(value), (0, 0, 0))
        said, shown = names.get(int(value)), place.get(color) if any(color) else None
        if value < len(space) and said == space.classes[value] and shown not in (None, value):
            wrong.append(f"{value} is {said} and painted as {space.classes[shown or 0]}")
    if len(wrong) < 2:  # one may be chance: the first colour of many palettes is dark red
        return None
    what = f"the colours of its palette say other classes than its numbers: {', '.join(wrong[:3])}"
    return UserError(what, path, "save it as RGB, like all others, or with the numbers of its classes")


def _carla(probe: tuple[Path, ...]) -> Labelling:
    """Colours of the palette, or class numbers in the first channel; the numbering is told from what is underfoot."""
    colors = {packed(color): name for color, name in CARLA_COLORS.items()}
    seen, road_new, road_old = 0, 0, 0
    for path in probe:
        raw_HW = read_raw(path, "red")
        if label_mode(path) in ("RGB", "RGBA", "P"):
            rgb_HW = read_raw(path, "rgb")
            known = np.isin(rgb_HW[::8, ::8], list(colors)).mean()
            grey = ((rgb_HW & 0xFFFF) == 0).mean()
            if known > 0.5 and grey < 1:  # class numbers alone are almost black: red below 29, no green, no blue
                return Labelling("rgb", colors, "labels are colours of CARLA's palette")
        height, width = raw_HW.shape
        below_HW = raw_HW[height * 2 // 3 :, width // 4 : width * 3 // 4]
        road_new, road_old = road_new + int((below_HW == 1).sum()), road_old + int((below_HW == 7).sum())
        seen = max(seen, int(raw_HW[raw_HW != 255].max(initial=0)))
    newer = seen > 22 or road_new >= road_old
    release = "0.9.14 or newer" if newer else "0.9.13 or older"
    why = (
        "ids above 22 occur"
        if seen > 22
        else f"the ground before the camera is mostly {1 if newer else 7}, so that is road"
        if road_new or road_old
        else "no road before the camera tells which, so this is assumed"
    )
    return Labelling("red", CARLA_RELEASES[release], f"class numbers of CARLA {release}: {why}")


def _synthia(probe: tuple[Path, ...], root: Path) -> Labelling:
    """By the folder's name, else by ids that only one release has, else by what stands at 12."""
    path_text = str(probe[0].resolve() if probe else root.resolve()).upper().replace("_", "-")
    if "RAND-CITYSCAPES" in path_text:
        return Labelling("red", SYNTHIA_RELEASES["RAND-CITYSCAPES"], "RAND-CITYSCAPES by the folder's name")
    things = lanes = 0
    for path in probe:
        raw_HW, instances_HW = _synthia_channels(path)
        if (raw_HW[raw_HW != 255] > 15).any():
            return Labelling("red", SYNTHIA_RELEASES["RAND-CITYSCAPES"], "RAND-CITYSCAPES: ids above 15 occur")
        at_12 = raw_HW == 12
        things += int((instances_HW[at_12] > 0).sum())
        lanes += int((instances_HW[at_12] == 0).sum())
    if "SEQS" in path_text or "STEREO-LEFT" in path_text or "STEREO-RIGHT" in path_text:
        return Labelling("red", SYNTHIA_RELEASES["SEQS"], "a SYNTHIA sequence by the folder's name")
    if things or lanes:
        release = "RAND-CITYSCAPES" if things > lanes else "SEQS"
        what = (
            "have instance numbers, so it is motorcycle"
            if things > lanes
            else "have no instance, so it is lane marking"
        )
        return Labelling("red", SYNTHIA_RELEASES[release], f"{release}: pixels of id 12 {what}")
    release = "RAND-CITYSCAPES" if probe and len(probe[0].stem) == 7 else "SEQS"  # 0000000.png against 000000.png
    return Labelling(
        "red", SYNTHIA_RELEASES[release], f"{release} by the length of the file names, ids 12 and above do not occur"
    )


def _synthia_channels(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    if label_mode(path) == "RGB;16":
        pixels_HWC = read_png16(path)
        return pixels_HWC[..., 0], pixels_HWC[..., 1]
    raw_HW = read_raw(path, "red")
    return raw_HW, np.zeros_like(raw_HW)


def _vkitti2(probe: tuple[Path, ...]) -> Labelling:
    """The colours that the set itself lists beside its labels, else those of release 2.0.3."""
    for label in probe:
        variant = label.parents[3]  # <variant>/frames/classSegmentation/Camera_N/file
        beside = Path(str(variant).replace("classSegmentation", "textgt"))
        for path in (variant / "colors.txt", beside / "colors.txt"):
            if path.is_file():
                return Labelling("rgb", _read_colors(path), f"colours as in {path.name}")
    return Labelling("rgb", {packed(c): n for c, n in VKITTI2_COLORS.items()}, "the colours of Virtual KITTI 2.0.3")


def _read_colors(path: Path) -> dict[int, str]:
    """Lines ``Category r g b`` under a head line."""
    names: dict[int, str] = {}
    fix = "use the file that comes with the set"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError("cannot be read as text", path, fix) from None
    for line in text.splitlines()[1:]:
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 4 or not all(p.isdigit() and int(p) < 256 for p in parts[1:]):
            raise UserError(f"not a class and its colour: '{line}'", path, fix)
        names[packed((int(parts[1]), int(parts[2]), int(parts[3])))] = parts[0]
    if not names:
        raise UserError("names no class", path, fix)
    return names
