"""The one contract between data sets and everything else: a `Frame` names files, a `DataSet` reads them.

Nothing is opened before it is asked for, so an unlabelled target never needs a label file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simteacher.labels import IGNORE as IGNORE
from simteacher.labels import LabelSpace


@dataclass(frozen=True, slots=True)
class Frame:
    """Files of one image. ``name`` is unique in its set and safe as a file name (no separators, no suffix)."""

    name: str
    image: Path
    label: Path | None = None
    confidence: Path | None = None
    instances: Path | None = None
    depth: Path | None = None
    flow: Path | None = None


@dataclass(frozen=True, slots=True)
class DataSet:
    """A list of frames and how to read their labels.

    Attributes:
        format: One of the contract's format names.
        root: The folder it was opened from.
        split: The split it holds, or None where the layout has none.
        frames: Sorted by name.
        names: Raw label id -> class name, as the layout defines it (aliases and synonyms not yet applied).
        space: The label space that the stored ids are indices of, where the set states one (`folder`).
        decode: How label files become raw ids, see `simteacher.data.raw`; a format's name where that depends on the
            release, which is found out when the first label is read.
        why: One sentence on how the layout was recognised.
        probe: A few label files from all over the set, all splits, by which its release is told apart.
        meta: Contents of ``dataset.yaml`` for `folder` sets, else empty.
        gone: Names that its splits list and that are not there.
        opening: Another number each time that a set is opened: what is remembered of its files holds that long.
    """

    format: str
    root: Path
    split: str | None
    frames: tuple[Frame, ...]
    names: dict[int, str]
    space: LabelSpace | None = None
    decode: str = "index"
    why: str = ""
    probe: tuple[Path, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    opening: int = field(default=0, compare=False)

    def __len__(self) -> int:
        return len(self.frames)

    def subset(self, frames: tuple[Frame, ...]) -> DataSet:
        """The same set with other frames."""
        return replace(self, frames=frames)

    def unlabelled(self) -> DataSet:
        """The same set without any label path: what training on an unlabelled target receives."""
        bare = tuple(Frame(f.name, f.image) for f in self.frames)
        return replace(self, frames=bare, probe=())
