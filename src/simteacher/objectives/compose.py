"""One training step's losses from the streams present: labelled source or target, pseudo-labelled or plain target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from simteacher.config import Objectives
from simteacher.data.mixing import classmix_mask, cutmix_mask, paste
from simteacher.data.stream import Batch
from simteacher.losses import IGNORE
from simteacher.models.anysize import at_full_size
from simteacher.objectives.adversarial import discriminate, fool
from simteacher.objectives.feature_distance import feature_distance, thing_cells
from simteacher.objectives.labelled import labelled_loss, rectified_loss
from simteacher.objectives.selfsupervised import SURE, Pixels, contrast_loss
from simteacher.objectives.state import StageState
from simteacher.objectives.unlabelled import Taught, output_losses, teacher_labels, view_losses

Logits = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a stage's streams mix, and who labels its photographs.

    Attributes:
        mix: "none", "classmix" or "cutmix": source pasted into target images.
        rectified: Whether pseudo-labels count less where the heads disagree.
        mix_labelled: "none", "source" or "pseudo": what a box of each labelled photograph is pasted into.
        online: Labels of the EMA teacher at every step in place of the stored ones.
        thresholds: Least confidence of such a label: one for all classes, or one a class.
    """

    mix: str = "none"
    online: bool = False
    thresholds: tuple[float, ...] = (0.9,)
    mix_labelled: str = "none"
    rectified: bool = False


def reads_target(weights: Objectives) -> bool:
    """Whether a loss judges the network's output on target images as they are."""
    return any((weights.adversarial, weights.adversarial_aux, weights.agreement, weights.min_entropy))


def needs_target(weights: Objectives) -> bool:
    """Whether a stage without pseudo-labels still looks at target images."""
    return reads_target(weights) or any((weights.masked, weights.two_views, weights.rotation, weights.contrast))


def asks_averaged(weights: Objectives, online: bool) -> bool:
    """Whether a stage's photographs get labels from the averaged network while it trains."""
    return online or any((weights.masked, weights.two_views, weights.contrast))


def _run(state: StageState, image_BCHW: Tensor) -> Logits:
    """Scores of both heads; where a loss is on features also the encoder's last map and the last but one."""
    kept: list[Tensor] = []

    def keep(maps: list[Tensor]) -> list[Tensor]:
        kept.extend((maps[-2], maps[-1]))
        return maps

    on_features = bool(state.weights.contrast or state.reference)
    main, aux = state.network(image_BCHW, keep) if on_features else state.network(image_BCHW)
    if state.weights.adversarial_aux or state.weights.agreement:
        aux = at_full_size(aux, main)
    return {"main": main, "aux": aux, **dict(zip(("features", "last"), kept, strict=False))}


