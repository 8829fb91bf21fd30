"""Last layers with a row for each class of a finer space, whose best scores are the classes' scores.

A network of Cityscapes' classes knows a rider from a bicycle; CamVid calls both *bicyclist*. One linear layer cannot
score that class as the finer rows do together, so the rows stay, and a class has the score of its best row: the answer
is the old answer, translated, at every pixel. What made them one class may be learnt further, row by row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simteacher.models.heads import ASPPSum

HEADS = ("head", "aux_head")


class Merge(nn.Module):
    """Scores of rows to scores of classes: the largest of each class's rows.

    Args:
        member_J: The class of each of J rows, ascending, each class at least once.
    """

    def __init__(self, member_J: Tensor) -> None:
        super().__init__()
        self.member_J: Tensor
        self.register_buffer("member_J", member_J)  # stored with the weights: they tell what the rows are
        self.rows = member_J.bincount().tolist()

    def forward(self, score_BJhw: Tensor) -> Tensor:
        """(B, J, h, w) -> (B, K, h, w)."""
        parts = torch.split(score_BJhw, self.rows, 1)
        return torch.cat([p if p.shape[1] == 1 else p.amax(1, keepdim=True) for p in parts], 1)


def last_layers(head: object, rows: int) -> list[nn.Conv2d]:
    """The convolutions whose sum is a head's scores, of ``rows`` rows; empty where it is of another kind."""
    if isinstance(head, ASPPSum):
        return [m for m in head.branches if isinstance(m, nn.Conv2d)]
    found = [m for m in head.modules() if isinstance(m, nn.Conv2d)][-1:] if isinstance(head, nn.Module) else []
    return [m for m in found if m.out_channels == rows and m.bias is not None]


@torch.no_grad()
def give_rows(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a new network the rows that stored weights have, where they are of finer classes than its own.

    Args:
        network: With a row a class.
        weights: By name; those of a network with a `Merge` hold its ``merge.member_J``.
    """
    member_J = weights.get("merge.member_J")
    if member_J is None or not hasattr(network, "merge") or network.merge is not None:
        return  # nothing to do, or a network of another make
    rows = member_J.tolist() if member_J.dtype == torch.int64 and member_J.ndim == 1 else []
    known = list(dict.fromkeys(rows))
    heads = [last_layers(getattr(network, head), len(known)) for head in HEADS]
    if not rows or not all(heads) or rows != sorted(rows) or known != list(range(len(known))):
        return  # damaged, or of another network: whoever loads them says so
    for conv in (c for convs in heads for c in convs):
        replace_rows(conv, conv.weight[member_J], torch.zeros(len(member_J)))
    network.merge = Merge(member_J.clone())


def replace_rows(conv: nn.Conv2d, weight_JC11: Tensor, bias_J: Tensor) -> None:
    """Give a convolution other rows, on its device."""
    conv.weight = nn.Parameter(weight_JC11.detach().clone().to(conv.weight.device))
    conv.bias = nn.Parameter(bias_J.detach().clone().to(conv.weight.device))
    conv.out_channels = len(weight_JC11)
