"""Writes a run folder that looks like a real one, without training: for tests of the report and for looking at it.

``python -m tests.fake_run FOLDER [--unfinished] [--stand-in]``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFilter

from simteacher.labels import SPACES

SPACE = SPACES["camvid11"]
SIZE = (480, 360)
INDEX = {name: i for i, name in enumerate(SPACE.classes)}
PAINT = {"sky": (178, 203, 226), "building": (150, 124, 102), "road": (92, 92, 96), "sidewalk": (160, 156, 150),
         "tree": (66, 94, 52), "car": (150, 32, 36), "pole": (70, 70, 74), "pedestrian": (42, 52, 88)}  # fmt: skip


def street(seed: int) -> tuple[Image.Image, Image.Image]:
    """A drawn street: picture and true label."""
    rng = np.random.default_rng(seed)
    picture, label = Image.new("RGB", SIZE), Image.new("P", SIZE)
    label.putpalette(SPACE.palette_K3().tobytes())
    pens = ImageDraw.Draw(picture), ImageDraw.Draw(label)

    def fill(name: str, points: list[tuple[float, float]]) -> None:
        shade = rng.normal(0, 12)
        pens[0].polygon(points, fill=tuple(int(np.clip(c + shade, 0, 255)) for c in PAINT[name]))
        pens[1].polygon(points, fill=INDEX[name])

    def box(name: str, x: float, y: float, w: float, h: float) -> None:
        fill(name, [(x, y), (x + w, y), (x + w, y + h), (x, y + h)])

    width, height = SIZE
    horizon = 170 + rng.integers(-15, 15)
    box("sky", 0, 0, width, horizon + 10)
    for side in (0, 1):
        x = 0.0
        while x < 200:
            w = float(rng.integers(40, 90))
            top = 20 + 0.5 * x + rng.integers(0, 40)
            left = x if side == 0 else width - x - w
            box("building", left, top, w + 1, horizon + 40 - top)
            x += w
    fill(
        "sidewalk",
        [(0, height), (0, horizon + 50), (225, horizon), (255, horizon), (width, horizon + 50), (width, height)],
    )
    fill("road", [(40, height), (228, horizon), (252, horizon), (width - 40, height)])
    for _ in range(4):
        x, r = rng.choice([60, 110, 370, 420]) + rng.integers(-20, 20), rng.integers(22, 40)
        box("tree", x - 3, horizon - 10, 6, 50)
        fill("tree", [(x + r * np.cos(a) * 1.1, horizon - 30 + r * np.sin(a)) for a in np.linspace(0, 6.3, 14)])
    for x in (150, 330):
        box("pole", x, 70, 4, horizon - 30)
    for _ in range(3):
        x, s = rng.integers(150, 330), rng.uniform(0.4, 1.2)
        box("car", x, horizon + 60 * s - 30 * s, 60 * s, 32 * s)
    box("pedestrian", 100 + rng.integers(0, 20), horizon + 15, 12, 42)
    return picture.filter(ImageFilter.GaussianBlur(0.7)), label


def spoil(label: Image.Image, seed: int, amount: float) -> Image.Image:
    """A mask with mistakes: wobbling borders, and blobs of wrong classes."""
    rng = np.random.default_rng(seed)
    true = np.asarray(label)
    noise = Image.fromarray((rng.random((9, 12, 2)) * 255).astype(np.uint8)[..., 0]).resize(
        SIZE, Image.Resampling.BICUBIC
    )
    shift = ((np.asarray(noise).astype(float) / 255 - 0.5) * 60 * amount).astype(int)
    rows, cols = np.indices(true.shape)
    out = true[np.clip(rows + shift, 0, SIZE[1] - 1), np.clip(cols + shift, 0, SIZE[0] - 1)].copy()
    for _ in range(int(14 * amount)):
        y, x, r = rng.integers(0, SIZE[1]), rng.integers(0, SIZE[0]), rng.integers(10, 40)
        out[(rows - y) ** 2 + (cols - x) ** 2 < r * r] = rng.integers(0, len(SPACE))
    wrong = Image.fromarray(out)
    wrong.putpalette(SPACE.palette_K3().tobytes())
    return wrong


def _iou(rng: np.random.Generator, lift: float) -> dict[str, Any]:
    base = dict(zip(SPACE.classes, [0.80, 0.47, 0.09, 0.74, 0.18, 0.36, 0.06, 0.02, 0.31, 0.11, 0.0], strict=True))
    better = {k: float(np.clip(v + lift * (1 - v) * rng.uniform(0.1, 1.4), 0, 1)) for k, v in base.items()}
    return {"miou": float(np.mean(list(better.values()))), "pixel_accuracy": 0.66 + lift / 2, "iou": better}


def make_run(
    out: Path, *, finished: bool = True, rounds: int = 2, evals: bool = True, stand_in: bool = False, samples: int = 4
) -> Path:
    """Write the run folder ``out`` and return it.

    Args:
        out: Made where it is missing.
        finished: Whether the final weights are there; an unfinished run breaks off in its last round.
        rounds: Student rounds; the guard refuses the last one when there are three.
        evals: Whether evaluation labels were given.
        stand_in: Whether the target is the embedded stand-in instead of photographs.
        samples: Photographs shown.
    """
    rng = np.random.default_rng(0)
    out.mkdir(parents=True, exist_ok=True)
    target = "runs/data/stand-in" if stand_in else "camvid:data/camvid"
    config = {"seed": 1, "budget": "quick", "source": "folder:data/render", "target": target, "classes": "camvid11",
              "eval_data": "camvid:data/camvid" if evals else None, "eval_split": "val" if evals else None,
              "rounds": {"count": rounds}}  # fmt: skip
    (out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    provenance = {
        "simteacher": "0.1.0", "command": f"simteacher adapt quick --source data/render --target {target} --out runs/x",
        "seed": 1, "git": "0123abc", "versions": {"python": "3.11.6", "torch": "2.14.1", "numpy": "2.4.6"},
        "data": {"source": "a1b2c3d4e5f60718", "target": "18070f6e5d4c3b2a"}, "images": {"source": 500, "target": 367},
        "source": "folder:data/render", "target": target,
    }  # fmt: skip
    (out / "provenance.json").write_text(json.dumps(provenance))
    events: list[dict[str, Any]] = []
    stages = ["teacher", *(f"round-{n + 1}" for n in range(rounds))]
    kept = stages[-1] if rounds < 3 else stages[-2]
    for n, stage in enumerate(stages):
        broken = not finished and n == len(stages) - 1
        if n:
            share = {
                k: float(v)
                for k, v in zip(
                    SPACE.classes, rng.dirichlet(np.array([16, 20, 1, 30, 8, 12, 1, 1, 8, 1, 1])), strict=True
                )
            }
            events.append({"event": "pseudo", "stage": stage, "coverage": 0.50 + 0.1 * n,
                           "mean_confidence": 0.91 - 0.02 * n, "class_share": share,
                           "thresholds": dict.fromkeys(SPACE.classes, 0.8)})  # fmt: skip
        for step in range(0, 160 if broken else 330, 10):
            loss = 0.25 + 2.0 * np.exp(-step / 90) + rng.normal(0, 0.05) - 0.05 * n
            losses = (
                {"source": loss * 0.7, "source_aux": loss * 0.3}
                if n == 0
                else {"source": loss * 0.4, "target": loss * 0.6}
            )
            events.append({"event": "step", "stage": stage, "step": step, "loss": loss, "losses": losses,
                           "lr": 4e-4 * (1 - step / 340) ** 0.9, "seconds": 0.74})  # fmt: skip
        if not broken:
            _close_stage(events, stage, n, rng, evals, n == 3)
            (out / stage / "model.safetensors").parent.mkdir(exist_ok=True)
            _write_samples(out / stage / "samples", samples, 1.0 - 0.3 * n, evals)
            if evals:
                _write_samples(out / stage / "worst", min(samples, 2), 1.3 - 0.3 * n, True)
    lines = [json.dumps(e) for e in events]
    (out / "metrics.jsonl").write_text(
        "\n".join(lines) + "\n" + ("" if finished else '{"event": "step", "stage": "rou')
    )
    card = {
        "space": {"name": SPACE.name, "classes": SPACE.classes, "colors": SPACE.colors, "aliases": {}},
        "size": SIZE,
        "extra": {"stage": kept},
    }
    (out / "teacher" / "model.json").write_text(json.dumps(card))
    if finished:
        (out / "model.json").write_text(json.dumps(card))
        (out / "model.safetensors").write_bytes(b"")
    return out


def _close_stage(
    events: list[dict[str, Any]], stage: str, n: int, rng: np.random.Generator, evals: bool, bad: bool
) -> None:
    if evals:
        events.append(
            {"event": "eval", "stage": stage, "step": 330, "data": "camvid:data/camvid val", **_iou(rng, 0.13 * n)}
        )
    events.append(
        {
            "event": "validator",
            "stage": stage,
            "scores": {"flip": 0.93 - 0.01 * n, "agreement": 0.5 + 0.03 * n, "dev": -0.4 + 0.04 * n},
        }
    )
    if n:
        reasons = ["tree fell to 12 % of its share before", "views agree on 71 % of pixels, 86 % before"] if bad else []
        events.append({"event": "guard", "stage": stage, "verdict": "revert" if bad else "keep", "reasons": reasons,
                       "signals": {"drift": 0.14, "agreement": [0.86, 0.71 if bad else 0.88],
                                   "class_share": {"tree": [0.11, 0.013 if bad else 0.1]}}})  # fmt: skip


def _write_samples(folder: Path, count: int, amount: float, labels: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        picture, label = street(n)
        picture.save(folder / f"street_{n}.jpg", quality=90)
        spoil(label, n, max(amount, 0.1)).save(folder / f"street_{n}.png")
        if labels:
            label.save(folder / f"street_{n}_label.png")


if __name__ == "__main__":
    make_run(Path(sys.argv[1]), finished="--unfinished" not in sys.argv, stand_in="--stand-in" in sys.argv, rounds=3)
