"""Frames in, a `folder` data set out: renders, translations, pseudo-labels and predictions are all written here."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from simteacher.data.dataset_yaml import VERSION, YAML, read_dataset_yaml, split_entry
from simteacher.data.geometry import write_depth, write_flow
from simteacher.data.images import image_size, read_image
from simteacher.errors import UserError
from simteacher.files import atomic_path, atomic_write, require_empty, sole_writer
from simteacher.labels import IGNORE, SPACES, LabelSpace

Array = NDArray[Any]
_KEPT = (".jpg", ".png")  # suffixes of images that are copied as they are
_JPEG_QUALITY = 95
LEGEND = "legend.png"  # of predictions


class FolderWriter:
    """Writes one `folder` data set; a second writer of the same set goes on where a stopped one ended.

    Each file appears whole or not at all, and the image of a frame comes last: if it is there, the frame is complete.

    Args:
        out: Folder to write.
        space: Label space of the labels; None for a set without labels.
        origin: Where the data comes from. Has to be the same when the set is resumed, so no dates and no durations.
        suffix: ``.png`` (exact) or ``.jpg`` (quality 95, full colour resolution) for images given as arrays.
        chooses: Keys of ``origin`` that say what is in the set, and not how it is made: where a set that was only begun
            differs in these alone, it becomes this one, and hidden files that went before it stay.
        places: Keys of ``origin`` that say where data lie, which others say too, by their content: they may be spelt
            otherwise than when the set was begun, and stay as they were.

    Raises:
        UserError: ``out`` holds images that are not this tool's, or a set of another space or origin.
    """

    def __init__(
        self,
        out: str | Path,
        space: LabelSpace | None,
        origin: dict[str, Any],
        suffix: str = ".png",
        chooses: Collection[str] = (),
        places: Collection[str] = (),
    ) -> None:
        self.out, self.space, self.suffix, self._chooses, self._places = Path(out), space, suffix, chooses, places
        self.origin: dict[str, Any] = json.loads(json.dumps(origin, default=str))
        self._splits: dict[str, str] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._kinds: set[str] = set()
        self.chosen_anew = False  # it was begun with other values of ``chooses``
        self._finished = self._refuse_other()
        if not (self.out / YAML).is_file():
            atomic_write(self.out / YAML, self._yaml(complete=False))

    def __enter__(self) -> FolderWriter:
        self._open = ExitStack()
        self._open.enter_context(sole_writer(self.out))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._open:
            if kind is None:
                self.close()

    def has(self, name: str, split: str = "train") -> bool:
        """Whether all files of a frame are there; if so it counts as written, to ``split``."""
        image = self._image(name)
        if image is None:
            return False
        kinds = self._kinds or {
            k for k in ("labels", "confidence", "instances", "depth", "flow") if (self.out / k).is_dir()
        }
        if not all((self.out / kind / f"{name}.png").is_file() for kind in kinds):
            return False
        self._splits[name] = split
        self._sizes[name] = image_size(image)
        return True

    def add(
        self,
        name: str,
        image: Array | Path,
        label: Array | Path | None = None,
        confidence: Array | Path | None = None,
        instances: Array | Path | None = None,
        depth: Array | Path | None = None,
        flow: Array | Path | None = None,
        split: str = "train",
    ) -> None:
        """Write one frame. What is given as a path is linked or copied unchanged.

        Args:
            name: Name of the frame, a file name without suffix.
            image: Shape (H, W, 3), uint8 RGB.
            label: Shape (H, W), uint8 class indices of the space, 255 = ignore.
            confidence: Shape (H, W), uint8 0 to 255, or float 0 to 1.
            instances: Shape (H, W), 0 to 65535, 0 = no object.
            depth: Shape (H, W), metres; infinite where there is nothing.
            flow: Shape (H, W, 2), pixels to the right and down in the next frame, NaN where unknown.
            split: Split that the frame belongs to.

        Raises:
            UserError: The disk is full or the folder cannot be written.
        """
        assert name and "/" not in name and not name.startswith("."), f"no file name: {name!r}"
        self.grow()
        given = {"labels": label, "confidence": confidence, "instances": instances, "depth": depth, "flow": flow}
        size = image_size(image) if isinstance(image, Path) else (image.shape[1], image.shape[0])
        for kind, content in given.items():
            if content is None:
                continue
            self._kinds.add(kind)
            path = self.out / kind / f"{name}.png"
            if isinstance(content, Path):
                if (own := image_size(content)) != size:
                    what = f"this map of {kind} is of {own[0]}x{own[1]}, its image of {size[0]}x{size[1]}"
                    raise UserError(what, content, "replace one of the two, or remove both")
                link_file(content, path)
                continue
            assert content.shape[1::-1] == size, f"{name}: {kind} is {content.shape[1::-1]}, the image {size}"
            with atomic_path(path) as part:
                self._save(kind, content, part)
        self._add_image(name, image)
        self._splits[name], self._sizes[name] = split, size

    def grow(self) -> None:
        """Say that frames come: a finished set that grows is unfinished until it is closed again."""
        if self._finished:
            self._finished = False
            atomic_write(self.out / YAML, self._yaml(complete=False))

    def close(self) -> None:
        """Write the final ``dataset.yaml``."""
        atomic_write(self.out / YAML, self._yaml(complete=True))

    def _refuse_other(self) -> bool:
        """Whether ``out`` holds this set already and complete."""
        if not (self.out / YAML).is_file():
            require_empty(self.out, {"scene.yaml"})
            return False
        old = read_dataset_yaml(self.out)
        said, now = old.meta.get("origin") or {}, self.origin
        before = said if isinstance(said, dict) else {"origin": said}  # one written by hand may be a sentence
        now |= {key: before[key] for key in self._places if key in before and key in now}
        differ = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        if old.space != self.space:
            differ.append("space")
        if differ and old.meta.get("complete") is False and not old.meta.get("images"):
            chosen = set(differ) <= set(self._chooses)
            if self._only_begun(hidden=chosen):
                self.chosen_anew = chosen
                return False
        if differ:
            told = ", ".join(
                f"{k} was {before.get(k)!r}, now {now.get(k)!r}" if k != "space" else k for k in differ[:3]
            )
            raise UserError(
                f"holds another data set ({told})", self.out, "choose another output folder, or delete this one"
            )
        for split, listed in old.splits.items():
            for path in (self.out / "images").glob("*") if listed is None else ():
                self.has(path.stem, split)
            for name in listed or ():
                self.has(name, split)
        return old.meta.get("complete") is True

    def _only_begun(self, hidden: bool) -> bool:
        """Take over a folder with nothing in it but the description of a set that never got further.

        Files in hidden folders count as nothing with ``hidden``. So a command that failed, for a wrong setting, does
        not block the corrected one.
        """
        everything = self.out.rglob("*")  # a linked folder counts as something, wherever it leads to
        inside = (path.relative_to(self.out) for path in everything if path.is_symlink() or not path.is_dir())
        known = (Path(YAML), Path(LEGEND))
        if any(not (path.parts[0] if hidden else path.name).startswith(".") for path in inside if path not in known):
            return False
        try:
            with sole_writer(self.out):
                (self.out / LEGEND).unlink(missing_ok=True)
                atomic_write(self.out / YAML, self._yaml(complete=False))
        except UserError:  # the other command is at it still
            return False
        return True

    def _image(self, name: str) -> Path | None:
        paths = (self.out / "images" / f"{name}{suffix}" for suffix in _KEPT)
        return next((p for p in paths if p.is_file()), None)

    def _add_image(self, name: str, image: Array | Path) -> None:
        if isinstance(image, Path):
            suffix = image.suffix.lower().replace(".jpeg", ".jpg")
            if suffix in _KEPT:
                link_file(image, self.out / "images" / f"{name}{suffix}")
                return
            image = read_image(image)
        with atomic_path(self.out / "images" / f"{name}{self.suffix}") as part:
            if self.suffix == ".jpg":
                Image.fromarray(image).save(part, quality=_JPEG_QUALITY, subsampling=0)
            else:
                Image.fromarray(image).save(part, compress_level=3)

    def _save(self, kind: str, content: Array, part: Path) -> None:
        if kind == "depth":
            write_depth(part, content)
        elif kind == "flow":
            write_flow(part, content)
        elif kind == "instances":
            Image.fromarray(content.astype(np.uint16)).save(part)
        elif kind == "confidence":
            wide = np.rint(content * 255.0) if content.dtype.kind == "f" else content
            Image.fromarray(wide.astype(np.uint8)).save(part)
        else:
            assert self.space is not None and content.dtype == np.uint8
            assert (content[content != IGNORE] < len(self.space)).all(), "a label outside its space"
            picture = Image.fromarray(content)
            picture.putpalette(self.space.palette_K3().tobytes())
            picture.save(part)

    def _yaml(self, complete: bool) -> str:
        sizes = Counter(f"{w}x{h}" for w, h in self._sizes.values())
        space = self.space and (self.space.name if SPACES.get(self.space.name) == self.space else self.space.to_dict())
        content = {
            "version": VERSION,
            "space": space,
            "complete": complete,
            "images": len(self._splits),
            "sizes": dict(sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))),
            "splits": split_entry(self._splits),
            "origin": self.origin,
        }
        return yaml.safe_dump({k: v for k, v in content.items() if v is not None}, sort_keys=False, allow_unicode=True)


def link_file(source: Path, path: Path) -> None:
    """Put an unchanged file at ``path``: a hard link where the file system allows one, else a copy."""
    if not source.is_file():
        raise UserError("no such file", source, "put the file back or take its name out of the set")
    if path.is_file() and os.path.samefile(source, path):  # renaming a file onto itself would leave the other name
        return
    with atomic_path(path) as part:
        part.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), part)
        except OSError:  # another disk, or a file system without links; a full disk shows in the copy
            shutil.copyfile(source, part)
