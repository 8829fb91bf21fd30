"""Labels for correction by people, and back: `simteacher handover DATA OUT --format cvat|coco [--back]`.

Out: a folder with ``images/`` to upload, the labels in the tool's format, ``labels.json`` (CVAT's label list with
colours) and ``handover.json``, which says where it all came from. Back in: that folder with the corrected file put into
it (or the corrected file itself, while it lies there). The result is a `folder` data set of all the source's images,
labelled where they were corrected, with ``labelled.txt`` for ``adapt --labelled``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from simteacher import handover_formats as formats
from simteacher.data import DataSet, FolderWriter, Frame, open_dataset, read_label
from simteacher.data.folder import link_file
from simteacher.data.images import image_size
from simteacher.data.read import kind_of, labelling, require_labels
from simteacher.errors import UserError, nearest
from simteacher.files import atomic_write, disk_errors, read_names, require_empty
from simteacher.labels import space_from_dict
from simteacher.progress import progress, say
from simteacher.typed import typed

U8 = npt.NDArray[np.uint8]

NOTE = "handover.json"
OURS = {"cvat": "annotations.zip", "coco": "annotations.json"}
ENDINGS = {"cvat": (".zip",), "coco": (".json", ".zip")}  # CVAT packs what it exports


@typed
def handover(
    data: str | Path,
    out: str | Path,
    *,
    format: Literal["cvat", "coco"],
    back: bool = False,
    names: str | Path | None = None,
) -> Path:
    """Hand labels over for correction in a labelling tool, or read the corrected ones back.

    Args:
        data: A labelled data set, such as pseudo-labels or predictions; with ``back`` the folder that was handed over,
            or the corrected file in it.
        out: Folder to write; with ``back`` a data set.
        format: ``cvat`` is CVAT's "Segmentation mask 1.1" ZIP, ``coco`` a JSON with run-length masks.
        back: Read corrected labels.
        names: Text file with one image name a line, as `select` writes it: only these are handed over.

    Returns:
        ``out``.

    Raises:
        UserError: Data, names or the corrected file are wrong.
    """
    if format not in ENDINGS:
        raise UserError(f"unknown format '{format}'{nearest(format, ENDINGS)}", "--format", "use cvat or coco")
    return _back(Path(data), Path(out), format) if back else _hand_over(data, Path(out), format, names)


def _hand_over(data: str | Path, out: Path, format: str, names: str | Path | None) -> Path:
    dataset = open_dataset(data)
    space = dataset.space
    if space is None:
        require_labels(dataset)
        names_of = labelling(dataset).names  # some layouts tell their classes only by a label
        if not names_of:
            raise UserError("this data set states no classes", data, "add dataset.yaml with the label space")
        space = space_from_dict({"classes": list(dict.fromkeys(names_of.values()))}, dataset.root)
    space = formats.with_distinct_colours(space)
    dataset = _only(dataset, names)
    files = {frame.name: f"{frame.name}{frame.image.suffix.lower()}" for frame in dataset.frames}
    # its whole path: it is looked for again, maybe from another folder
    source = f"{dataset.format}:{dataset.root.resolve()}"
    note = {"source": source, "format": format, "space": space.to_dict(), "images": files}
    _claim(out, note)
    maker = formats.CvatMaker if format == "cvat" else formats.CocoMaker
    with maker(out / OURS[format], space) as made:
        for frame in progress(dataset.frames, "hand over"):
            link_file(frame.image, out / "images" / files[frame.name])
            made.add(frame.name, files[frame.name], read_label(dataset, frame, space))
    cvat_labels = [
        {"name": formats.CVAT_NAMES.get(n, n), "color": formats.hex_colour(c), "attributes": []}
        for n, c in zip(space.classes, space.colors, strict=True)
    ]
    atomic_write(out / "labels.json", json.dumps(cvat_labels, indent=1))
    say(_what_now(out, format))
    return out


def _claim(out: Path, note: dict[str, Any]) -> None:
    """Say in ``out`` what is handed over; refuse a folder that holds anything else."""
    path, text = out / NOTE, json.dumps(note, indent=1)
    if not path.is_file():
        require_empty(out)
    elif path.read_text(encoding="utf-8") != text:
        raise UserError("holds what was handed over of other images", out, "choose another output folder, or delete it")
    atomic_write(path, text)  # first: it says whose the folder is


def _what_now(out: Path, format: str) -> str:
    """What the person does next."""
    kind = {"cvat": "Segmentation mask 1.1", "coco": "COCO 1.0"}[format]
    return (
        f"In CVAT: make a task with the labels of {out / 'labels.json'} (Raw) and the pictures of {out / 'images'},\n"
        f"upload {out / OURS[format]} as annotations ({kind}), correct, export in the same format into {out}, then:\n"
        f"simteacher handover {out} CORRECTED --format {format} --back"
    )


def _only(dataset: DataSet, names: str | Path | None) -> DataSet:
    """The frames that a names file lists; all labelled ones without it."""
    if names is None:
        found = dataset.subset(tuple(f for f in dataset.frames if f.label is not None))
        if not found.frames:
            raise UserError(
                "no image here has a label to correct", dataset.root, "make some: simteacher label MODEL DATA OUT"
            )
        return found
    known = {f.name: f for f in dataset.frames}
    return dataset.subset(tuple(known[name] for name in read_names(names, known)))


def _back(given: Path, out: Path, format: str) -> Path:
    folder, corrected = _corrected(given, format)
    if folder.name == "annotations" and not (folder / NOTE).is_file():
        folder = folder.parent
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        files, source = {str(k): str(v) for k, v in note["images"].items()}, str(note["source"])
        space = space_from_dict(note["space"], folder / NOTE)
    except FileNotFoundError:
        raise UserError(
            f"there is no {NOTE} here, so nothing was handed over in this folder",
            folder,
            "put the corrected file into the folder that 'simteacher handover' wrote; labels that did not come from it"
            " are read as class maps: labels/NAME.png",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError("this file is damaged", folder / NOTE, "hand the data set over again") from None
    sizes = {name: image_size(folder / "images" / file) for name, file in files.items()}
    read = formats.read_cvat if format == "cvat" else formats.read_coco
    # all of it once before anything is written: an export that is damaged at its end changes nothing
    seen = {name: _digest(label) for name, label in read(corrected, space, files, sizes)}
    if not seen:
        raise UserError("holds no corrected image", corrected, "export the task again, with its annotations")
    with FolderWriter(out, space, {"kind": "corrected labels", "source": source}) as writer:
        for name, label in progress(read(corrected, space, files, sizes), "read back"):
            writer.add(name, folder / "images" / files[name], label=label)
        for name in files.keys() - seen.keys():
            with disk_errors(out):  # corrected once, but no more in this file
                (out / "labels" / f"{name}.png").unlink(missing_ok=True)
        for frame in _rest(source, files, set(seen)):
            writer.add(frame.name, frame.image, label=frame.label)
    names = sorted(p.stem for p in (out / "labels").glob("*.png"))  # those of an earlier batch, too
    atomic_write(out / "labelled.txt", "".join(f"{name}\n" for name in names))
    learn = f"simteacher adapt --source RENDERS --target {out} --labelled {out / 'labelled.txt'} --out RUN"
    before = f", {len(names)} with those of before" if len(names) > len(seen) else ""
    say(f"{len(seen)} corrected images{before}; to learn from them: {learn}")
    ours = folder / OURS[format]
    if ours.is_file() and not ours.samefile(corrected):
        _tell_unchanged(seen, {name: _digest(label) for name, label in read(ours, space, files, sizes)}, out)
    return out


def _digest(label: U8) -> str:
    return hashlib.sha256(label.tobytes()).hexdigest()


def _tell_unchanged(seen: Mapping[str, str], handed: Mapping[str, str], out: Path) -> None:
    """Say which labels are as a model made them: drafts that nobody looked at would count as truth."""
    same = sorted(name for name, digest in seen.items() if handed.get(name) == digest)
    atomic_write(out / "unchanged.txt", "".join(f"{name}\n" for name in same))
    if same:
        say(
            f"{len(same)} of {len(seen)} are exactly as they were handed over ({out / 'unchanged.txt'}): were they"
            f" looked at? If not, take them out of the export, or their names out of {out / 'labelled.txt'}"
        )


def _rest(source: str, handed: Collection[str], done: set[str]) -> list[Frame]:
    """Images of the source that were not corrected now; with labels where a person corrected them before."""
    try:
        dataset = open_dataset(source)
        corrected = kind_of(dataset) == "corrected labels"
        frames = dataset.frames if corrected else dataset.unlabelled().frames
    except UserError:
        frames = ()
    if not set(handed) <= {frame.name for frame in frames}:
        say(f"{source} is not there any more: only the corrected images are written")
        return []
    return [frame for frame in frames if frame.name not in done]


def _corrected(given: Path, format: str) -> tuple[Path, Path]:
    """The folder handed over, and the corrected file in it."""
    if given.is_file():
        return given.parent, given
    if not given.is_dir():
        raise UserError(
            "no such folder or file", given, "give the folder that was handed over, or the corrected file in it"
        )
    beside = (given / "annotations").glob("*") if format == "coco" else ()  # as in an export that was unpacked
    found = [
        p
        for p in (*given.iterdir(), *beside)
        if p.suffix.lower() in ENDINGS[format] and p.name not in (OURS[format], NOTE, "labels.json")
    ]
    if not found:
        raise UserError(
            f"there is no corrected {' or '.join(ENDINGS[format])} file in this folder",
            given,
            "export it from the labelling tool into it"
            + (f"; to read {OURS[format]} itself, name that file" if (given / OURS[format]).is_file() else ""),
        )
    return given, max(found, key=lambda p: p.stat().st_mtime)
