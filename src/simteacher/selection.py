"""How `select` judges photographs: what a model's look at each says, and which of them to take.

Three reasons count:

- uncertainty: entropy of the predictions, averaged class by class so that a wide road does not hide a doubtful cyclist
  (class-balanced, after Cai et al., "Revisiting superpixels for active learning", CVPR 2021);
- rarity: how much the picture's classes differ from the set's average, ``-sum_k share_k log(mean share_k)``;
- diversity: distance to the nearest picture chosen already (greedy k-centre, Sener and Savarese, ICLR 2018), so that a
  street is not chosen twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.data import Frame
from simteacher.dense import Reader, probabilities, working_size

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

GRID = (3, 4)  # rows and columns of the layout that two pictures are compared by
PRESENT = 0.002  # share of a picture from which on a class counts as seen in it
DOUBT = 0.5  # normalised entropy above which a pixel counts as doubtful


@dataclass(frozen=True, slots=True)
class Look:
    """What the model sees in one photograph, in short.

    Attributes:
        share_K: Expected share of each class.
        entropy_K: Mean normalised entropy where each class is predicted; NaN where it is not.
        doubt: Share of pixels whose normalised entropy is over `DOUBT`.
        layout: Square roots of the class shares of each cell of the grid, and its mean colour: what distance is
            measured in.
    """

    share_K: F64
    entropy_K: F64
    doubt: float
    layout: F64


@dataclass(frozen=True, slots=True)
class Choice:
    """One photograph to label.

    Attributes:
        frame: The photograph.
        rank: 1 for the first.
        uncertainty: Share of the set that the model is surer of, in [0, 1].
        rarity: Share of the set whose classes are commoner, in [0, 1].
        distance: To the nearest one chosen before, 1 is the median distance of any two.
        reasons: In words.
    """

    frame: Frame
    rank: int
    uncertainty: float
    rarity: float
    distance: float
    reasons: list[str]


def look(model: Reader, image_HWC: U8) -> Look:
    """Look at one photograph at the model's working size."""
    height, width = working_size(image_HWC.shape[0], image_HWC.shape[1], model.card.size)
    small = Image.fromarray(image_HWC).resize((width, height), Image.Resampling.BILINEAR)
    p_KHW = probabilities(model, np.asarray(small))
    classes = len(p_KHW)
    entropy_HW = -(p_KHW * np.log(p_KHW + 1e-9)).sum(0) / np.log(classes)
    label = p_KHW.argmax(0).ravel()
    pixels = np.bincount(label, minlength=classes)
    total = np.bincount(label, weights=entropy_HW.ravel(), minlength=classes)
    entropy_K = np.where(pixels >= PRESENT * label.size, total / np.maximum(pixels, 1), np.nan)
    colour = np.asarray(small.resize(GRID[::-1], Image.Resampling.BOX), np.float64) / 255
    layout = np.concatenate([np.sqrt(_cells(p_KHW)).ravel(), 0.5 * colour.ravel()])
    return Look(p_KHW.mean((1, 2), dtype=np.float64), entropy_K, float((entropy_HW > DOUBT).mean()), layout)


def _cells(p_KHW: F32) -> F64:
    """Mean of each cell of the grid, (K, rows, columns)."""
    rows = np.array_split(np.arange(p_KHW.shape[1]), GRID[0])
    cols = np.array_split(np.arange(p_KHW.shape[2]), GRID[1])
    cells = [[p_KHW[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean((1, 2), dtype=np.float64) for c in cols] for r in rows]
    return np.moveaxis(np.array(cells), -1, 0)


def scores(looks: Sequence[Look]) -> tuple[F64, F64]:
    """Uncertainty and rarity of each photograph as ranks in [0, 1]."""
    uncertainty = np.array([np.nanmean(x.entropy_K) if not np.isnan(x.entropy_K).all() else 0.0 for x in looks])
    share_NK = np.stack([x.share_K for x in looks])
    rarity = -(share_NK * np.log(share_NK.mean(0) + 1e-9)).sum(1)
    return _ranks(uncertainty), _ranks(rarity)


def _ranks(values: F64) -> F64:
    """Share of the others that are smaller; 1 for the largest."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(len(values) - 1, 1)


def choose(looks: Sequence[Look], budget: int, known: Sequence[int] = ()) -> list[tuple[int, float]]:
    """Greedily take the photograph with the largest ``distance * (1 + uncertainty + rarity)``.

    Args:
        looks: One a photograph.
        budget: How many to take.
        known: Indices that are labelled already.

    Returns:
        Index and distance to the nearest taken or known before it, in the order taken.
    """
    uncertainty, rarity = scores(looks)
    layout = np.stack([x.layout for x in looks])
    unit = _median_distance(layout)
    distance = np.full(len(looks), 2.0)  # nothing is taken yet: all are equally far
    for index in known:
        distance = np.minimum(distance, np.linalg.norm(layout - layout[index], axis=1) / unit)
    free = np.ones(len(looks), bool)
    free[list(known)] = False
    taken: list[tuple[int, float]] = []
    while len(taken) < budget and free.any():
        gain = np.where(free, distance * (1 + uncertainty + rarity) + 1e-9 * uncertainty, -1.0)
        best = int(gain.argmax())
        taken.append((best, float(distance[best])))
        free[best] = False
        distance = np.minimum(distance, np.linalg.norm(layout - layout[best], axis=1) / unit)
    return taken


def _median_distance(layout: F64) -> float:
    """Median distance of two photographs (of at most 300, evenly taken), never zero."""
    some = layout[:: max(1, len(layout) // 300)]
    square = (some**2).sum(1)
    between = np.sqrt(np.maximum(square[:, None] + square[None] - 2 * some @ some.T, 0))
    pairs = between[np.triu_indices(len(some), 1)]
    return max(float(np.median(pairs)) if pairs.size else 1.0, 1e-6)


def explain(
    frames: Sequence[Frame], looks: Sequence[Look], taken: Sequence[tuple[int, float]], classes: tuple[str, ...]
) -> list[Choice]:
    """Put each choice into words."""
    uncertainty, rarity = scores(looks)
    seen_NK = np.stack([x.share_K for x in looks]) >= PRESENT
    often_K = seen_NK.mean(0)
    out = []
    for rank, (index, distance) in enumerate(taken, 1):
        one, reasons = looks[index], []
        if uncertainty[index] >= 0.5:
            worst = int(np.nanargmax(one.entropy_K)) if not np.isnan(one.entropy_K).all() else None
            about = f", most about {classes[worst]}" if worst is not None else ""
            reasons.append(f"unsure of {one.doubt:.0%} of it{about}: more than in {uncertainty[index]:.0%} of the set")
        rare = sorted((k for k in np.flatnonzero(seen_NK[index]) if often_K[k] < 0.3), key=lambda k: often_K[k])[:3]
        if rare:
            reasons.append("shows " + ", ".join(f"{classes[k]} (seen in {often_K[k]:.0%} of the set)" for k in rare))
        elif rarity[index] >= 0.5:
            reasons.append(f"an unusual mix of classes: more than {rarity[index]:.0%} of the set")
        if distance >= 1:
            reasons.append(
                "looks like nothing chosen before it" if rank > 1 else "the first: most doubt and rarest classes"
            )
        elif not reasons:
            reasons.append("the least like those chosen before it")
        out.append(Choice(frames[index], rank, float(uncertainty[index]), float(rarity[index]), distance, reasons))
    return out
