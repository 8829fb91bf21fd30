"""A render job: which frames there are, what they are called, how one is made; the same for any number of workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from simteacher.errors import UserError
from simteacher.files import atomic_write, disk_errors
from simteacher.scenes import motion, textures, write_cityscapes, write_coco, write_folder, write_kitti
from simteacher.scenes.assemble import assemble
from simteacher.scenes.atlas import Atlas
from simteacher.scenes.capture import Capture, capture, meta_json
from simteacher.scenes.drive import advance
from simteacher.scenes.frame import Rendered, draw, drawn_clouds
from simteacher.scenes.raycast import Scene
from simteacher.scenes.spec import SceneSpec, load_scene
from simteacher.scenes.world import build_world

WRITERS = {"folder": write_folder, "cityscapes": write_cityscapes, "coco": write_coco, "kitti": write_kitti}
PINHOLE = ("cityscapes", "kitti")  # layouts of rectified pictures: they have no place for a lens's distortion


@dataclass(frozen=True, slots=True)
class Job:
    """What to render.

    Attributes:
        out: Folder.
        frames: Number of images.
        size: Width and height.
        seed: Frame i of a seed is the same picture in every job of the same size and scene.
        scene: Scene file, or None for the defaults.
        sequence: Clips instead of single frames.
        clip: Frames of a clip.
        rate: Frames a second of a clip.
        format: Key of `WRITERS`.
        scene_hash: Of the scene file's text when the job began, see `text_hash`.
    """

    out: str
    frames: int
    size: tuple[int, int]
    seed: int
    scene: str | None
    sequence: bool
    clip: int
    rate: float
    format: str
    scene_hash: str | None = None

    def to_json(self) -> str:
        """For another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Undo `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "size": tuple(fields["size"])})

    def name(self, index: int) -> str:
        """Of a frame, counted from 0."""
        return f"{index // self.clip:05d}_{index % self.clip:04d}" if self.sequence else f"{index:06d}"

    def names(self) -> list[str]:
        """Names of all frames, in order."""
        return [self.name(i) for i in range(self.frames)]

    def units(self) -> int:
        """How many there are of what one worker makes in one go: a frame, or a clip."""
        return -(-self.frames // self.clip) if self.sequence else self.frames

    def unit(self, number: int) -> list[str]:
        """Names of the frames of one unit. Asked for every frame, so its cost must not grow with the job."""
        step = self.clip if self.sequence else 1
        return [self.name(i) for i in range(number * step, min(number * step + step, self.frames))]

    def done(self, name: str) -> bool:
        """Whether a frame is complete; its facts are written last."""
        out = Path(self.out)
        lacks = self.format == "kitti" and self.sequence and not write_kitti.whole(out, name, self._ends_clip(name))
        there = (out / "meta" / f"{name}.json", *WRITERS[self.format].files(out, name))
        return not lacks and all(path.is_file() for path in there)

    def _ends_clip(self, name: str) -> bool:
        clip, frame = (int(part) for part in name.split("_"))
        return frame + 1 == self.clip or clip * self.clip + frame + 1 == self.frames


def text_hash(path: Path) -> str:
    """Of a file's content."""
    with disk_errors(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The textures, once a process."""
    return Atlas(*textures.library())


def captures(
    job: Job, unit: int, skip: frozenset[str] = frozenset(), spec: SceneSpec | None = None
) -> Iterator[Capture]:
    """Render the frames of one unit, except those of ``skip``."""
    if spec is None and job.scene and job.scene_hash and text_hash(Path(job.scene)) != job.scene_hash:
        fix = "put it back, or name a copy of it; frames of two scenes are not mixed"
        raise UserError("this scene file changed while its frames were drawn", job.scene, fix)
    spec = spec or (load_scene(job.scene) if job.scene else SceneSpec())
    if job.format in PINHOLE:
        spec = spec.model_copy(update={"camera": spec.camera.model_copy(update={"distortion": (0.0, 0.0)})})
    names = job.unit(unit)
    if not job.sequence:
        if names[0] not in skip:
            world = build_world(job.seed, unit, spec, job.size)
            yield capture(names[0], draw(world, job.size, atlas(), _rng(job, unit, 0)))
        return
    yield from _clip(job, unit, names, skip, spec)


def _rng(job: Job, unit: int, moment: int) -> np.random.Generator:
    return np.random.default_rng([job.seed, unit, moment, 0x5E9])


def _clip(job: Job, unit: int, names: list[str], skip: frozenset[str], spec: SceneSpec) -> Iterator[Capture]:
    """A clip; its exposure and clouds are those of its first frame. One frame is held back until the next is known."""
    first = build_world(job.seed, unit, spec, job.size, clip=True)
    clouds = drawn_clouds(_rng(job, unit, 0))
    before: Scene | None = None
    gain: float | None = None
    made: Rendered | None = None
    for moment, name in enumerate(names):
        if made is None:
            made = draw(first, job.size, atlas(), _rng(job, unit, moment), gain, clouds, whole=True)
        gain = made.gain
        world = advance(made.scene.world, 1 / job.rate)
        last = moment + 1 == len(names)
        after = None if last else draw(world, job.size, atlas(), _rng(job, unit, moment + 1), gain, clouds, whole=True)
        if name not in skip:
            following = assemble(world) if after is None else after.scene
            previous = before or assemble(advance(made.scene.world, -1 / job.rate))
            yield capture(
                name,
                made,
                motion.flow(made.scene, made.g, following),
                motion.flow(made.scene, made.g, previous),
            )
        before, made = made.scene, after


def make(job: Job, unit: int) -> Iterator[str]:
    """Render and write one unit; yields the name of every frame that is now complete."""
    out, writer = Path(job.out), WRITERS[job.format]
    names = job.unit(unit)
    finished = frozenset(name for name in names if job.done(name))
    yield from sorted(finished)
    if len(finished) == len(names):
        return
    for c in captures(job, unit, finished):
        writer.write(out, c)
        atomic_write(out / "meta" / f"{c.name}.json", meta_json(c.meta) + "\n")
        yield c.name
