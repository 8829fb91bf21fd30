"""Scores of a segmentation: counts of (true class, predicted class) pairs, and what follows from them.

In go label maps of any size, out come the numbers that `evaluate` prints. Used by `evaluate`, the guard and the bench.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from simteacher.labels import LabelSpace

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]


class Scores(TypedDict):
    """The part of ``evaluate --json`` that follows from the counts alone; every number is in [0, 1]."""

    miou: float | None
    pixel_accuracy: float | None
    iou: dict[str, float | None]


class Confusion:
    """Counts of (true class, predicted class) over any number of images.

    Args:
        classes: Number of classes K. Labels >= K (255 is IGNORE) are left out. Predictions >= K answer none of the
            classes: they count against the true class, and for no other.

    Attributes:
        counts_KP: int64, shape (K, K + 1); row = true class, column = predicted class, last column = none of them.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts_KP: I64 = np.zeros((classes, classes + 1), dtype=np.int64)

    def update(self, pred_HW: U8, label_HW: U8) -> None:
        """Add one image (or a batch of them: any two arrays of the same shape)."""
        if pred_HW.shape != label_HW.shape:
            raise ValueError(f"prediction {pred_HW.shape} and label {label_HW.shape} differ in shape")
        known = label_HW < self.classes
        true = label_HW[known].astype(np.int64)
        pred = np.minimum(pred_HW[known], self.classes).astype(np.int64)
        width = self.classes + 1
        self.counts_KP += np.bincount(true * width + pred, minlength=self.classes * width).reshape(self.classes, width)

    def iou_K(self) -> npt.NDArray[np.float64]:
        """IoU of each class, ``TP / (TP + FP + FN)``; NaN where a class is in neither ground truth nor prediction."""
        hit = np.diagonal(self.counts_KP).astype(np.float64)
        union = self.counts_KP.sum(1) + self.counts_KP[:, : self.classes].sum(0) - hit
        iou_K = np.full(self.classes, np.nan)
        np.divide(hit, union, out=iou_K, where=union > 0)
        return iou_K

    def scores(self, space: LabelSpace) -> Scores:
        """IoU by class name, their mean over the classes that occur, and the share of labelled pixels that are right.

        Returns:
            ``miou``, ``pixel_accuracy`` and ``iou``; None stands for what has no pixels to be computed from.
        """
        assert len(space.classes) == self.classes, "counted in another label space"
        iou_K = self.iou_K()
        total = int(self.counts_KP.sum())
        seen = iou_K[~np.isnan(iou_K)]
        return {
            "miou": float(seen.mean()) if seen.size else None,
            "pixel_accuracy": float(np.diagonal(self.counts_KP).sum() / total) if total else None,
            "iou": {
                name: None if np.isnan(value) else float(value)
                for name, value in zip(space.classes, iou_K, strict=True)
            },
        }


class Gain(NamedTuple):
    """By how much a mean IoU changed.

    Attributes:
        value: In [-1, 1]; None where no class has a score both times.
        classes: Number of classes that have one both times.
        left_out: Classes that have one only once.
    """

    value: float | None
    classes: int
    left_out: list[str]


def gain(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> Gain:
    """Difference of two means of IoU over the classes that both have.

    A class that is neither true nor predicted has no IoU. Two models may so have means over different classes, and
    the mean of one that no longer predicts a class by mistake rises though nothing else got better.

    Args:
        before: Class -> IoU in [0, 1] or None.
        after: The same of another model on the same data.
    """
    names = list(dict.fromkeys([*before, *after]))
    pairs = [(a, b) for a, b in ((before.get(n), after.get(n)) for n in names) if a is not None and b is not None]
    left_out = [n for n in names if (before.get(n) is None) != (after.get(n) is None)]
    value = sum(b for _, b in pairs) / len(pairs) - sum(a for a, _ in pairs) / len(pairs) if pairs else None
    return Gain(value, len(pairs), left_out)