def _mixed(
    state: StageState, plan: Plan, source: Batch, target: Batch, label: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Target images with source pasted in, the n-th from the n-th source image; labels, weights, and where it is."""
    n = len(target.image_BCHW)
    index = [i % len(source.image_BCHW) for i in range(n)]
    over_label = source.label_BHW[index]
    generator = state.generator(1)
    mask = (
        classmix_mask(over_label, generator)
        if plan.mix == "classmix"
        else cutmix_mask(over_label, generator).to(over_label.device)
    )
    return (
        paste(mask, source.image_BCHW[index], target.image_BCHW),
        paste(mask, over_label, label),
        paste(mask, torch.ones_like(weight), weight),
        mask,
    )


def _boxed(state: StageState, over: Batch, under: Batch, known: Taught) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Domain CutMix: a box of each labelled photograph on one of other images; labels, weights, and where it is.

    ``M x_under + (1 - M) x_over`` with M 0 in a box whose sides are ``sqrt(1 - lambda)`` of the image's.
    """
    index = [i % len(under.image_BCHW) for i in range(len(over.image_BCHW))]
    mask = cutmix_mask(over.label_BHW, state.generator(2))
    label, weight = (part[index] for part in known)
    return (
        paste(mask, over.image_BCHW, under.image_BCHW[index]),
        paste(mask, over.label_BHW, label),
        paste(mask, torch.ones_like(weight), weight),
        mask,
    )


def _known(plan: Plan, target: Batch, stored: bool, taught: Callable[[], Taught]) -> Taught | None:
    """Labels and weights of the target images, from the averaged network or as stored, where there are any."""
    if plan.online:
        label, confidence = taught()
        level_K = torch.tensor(plan.thresholds, device=label.device)
        least = level_K[label.clamp(max=len(level_K) - 1)] if len(level_K) > 1 else level_K
        return label, confidence * (confidence >= least)
    return (target.label_BHW, target.weight_BHW) if stored else None


def _labelled_losses(
    state: StageState, plan: Plan, batches: dict[str, Batch], known: Taught | None
) -> tuple[dict[str, Tensor], Logits | None, list[Pixels]]:
    """Losses of the streams with true labels, the output that counts as the source's, and what contrast learns from."""
    losses: dict[str, Tensor] = {}
    seen: list[Pixels] = []
    source_out: Logits | None = None
    source, target = batches.get("source"), batches.get("pseudo")
    for name in ("source", "labelled"):
        given = batches.get(name)
        if given is None:
            continue
        image, label, weight = given.image_BCHW, given.label_BHW, None
        surely: Tensor | None = None
        if name == "labelled" and plan.mix_labelled == "source" and source is not None:
            true = source.label_BHW, torch.ones_like(source.weight_BHW)
            image, label, weight, _ = _boxed(state, given, source, true)
        elif name == "labelled" and plan.mix_labelled == "pseudo" and target is not None and known is not None:
            image, label, weight, box = _boxed(state, given, target, known)
            surely = label.masked_fill(~box, IGNORE)  # beside the box nobody has labelled it
        out = _run(state, image)
        losses[name] = labelled_loss(state, out["main"], out["aux"], label, weight)
        source_out = source_out or out
        if name == "source" and state.reference:
            h, w = out["last"].shape[-2:]
            cells_Bhw = thing_cells(label, state.reference.things, (h, w))
            far = feature_distance(out["last"], state.reference(image), cells_Bhw)
            losses["feature_distance"] = state.weights.feature_distance * far
        if state.weights.contrast:
            seen.append(Pixels(out["features"], label if surely is None else surely, weight, True))
    return losses, source_out, seen


def network_losses(
    state: StageState, plan: Plan, batches: dict[str, Batch]
) -> tuple[dict[str, Tensor], Logits | None, Logits | None]:
    """All losses of the network for one step, named and weighted, with the logits that the discriminators need.

    Streams: ``source`` and ``labelled`` carry labels; ``pseudo`` carries stored pseudo-labels; ``target`` carries none.
    """
    target = batches.get("pseudo", batches.get("target"))
    if target is None:
        losses, source_out, _ = _labelled_losses(state, plan, batches, None)
        return losses, source_out, None
    taught = cache(lambda: teacher_labels(state, target))  # several losses ask, one pass answers
    known = _known(plan, target, "pseudo" in batches, taught)
    losses, source_out, seen = _labelled_losses(state, plan, batches, known)
    target_out: Logits | None = None  # of target images as they are, never of mixed ones
    if known is not None:
        source = batches.get("source") if plan.mix != "none" else None
        image, label, weight, true = target.image_BCHW, *known, None
        if source is not None:
            image, label, weight, true = _mixed(state, plan, source, target, label, weight)
        out = _run(state, image)
        if plan.rectified:
            losses["pseudo"] = rectified_loss(state, out["main"], out["aux"], label, weight, true)
        else:
            losses["pseudo"] = labelled_loss(state, out["main"], out["aux"], label, weight)
        target_out = out if source is None else None
        if state.weights.contrast:
            seen.append(Pixels(out["features"], label, weight, False))
    elif state.weights.contrast:
        target_out = _run(state, target.image_BCHW)
        label, confidence = taught()
        seen.append(Pixels(target_out["features"], label, (confidence >= SURE).float(), False))
    if reads_target(state.weights):
        target_out = target_out or _run(state, target.image_BCHW)
        losses.update(output_losses(state, target_out["main"], target_out["aux"]))
        losses.update(fool(state, target_out))
    losses.update(view_losses(state, target, taught))
    if state.weights.contrast:
        losses["contrast"] = state.weights.contrast * contrast_loss(state, seen)
    return losses, source_out, target_out


def discriminator_losses(state: StageState, source: Logits | None, target: Logits | None) -> dict[str, Tensor]:
    """Losses of the discriminators, or an empty dict where there are none."""
    if not state.discriminators or source is None or target is None:
        return {}
    return discriminate(state, source, target)
