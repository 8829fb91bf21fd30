"""Scene and seed to a data set on disk: ``simteacher render``.

Resumable frame by frame, with the same bytes for any number of workers.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import yaml

from simteacher.data.dataset_yaml import YAML, read_dataset_yaml
from simteacher.data.folder import FolderWriter
from simteacher.encode import package
from simteacher.errors import UserError, nearest
from simteacher.files import alone, atomic_write, part_of, require_empty, sole_writer
from simteacher.memory import keep_freed_memory
from simteacher.progress import progress, say
from simteacher.scenes.card import write_card
from simteacher.scenes.film import film
from simteacher.scenes.job import PINHOLE, WRITERS, Job, make, text_hash
from simteacher.scenes.optics import strongest_barrel
from simteacher.scenes.origin import MADE_BY, NOTE, SCENE, claim, finished, same_format, same_look
from simteacher.scenes.pathlight import require
from simteacher.scenes.scenefile import ESTIMATED, movable, told_scene
from simteacher.scenes.spec import SIDES, CameraRanges, SceneSpec, load_scene
from simteacher.typed import typed


@typed
def render(
    out: str | Path,
    *,
    frames: int = 500,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    scene: str | Path | None = None,
    like: str | Path | None = None,
    sequence: bool = False,
    workers: int | None = None,
    format: str = "folder",
    part: str | None = None,
    video: bool = False,
) -> Path:
    """Draw labelled street scenes.

    Args:
        out: Folder to write. One that holds an unfinished set of the same settings is continued.
        frames: How many images. More than last time adds to the set.
        size: Width and height in pixels; by default that of ``like``, or 480x360.
        seed: The same seed gives the same images, whatever the number of workers.
        scene: A scene file; defaults otherwise.
        like: A data set of photographs (no labels needed) whose size, light, colours and sharpness the scenes take
            on; what was found is written to ``scene.yaml`` in ``out``.
        sequence: Clips of moving traffic with optical flow instead of single frames.
        workers: Processes; as many as there are processors by default.
        format: "folder", "cityscapes", "coco" or "kitti".
        part: ``"2/4"``: only the second of four shares of the frames, for machines that write to one folder. When all
            shares are there, the same call without it finishes the set.
        video: With ``sequence``, also a video of every clip, ``out/videos/CLIP.mp4``.

    Returns:
        ``out``.

    Raises:
        UserError: A setting is wrong, ``out`` holds something else, or the disk is full.
    """
    out = Path(out)
    share = part_of(part) if part is not None else (0, 1)
    if format not in WRITERS:
        raise UserError(f"no format '{format}'{nearest(format, WRITERS)}", "--format", f"use {', '.join(WRITERS)}")
    if frames < 1:
        raise UserError(f"{frames} frames are nothing to render", "--frames", "give 1 or more")
    if workers is not None and workers < 1:
        raise UserError(f"{workers} workers render nothing", "--workers", "give 1 or more, or leave it out")
    if seed < 0:
        raise UserError(f"{seed} is no seed", "--seed", "give 0 or more")
    if video and not sequence:
        raise UserError("single frames make no video", "--video", "add --sequence")
    if video:
        package(out / "videos")
    like = None if like is None else str(like)
    # shares begin at the same time; an estimate is made by one
    with alone(out) if part is not None else sole_writer(out) if like is not None else nullcontext():
        job, keep = _begin(out, frames, size, seed, scene, like, sequence, format)
    with sole_writer(out, shared=part is not None):
        if keep is not None and not all(map(job.done, job.names())):
            keep.grow()
        try:
            _run(job, workers or _processors(), share)
        except KeyboardInterrupt:
            there = sum(map(job.done, job.names()))
            say(f"{out}: stopped; {there} of {frames} frames are there, the same command goes on")
            raise
        if part is None:
            _finish(job, keep, video)
            say(f"{out}: {frames} labelled frames; look at {out / 'contact.jpg'}")
        else:
            say(f"{out}: part {part} is done; when all are, the same command without --part finishes the set")
    return out


def _finish(job: Job, keep: FolderWriter | None, video: bool) -> None:
    """What needs all frames: lists, the data card, the videos."""
    out, names = Path(job.out), job.names()
    card = write_card(out, job, names)  # first: it finds facts that cannot be read
    if card["staged"]:
        spec = load_scene(job.scene) if job.scene else SceneSpec()
        called = [*(item.what for item in spec.stage), *(f"mesh {mesh.file.name}" for mesh in spec.meshes)]
        for what, count in zip(called, card["staged"], strict=False):
            if count < len(names):
                say(f"the {what} that the scene file stages is not seen in {len(names) - count} of {len(names)} frames")
    _tell_lens(job)
    WRITERS[job.format].finish(out, names)
    if keep is not None:
        for name in names:
            keep.has(name)
        keep.close()
    else:
        finished(out)
    if video:
        film(job)


def _tell_lens(job: Job) -> None:
    """Say where frames have less distortion than a scene file asks for."""
    camera = load_scene(job.scene).camera if job.scene else CameraRanges()
    asked, widest = camera.distortion, camera.fov[1]
    if asked == CameraRanges().distortion or not any(asked):
        return
    if job.format in PINHOLE:
        say(f"{job.out}: {job.format} has no place for a lens's distortion; that of the scene file is left out")
    elif asked[0] < (bears := strongest_barrel(float(np.deg2rad(widest)), job.size)):
        say(f"a view of {widest:g}° bears a distortion of {bears:.3f}, not {asked[0]:g}: frames have what theirs bears")


def _begin(
    out: Path,
    frames: int,
    size: tuple[int, int] | None,
    seed: int,
    scene: str | Path | None,
    like: str | None,
    sequence: bool,
    format: str,
) -> tuple[Job, FolderWriter | None]:
    """Settle what is rendered and say so in ``out``."""
    # before an estimate that takes minutes and leaves its scene file
    if (out / YAML).is_file():
        origin = read_dataset_yaml(out).meta.get("origin")
        if not isinstance(origin, dict) or origin.get("made by") != MADE_BY:
            raise UserError("holds a data set that is no render", out, "choose another output folder")
        same_look(out, origin)
        same_format(out, "folder", format)
    elif (out / NOTE).is_file():
        with suppress(OSError, ValueError, TypeError, KeyError):  # what is wrong with it is told below
            same_format(out, dict(json.loads((out / NOTE).read_text(encoding="utf-8")))["format"], format)
    else:
        require_empty(out, {SCENE})
    source, text = _scene(out, scene, like)
    spec = load_scene(source) if source else SceneSpec()
    if spec.light.paths:
        require()
    if text is not None and source is None and (out / SCENE).is_file():  # another command was quicker
        source, text = _scene(out, scene, like)
    if text is not None and source is None:  # estimated just now
        atomic_write(out / SCENE, text)
        source, spec = out / SCENE, load_scene(out / SCENE)
    size = size or spec.size or (480, 360)
    if min(size) < SIDES[0] or max(size) > SIDES[1]:
        raise UserError(f"{size[0]}x{size[1]} is no size to render", "--size", f"give {SIDES[0]} to {SIDES[1]} a side")
    where = str(source.resolve()) if source else None
    job = Job(str(out), frames, size, seed, where, sequence, spec.clip.frames, spec.clip.rate, format)
    if source is not None:
        job = replace(job, scene_hash=text_hash(source))
    keep = claim(out, job, spec)
    known = set(job.names())
    beyond = [p for p in (out / "meta").glob("*.json") if p.stem.replace("_", "").isdigit() and p.stem not in known]
    if beyond:
        there = frames + len(beyond)
        fix = f"give --frames {there} or more, or another output folder"
        raise UserError(f"holds {there} frames, more than {frames}", out, fix)
    if source is None or source.resolve() != (out / SCENE).resolve():
        said, old = movable(source) if source else defaults(), out / SCENE
        if not old.is_file() or old.read_text(encoding="utf-8") != said:  # a finished set may be read-only
            atomic_write(old, said)
    return job, keep


def _scene(out: Path, scene: str | Path | None, like: str | None) -> tuple[Path | None, str | None]:
    """The scene file to use; or, for ``like``, its text until ``out`` holds it: an estimate is made once."""
    if like is None:
        return (Path(scene) if scene is not None else None), None
    if (out / SCENE).is_file():
        said = (out / SCENE).read_text(encoding="utf-8").split("\n", 1)[0]
        if said.startswith(ESTIMATED) and f" of {like}, " not in said:
            raise UserError(f"its frames are not like {like} ({said[2:]})", out, "choose another output folder")
        if not said.startswith(ESTIMATED) and any((out / name).is_file() for name in (YAML, NOTE)):
            raise UserError(f"its frames are of a scene file and not like {like}", out, "choose another output folder")
        if scene is not None and said.startswith(ESTIMATED) and told_scene(scene) not in said:
            raise UserError(f"its frames are not of {scene} ({said[2:]})", out, "choose another output folder")
        return out / SCENE, None
    from simteacher.scenes.like import match

    try:
        return None, match(like, scene)
    except KeyboardInterrupt:
        say(f"{out}: the look of {like} was not yet estimated; that starts anew")
        raise


def defaults() -> str:
    """The scene file that changes nothing, with every default written out."""
    data = SceneSpec().model_dump(mode="json", exclude_none=True)
    return "# every range and weight of this render; edit and pass with --scene\n" + yaml.safe_dump(
        data, sort_keys=False, default_flow_style=None, width=100
    )


def _processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(job: Job, workers: int, share: tuple[int, int] = (0, 1)) -> None:
    """Render what is missing of a share of the units, (number, of how many), with progress."""
    number, shares = share
    mine = range(number, job.units(), shares)
    done = {u: {name: job.done(name) for name in job.unit(u)} for u in mine}
    ready = {name for unit in done.values() for name, there in unit.items() if there}
    frames, missing = sum(map(len, done.values())), [u for u in mine if not all(done[u].values())]
    if not missing:
        say(f"{job.out}: all {frames} frames are there already")
        return
    with progress(frames, "render") as bar:
        if ready:
            say(f"{len(ready)} frames are there already, {frames - len(ready)} to render")
            bar.skip(len(ready))
        workers = min(workers, len(missing))
        if workers == 1:
            keep_freed_memory()  # as a worker does
        here = (name for unit in mine for name in make(job, unit))
        for name in here if workers == 1 else _names(job, workers, share):
            if name not in ready:
                bar.advance()


def _names(job: Job, workers: int, share: tuple[int, int]) -> Iterator[str]:
    """Start the workers and yield the names that they finish."""
    number, shares = share
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")]))
    running: list[subprocess.Popen[bytes]] = []
    try:
        with selectors.DefaultSelector() as ready:
            for k in range(workers):
                command = [sys.executable, "-m", "simteacher.scenes.worker"]
                command += [str(number + k * shares), str(shares * workers)]
                process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
                running.append(process)
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(job.to_json().encode() + b"\n")
                process.stdin.close()
                ready.register(process.stdout, selectors.EVENT_READ, process)
            while ready.get_map():
                for key, _ in ready.select():
                    yield from _read(key.fileobj, key.data, ready)  # type: ignore[arg-type]
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _read(stream: IO[bytes], process: subprocess.Popen[bytes], ready: selectors.BaseSelector) -> Iterator[str]:
    """One line of a worker: a finished frame, its error, or its end."""
    line = stream.readline().decode()
    if line.startswith("{"):
        raise UserError(**json.loads(line))
    if line:
        yield line.strip()
        return
    ready.unregister(stream)
    if process.wait() != 0:
        raise RuntimeError(f"a render process ended with status {process.returncode}; its message is above")
