"""What a folder holds beside what was read, in sentences for `check`: unread pictures, likely label folders."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path, PurePosixPath

from simteacher.data.images import UNREAD_SUFFIXES
from simteacher.data.layouts import list_files
from simteacher.data.sample import DataSet


def hints(dataset: DataSet) -> list[str]:
    """Sentences about a whole set; none where nothing was overlooked."""
    return [*unread(dataset.root), *_twins(dataset)]


def unread(root: Path) -> list[str]:
    """Pictures that this tool does not read, such as a phone's."""
    files = [f for f in list_files(root) if f.lower().endswith(UNREAD_SUFFIXES)]
    kinds = Counter(PurePosixPath(f).suffix.lower() for f in files)
    first = {kind: root / next(f for f in files if f.lower().endswith(kind)) for kind in kinds}
    return [
        f"not read: {n} {kind} file{'s' * (n > 1)}, such as {first[kind]}; convert them to JPEG or PNG"
        for kind, n in kinds.most_common()
    ]


def _twins(dataset: DataSet) -> list[str]:
    """Folders of an unlabelled set with the same file names: one of them may hold labels."""
    if dataset.format != "folder" or dataset.meta or any(frame.label for frame in dataset.frames):
        return []
    stems: dict[Path, set[str]] = {}
    for frame in dataset.frames:
        stems.setdefault(frame.image.parent, set()).add(frame.image.stem)
    return [
        f"{a} and {b} hold files of the same names: if one of them holds labels, call it labels/ and the other images/"
        for a, b in combinations(sorted(stems), 2)
        if len(stems[a]) > 1 and stems[a] == stems[b]
    ]
