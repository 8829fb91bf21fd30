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
from simteacher.objectives.adversarial import discriminate, fool
from simteacher.objectives.labelled import labelled_loss
from simteacher.objectives.state import StageState
from simteacher.objectives.unlabelled import Taught, output_losses, teacher_labels, view_losses

Logits = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a stage's streams mix, and who labels its photographs.

    Attributes:
        mix: "none", "classmix" or "cutmix".
        online: Labels of the EMA teacher at every step in place of the stored ones.
        thresholds: Least confidence of such a label: one for all classes, or one a class.
    """

    mix: str = "none"
    online: bool = False
    thresholds: tuple[float, ...] = (0.9,)


def reads_target(weights: Objectives) -> bool:
    """Whether a loss judges the network's output on target images as they are."""
    return any((weights.adversarial, weights.adversarial_aux, weights.agreement, weights.min_entropy))


def needs_target(weights: Objectives) -> bool:
    """Whether a stage without pseudo-labels still looks at target images."""
    return reads_target(weights) or bool(weights.masked)


def _run(state: StageState, image_BCHW: Tensor) -> Logits:
    main, aux = state.network(image_BCHW)
    return {"main": main, "aux": aux}


def _mixed(
    state: StageState, plan: Plan, source: Batch, target: Batch, label: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Target images with source pasted in, the n-th from the n-th source image; the labels and weights that follow."""
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
    )


def _known(plan: Plan, target: Batch, stored: bool, taught: Callable[[], Taught]) -> Taught | None:
    """Labels and weights of the target images, from the averaged network or as stored, where there are any."""
    if plan.online:
        label, confidence = taught()
        level_K = torch.tensor(plan.thresholds, device=label.device)
        return label, confidence * (confidence >= (level_K[label] if len(level_K) > 1 else level_K))
    return (target.label_BHW, target.weight_BHW) if stored else None


def network_losses(
    state: StageState, plan: Plan, batches: dict[str, Batch]
) -> tuple[dict[str, Tensor], Logits | None, Logits | None]:
    """All losses of the network for one step, named and weighted, with the logits that the discriminators need.

    Streams: ``source`` and ``labelled`` carry labels; ``pseudo`` carries stored pseudo-labels; ``target`` carries none.
    """
    losses: dict[str, Tensor] = {}
    source_out: Logits | None = None
    source = batches.get("source")
    for name in ("source", "labelled"):
        if name in batches:
            out = _run(state, batches[name].image_BCHW)
            losses[name] = labelled_loss(state, out["main"], out["aux"], batches[name].label_BHW)
            if name == "source" or source_out is None:
                source_out = out
    target = batches.get("pseudo", batches.get("target"))
    if target is None:
        return losses, source_out, None
    taught = cache(lambda: teacher_labels(state, target.plain_BCHW))  # several losses ask, one pass answers
    labels = _known(plan, target, "pseudo" in batches, taught)
    target_out: Logits | None = None  # of target images as they are, never of mixed ones
    if labels is not None:
        mixes = plan.mix != "none" and source is not None
        image, label, weight = target.image_BCHW, *labels
        if mixes and source is not None:
            image, label, weight = _mixed(state, plan, source, target, label, weight)
        out = _run(state, image)
        losses["pseudo"] = labelled_loss(state, out["main"], out["aux"], label, weight)
        target_out = None if mixes else out
    if reads_target(state.weights):
        target_out = target_out or _run(state, target.image_BCHW)
        losses.update(output_losses(state, target_out["main"], target_out["aux"]))
        losses.update(fool(state, target_out))
    losses.update(view_losses(state, target, taught))
    return losses, source_out, target_out


def discriminator_losses(state: StageState, source: Logits | None, target: Logits | None) -> dict[str, Tensor]:
    """Losses of the discriminators, or an empty dict where there are none."""
    if not state.discriminators or source is None or target is None:
        return {}
    return discriminate(state, source, target)
