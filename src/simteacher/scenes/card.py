"""What is in a rendered set: card.json with the numbers, card.md to read, contact.jpg to look at."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simteacher.files import atomic_path, atomic_write
from simteacher.labels import SPACES
from simteacher.overlay import legend
from simteacher.scenes.capture import DEPTH_EDGES, read_facts
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.job import WRITERS, Job

SIZE_EDGES = (0, 16**2, 32**2, 64**2, 128**2, 256**2)  # pixels of an object
SHOWN = 24


def write_card(out: Path, job: Job, names: list[str]) -> dict[str, Any]:
    """Read every frame's facts, one at a time, and write the card."""
    pixels: Counter[str] = Counter()
    present: Counter[str] = Counter()
    things: Counter[str] = Counter()
    depth = np.zeros(len(DEPTH_EDGES), np.int64)
    sizes = np.zeros(len(SIZE_EDGES), np.int64)
    distances = np.zeros(len(DEPTH_EDGES), np.int64)
    seen: Counter[int] = Counter()
    staged = ignored = 0
    for name in names:
        meta = read_facts(out / "meta" / f"{name}.json")
        pixels.update(meta["classes"])
        present.update(meta["classes"].keys())
        ignored += meta["ignored"]
        depth += np.array(meta["depth_histogram"])
        here = meta.get("staged", [])
        staged = max(staged, len(here))
        seen.update(i for i, pixels in enumerate(here) if pixels)
        for thing in meta["objects"]:
            things[thing["class"]] += 1
            sizes[np.digitize(thing["pixels"], SIZE_EDGES[1:])] += 1
            distances[np.digitize(thing["distance"], DEPTH_EDGES[1:])] += 1
    total = len(names) * job.size[0] * job.size[1]
    card = {
        "frames": len(names),
        "size": list(job.size),
        "seed": job.seed,
        "scene": "scene.yaml" + ("" if job.scene else " (the defaults)"),
        "sequence": job.sequence,
        "classes": {
            c: {"share": round(pixels[c] / total, 6), "frames": present[c], "objects": things[c]} for c in CLASSES
        },
        "staged": [seen[i] for i in range(staged)],
        "ignored_share": round(ignored / total, 6),
        "depth": _bins(depth, DEPTH_EDGES, "m"),
        "object_distance": _bins(distances, DEPTH_EDGES, "m"),
        "object_pixels": _bins(sizes, SIZE_EDGES, "px"),
    }
    atomic_write(out / "card.json", json.dumps(card, indent=1) + "\n")
    atomic_write(out / "card.md", _markdown(card))
    _contact(out, job, names)
    return card


def _bins(counts: Any, edges: tuple[float, ...], unit: str) -> dict[str, float]:
    """Shares of a histogram, keyed by range."""
    ends = [f"{a:g}-{b:g} {unit}" for a, b in pairwise(edges)] + [f"over {edges[-1]:g} {unit}"]
    return {e: round(float(n) / max(int(counts.sum()), 1), 5) for e, n in zip(ends, counts, strict=True)}


def _markdown(card: dict[str, Any]) -> str:
    width, height = card["size"]
    lines = [
        "# Rendered streets",
        "",
        f"{card['frames']} frames of {width}x{height}, seed {card['seed']}, scene: {card['scene']}"
        + (", clips" if card["sequence"] else ""),
        "",
        "![some frames](contact.jpg)",
        "",
        "| class | share of pixels | frames with it | objects |",
        "|---|---|---|---|",
        *(
            f"| {name} | {100 * c['share']:.3f} % | {c['frames']} | {c['objects'] or '–'} |"
            for name, c in card["classes"].items()
        ),
        f"| ignored | {100 * card['ignored_share']:.3f} % | | |",
    ]
    for title, key in (
        ("Depth of pixels", "depth"),
        ("Distance of objects", "object_distance"),
        ("Visible size of objects", "object_pixels"),
    ):
        lines += ["", f"| {title} | share |", "|---|---|"]
        lines += [f"| {bin} | {100 * share:.1f} % |" for bin, share in card[key].items()]
    return "\n".join(lines) + "\n"


def _contact(out: Path, job: Job, names: list[str]) -> None:
    """Frames spread over the set, each beside its label, with a legend, where the format keeps palette images."""
    shown = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, SHOWN).astype(int))]
    width = 320
    height = round(width * job.size[1] / job.size[0])
    labelled = job.format == "folder"
    columns, each = 3, 2 if labelled else 1
    rows = -(-len(shown) // columns)
    height = min(height, 65000 // rows)  # what a JPEG can hold
    space, across = SPACES["cityscapes19"], columns * each * width
    colours = legend(space) if labelled else Image.new("RGB", (0, 0))
    sheet = Image.new("RGB", (across + colours.width, max(rows * height, colours.height)), "white")
    sheet.paste(colours, (across, 0))
    palette = space.palette_K3()
    for i, name in enumerate(shown):
        x, y = i % columns * each * width, i // columns * height
        with Image.open(WRITERS[job.format].image_path(out, name)) as image:
            sheet.paste(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), (x, y))
        if labelled:
            with Image.open(out / "labels" / f"{name}.png") as label:
                picture = Image.fromarray(palette[np.asarray(label)])
                sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (x + width, y))
    with atomic_path(out / "contact.jpg") as part:
        sheet.save(part, quality=88)
