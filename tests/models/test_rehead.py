"""New last layers for a trained network: compared with the exact merge of its own answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.labels import SPACES, LabelSpace
from simteacher.models.rehead import merging, rehead
from tests.tiny import network, space

CITYSCAPES, CAMVID = SPACES["cityscapes19"], SPACES["camvid11"]


def images(count: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.rand(1, 3, 64, 96, generator=generator) for _ in range(count)]


def sure(classes: int) -> nn.Module:
    """A small network whose answers are as decided as a trained one's."""
    made = network(classes).eval()
    for name in ("head", "aux_head"):
        last = [m for m in getattr(made, name).modules() if isinstance(m, nn.Conv2d)][-1]
        last.weight.data *= 40
    return made


@torch.no_grad()
def answers(net: nn.Module) -> list[Tensor]:
    """Probabilities (1, K, h, w) of both heads on the images."""
    return [scores.float().softmax(1) for image in images() for scores in net(image)]


def test_by_name_and_by_alias() -> None:
    matrix, offset, member = merging(CITYSCAPES, CAMVID)
    row = {
        name: {CITYSCAPES.classes[j]: float(matrix[k, j]) for j in matrix[k].nonzero().ravel().tolist()}
        for k, name in enumerate(CAMVID.classes)
    }
    assert row["building"] == {"building": 1.0} and row["car"] == {"car": 1.0} and row["tree"] == {"vegetation": 1.0}
    assert row["bicyclist"] == {n: pytest.approx(1 / 3) for n in ("rider", "motorcycle", "bicycle")}
    merged = {CITYSCAPES.classes[j]: CAMVID.classes[k] for j, k in enumerate(member.tolist()) if k != 255}
    assert merged["truck"] == "car" and merged["wall"] == "building" and merged["traffic light"] == "sign"
    assert "terrain" not in merged
    assert float(offset[CAMVID.classes.index("bicyclist")]) == pytest.approx(np.log(3))


def test_the_start_is_a_bound_of_log_sum_exp_that_is_met_where_members_are_equal() -> None:
    matrix, offset, member = merging(CITYSCAPES, CAMVID)
    x = torch.randn(2000, 19, generator=torch.Generator().manual_seed(1)) * 3
    x[0] = 1.5
    exact = torch.stack([torch.logsumexp(x[:, member == k], 1) for k in range(11)], 1)
    start = x @ matrix.T + offset
    assert (start <= exact + 1e-5).all()
    torch.testing.assert_close(start[0, 10], exact[0, 10])


def test_other_order_and_fewer_classes_are_exact() -> None:
    """One old class for each new one: the rows are copied."""
    old, new = space("abcde"), space("eca")
    net = sure(5)
    before = answers(net)
    assert rehead(net, old, new, images()) == ()
    for was, now in zip(before, answers(net), strict=True):
        wanted = was[:, [4, 2, 0]]
        left = wanted.sum(1, keepdim=True)  # where next to nothing is left, it is rounding
        torch.testing.assert_close(now * (left > 0.01), wanted / left * (left > 0.01), rtol=1e-3, atol=1e-4)


def test_merged_classes_are_answered_as_the_old_ones_together() -> None:
    old = space("abcdef")
    new = replace(space("xyz"), aliases={"a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "f": "z"})
    net = sure(6)
    before = [torch.stack([p[:, :2].sum(1), p[:, 2:5].sum(1), p[:, 5]], 1) for p in answers(net)]
    rehead(net, old, new, images())
    after = answers(net)
    equal = np.mean([float((a.argmax(1) == b.argmax(1)).float().mean()) for a, b in zip(before, after, strict=True)])
    assert equal > 0.9
    assert net(images(1)[0])[0].shape == (1, 3, 64, 96)


def test_what_it_does_not_know_is_never_its_answer() -> None:
    net = sure(3)
    assert rehead(net, space("abc"), space("aqcb"), images()) == ("q",)
    assert all((p.argmax(1) != 1).all() and p.isfinite().all() for p in answers(net))


def test_no_class_in_common_is_refused() -> None:
    with pytest.raises(UserError, match="knows none of the classes"):
        rehead(network(3), space("abc"), space("xyz"), images(1))


def test_a_network_of_another_make_is_refused() -> None:
    with pytest.raises(UserError, match="last layers"):
        rehead(nn.Sequential(nn.Conv2d(3, 3, 1)), space("abc"), LabelSpace("s", ("a",), ((0, 0, 0),)), images(1))
