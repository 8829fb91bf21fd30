"""Pictures of a run for its report: photographs and masks as data URIs, and how well a mask fits its label.

Reads the `samples/` and `worst/` folders of the stages: `<name>.jpg`, `<name>.png` (palette mask), `<name>_label.png`.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.report_data import Run, Stage

LONG_SIDE = 960  # pixels; larger photographs are scaled down for the page
BUDGET = 6_500_000  # bytes of pictures, so that the page stays under 8 MB


@dataclass(slots=True)
class Sample:
    """One photograph with the masks of all stages that drew it.

    Attributes:
        name: Of the photograph.
        size: (width, height) of the picture shown.
        photo: Data URI.
        masks: Stage name -> data URI.
        label: Data URI of the true labels, or empty.
        scores: Stage name -> mean IoU over the classes in this picture, where labels exist.
    """

    name: str
    size: tuple[int, int]
    photo: str
    masks: dict[str, str] = field(default_factory=dict)
    label: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Bytes that it adds to the page."""
        return len(self.photo) + len(self.label) + sum(map(len, self.masks.values()))


def samples(run: Run) -> list[Sample]:
    """The photographs of the before/after comparison, as many as the page's size allows."""
    names = dict.fromkeys(name for stage in run.stages for name in stage.samples)
    out: list[Sample] = []
    room = BUDGET * 4 // 5
    for name in names:
        masks = {stage.name: stage.samples[name] for stage in run.stages if name in stage.samples}
        sample = _read(name, masks)
        room -= sample.weight if sample else 0
        if room < 0:
            break
        if sample:
            out.append(sample)
    return out


def worst(stage: Stage | None, path: Path) -> list[Sample]:
    """The worst photographs that a stage kept, worst first, within a fifth of the page's size."""
    if stage is None:
        return []
    folder = path / stage.name / "worst"
    masks = [p.with_suffix(".png") for p in sorted(folder.glob("*.jpg"))]
    found = [s for s in (_read(p.stem, {stage.name: p}) for p in masks) if s and s.scores]
    room, out = BUDGET // 5, []
    for sample in sorted(found, key=lambda s: s.scores[stage.name])[:6]:
        room -= sample.weight
        if room > 0:
            sample.name = sample.name.partition("-")[2] or sample.name  # files are named by rank and photograph
            out.append(sample)
    return out


def _read(name: str, masks: dict[str, Path]) -> Sample | None:
    """Read one sample; None when a file is missing or damaged."""
    first = next(iter(masks.values()))
    label_path = first.with_name(f"{name}_label.png")
    try:
        with Image.open(first.with_suffix(".jpg")) as photo:
            size = _fit(photo.size)
            sample = Sample(name, size, _jpeg(photo, first.with_suffix(".jpg"), size))
        label = Image.open(label_path) if label_path.exists() else None
        for stage, path in masks.items():
            with Image.open(path) as mask:
                sample.masks[stage] = _png(mask, size)
                if label is not None and label.size == mask.size:
                    sample.scores[stage] = picture_miou(np.asarray(mask), np.asarray(label))
        if label is not None:
            sample.label = _png(label, size)
    except (OSError, ValueError, SyntaxError):
        return None
    return sample


def picture_miou(pred_HW: npt.NDArray[np.uint8], label_HW: npt.NDArray[np.uint8]) -> float:
    """Mean IoU over the classes that one picture's label or prediction holds; 255 in the label is left out."""
    known = label_HW != 255
    pred, label = pred_HW[known], label_HW[known]
    classes = np.union1d(np.unique(pred), np.unique(label))
    hits = [((pred == k) & (label == k)).sum() / ((pred == k) | (label == k)).sum() for k in classes]
    return float(np.mean(hits)) if hits else 0.0


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, LONG_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _jpeg(photo: Image.Image, path: Path, size: tuple[int, int]) -> str:
    data = path.read_bytes()
    if photo.size == size and len(data) < 250_000:
        return _uri("jpeg", data)
    buffer = io.BytesIO()
    photo.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    return _uri("jpeg", buffer.getvalue())


def _png(mask: Image.Image, size: tuple[int, int]) -> str:
    """A palette mask as PNG; 255 becomes transparent."""
    small = mask if mask.size == size else mask.resize(size, Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True, **({"transparency": 255} if mask.mode == "P" else {}))
    return _uri("png", buffer.getvalue())
