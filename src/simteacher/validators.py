"""Label-free scores of a model on unlabelled photographs: by them a checkpoint, a round or a method can be chosen.

Each score is higher for the model that it prefers. None sees a target label; ``source`` and ``dev`` use the source's.

====================  =============================================================================================
flip, scale, colour   share of pixels that keep their class when the photograph is mirrored, shrunk, recoloured
agreement             the same three as mean IoU between the two readings, over all K classes: a class that vanished
                      counts 0, so that a collapse cannot look stable
entropy               1 - mean normalised entropy; rises when a model collapses, kept as the warning that it is
information           mutual information ``H(mean p) - mean H(p)`` over log K: sure and balanced
snd                   soft neighbourhood density (Saito et al. 2021): entropy of each pixel's softmax similarities to
                      the others, temperature 0.05, over log (N - 1)
bnm                   nuclear norm of the N x K prediction matrix over its bound ``sqrt(N K)`` (Cui et al. 2020)
source                mean IoU on source images
dev                   minus the source error weighted by how target-like its pixels are, with control variate (Deep
                      Embedded Validation, You et al. 2019), on predictions in place of features
====================  =============================================================================================

Shapes: N sampled pixels, K classes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional as F

from simteacher.config import Augment
from simteacher.data.images import read_image
from simteacher.data.read import read_label
from simteacher.data.sample import IGNORE, DataSet
from simteacher.data.views import recolour
from simteacher.dense import Reader, working_size
from simteacher.guard import sample
from simteacher.metrics import Confusion
from simteacher.progress import progress

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

IMAGES = 24
PIXELS = 2400  # sampled for the scores that compare pixels
SHRUNK = 0.75
RECOLOUR = Augment(grey=0.0, blur=0.0, noise=0.0)


def _read(model: Reader, image_HWC: U8, scale: float = 1.0) -> npt.NDArray[np.float32]:
    """Probabilities (K, h, w) at the working size."""
    height, width = working_size(image_HWC.shape[0], image_HWC.shape[1], model.card.size)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = np.array(Image.fromarray(image_HWC).resize(size, Image.Resampling.BILINEAR))
    logits = model.logits(torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)).float()
    if scale != 1.0:
        logits = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    return np.asarray(logits[0].softmax(0).cpu().numpy())


def information(p_NK: F64) -> float:
    """``(H(mean p) - mean H(p)) / log K``, in [0, 1]: high where predictions are sure and all classes occur."""
    mean_K = p_NK.mean(0)
    marginal = float(-(mean_K * np.log(mean_K + 1e-12)).sum())
    return max(0.0, (marginal - entropy(p_NK) * math.log(p_NK.shape[1])) / math.log(p_NK.shape[1]))


def entropy(p_NK: F64) -> float:
    """Mean entropy of the rows over log K, in [0, 1]."""
    return float(-(p_NK * np.log(p_NK + 1e-12)).sum(1).mean() / math.log(p_NK.shape[1]))


def soft_neighbourhood_density(p_NK: F64, temperature: float = 0.05) -> float:
    """Mean entropy of ``softmax(cosine similarity / temperature)`` to all other rows, over log (N - 1), in [0, 1]."""
    unit_NK = torch.from_numpy(p_NK / np.linalg.norm(p_NK, axis=1, keepdims=True)).float()
    similarity_NN = (unit_NK @ unit_NK.T) / temperature
    similarity_NN.fill_diagonal_(-torch.inf)
    log_NN = similarity_NN.log_softmax(1)
    log_NN.fill_diagonal_(0.0)  # probability 0 times log 0 is 0
    spread_N = -(log_NN.exp() * log_NN).sum(1)
    return float(spread_N.mean() / math.log(len(p_NK) - 1))


def batch_nuclear_norm(p_NK: F64) -> float:
    """``||P||_* / sqrt(N K)``, in (0, 1]; 1 where all K classes are predicted equally often and with certainty."""
    return float(np.linalg.norm(p_NK, "nuc") / math.sqrt(p_NK.size))


def deep_embedded_risk(source_NK: F64, wrong_N: F64, target_NK: F64) -> float:
    """Importance-weighted error ``mean(w l) + eta mean(w) - eta`` with ``eta = -Cov(w l, w) / Var(w)``.

    The density ratio ``w = (n_s / n_t) d / (1 - d)`` comes from a logistic regression d that tells target from source.

    Args:
        source_NK: Predictions on source pixels.
        wrong_N: 1 where they are wrong, else 0.
        target_NK: Predictions on target pixels.
    """
    x = np.concatenate([source_NK, target_NK])
    x = np.concatenate([(x - x.mean(0)) / (x.std(0) + 1e-6), np.ones((len(x), 1))], 1)
    y = np.r_[np.zeros(len(source_NK)), np.ones(len(target_NK))]
    beta, ridge = np.zeros(x.shape[1]), 1e-2 * len(x) * np.eye(x.shape[1])
    for _ in range(12):  # Newton steps of a ridge-penalised logistic regression
        d = 1 / (1 + np.exp(-x @ beta))
        slope = x.T @ (d - y) + ridge @ beta
        beta = beta - np.linalg.solve((x * (d * (1 - d))[:, None]).T @ x + ridge, slope)
    d = 1 / (1 + np.exp(-x[: len(source_NK)] @ beta))
    w = len(source_NK) / len(target_NK) * d / (1 - d)
    loss = w * wrong_N
    eta = -np.cov(loss, w)[0, 1] / max(float(w.var(ddof=1)), 1e-12)
    return float(loss.mean() + eta * w.mean() - eta)


def validate(
    model: Reader, target: DataSet, source: DataSet | None = None, images: int = IMAGES, seed: int = 0
) -> dict[str, float]:
    """Score a model without target labels.

    Args:
        model: Scores pixels.
        target: Photographs; labels are not looked at.
        source: A labelled set for ``source`` and ``dev``, or None to leave these out.
        images: How many photographs are read, drawn by seed; of the source half as many.
        seed: Of the draws.

    Returns:
        The scores of the module's table, higher is better.
    """
    classes = len(model.card.space)
    target, rng = sample(target, images, seed), np.random.default_rng([seed, 11])
    views = {name: Confusion(classes) for name in ("flip", "scale", "colour")}
    pixels, uncertain = [], []
    for n, frame in enumerate(progress(target.frames, "score without labels")):
        image = read_image(frame.image)
        p = _read(model, image)
        label = p.argmax(0).astype(np.uint8)
        coloured = recolour(np.random.default_rng([seed, 12, n]), image, RECOLOUR)
        others = {
            "flip": _read(model, image[:, ::-1])[:, :, ::-1],
            "scale": _read(model, image, SHRUNK),
            "colour": _read(model, coloured),
        }
        for name, other in others.items():
            views[name].update(other.argmax(0).astype(np.uint8), label)
        flat_NK = p.reshape(classes, -1).T
        uncertain.append(entropy(flat_NK[::7].astype(np.float64)))
        pixels.append(flat_NK[rng.integers(0, len(flat_NK), PIXELS // len(target) + 1)].astype(np.float64))
    p_NK = np.concatenate(pixels)
    scores = {name: float(np.diagonal(c.counts_KP).sum() / c.counts_KP.sum()) for name, c in views.items()}
    scores["agreement"] = float(np.mean([np.nan_to_num(c.iou_K()).mean() for c in views.values()]))
    scores["entropy"] = 1 - float(np.mean(uncertain))
    scores["information"] = information(p_NK)
    scores["snd"] = soft_neighbourhood_density(p_NK)
    scores["bnm"] = batch_nuclear_norm(p_NK)
    if source is not None:
        scores.update(_with_source(model, sample(source, (images + 1) // 2, seed), p_NK, rng))
    return {name: round(value, 6) for name, value in scores.items()}


def _with_source(model: Reader, source: DataSet, target_NK: F64, rng: np.random.Generator) -> dict[str, float]:
    """The two scores that read source labels."""
    classes = len(model.card.space)
    confusion, pixels, wrong = Confusion(classes), [], []
    for frame in source.frames:
        p = _read(model, read_image(frame.image))
        label = read_label(source, frame, model.card.space)
        if label.shape != p.shape[1:]:
            label = np.asarray(Image.fromarray(label).resize(p.shape[:0:-1], Image.Resampling.NEAREST))
        seen = p.argmax(0).astype(np.uint8)
        confusion.update(seen, label)
        known = np.flatnonzero(label.ravel() != IGNORE)
        if len(known):
            drawn = rng.choice(known, PIXELS // len(source) + 1)
            pixels.append(p.reshape(classes, -1).T[drawn].astype(np.float64))
            wrong.append((seen.ravel()[drawn] != label.ravel()[drawn]).astype(np.float64))
    if not pixels:
        return {}
    risk = deep_embedded_risk(np.concatenate(pixels), np.concatenate(wrong), target_NK)
    return {"source": float(np.nanmean(confusion.iou_K())), "dev": -risk}
