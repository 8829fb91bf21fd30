"""Do the labels still fit? A model reads each image before and after translation; where it changes its mind, look.

A translation that moves or invents things lowers both the agreement and the mIoU against the labels that were carried
over. One that merely repaints leaves the agreement high; of a model trained on photographs the mIoU should rise.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from simteacher.ahead import ahead
from simteacher.data.images import read_image
from simteacher.data.read import read_label
from simteacher.data.sample import DataSet, Frame
from simteacher.dense import Reader, read_images
from simteacher.files import atomic_write
from simteacher.metrics import Confusion
from simteacher.models.store import load
from simteacher.progress import progress, say
from simteacher.translate.colour import U8

IMAGES = 100
LEAST = 5  # images named, to look at


def agreement(model: Reader, before: DataSet, after: DataSet, count: int = IMAGES) -> dict[str, Any]:
    """Compare a model's reading of the same frames before and after translation.

    Args:
        model: Scores pixels.
        before: The source.
        after: Its translation; frames are matched by name.
        count: Images to look at, spread over the set.

    Returns:
        ``images``; ``agreement``, the share of pixels of the same class before and after; with labels also
        ``miou_before``, ``miou_after``, ``iou_before`` and ``iou_after``, in the model's classes; ``least``, the
        images that agree least. Shares are in [0, 1].
    """
    translated = {frame.name: frame for frame in after.frames}
    pairs = [(frame, translated[frame.name]) for frame in before.frames if frame.name in translated]
    pairs = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))]
    space = model.card.space
    labelled = bool(pairs) and all(frame.label is not None for frame, _ in pairs)
    scores = Confusion(len(space)), Confusion(len(space))
    same, total, alike = 0, 0, list[tuple[float, str]]()

    def load(pair: tuple[Frame, Frame]) -> tuple[str, list[U8], U8 | None]:
        label = read_label(before, pair[0], space) if labelled else None
        return pair[0].name, [read_image(frame.image) for frame in pair], label

    with progress(len(pairs), "check labels") as bar:
        for name, images, label_HW in ahead(pairs, load, 2):
            seen = [reading.label_HW for reading in read_images(model, images)]
            equal = seen[0] == seen[1]
            same, total = same + int(equal.sum()), total + equal.size
            alike.append((float(equal.mean()), name))
            for counts, reading_HW in zip(scores, seen, strict=True):
                if label_HW is not None:
                    counts.update(reading_HW, label_HW)
            bar.advance()
    result: dict[str, Any] = {"images": len(pairs), "agreement": same / max(total, 1)}
    if labelled:
        for when, counts in zip(("before", "after"), scores, strict=True):
            found = counts.scores(space)
            result |= {f"miou_{when}": found["miou"], f"iou_{when}": found["iou"]}
    result["least"] = [{"name": name, "agreement": round(share, 4)} for share, name in sorted(alike)[:LEAST]]
    return result


def _kept(path: Path) -> dict[str, Any]:
    """What an earlier check found; nothing where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    whole = isinstance(found, dict) and {"model", "images", "agreement", "least"} <= found.keys()
    return found if whole else {}


def check(model: str | Path, before: DataSet, after: DataSet, path: Path) -> dict[str, Any]:
    """Measure `agreement`, keep it in the file ``path`` and say it; what the file holds of the same model is kept.

    Args:
        model: A run folder, a stage of one, a ``model.safetensors`` or a ``.onnx`` file.
        before: The source.
        after: Its translation.
        path: JSON file.

    Raises:
        UserError: No such model.
    """
    loaded = load(model)
    name = f"{model} sha256:{hashlib.sha256(loaded.path.read_bytes()).hexdigest()[:16]}"
    result = _kept(path)
    if result.get("model") != name:
        result = {"model": name, **agreement(loaded, before, after)}
        atomic_write(path, json.dumps(result, indent=1) + "\n")
    parts = [f"{result['agreement']:.1%} of the pixels are read as the same class before and after translation"]
    if result.get("miou_before") is not None and result.get("miou_after") is not None:
        parts.append(f"mIoU against the labels {result['miou_before']:.1%} before, {result['miou_after']:.1%} after")
    if result["least"]:
        least = result["least"][0]
        parts.append(f"least alike: {least['name']} ({least['agreement']:.1%})")
    say(f"{'; '.join(parts)} ({result['images']} images, {path})")
    return result
