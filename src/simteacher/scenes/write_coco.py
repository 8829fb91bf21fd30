"""Frames as COCO instances: images/ and annotations/instances.json with boxes and run-length masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simteacher import rle
from simteacher.files import atomic_path, atomic_write
from simteacher.scenes.capture import Capture, read_facts
from simteacher.scenes.classes import CLASS_ID, CLASSES, LABEL_ID

CATEGORIES = [
    {"id": label, "name": name, "supercategory": "human" if name in ("person", "rider") else "vehicle"}
    for name, label in zip(CLASSES, LABEL_ID, strict=True)
    if label >= 24
]


def image_path(out: Path, name: str) -> Path:
    """Where the picture of a frame is."""
    return out / "images" / f"{name}.jpg"


def files(out: Path, name: str) -> list[Path]:
    """All that a finished frame has until `finish` joins them."""
    return [image_path(out, name), _record_path(out, name)]


def _record_path(out: Path, name: str) -> Path:
    return out / "meta" / f"{name}.coco.json"


def write(out: Path, c: Capture) -> None:
    """Write one frame's picture, and its annotations beside its facts until `finish` joins them."""
    annotations = []
    for thing in c.meta["objects"]:
        left, top, right, bottom = thing["visible_box"]
        mask = c.instance_HW == thing["instance"]
        annotations.append(
            {
                "category_id": LABEL_ID[CLASS_ID[thing["class"]]],
                "bbox": [left, top, right - left, bottom - top],
                "area": thing["pixels"],
                "iscrowd": 0,
                "segmentation": {"size": list(mask.shape), "counts": rle.compress(rle.runs(mask))},
                "occlusion": round(thing["occlusion"], 4),
                "truncation": round(thing["truncation"], 4),
            }
        )
    h, w = c.label_HW.shape
    record = {"image": {"file_name": f"{c.name}.jpg", "width": w, "height": h}, "annotations": annotations}
    atomic_write(_record_path(out, c.name), json.dumps(record))
    atomic_write(image_path(out, c.name), c.jpeg)


def finish(out: Path, names: list[str]) -> None:
    """Join to annotations/instances.json, a frame at a time."""
    head: dict[str, Any] = {"info": {"description": "simteacher render"}, "licenses": [], "categories": CATEGORIES}
    path = out / "annotations" / "instances.json"
    records = (read_facts(_record_path(out, n)) for n in names)
    with (
        atomic_path(path) as part,
        part.open("w", encoding="utf-8") as file,
        atomic_path(out / "meta" / "images.part") as other,
    ):
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        comma = ""
        with other.open("w", encoding="utf-8") as images:
            for i, record in enumerate(records, 1):
                images.write((", " if i > 1 else "") + json.dumps({"id": i, **record["image"]}))
                for k, annotation in enumerate(record["annotations"]):
                    file.write(comma + json.dumps({"id": i * 1000 + k, "image_id": i, **annotation}))
                    comma = ",\n"
        file.write('], "images": [' + other.read_text(encoding="utf-8") + "]}\n")
    (out / "meta" / "images.part").unlink()
