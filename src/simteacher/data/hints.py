"""What a folder holds beside what was read, in sentences for `check`: unread pictures, likely label folders."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from simteacher.data.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from simteacher.data.layouts import NO_PHOTOGRAPH, list_files
from simteacher.data.sample import DataSet

# fewer than NO_PHOTOGRAPH: disparities and other maps are no labels either
_LABELS = re.compile(r"(^|/)[^/]*(label|annot|gtFine|gtCoarse|mask|semantic)[^/]*/", re.IGNORECASE)
ALIKE = 4  # more folders of the same names are clips, whose frames are counted from one


def hints(dataset: DataSet) -> list[str]:
    """Sentences about a whole set; none where nothing was overlooked."""
    files = list_files(dataset.root)
    more = (*_twins(dataset), *_polygons(dataset, files), *_unused(dataset, files))
    return [*unread(dataset.root), *_broken_names(files), *more]


def unread(root: Path) -> list[str]:
    """Pictures in a folder that this tool does not read, such as a phone's."""
    files = [f for f in list_files(root) if f.lower().endswith(UNREAD_SUFFIXES)] if root.is_dir() else []
    kinds = Counter(PurePosixPath(f).suffix.lower() for f in files)
    first = {kind: root / next(f for f in files if f.lower().endswith(kind)) for kind in kinds}
    return [
        f"not read: {n} {kind} file{'s' * (n > 1)}, such as {first[kind]}; convert them to JPEG or PNG"
        for kind, n in kinds.most_common()
    ]


def _broken_names(files: list[str]) -> list[str]:
    """Files that no list of names, one a line, could name."""
    files = [f for f in files if len(f.splitlines()) > 1]
    what = f"{len(files)} file{'s' * (len(files) > 1)} with a line break in the name"
    return [f"not read: {what}, such as {files[0]!r}; rename it"] if files else []


def _polygons(dataset: DataSet, files: list[str]) -> list[str]:
    """Files of a labelling tool beside images without label: outlines, which are no label of every pixel."""
    bare = {frame.image.stem for frame in dataset.frames if frame.label is None} if dataset.format == "folder" else {}
    beside = [f for f in files if f.lower().endswith((".json", ".xml")) and PurePosixPath(f).stem in bare]
    found = [f for f in beside if _outlines(dataset.root / f)]
    if not found:
        return []
    what = f"not read: {len(found)} file{'s' * (len(found) > 1)} called like images without label, such as {found[0]}"
    return [f"{what}; outlines, as LabelMe's, have to be exported as class maps: labels/NAME.png"]


def _outlines(path: Path) -> bool:
    """Whether a file of text begins as one of a labelling tool, and not as what a camera or a phone notes."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return any(word in head for word in (b'"shapes"', b'"polygon"', b"<object", b"<polygon"))


def _twins(dataset: DataSet) -> list[str]:
    """Folders of an unlabelled set with the same file names: one of them may hold labels."""
    if dataset.format != "folder" or dataset.meta or any(frame.label for frame in dataset.frames):
        return []
    stems: dict[Path, set[str]] = {}
    for frame in dataset.frames:
        stems.setdefault(frame.image.parent, set()).add(frame.image.stem)
    alike: dict[frozenset[str], list[Path]] = {}
    for folder, names in sorted(stems.items()):
        alike.setdefault(frozenset(names), []).append(folder)
    return [
        f"{' and '.join(map(str, folders))} hold files of the same names: if one of them holds labels, call it labels/ "
        "and the other images/"
        for names, folders in alike.items()
        if len(names) > 1 and 2 <= len(folders) <= ALIKE
    ]


def _unused(dataset: DataSet, files: list[str]) -> list[str]:
    """Pictures of a `folder` set that are no part of it: outside of images/, or in folders called like labels."""
    if dataset.format != "folder":
        return _unpaired(dataset, files)
    inside = any(frame.image.is_relative_to(dataset.root / "images") for frame in dataset.frames)
    read = {
        str(file) for f in dataset.frames for file in (f.image, f.label, f.confidence, f.instances, f.depth, f.flow)
    }
    pictures = (f for f in files if f.lower().endswith(IMAGE_SUFFIXES) and "/" in f)
    files = [f for f in pictures if str(dataset.root / f) not in read]
    labels = {f for f in files if re.match(NO_PHOTOGRAPH, f, re.IGNORECASE)}
    if inside:
        theirs = _unpaired(dataset, sorted(labels))
        others = [f for f in files if f not in labels and not f.startswith("images/")]
        why = "outside of images/, so no part of the set"
    else:
        theirs, others = [], sorted(labels)
        why = "in folders that are called like labels, so not taken for photographs"
    said = [f"{len(others)} picture{'s' * (len(others) > 1)} {why}, such as {others[0]}"] if others else []
    if said and not inside and _LABELS.search(others[0]):
        said[0] += "; labels of these photographs belong into labels/, each called as its image in images/"
    return [*(f"{said}; labels lie in labels/, each called as its image" for said in theirs), *said]


def _unpaired(dataset: DataSet, files: list[str]) -> list[str]:
    """Pictures in folders called like labels whose names begin as those of images without label, and are not read.

    Names that others with labels have too, as KITTI's of testing and training, say nothing.
    """
    stems: dict[bool, set[str]] = {True: set(), False: set()}
    for frame in dataset.frames:
        stems[frame.label is not None].add(frame.image.stem.removesuffix("_leftImg8bit"))
    bare = stems[False] - stems[True]
    read = {str(file) for f in dataset.frames for file in (f.image, f.label, f.instances, f.depth, f.flow)}
    found: dict[str, str] = {}
    for file in files if bare else ():
        picture = file.lower().endswith(IMAGE_SUFFIXES) and _LABELS.search(file)
        if not picture or str(dataset.root / file) in read:
            continue
        if name := beginning(PurePosixPath(file).stem, bare):
            found.setdefault(name, file)
    if not found:
        return []
    count = f"{len(found)} image{'s' * (len(found) > 1)} without label"
    return [f"{count}, and pictures that may be theirs are not read, such as {next(iter(found.values()))}"]


def beginning(stem: str, names: set[str]) -> str:
    """The longest of ``names`` that ``stem`` is, or begins with before an underscore (X_P, X_gt_color); or nothing."""
    while stem and stem not in names:
        stem = stem.rpartition("_")[0]
    return stem
