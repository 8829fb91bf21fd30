"""Notices without labels when self-training goes wrong: classes vanish, views disagree, predictions run away.

Confidence is reported and never judged: it rises while a model collapses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simteacher.config import Guard
from simteacher.data.images import read_image
from simteacher.data.sample import DataSet
from simteacher.dense import Reader, probabilities
from simteacher.progress import progress

F64 = npt.NDArray[np.float64]
FAR = 0.9  # most of the pixels that several rounds may change, where one may change half as many


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model reads a fixed sample of the target.

    Attributes:
        share_K: Share of pixels of each class.
        agreement: Share of pixels where the plain and the mirrored view name the same class.
        confidence: Mean highest probability.
        entropy: Mean normalised entropy, in [0, 1].
        labels: The label maps (every second pixel), to compare with another model's.
    """

    share_K: F64
    agreement: float
    confidence: float
    entropy: float
    labels: tuple[npt.NDArray[np.uint8], ...]


def sample(dataset: DataSet, count: int, seed: int) -> DataSet:
    """``count`` frames chosen by seed, in order."""
    chosen = np.random.default_rng([seed, 77]).permutation(len(dataset))[:count]
    return dataset.subset(tuple(dataset.frames[i] for i in sorted(chosen)))


def read(model: Reader, dataset: DataSet, title: str = "guard reads") -> Reading:
    """Look at every frame of a (small) set, plain and mirrored; ``title`` stands before its progress."""
    classes = len(model.card.space)
    counts, agree, confidence, entropy, labels = np.zeros(classes), [], [], [], []
    for frame in progress(dataset.frames, title):
        image = read_image(frame.image)
        plain = probabilities(model, image)[:, ::2, ::2]
        mirrored = probabilities(model, image[:, ::-1])[:, :, ::-1][:, ::2, ::2]
        label = plain.argmax(0).astype(np.uint8)
        counts += np.bincount(label.ravel(), minlength=classes)
        agree.append(float((label == mirrored.argmax(0)).mean()))
        confidence.append(float(plain.max(0).mean()))
        entropy.append(float(-(plain * np.log(plain + 1e-9)).sum(0).mean() / np.log(classes)))
        labels.append(label)
    return Reading(
        counts / max(counts.sum(), 1),
        float(np.mean(agree)),
        float(np.mean(confidence)),
        float(np.mean(entropy)),
        tuple(labels),
    )


def _changed(before: Reading, after: Reading) -> float:
    """Share of pixels that have another class."""
    return float(np.mean([np.mean(a != b) for a, b in zip(before.labels, after.labels, strict=True)]))


def judge(
    before: Reading, after: Reading, classes: tuple[str, ...], how: Guard, first: Reading | None = None
) -> tuple[str, list[str], dict[str, Any]]:
    """Compare a student with its teacher.

    Args:
        before: The teacher that labelled.
        after: The student.
        classes: Names, for the reasons.
        how: Limits.
        first: The teacher of the first round: a class that fades a little in every round is judged against its
            share there, and what changes a little in every round against its labels.

    Returns:
        ("keep" or "revert", reasons in words, the signals as numbers). No label is needed for any of it.
    """
    reasons = []
    for i, name in enumerate(classes):
        was, now = before.share_K[i], after.share_K[i]
        was = max(was, first.share_K[i]) if first is not None else was
        if was >= how.min_share and now < how.vanish * was:
            reasons.append(f"class '{name}' vanishes: {was:.2%} of the pixels before, {now:.2%} now")
    changed = _changed(before, after)
    if changed > how.drift:
        reasons.append(f"{changed:.0%} of the pixels changed class in one round")
    since = _changed(first, after) if first is not None and first is not before else None
    if since is not None and since > max(how.drift, min(2 * how.drift, FAR)):
        reasons.append(f"{since:.0%} of the pixels have another class than before the first round")
    if after.agreement < before.agreement - how.agreement_drop:
        reasons.append(f"mirrored views agree on {after.agreement:.1%} of the pixels, before on {before.agreement:.1%}")
    signals = {
        "drift": changed,
        **({} if since is None else {"drift_since_the_first": since}),
        "agreement": [before.agreement, after.agreement],
        "confidence": [before.confidence, after.confidence],
        "entropy": [before.entropy, after.entropy],
        "class_share": {n: [float(before.share_K[i]), float(after.share_K[i])] for i, n in enumerate(classes)},
    }
    return ("revert" if reasons else "keep"), reasons, signals
