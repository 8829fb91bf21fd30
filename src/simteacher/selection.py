"""How `select` judges photographs: what a model's look at each says, and which of them to take.

Three reasons count:

- uncertainty: entropy of the predictions, averaged class by class so that a wide road does not hide a doubtful cyclist
  (class-balanced, after Cai et al., "Revisiting superpixels for active learning", CVPR 2021);
- rarity: how much the picture's classes differ from the set's average, ``-sum_k share_k log(mean share_k)``;
- coverage: each photograph is covered by the chosen one that looks most like it, and the chosen ones shall cover all of
  them, doubtful and rare ones twice or three times as much (facility location; Wei, Iyer and Bilmes, "Submodularity in
  data subset selection and active learning", ICML 2015). A street is not chosen twice, and neither is what looks like
  nothing else: of few labels, typical pictures teach more (Hacohen, Dekel and Weinshall, ICML 2022).
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
REACH = 2.0  # median distances of two photographs within which one covers another a little
DEMAND = 3000  # photographs that are to be covered; of larger sets as many, evenly taken


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
        covers: Share of the set that looks more like this one than like any other chosen one.
        reasons: In words.
    """

    frame: Frame
    rank: int
    uncertainty: float
    rarity: float
    distance: float
    covers: float
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
    """Share of the others that are smaller; 1 for the largest, equal for equal ones."""
    return np.searchsorted(np.sort(values), values) / max(len(values) - 1, 1)


def choose(looks: Sequence[Look], budget: int, known: Sequence[int] = ()) -> list[tuple[int, float]]:
    """Greedily take the photograph that adds most to ``sum_n (1 + uncertainty_n + rarity_n) * covered_n``.

    ``covered_n`` is the largest similarity to one taken or known: 1 for the same picture, 0 from `REACH` times the
    median distance of two pictures on. Greedy is at least 63 % as good as the best choice (Nemhauser, Wolsey, Fisher
    1978).

    Args:
        looks: One a photograph.
        budget: How many to take.
        known: Indices that are labelled already.

    Returns:
        Index and distance to the nearest taken or known before it, in the order taken.
    """
    weight = 1 + np.sum(scores(looks), 0)
    layout = np.stack([x.layout for x in looks])
    unit = _median_distance(layout)
    demand = np.linspace(0, len(looks) - 1, min(DEMAND, len(looks))).round().astype(int)
    similar_ND = np.maximum(1 - _distances(layout, layout[demand]) / (REACH * unit), 0).astype(np.float32)
    weight_D = weight[demand].astype(np.float32)
    covered_D = similar_ND[list(known)].max(0, initial=0.0)
    distance = (_distances(layout, layout[list(known)]) / unit).min(1, initial=2.0)  # nothing known: all equally far
    free = np.ones(len(looks), bool)
    free[list(known)] = False
    taken: list[tuple[int, float]] = []
    while len(taken) < budget and free.any():
        added = np.maximum(similar_ND - covered_D, 0) @ weight_D
        gain = np.where(free, added + 1e-4 * weight * distance, -1.0)  # where all are covered: the farthest in doubt
        best = int(gain.argmax())
        taken.append((best, float(distance[best])))
        free[best] = False
        covered_D = np.maximum(covered_D, similar_ND[best])
        distance = np.minimum(distance, np.linalg.norm(layout - layout[best], axis=1) / unit)
    return taken


def _distances(a: F64, b: F64) -> F64:
    """Euclidean, of each row of one to each of the other."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def _median_distance(layout: F64) -> float:
    """Median distance of two photographs (of at most 300, evenly taken), never zero."""
    some = layout[:: max(1, len(layout) // 300)]
    pairs = _distances(some, some)[np.triu_indices(len(some), 1)]
    return max(float(np.median(pairs)) if pairs.size else 1.0, 1e-6)


def explain(
    frames: Sequence[Frame], looks: Sequence[Look], taken: Sequence[tuple[int, float]], classes: tuple[str, ...]
) -> list[Choice]:
    """Put each choice into words."""
    uncertainty, rarity = scores(looks)
    seen_NK = np.stack([x.share_K for x in looks]) >= PRESENT
    often_K = seen_NK.mean(0)
    layout = np.stack([x.layout for x in looks])
    nearest = _distances(layout, layout[[index for index, _ in taken]]).argmin(1)
    out = []
    for rank, (index, distance) in enumerate(taken, 1):
        one, reasons = looks[index], []
        covers = float((nearest == rank - 1).mean())
        if covers * len(looks) > 1.5:
            reasons.append(f"stands for {covers:.0%} of the set, which looks more like it than like the others")
        if uncertainty[index] >= 0.5:
            worst = int(np.nanargmax(one.entropy_K)) if not np.isnan(one.entropy_K).all() else None
            about = f", most about {classes[worst]}" if worst is not None else ""
            above = f"{uncertainty[index]:.0%}"
            more = "more than of any other" if above == "100%" else f"more than of {above} of the set"
            reasons.append(f"unsure of {one.doubt:.0%} of it{about}: {more}")
        rare = sorted((k for k in np.flatnonzero(seen_NK[index]) if often_K[k] < 0.3), key=lambda k: often_K[k])[:3]
        if rare:
            reasons.append("shows " + ", ".join(f"{classes[k]} (seen in {often_K[k]:.0%} of the set)" for k in rare))
        elif rarity[index] >= 0.5:
            mix = "the rarest" if rarity[index] > 0.995 else f"rarer than {rarity[index]:.0%}"
            reasons.append(f"its mix of classes is {mix} of the set")
        if distance >= 1 and rank > 1:
            reasons.append("looks like nothing chosen before it")
        elif not reasons:
            reasons.append("of those that are left it adds most")
        about_it = float(uncertainty[index]), float(rarity[index]), distance, covers
        out.append(Choice(frames[index], rank, *about_it, reasons))
    return out
