"""A trained network with other classes: its answers are compared with its old ones, translated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.evaluate import class_table
from simteacher.labels import SPACES, LabelSpace
from simteacher.models.build import load_weights
from simteacher.models.prior import tilt
from simteacher.models.rehead import new_class, rehead
from simteacher.models.store import ModelCard, load, save_model
from tests.tiny import NETWORK, network, space

CITYSCAPES, CAMVID = SPACES["cityscapes19"], SPACES["camvid11"]
ABC = replace(space("xyz"), aliases={"a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "f": "z"})


def images(count: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.rand(1, 3, 64, 96, generator=generator) for _ in range(count)]


def sure(classes: int, **changes: str) -> nn.Module:
    """A small network whose answers are as decided as a trained one's; bilinear, so that rows can be told apart."""
    made = network(classes, **changes).eval()
    for name in ("head", "aux_head"):
        last = [m for m in getattr(made, name).modules() if isinstance(m, nn.Conv2d)][-1]
        last.weight.data *= 40
    return made


@torch.no_grad()
def scores(net: nn.Module) -> list[Tensor]:
    """Scores (1, K, h, w) of both heads on the images."""
    return [score.float() for image in images() for score in net(image)]


def test_by_name_by_alias_and_as_learned() -> None:
    member = new_class(CITYSCAPES, CAMVID).tolist()
    merged = {CITYSCAPES.classes[j]: CAMVID.classes[k] for j, k in enumerate(member) if k != 255}
    assert merged["truck"] == merged["car"] == "car" and merged["wall"] == "building"
    assert merged["traffic light"] == "sign" and merged["terrain"] == merged["vegetation"] == "tree"
    assert {n for n, k in merged.items() if k == "bicyclist"} == {"rider", "motorcycle", "bicycle"}
    assert new_class(CITYSCAPES, SPACES["cityscapes16"]).tolist().count(255) == 3


def test_other_order_and_fewer_classes_are_exact() -> None:
    """One old class for each new one: the rows are copied, and none is left over."""
    net = sure(5)
    before = scores(net)
    assert rehead(net, space("abcde"), space("eca")) == () and net.merge is None
    for was, now in zip(before[1::2], scores(net)[1::2], strict=True):  # where outlines are not learnt
        torch.testing.assert_close(now, was[:, [4, 2, 0]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("decoder", ["fpn", "deeplabv2"])
def test_every_answer_is_the_old_one_translated(decoder: str) -> None:
    options = {} if decoder == "fpn" else {"decoder": decoder, "decoder_options": {}}
    net = sure(6, **options)  # type: ignore[arg-type]
    net.upsample = None  # type: ignore[assignment]
    old = space("abcdef")
    low = []
    for module in (net.head, net.aux_head):
        module.register_forward_hook(lambda m, i, out: low.append(out.float()))  # type: ignore[union-attr]
    with torch.no_grad():
        [net(image) for image in images()]
    before, table = [x.argmax(1) for x in low], torch.from_numpy(class_table(old, ABC)).long()
    assert rehead(net, old, ABC) == ()
    low.clear()
    with torch.no_grad():
        out = [net(image) for image in images()]
        after = [net.merge(x).argmax(1) for x in low]  # type: ignore[operator]
    assert all(torch.equal(table[b], a) for b, a in zip(before, after, strict=True))
    assert len({int(a) for x in after for a in x.unique()}) > 1
    assert out[0][0].shape == (1, 3, 64, 96)


def test_what_it_does_not_know_is_never_its_answer() -> None:
    net = sure(3)
    assert rehead(net, space("abc"), space("aqcb")) == ("q",)
    assert all((p.argmax(1) != 1).all() and p.isfinite().all() for p in scores(net))
    net = sure(6)
    assert rehead(net, space("abcdef"), replace(space("qxyz"), aliases=ABC.aliases)) == ("q",)
    assert net.merge.member_J.tolist() == [0, 1, 1, 2, 2, 2, 3]  # type: ignore[union-attr,operator]
    assert all((p.argmax(1) != 0).all() for p in scores(net))


def test_classes_of_merged_classes() -> None:
    """From six to three to two: the answers are those of six to two."""
    two = replace(space("vw"), aliases={"x": "v", "z": "v", "y": "w"})
    whole = replace(space("vw"), aliases={n: two.aliases[k] for n, k in ABC.aliases.items()})
    once, twice = sure(6), sure(6)
    rehead(once, space("abcdef"), whole)
    rehead(twice, space("abcdef"), ABC)
    rehead(twice, ABC, two)
    for a, b in zip(scores(once), scores(twice), strict=True):
        torch.testing.assert_close(a, b)


def test_written_and_read_again(tmp_path: Path) -> None:
    net = sure(6)
    rehead(net, space("abcdef"), ABC)
    save_model(tmp_path, net, ModelCard(NETWORK, ABC, (96, 64)))
    read = load(tmp_path)
    assert read.card.space == ABC
    for image, wanted in zip(images(), scores(net)[::2], strict=True):
        torch.testing.assert_close(read.logits(image), wanted, atol=0.2, rtol=0.05)  # bf16 where there is bf16
    with pytest.raises(UserError, match="belong to another network"):
        load_weights(network(4), net.state_dict(), "file")
    for damaged in ([0.0, 1.0, 2.0], [2, 0, 1, 1, 1, 2], [0, 0, 2], [[0], [1], [2]], []):
        with pytest.raises(UserError, match="belong to another network"):
            load_weights(network(3), {**net.state_dict(), "merge.member_J": torch.tensor(damaged)}, "file")


def test_the_tilt_of_a_class_is_that_of_each_of_its_rows() -> None:
    net = sure(6)
    rehead(net, space("abcdef"), ABC)
    before = scores(net)
    weight = torch.tensor([0.5, 1.0, 4.0])
    assert tilt(net, weight, -1.0)
    for was, now in zip(before[::2], scores(net)[::2], strict=True):
        torch.testing.assert_close(now, was - weight.log().view(1, 3, 1, 1), rtol=1e-3, atol=1e-3)


def test_each_row_learns_where_it_is_the_best() -> None:
    net = sure(6)
    rehead(net, space("abcdef"), ABC)
    rows = torch.zeros(1, 6, 1, 2)
    rows[0, 1, 0, 0], rows[0, 3, 0, 1] = 2.0, 2.0  # the second of x's at the left, the second of y's at the right
    rows.requires_grad_()
    merged = net.merge(rows)  # type: ignore[operator]
    assert merged[0, :, 0, 0].tolist() == [2, 0, 0] and merged[0, :, 0, 1].tolist() == [0, 2, 0]
    merged[0, 0, 0, 0].backward()
    assert rows.grad is not None and rows.grad[0, :, 0, 0].tolist() == [0, 1, 0, 0, 0, 0]


def test_no_class_in_common_is_refused() -> None:
    with pytest.raises(UserError, match="knows none of the classes"):
        rehead(network(3), space("abc"), space("xyz"))


def test_a_network_of_another_make_is_refused() -> None:
    with pytest.raises(UserError, match="last layers"):
        rehead(nn.Sequential(nn.Conv2d(3, 3, 1)), space("abc"), LabelSpace("s", ("a",), ((0, 0, 0),)))
