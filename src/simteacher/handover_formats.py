"""The two formats of `handover`: CVAT's "Segmentation mask 1.1" ZIP and COCO JSON with run-length masks."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher import rle
from simteacher.errors import UserError, nearest
from simteacher.files import atomic_path, atomic_write
from simteacher.labels import IGNORE, RGB, LabelSpace

U8 = npt.NDArray[np.uint8]
Sizes = Mapping[str, tuple[int, int]]

BACKGROUND: RGB = (0, 0, 0)  # in CVAT: not labelled, here IGNORE
CVAT_NAMES = {"background": "background (class)"}
"""How a class is called there whose name CVAT gives to what is not labelled."""

_MASKS = "SegmentationClass"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, Image.DecompressionBombError,
    RuntimeError,  # encrypted, or packed in a way that Python cannot unpack
    AttributeError, IndexError, KeyError, OSError, OverflowError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What reading a file raises that was cut off, or written by another tool."""


def hex_colour(colour: RGB) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def with_distinct_colours(space: LabelSpace) -> LabelSpace:
    """The space with a colour of its own for every class and none black: CVAT tells classes apart by colour."""
    taken: set[RGB] = {BACKGROUND}
    colours: list[RGB] = []
    for red, green, blue in space.colors:
        while (red, green, blue) in taken:
            red, green, blue = (red + 61) % 256, (green + 113) % 256, (blue + 197) % 256
        taken.add((red, green, blue))
        colours.append((red, green, blue))
    return replace(space, colors=tuple(colours))


class CvatMaker:
    """Writes the ZIP: ``labelmap.txt``, a list of names, and for each image a mask of colours and one of objects."""

    def __init__(self, path: Path, space: LabelSpace) -> None:
        self.path, self.space, self.names = path, space, list[str]()
        self._stack = ExitStack()

    def __enter__(self) -> CvatMaker:
        part = self._stack.enter_context(atomic_path(self.path))
        self.zip = self._stack.enter_context(zipfile.ZipFile(part, "w", zipfile.ZIP_STORED))  # PNG is packed already
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            names = (CVAT_NAMES.get(name, name) for name in self.space.classes)
            rows = [("background", BACKGROUND), *zip(names, self.space.colors, strict=True)]
            table = "".join(f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in rows)
            self._put("labelmap.txt", f"# label:color_rgb:parts:actions\n{table}")
            self._put("ImageSets/Segmentation/default.txt", "".join(f"{name}\n" for name in self.names))
        self._stack.__exit__(*error)

    def _put(self, name: str, content: str | bytes) -> None:
        self.zip.writestr(zipfile.ZipInfo(name), content)  # without the time of day: the same labels, the same file

    def add(self, name: str, file: str, label_HW: U8) -> None:
        """One image. Each class is one object: people correct areas with a brush, not instances."""
        palette = self.space.palette_K3()
        objects = np.where(label_HW == IGNORE, 0, label_HW.astype(np.int32) + 1).astype(np.uint8)
        rows = np.vstack([[BACKGROUND], palette[: len(self.space)]]).astype(np.uint8)
        numbers = _numbered_palette()
        for folder, colours in ((_MASKS, rows), ("SegmentationObject", numbers)):
            picture = Image.fromarray(objects)
            picture.putpalette(colours.tobytes())
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            self._put(f"{folder}/{name}.png", buffer.getvalue())
        self.names.append(name)


def _numbered_palette() -> U8:
    """The Pascal VOC colours of objects: the bits of the number, spread over the channels."""
    colours = np.zeros((256, 3), np.uint8)
    for number in range(256):
        rest = number
        for bit in range(8):
            colours[number] |= np.array([(rest >> c & 1) << (7 - bit) for c in range(3)], np.uint8)
            rest >>= 3
    return colours


