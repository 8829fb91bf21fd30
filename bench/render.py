"""How fast streets are rendered, and where the time goes.

    .venv/bin/python bench/render.py [--frames 24] [--size 480x360] [--workers 2]

One process first renders frames with full ground truth and files, and right after each the bare minimum: the tree
built and one Embree ray cast through every pixel of the same triangles. ``ratio`` is the frame over that, ``shares``
those of world building, ray casting (trees included), shading, truth and writing, all in seconds of one processor,
so that busy neighbours matter little. Where Mitsuba is installed (``pip install mitsuba``), it draws the same
triangles: sun, sky and one grey material, 4 rays a pixel and a shadow ray each, no ground truth. Then ``--workers``
processes render a set through the command's own path, in seconds of the clock. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from simteacher.memory import keep_freed_memory
from simteacher.progress import set_quiet
from simteacher.scenes import embree, write_folder
from simteacher.scenes.assemble import assemble
from simteacher.scenes.capture import capture
from simteacher.scenes.frame import draw
from simteacher.scenes.job import atlas
from simteacher.scenes.optics import Optics
from simteacher.scenes.raycast import Scene, world_rays
from simteacher.scenes.render import render
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world


class Clock:
    """Seconds of named parts; what runs inside another part counts only for the inner one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._last = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        if self._stack:
            self.spent[self._stack[-1]] += now - self._last
        self._last = now

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Count every call of ``owner.name`` as ``part``."""
        inner = getattr(owner, name)

        def timed(*args: Any, **options: Any) -> Any:
            with self.part(part):
                return inner(*args, **options)

        setattr(owner, name, timed)

    def part(self, name: str) -> Clock:
        """Use in ``with``."""
        self._turn()
        self._stack.append(name)
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._turn()
        self._stack.pop()


def mitsuba_seconds(scene: Scene, size: tuple[int, int]) -> float | None:
    """Processor seconds that Mitsuba (Jakob et al., 2022) takes for a plain picture of the same triangles."""
    try:
        import mitsuba as mi
    except ImportError:
        return None
    mi.set_variant("scalar_rgb")
    mesh = mi.Mesh("street", len(scene.vertices_V3), len(scene.faces_F3))
    fields = mi.traverse(mesh)
    fields["vertex_positions"] = scene.vertices_V3.ravel()
    fields["faces"] = scene.faces_F3.astype(np.uint32).ravel()
    fields.update()
    pose = np.array(scene.world.camera.pose_44)
    pose[:3, 3] = 0  # the triangles are relative to the camera
    pose[:3, :2] *= -1  # its axes are left and up, ours right and down
    camera = {
        "type": "perspective",
        "fov": float(np.rad2deg(scene.world.camera.fov)),
        "to_world": mi.ScalarTransform4f(pose),
        "film": {"type": "hdrfilm", "width": size[0], "height": size[1]},
        "sampler": {"type": "independent", "sample_count": 4},
    }
    began = time.process_time()
    street = mi.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "direct"},
            "camera": camera,
            "sky": {"type": "constant"},
            "sun": {"type": "directional", "direction": [-v for v in scene.world.light.sun_3]},
            "street": mesh,
        }
    )
    np.asarray(mi.render(street))
    return time.process_time() - began


def single(frames: int, size: tuple[int, int]) -> dict[str, Any]:
    """One process, one frame after the other."""
    clock, spec = Clock(), SceneSpec()
    caster = type(embree.make_caster(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)))
    for name in ("__init__", "nearest", "blocked"):
        clock.wrap(caster, name, "rays")
    whole, bare, other, triangles = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(-1, frames):  # the first warms up
            began = time.process_time()
            with clock.part("world"):
                world = build_world(1, max(i, 0), spec, size)
            with clock.part("shading"):
                made = draw(world, size, atlas(), np.random.default_rng(i + 1))
            with clock.part("truth"):
                record = capture(f"{i + 1:06d}", made)
            with clock.part("files"):
                write_folder.write(Path(folder), record)
            spent = time.process_time() - began
            before = dict(clock.spent)
            scene = assemble(world, size)
            optics = Optics.of(world.camera, size)
            ray = world_rays(world, optics, optics.grid())
            start = np.broadcast_to(np.zeros(3, np.float32), ray.shape)
            began = time.process_time()
            embree.make_caster(scene.vertices_V3, scene.faces_F3).nearest(start, ray)
            cast = time.process_time() - began
            other.append(mitsuba_seconds(scene, size) if i < 4 else None)
            clock.spent = defaultdict(float, before)  # the yardstick is no part of the frame
            if i < 0:
                clock.spent.clear()
                continue
            whole.append(spent)
            bare.append(cast)
            triangles.append(len(scene.faces_F3))
    total = sum(clock.spent.values())
    result = {
        "frame_seconds": round(statistics.median(whole), 4),
        "bare_cast_seconds": round(statistics.median(bare), 4),
        "ratio": round(statistics.median(w / b for w, b in zip(whole, bare, strict=True)), 2),
        "shares": {k: round(v / total, 3) for k, v in sorted(clock.spent.items())},
        "triangles": round(statistics.mean(triangles)),
    }
    known = [seconds for seconds in other[1:] if seconds is not None]
    result["mitsuba_seconds"] = round(statistics.median(known), 4) if known else "left out: Mitsuba is not installed"
    return result


def many(frames: int, size: tuple[int, int], workers: int) -> dict[str, Any]:
    """The command itself, start of the processes included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        render(Path(folder) / "set", frames=frames, size=size, seed=1, workers=workers)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return {
        "workers": workers,
        "frames": frames,
        "frames_per_second": round(frames / seconds, 2),
        "worker_peak_mib": round(peak),
    }


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", default="480x360")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    set_quiet(True)
    keep_freed_memory()  # as the workers do
    result = {"size": args.size, **single(args.frames, (width, height))}
    result["set"] = many(args.frames * 2, (width, height), args.workers)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
