"""The whole job in a few minutes: render a street, train a teacher, adapt it, measure, report. ``simteacher demo``.

Without photographs the target is a STAND-IN: rendered too, so no answer to the question whether photographs work, but
with a domain gap of its own: other streets, light, textures, camera and mix of objects, sensor noise and compression.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from simteacher.errors import UserError
from simteacher.files import atomic_write
from simteacher.progress import say
from simteacher.rundir import require_run_place
from simteacher.typed import typed

# recipe, keys of it and size of the renders, for the stand-in and for photographs: these begin with the teacher that
# comes with the tool, which would leave the stand-in, a render like those that it learned from, little to adapt to
STAND_IN_RUN: tuple[str, dict[str, Any], tuple[int, int]] = ("demo", {}, (320, 240))
PHOTOGRAPHS_RUN: tuple[str, dict[str, Any], tuple[int, int]] = ("quick", {"budget.steps": 240}, (480, 360))
FRAMES = {"source": 240, "stand-in": 120, "stand-in-held-out": 48}
SEEDS = {"source": 1, "stand-in": 2, "stand-in-held-out": 3}

SIMULATED: dict[str, Any] = {
    "street": {"kinds": {"town": 1, "shopping": 1, "residential": 1, "modern": 1}, "left_hand": 0},
    "objects": {"bare": 0},
    "light": {"weather": {"clear": 2, "fair": 1}, "time": {"day": 1}},
    "camera": {
        "height": [1.3, 1.6],
        "pitch": [-2, 1],
        "fov": [62, 76],
        "distortion": 0,
        "exposure": [0.9, 1.1],
        "warmth": [-0.02, 0.02],
        "gamma": 2.2,
        "contrast": [0.95, 1.05],
        "saturation": [0.9, 1.1],
        "blur": [0, 0.2],
        "noise": [0, 0.004],
        "vignette": [0, 0.1],
        "jpeg": [94, 98],
        "bonnet": 0,
    },
    "random_textures": 0,
}
"""A simulator as one finds it: a fine summer's day, traffic on the right, a clean camera."""

STAND_IN: dict[str, Any] = {
    "street": {"kinds": {"avenue": 2, "town": 1, "residential": 1, "park": 1, "industrial": 1}, "left_hand": 1},
    "objects": {
        "vehicles": {
            "estate": 3,
            "hatchback": 2,
            "van": 3,
            "taxi": 2,
            "truck": 2,
            "bus": 2,
            "bicycle": 3,
            "motorcycle": 1,
        },
        "parked": 0.7,
        "people": [0.4, 1.0],
        "trees": [0.4, 1.0],
        "bare": 1,
    },
    "light": {"weather": {"overcast": 2, "rain": 2, "fog": 1}, "time": {"low_sun": 1, "dusk": 2, "day": 1}},
    "camera": {
        "height": [2.2, 2.6],
        "pitch": [-8, -3],
        "fov": [46, 56],
        "distortion": [-0.12, -0.06],
        "exposure": [0.45, 0.75],
        "warmth": [0.14, 0.24],
        "contrast": [0.75, 0.9],
        "saturation": [0.3, 0.6],
        "blur": [0.8, 1.5],
        "noise": [0.03, 0.05],
        "vignette": [0.3, 0.5],
        "jpeg": [25, 40],
    },
    "random_textures": 0.3,
}
"""Another town in November, wet and dim, from the cab of a van through a worn camera.

It stands in for photographs and is never called real.
"""


@typed
def demo(out: str | Path = "runs/demo", data: str | Path | None = None) -> Path:
    """Render, train a teacher, adapt it, measure and report. Interrupted, the same call continues.

    Args:
        out: Run folder. The rendered sets go beside it, into ``<out>-data``.
        data: Photographs to adapt to; ``data/camvid``, ``data/cityscapes`` or ``data/kitti`` where one of them is here,
            else the rendered stand-in.

    Returns:
        The run folder, with ``report.html`` in it.

    Raises:
        UserError: The photographs cannot be read, or ``out`` holds something else.
    """
    run, place = Path(out), Path(out).with_name(Path(out).name + "-data")
    require_run_place(run)  # before minutes of rendering
    data = str(data) if data is not None else _found()
    settings = _photographs(data) if data else {"eval_data": str(place / "stand-in-held-out"), "classes": "camvid11"}
    recipe, keys, size = PHOTOGRAPHS_RUN if data else STAND_IN_RUN
    if data:
        say(f"Target: the photographs of {data}. Their labels, if any, are used to measure, never to train.")
    else:
        say("Target: a rendered stand-in for photographs. With your own: simteacher demo --data FOLDER --out RUN")
    say("\n1. Render labelled streets")
    source = _rendered(place, "source", SIMULATED if not data else None, size)
    target = data
    if target is None:
        target = _rendered(place, "stand-in", STAND_IN, size)
        _rendered(place, "stand-in-held-out", STAND_IN, size)
    say("\n2. Train a teacher on them, let it label the target, train a student on its labels")
    from simteacher.adapt import adapt
    from simteacher.report import report

    adapt(recipe, source=source, target=target, out=run, set={**keys, **settings})
    say("\n3. Measure and report")
    page = report(run)
    _tell(run, page, stand_in=not data)
    return run


def _rendered(place: Path, name: str, scene: dict[str, Any] | None, size: tuple[int, int]) -> str:
    """Render one of the demo's sets, unless it is there; returns its path."""
    from simteacher.scenes.render import render

    path: Path | None = None
    if scene is not None:
        path = place / f"{name}.yaml"
        atomic_write(path, yaml.safe_dump(scene, sort_keys=False))
    render(place / name, frames=FRAMES[name], size=size, seed=SEEDS[name], scene=path)
    return str(place / name)


def _found() -> str | None:
    """A set of photographs in ``data/``, where people put theirs."""
    known = ("camvid", "cityscapes", "kitti")
    return next((f"{name}:data/{name}" for name in known if Path("data", name).is_dir()), None)


def _photographs(data: str) -> dict[str, Any]:
    """Where to measure: the held-out split of the photographs, if it is labelled."""
    from simteacher.data.open import open_dataset

    open_dataset(data)  # tells at once what is wrong with it
    for split in ("val", "test"):
        try:
            held_out = open_dataset(data, split)
        except UserError:
            continue
        if held_out.frames and all(f.label is not None for f in held_out.frames):
            return {"eval_data": data, "eval_split": split}
    return {}


def _tell(run: Path, page: Path, *, stand_in: bool) -> None:
    """The numbers in short, and where to look next."""
    from simteacher.report_data import read_run
    from simteacher.show import print_comparison

    told = read_run(run)
    rows = {"teacher": told.before, "adapted": told.after or told.before}
    scores = {name: stage.score(told.eval_data) for name, stage in rows.items() if stage}
    if all(scores.values()):
        print_comparison(scores)
        what = "held-out images of the stand-in (rendered, not real)" if stand_in else f"{told.eval_data}"
        print(f"measured on {what}; labels of the target were not used in training")
    else:
        print("no labelled held-out photographs: nothing to measure on; look at the pictures of the report")
    print(f"\nThe whole story: {page}")
    print(f"Next: simteacher predict {quote(str(run))} YOUR_PHOTOGRAPHS OUT")
    print("      simteacher adapt quick --source SIMULATED --target YOUR_PHOTOGRAPHS --out runs/mine")
