"""What a rendered set says of itself: what made it, of which look, from which scene, and whether it is finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simteacher.data.folder import FolderWriter
from simteacher.errors import UserError
from simteacher.files import atomic_write, require_empty
from simteacher.labels import SPACES
from simteacher.scenes.job import Job, text_hash
from simteacher.scenes.spec import SceneSpec

SCENE = "scene.yaml"
NOTE = "origin.json"  # in layouts without dataset.yaml
MADE_BY = "simteacher render"
LOOK = 7
"""Raised whenever the same seed begins to give other pictures: sets of two looks are not mixed."""


def claim(out: Path, job: Job, spec: SceneSpec) -> FolderWriter | None:
    """Make sure ``out`` is new or holds the same job, and say in it what is being made.

    Raises:
        UserError: It holds something else.
    """
    origin: dict[str, Any] = {
        "made by": MADE_BY,
        "look": LOOK,
        "seed": job.seed,
        "size": list(job.size),
        "scene": Path(job.scene).read_text(encoding="utf-8") if job.scene else "defaults",
        "sequence": job.sequence,
    }
    if spec.meshes:  # their files are part of the scene
        origin["meshes"] = {str(mesh.file): text_hash(mesh.file) for mesh in spec.meshes}
    if job.format == "folder":
        return FolderWriter(out, SPACES["cityscapes19"], origin, suffix=".jpg")
    origin["format"] = job.format
    path = out / NOTE
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError("its record cannot be read", path, "choose another output folder, or delete it") from None
        same_look(out, before)
        keys = (before.keys() | origin.keys()) - {"complete"}
        differ = sorted(k for k in keys if before.get(k) != origin.get(k))
        if differ:
            raise UserError(
                f"holds another render ({', '.join(differ)} differ)", out, "choose another output folder, or delete it"
            )
    else:
        require_empty(out, {SCENE})
    note(path, {**origin, "complete": all(map(job.done, job.names()))})
    return None


def finished(out: Path) -> None:
    """Say that all frames are there, in a layout without ``dataset.yaml``."""
    path = out / NOTE
    note(path, {**json.loads(path.read_text(encoding="utf-8")), "complete": True})


def note(path: Path, origin: dict[str, Any]) -> None:
    """Write what a set says of itself where it does not say so yet."""
    text = json.dumps(origin, indent=1)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:  # a finished set may be read-only
        atomic_write(path, text)


def same_look(out: Path, before: dict[str, Any]) -> None:
    """Frames of two versions of the simulator are not mixed."""
    if before.get("look") != LOOK:
        told = f"its frames are of look {before.get('look')} of the simulator, and this version draws look {LOOK}"
        raise UserError(told, out, "choose another output folder, or finish it with the version that began it")


def same_format(out: Path, before: str | None, now: str) -> None:
    """Nor of two formats."""
    if before != now:
        raise UserError(f"holds a render in the format {before}, not {now}", out, "choose another output folder")