def read_cvat(path: Path, space: LabelSpace, files: Mapping[str, str], sizes: Sizes) -> Iterator[tuple[str, U8]]:
    """Corrected labels of a ZIP, image by image.

    Raises:
        UserError: No ZIP of this format, an unknown class or image, a colour without class, or a mask of another size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            table = _colours(archive, path, space)
            for member in sorted(archive.namelist()):
                if not member.startswith(f"{_MASKS}/") or not member.endswith(".png"):
                    continue
                name = member.removeprefix(f"{_MASKS}/").removesuffix(".png")
                _known(name, files, path)
                with archive.open(member) as file, Image.open(file) as picture:
                    _same_size(picture.size, sizes[name], name, path)
                    rgb = np.asarray(picture.convert("RGB")).astype(np.int32)
                label = table[rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]]
                if (label == IGNORE - 1).any():
                    at = tuple(int(v) for v in rgb[label == IGNORE - 1][0])
                    raise UserError(
                        f"{name} holds the colour {at}, which labelmap.txt does not name", path, "export it again"
                    )
                if (label != IGNORE).any():  # else nobody has drawn anything there
                    yield name, label
    except _DAMAGED as error:
        raise UserError(
            f"this is no ZIP of the format 'Segmentation mask 1.1' ({error})",
            path,
            "export the task again in that format",
        ) from None


def _colours(archive: zipfile.ZipFile, path: Path, space: LabelSpace) -> U8:
    """Colour (as one number) -> class index; 255 not labelled, 254 unknown."""
    table = np.full(1 << 24, IGNORE - 1, np.uint8)
    ours = {theirs: name for name, theirs in CVAT_NAMES.items()}
    for line in archive.read("labelmap.txt").decode("utf-8-sig").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, colour = line.split(":")[:2]
        r, g, b = (int(v) for v in colour.split(","))
        if table[r << 16 | g << 8 | b] != IGNORE - 1:
            fix = "give each label a colour of its own in the tool, and export again"
            raise UserError(f"labelmap.txt gives two labels the colour {r},{g},{b}", path, fix)
        table[r << 16 | g << 8 | b] = IGNORE if name == "background" else _class(ours.get(name, name), space, path)
    table[0] = IGNORE
    return table


class CocoMaker:
    """Writes one JSON: one run-length mask for each class in each image."""

    def __init__(self, path: Path, space: LabelSpace) -> None:
        self.path, self.space = path, space
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def __enter__(self) -> CocoMaker:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            categories = [{"id": i + 1, "name": name, "supercategory": ""} for i, name in enumerate(self.space.classes)]
            whole = {"info": {"description": "labels to correct"}, "licenses": [], "images": self.images}
            atomic_write(self.path, json.dumps({**whole, "annotations": self.annotations, "categories": categories}))

    def add(self, name: str, file: str, label_HW: U8) -> None:
        """One image."""
        height, width = label_HW.shape
        image = len(self.images) + 1
        self.images.append({"id": image, "file_name": file, "height": height, "width": width})
        for k in np.unique(label_HW[label_HW != IGNORE]).tolist():
            mask = label_HW == k
            rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            x, y = int(cols[0]), int(rows[0])
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": image,
                    "category_id": k + 1,
                    "segmentation": {"size": [height, width], "counts": rle.compress(rle.runs(mask))},
                    "area": int(mask.sum()),
                    "bbox": [x, y, int(cols[-1]) + 1 - x, int(rows[-1]) + 1 - y],
                    "iscrowd": 1,  # what makes tools read it as a mask
                }
            )


def read_coco(path: Path, space: LabelSpace, files: Mapping[str, str], sizes: Sizes) -> Iterator[tuple[str, U8]]:
    """Corrected labels of a COCO file, image by image; where annotations overlap, the later one counts.

    Images without any annotation were not corrected.

    Raises:
        UserError: No COCO file, an unknown class or image, or a mask that does not fit its image.
    """
    try:
        content = json.loads(_json_of(path))
        classes = {int(c["id"]): _class(str(c["name"]), space, path) for c in content["categories"]}
        for what in ("categories", "images"):
            ids = [int(one["id"]) for one in content[what]]
            if len(set(ids)) < len(ids):
                raise UserError(f"two of its {what} have one id", path, "export the task again")
        taken: set[str] = set()
        names = {Path(file).name: name for name, file in files.items()}
        by_image: dict[int, list[dict[str, Any]]] = {}
        for annotation in content["annotations"]:
            by_image.setdefault(int(annotation["image_id"]), []).append(annotation)
        for image in content["images"]:
            if int(image["id"]) not in by_image:
                continue  # nobody has drawn anything there
            file = Path(str(image["file_name"])).name
            name = names.get(file) or Path(file).stem
            _known(name, files, path)
            if name in taken:
                raise UserError(f"holds {name} twice", path, "export each image once")
            taken.add(name)
            _same_size((int(image["width"]), int(image["height"])), sizes[name], name, path)
            width, height = sizes[name]
            label = np.full((height, width), IGNORE, np.uint8)
            for annotation in by_image.get(int(image["id"]), []):
                if not annotation.get("segmentation"):
                    what = f"annotation {annotation.get('id')} of {name} is a box without a mask"
                    raise UserError(what, path, "draw a mask there, or delete it, and export again")
                label[rle.mask_of(annotation["segmentation"], height, width)] = classes[int(annotation["category_id"])]
            yield name, label
    except _DAMAGED as error:
        raise UserError(
            f"this is no COCO file with masks ({error})", path, "export the task again as COCO 1.0"
        ) from None


def _json_of(path: Path) -> str:
    """The text of a JSON file, or of the one that a ZIP holds, as CVAT exports it."""
    if not zipfile.is_zipfile(path):
        return path.read_text(encoding="utf-8-sig")
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.endswith(".json")]
        if len(found) != 1:
            raise UserError(f"holds {len(found)} .json files", path, "unpack the one with the masks, and name it")
        return archive.read(found[0]).decode("utf-8-sig")


def _class(name: str, space: LabelSpace, path: Path) -> int:
    index = space.index(name)
    if index is None:
        raise UserError(
            f"unknown class '{name}'{nearest(name, space.classes)}", path, f"use {', '.join(space.classes)}"
        )
    return index


def _known(name: str, files: Mapping[str, str], path: Path) -> None:
    if name not in files:
        raise UserError(
            f"image '{name}' was not handed over{nearest(name, files)}", path, "correct the task's images only"
        )


def _same_size(size: tuple[int, int], wanted: tuple[int, int], name: str, path: Path) -> None:
    if size != wanted:
        raise UserError(
            f"the mask of '{name}' is {size[0]}x{size[1]}, its image {wanted[0]}x{wanted[1]}", path, "export it again"
        )
