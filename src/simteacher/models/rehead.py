"""A trained network with classes of another label space: the same network, its last layers' rows matched by name.

Several old classes may make one new one (car, truck and bus a CamVid ``car``): it keeps their rows and has the score of
the best (`models.merge`), so that the network answers what it answered, translated. Used where training goes on from a
model of other classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.labels import IGNORE, LabelSpace, lut
from simteacher.models.merge import HEADS, Merge, last_layers, replace_rows

NEVER = 4.0  # how far a class that the old network did not know scores below the mean of the others


def new_class(of: LabelSpace, to: LabelSpace) -> Tensor:
    """The class of ``to`` that each of the J classes of ``of`` belongs to, by name (J,); 255 for none."""
    member_J = lut(dict(enumerate(of.classes)), to.as_learned())[: len(of)]
    return torch.from_numpy(member_J.astype(np.int64))


def rehead(network: nn.Module, of: LabelSpace, to: LabelSpace) -> tuple[str, ...]:
    """Give a network the classes of another space, in place.

    Args:
        network: With modules ``head``, ``aux_head`` and ``merge``, as `build.SegmentationNetwork` has them.
        of: The classes that it tells apart.
        to: Those it shall.

    Returns:
        Classes of ``to`` that it does not know: they are never its answer until training teaches them.

    Raises:
        UserError: No class in common, or a network of another make.
    """
    new_J = new_class(of, to)
    if (new_J == IGNORE).all():
        what = f"this teacher knows none of the classes of {to.name}: its are {', '.join(of.classes)}"
        raise UserError(what, "teacher.weights", "train a teacher, or add aliases to the label space")
    merge: Any = getattr(network, "merge", None)
    if isinstance(merge, Merge):  # its rows are of finer classes already
        new_J = new_J[merge.member_J.cpu()]
    heads = [last_layers(getattr(network, name, None), len(new_J)) for name in HEADS]
    if not all(heads) or not hasattr(network, "merge") or not isinstance(merge, Merge | None):
        what = "this teacher's last layers are not of a kind that can be given other classes"
        raise UserError(what, "teacher.weights", "name a teacher of the same label space")
    unknown = [k for k in range(len(to)) if k not in new_J.tolist()]
    kept = [j for j, k in enumerate(new_J.tolist()) if k != IGNORE]
    member_J = torch.cat([new_J[kept], torch.tensor(unknown, dtype=torch.int64)])
    order_J = member_J.argsort(stable=True)
    for convs in heads:
        for conv in convs:
            _take(conv, kept, len(unknown), order_J, NEVER / len(convs))
    network.merge = Merge(member_J[order_J]) if len(member_J) > len(to) else None  # type: ignore[assignment]
    return tuple(to.classes[k] for k in unknown)


@torch.no_grad()
def _take(conv: nn.Conv2d, kept: list[int], unknown: int, order_J: Tensor, never: float) -> None:
    """The rows that stay, and some that score below the mean of these, so below their best, whatever is seen."""
    assert conv.bias is not None
    weight, bias = conv.weight[kept].cpu(), conv.bias[kept].cpu()
    weight = torch.cat([weight, weight.mean(0, keepdim=True).expand(unknown, -1, -1, -1)])
    bias = torch.cat([bias, (bias.mean(0, keepdim=True) - never).expand(unknown)])
    replace_rows(conv, weight[order_J], bias[order_J])
