"""A trained network with classes of another label space: the same network with new last layers, matched by name.

Several old classes may make one new one (car, truck and bus a CamVid ``car``). The exact score of such a class is the
log-sum-exp of theirs, which no linear layer gives. The new layer starts from its linear bound, `merging`, and is then
fitted so that its softmax answers what the old one's answers, merged, on a few photographs; no label is needed. For one
linear layer that problem is convex. Used by `adapt` when `teacher.weights` names a teacher of other classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.labels import IGNORE, LabelSpace, lut
from simteacher.models.heads import ASPPSum

STEPS = 30  # of L-BFGS; 100 bring 0.2 % more of the answers to agree, at twice the time
HEADS = ("head", "aux_head")
NEVER = 4.0  # how far a class that the old network did not know scores below the mean of the others


def rehead(network: nn.Module, of: LabelSpace, to: LabelSpace, images: Iterable[Tensor]) -> tuple[str, ...]:
    """Give a network the classes of another space, in place.

    Args:
        network: With modules ``head`` and ``aux_head``, as `build.SegmentationNetwork` has them.
        of: The classes that it tells apart.
        to: Those it shall.
        images: A few photographs (1, 3, H, W) in [0, 1], to fit the new layers on.

    Returns:
        Classes of ``to`` that it does not know: they are never its answer until training teaches them.

    Raises:
        UserError: No class in common, or a network of another make.
    """
    matrix_KJ, offset_K, member_J = merging(of, to)
    known_K = matrix_KJ.sum(1) > 0
    if not known_K.any():
        what = f"this teacher knows none of the classes of {to.name}: its are {', '.join(of.classes)}"
        raise UserError(what, "teacher.weights", "train a teacher, or add aliases to the label space")
    heads = [_last(getattr(network, name, None), len(of)) for name in HEADS]
    seen = _inputs(network, [convs[0] for convs in heads], images)
    for convs, maps in zip(heads, seen, strict=True):
        wanted = [_merged(_score(convs, x), member_J, len(to)) for x in maps]
        for conv in convs:
            _replace(conv, matrix_KJ, offset_K / len(convs))
        if (member_J[member_J != IGNORE].bincount() > 1).any():  # else the rows are exact
            _fit(convs, maps, wanted, known_K)
        _silence(convs, ~known_K)
    return tuple(name for name, known in zip(to.classes, known_K, strict=True) if not known)


def merging(of: LabelSpace, to: LabelSpace) -> tuple[Tensor, Tensor, Tensor]:
    """The linear bound of merged scores, by class name.

    For any shares p of the members j of a class, ``log Σ exp x_j ≥ Σ p_j x_j + H(p)`` (the entropy H; equal where
    softmax x = p). Where members bear the class's own name or a synonym, they have all of p, else all members alike.

    Returns:
        Shares (K, J) for K new and J old classes, H(p) of each new class (K,), and the new class of each old one (J,),
        255 for none.
    """
    member_J = lut(dict(enumerate(of.classes)), to)[: len(of)]
    own_J = lut(dict(enumerate(of.classes)), replace(to, aliases={}))[: len(of)]
    matrix_KJ = np.zeros((len(to), len(of)), np.float32)
    for k in range(len(to)):
        members = own_J == k if (own_J == k).any() else member_J == k
        matrix_KJ[k, members] = 1 / max(members.sum(), 1)
    count_K = (matrix_KJ > 0).sum(1)
    offset_K = np.log(np.maximum(count_K, 1)).astype(np.float32)
    return torch.from_numpy(matrix_KJ), torch.from_numpy(offset_K), torch.from_numpy(member_J.astype(np.int64))


def _last(head: Any, classes: int) -> list[nn.Conv2d]:
    """The convolutions whose sum is a head's scores."""
    if isinstance(head, ASPPSum):
        return [m for m in head.branches if isinstance(m, nn.Conv2d)]
    found = [m for m in head.modules() if isinstance(m, nn.Conv2d)][-1:] if head else []
    if not found or found[0].out_channels != classes or found[0].bias is None:
        what = "this teacher's last layers are not of a kind that can be given other classes"
        raise UserError(what, "teacher.weights", "name a teacher of the same label space")
    return found


@torch.no_grad()
def _inputs(network: nn.Module, layers: list[nn.Conv2d], images: Iterable[Tensor]) -> list[list[Tensor]]:
    """What reaches each layer, image by image."""
    seen: list[list[Tensor]] = [[] for _ in layers]
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, kept=kept: kept.append(args[0].float()))
        for layer, kept in zip(layers, seen, strict=True)
    ]
    try:
        network.eval()
        for image_BCHW in images:
            network(image_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _score(convs: list[nn.Conv2d], x_BCHW: Tensor) -> Tensor:
    return torch.stack([conv(x_BCHW) for conv in convs]).sum(0)


@torch.no_grad()
def _merged(logits_BJHW: Tensor, member_J: Tensor, classes: int) -> Tensor:
    """Probabilities of the new classes (B, K, H, W); they add up to less than 1 where an old class has no new one."""
    p_BJHW = logits_BJHW.softmax(1)
    out_BKHW = p_BJHW.new_zeros(p_BJHW.shape[0], classes, *p_BJHW.shape[2:])
    kept = member_J != IGNORE
    return out_BKHW.index_add_(1, member_J[kept].to(p_BJHW.device), p_BJHW[:, kept])


@torch.no_grad()
def _replace(conv: nn.Conv2d, matrix_KJ: Tensor, offset_K: Tensor) -> None:
    """The layer's rows, merged linearly."""
    matrix_KJ, offset_K = matrix_KJ.to(conv.weight.device), offset_K.to(conv.weight.device)
    conv.weight = nn.Parameter(torch.einsum("kj,jchw->kchw", matrix_KJ, conv.weight))
    bias_J = conv.bias if conv.bias is not None else conv.weight.new_zeros(matrix_KJ.shape[1])
    conv.bias = nn.Parameter(matrix_KJ @ bias_J + offset_K)
    conv.out_channels = len(matrix_KJ)


@torch.no_grad()
def _silence(convs: list[nn.Conv2d], unknown_K: Tensor) -> None:
    """Rows that score below the mean of the others, so below their best, whatever is seen."""
    for conv in convs:
        assert conv.bias is not None
        conv.weight[unknown_K] = conv.weight[~unknown_K].mean(0)
        conv.bias[unknown_K] = conv.bias[~unknown_K].mean() - NEVER / len(convs)


def _fit(convs: list[nn.Conv2d], maps: list[Tensor], wanted: list[Tensor], known_K: Tensor) -> None:
    """Cross-entropy against the merged probabilities, weighted by how much of them there is."""
    parameters = [p for conv in convs for p in conv.parameters()]
    total = sum(float(w.sum()) for w in wanted)
    optimiser = torch.optim.LBFGS(parameters, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        loss = 0.0
        for x, wanted_BKHW in zip(maps, wanted, strict=True):
            log_BkHW = _score(convs, x)[:, known_K].log_softmax(1)
            one = -(wanted_BKHW[:, known_K] * log_BkHW).sum() / total
            one.backward()  # type: ignore[no-untyped-call]
            loss += float(one.detach())
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    optimiser.zero_grad()
