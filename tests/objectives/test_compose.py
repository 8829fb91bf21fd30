"""Which losses a step has from which streams, and what mixing does to images, labels and weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from simteacher.data.mixing import classmix_mask, cutmix_mask
from simteacher.losses import cross_entropy, head_agreement, min_entropy, rectified_cross_entropy
from simteacher.models.discriminator import output_discriminator
from simteacher.objectives import compose
from simteacher.objectives.adversarial import fool
from simteacher.objectives.compose import Plan, discriminator_losses, needs_target, network_losses
from simteacher.objectives.labelled import labelled_loss
from tests.tiny import Fixed, batch, state

K, H, W = 4, 32, 64


class Conv(nn.Module):
    """Two 1x1 heads; keeps the images that it saw."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main, self.aux = nn.Conv2d(3, K, 1), nn.Conv2d(3, K, 1)
        self.seen: list[torch.Tensor] = []

    def forward(self, image_BCHW: torch.Tensor, change: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of both heads; ``change`` sees what would be feature maps."""
        self.seen.append(image_BCHW)
        if change is not None:
            change([image_BCHW, image_BCHW[..., ::8, ::8], image_BCHW[..., ::16, ::16]])
        return self.main(image_BCHW), self.aux(image_BCHW)


def _labels(seed: int, count: int = 2) -> torch.Tensor:
    coarse = torch.randint(0, K, (count, 4, 8), generator=torch.Generator().manual_seed(seed))
    label = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
    label[:, :2] = 255
    return label


@pytest.fixture
def streams() -> dict[str, Any]:
    return {
        "source": batch(_labels(0), 0),
        "labelled": batch(_labels(1, 1), 1),
        "pseudo": batch(_labels(2, 3), 2, weight=0.5),
        "target": batch(torch.full((2, H, W), 255), 3),
    }


def _pick(streams: dict[str, Any], *names: str) -> dict[str, Any]:
    return {n: streams[n] for n in names}


@pytest.mark.parametrize(
    ("present", "weights", "expected"),
    [
        (("source",), {}, {"source"}),
        (("labelled",), {}, {"labelled"}),
        (("source", "target"), {}, {"source"}),
        (("source", "target"), {"agreement": 0.1}, {"source", "agreement"}),
        (("source", "target"), {"min_entropy": 0.1, "agreement": 0.1}, {"source", "min_entropy", "agreement"}),
        (("source", "labelled", "pseudo"), {}, {"source", "labelled", "pseudo"}),
        (("source", "pseudo"), {"min_entropy": 0.1}, {"source", "pseudo", "min_entropy"}),
    ],
)
def test_losses_by_stream(
    streams: dict[str, Any], present: tuple[str, ...], weights: dict[str, float], expected: set[str]
) -> None:
    losses, _, _ = network_losses(state(Conv(), **weights), Plan(), _pick(streams, *present))
    assert losses.keys() == expected


def test_labelled_loss_is_both_heads(streams: dict[str, Any]) -> None:
    net, given = Conv(), streams["source"]
    made = state(net, aux=0.4)
    made.class_weight_K = torch.tensor([1.0, 2.0, 0.5, 1.0])
    losses, _, _ = network_losses(made, Plan(), _pick(streams, "source"))
    main, aux = net(given.image_BCHW)
    heads = [cross_entropy(x, given.label_BHW, made.class_weight_K) for x in (main, aux)]
    torch.testing.assert_close(losses["source"], heads[0] + 0.4 * heads[1])
    torch.testing.assert_close(
        labelled_loss(state(net, aux=0), main, aux, given.label_BHW), cross_entropy(main, given.label_BHW)
    )


def test_the_auxiliary_head_learns_from_every_fourth_pixel_where_it_answers_at_a_quarter() -> None:
    generator = torch.Generator().manual_seed(0)
    main, aux = torch.randn(2, K, 9, 14, generator=generator), torch.randn(2, K, 3, 4, generator=generator)
    label, weight = torch.randint(K, (2, 9, 14), generator=generator), torch.rand(2, 9, 14, generator=generator)
    total = 0.0  # rows 2 and 6, columns 2, 6 and 10: the third row and the fourth column of aux lie beyond
    for b in range(2):
        for y in (2, 6):
            for x in (2, 6, 10):
                log_p = aux[b, :, y // 4, x // 4].log_softmax(0)
                total -= weight[b, y, x].item() * log_p[label[b, y, x]].item()
    made = state(Conv(), aux=0.4)
    both, alone = labelled_loss(made, main, aux, label, weight), cross_entropy(main, label, None, weight)
    assert (both - alone).item() == pytest.approx(0.4 * total / 12, rel=1e-4)


def test_pseudo_labels_weigh_as_confident_as_they_are(streams: dict[str, Any]) -> None:
    full = {**streams, "pseudo": batch(_labels(2, 3), 2, weight=1.0)}
    half, whole = (network_losses(state(Conv()), Plan(), _pick(s, "pseudo"))[0]["pseudo"] for s in (streams, full))
    torch.testing.assert_close(half, whole / 2)


@pytest.mark.parametrize("mix", ["classmix", "cutmix"])
def test_mixing_pastes_image_label_and_weight_alike(streams: dict[str, Any], mix: str) -> None:
    net = Conv()
    made = state(net)
    losses, _, _ = network_losses(made, Plan(mix), _pick(streams, "source", "pseudo"))
    source, target = streams["source"], streams["pseudo"]
    index = [0, 1, 0]  # three photographs, two renders
    over = source.label_BHW[index]
    mask = (classmix_mask if mix == "classmix" else cutmix_mask)(over, made.generator(1))
    assert 0 < mask.float().mean() < 1
    image, label, weight = target.image_BCHW.clone(), target.label_BHW.clone(), target.weight_BHW.clone()
    for b in range(3):
        for y in range(H):
            for x in range(W):
                if mask[b, y, x]:
                    image[b, :, y, x] = source.image_BCHW[index[b], :, y, x]
                    label[b, y, x], weight[b, y, x] = over[b, y, x], 1.0
    assert torch.equal(net.seen[-1], image)
    main, aux = net(image)
    torch.testing.assert_close(losses["pseudo"], labelled_loss(made, main, aux, label, weight))


@pytest.mark.parametrize("mix", ["none", "cutmix"])
def test_rectified_labels_doubt_pseudo_labels_alone(streams: dict[str, Any], mix: str) -> None:
    net = Conv()
    made = state(net, aux=0.4)
    losses, *_ = network_losses(made, Plan(mix, rectified=True), _pick(streams, "source", "pseudo"))
    plain, *_ = network_losses(made, Plan(mix), _pick(streams, "source", "pseudo"))
    assert torch.equal(losses["source"], plain["source"]) and not torch.equal(losses["pseudo"], plain["pseudo"])
    source, target, true = streams["source"], streams["pseudo"], None
    label, weight = target.label_BHW, target.weight_BHW
    if mix == "cutmix":
        true = cutmix_mask(source.label_BHW[[0, 1, 0]], made.generator(1))
        label, weight = label.where(~true, source.label_BHW[[0, 1, 0]]), weight.where(~true, torch.ones(()))
    main, aux = net(net.seen[-1])
    expected = rectified_cross_entropy(main, aux, label, None, weight, true)
    torch.testing.assert_close(losses["pseudo"], expected + 0.4 * cross_entropy(aux, label, None, weight))


@pytest.mark.parametrize("under", ["source", "pseudo"])
def test_domain_cutmix_by_hand(streams: dict[str, Any], under: str) -> None:
    """``M x_s + (1 - M) x_t``, M 0 in the box of the labelled photograph."""
    net = Conv()
    made = state(net)
    losses, *_ = network_losses(made, Plan(mix_labelled=under), _pick(streams, "source", "labelled", "pseudo"))
    over, below = streams["labelled"], streams[under]
    box = cutmix_mask(over.label_BHW, made.generator(2))
    assert 0 < box.float().mean() < 1
    m = 1 - box.float()
    image = m[:, None] * below.image_BCHW[:1] + (1 - m[:, None]) * over.image_BCHW
    label = (m * below.label_BHW[:1] + (1 - m) * over.label_BHW).long()
    weight = m * (0.5 if under == "pseudo" else 1.0) + (1 - m)
    assert torch.equal(net.seen[1], image)
    main, aux = net(image)
    torch.testing.assert_close(losses["labelled"], labelled_loss(made, main, aux, label, weight))
    plain, *_ = network_losses(state(net), Plan(), _pick(streams, "source", "labelled", "pseudo"))
    assert all(torch.equal(plain[n], losses[n]) for n in ("source", "pseudo")), "the other streams are as before"


def test_contrast_takes_for_true_what_somebody_labelled(
    streams: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(compose, "contrast_loss", lambda made, pixels: seen.extend(pixels) or torch.zeros(()))
    made = state(Conv(), contrast=0.1)
    network_losses(made, Plan(mix_labelled="pseudo"), _pick(streams, "labelled", "pseudo"))
    (true,) = [p for p in seen if p.true]
    box = cutmix_mask(streams["labelled"].label_BHW, made.generator(2))
    assert (true.label_BHW[~box] == 255).all()
    assert torch.equal(true.label_BHW[box], streams["labelled"].label_BHW[box])


def test_domain_cutmix_needs_something_to_paste_into(streams: dict[str, Any]) -> None:
    for under, present in (("source", ("labelled", "pseudo")), ("pseudo", ("source", "labelled"))):
        net = Conv()
        network_losses(state(net), Plan(mix_labelled=under), _pick(streams, *present))
        assert any(torch.equal(x, streams["labelled"].image_BCHW) for x in net.seen)


def test_without_source_nothing_is_mixed(streams: dict[str, Any]) -> None:
    net = Conv()
    network_losses(state(net), Plan("classmix"), _pick(streams, "pseudo"))
    assert torch.equal(net.seen[-1], streams["pseudo"].image_BCHW)


def test_online_labels_come_from_the_averaged_network(streams: dict[str, Any]) -> None:
    answer = torch.zeros(3, K, H, W)
    answer[:, 2, : H // 2] = 9.0  # sure in the upper half, a guess below
    net, teacher = Conv(), Fixed(answer, torch.zeros_like(answer))
    losses, _, _ = network_losses(state(net, teacher), Plan(online=True), _pick(streams, "pseudo"))
    label = torch.zeros(3, H, W, dtype=torch.long)
    label[:, : H // 2] = 2
    weight = torch.zeros(3, H, W)
    weight[:, : H // 2] = math.exp(9) / (math.exp(9) + K - 1)  # softmax of the answer
    main, aux = net(streams["pseudo"].image_BCHW)
    torch.testing.assert_close(losses["pseudo"], labelled_loss(state(net), main, aux, label, weight))
    assert torch.equal(teacher.seen[0], streams["pseudo"].plain_BCHW)


def test_online_labels_are_held_to_the_threshold_of_their_class(streams: dict[str, Any]) -> None:
    answer = torch.zeros(3, K, H, W)
    answer[:, 2, : H // 2] = 1.0  # both halves alike unsure
    answer[:, 1, H // 2 :] = 1.0
    sure = math.e / (math.e + K - 1)
    levels = [0.0] * K
    levels[2] = sure + 0.01
    net, teacher = Conv(), Fixed(answer, torch.zeros_like(answer))
    plan = Plan(online=True, thresholds=tuple(levels))
    losses, _, _ = network_losses(state(net, teacher), plan, _pick(streams, "pseudo"))
    label = torch.full((3, H, W), 2)
    label[:, H // 2 :] = 1
    weight = torch.zeros(3, H, W)
    weight[:, H // 2 :] = sure
    main, aux = net(streams["pseudo"].image_BCHW)
    torch.testing.assert_close(losses["pseudo"], labelled_loss(state(net), main, aux, label, weight))


def test_judges_need_both_domains(streams: dict[str, Any]) -> None:
    judges = {"main": output_discriminator(K, 4), "aux": output_discriminator(K, 4)}
    made = state(Conv(), None, judges, adversarial=0.1, adversarial_aux=0.1)
    losses, source, target = network_losses(made, Plan(), _pick(streams, "source", "target"))
    assert losses.keys() == {"source", "adversarial_main", "adversarial_aux"}
    assert discriminator_losses(made, source, target).keys() == {"discriminator_main", "discriminator_aux"}
    assert discriminator_losses(made, source, None) == discriminator_losses(made, None, target) == {}


@pytest.mark.parametrize("mix", ["none", "classmix", "cutmix"])
@pytest.mark.parametrize("online", [False, True])
def test_what_judges_photographs_never_sees_mixed_ones(streams: dict[str, Any], mix: str, online: bool) -> None:
    """Source pasted into a photograph must not pass as target, nor be told to be sure of itself."""
    net = Conv()
    judges = {"main": output_discriminator(K, 4)}
    made = state(net, copy.deepcopy(net), judges, adversarial=0.1, agreement=0.1, min_entropy=0.1)
    losses, _, target = network_losses(made, Plan(mix, online), _pick(streams, "source", "pseudo"))
    photographs = streams["pseudo"].image_BCHW
    main, aux = net(photographs)
    assert target is not None and torch.equal(target["main"], main) and torch.equal(target["aux"], aux)
    torch.testing.assert_close(losses["adversarial_main"], fool(made, {"main": main})["adversarial_main"])
    torch.testing.assert_close(losses["agreement"], 0.1 * head_agreement(main, aux))
    torch.testing.assert_close(losses["min_entropy"], 0.1 * min_entropy(main))
    passes = sum(torch.equal(x, photographs) for x in net.seen[:-1])
    assert passes == 1, "the photographs are read once"


def test_the_averaged_network_is_asked_once(streams: dict[str, Any]) -> None:
    answer = torch.randn(3, K, H, W)
    teacher = Fixed(answer)
    network_losses(state(Conv(), teacher, masked=1.0), Plan(online=True), _pick(streams, "pseudo"))
    assert len(teacher.seen) == 1


def test_labelled_photographs_stand_in_for_a_source(streams: dict[str, Any]) -> None:
    net = Conv()
    _, source, _ = network_losses(state(net), Plan(), _pick(streams, "labelled"))
    assert source is not None and torch.equal(source["main"], net(streams["labelled"].image_BCHW)[0])
    _, source, _ = network_losses(state(net), Plan(), _pick(streams, "source", "labelled"))
    assert source is not None and torch.equal(source["main"], net(streams["source"].image_BCHW)[0])


def test_every_weight_on_the_target_asks_for_it() -> None:
    assert not needs_target(state(None).weights)
    for name in (
        "adversarial",
        "adversarial_aux",
        "agreement",
        "min_entropy",
        "masked",
        "two_views",
        "rotation",
        "contrast",
    ):
        assert needs_target(state(None, **{name: 0.1}).weights), name


@pytest.mark.parametrize("mix", ["none", "classmix"])
def test_contrast_learns_from_the_passes_that_there_are(
    streams: dict[str, Any], mix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pass is made for it; each is seen with its own labels."""
    given: list[Any] = []
    monkeypatch.setattr("simteacher.objectives.compose.contrast_loss", lambda s, p: given.extend(p) or torch.ones(()))
    net = Conv()
    losses, *_ = network_losses(state(net, contrast=0.3), Plan(mix), _pick(streams, "source", "labelled", "pseudo"))
    assert losses["contrast"].item() == pytest.approx(0.3) and len(net.seen) == 3
    for pixels, image, true in zip(given, net.seen, (True, True, False), strict=True):
        assert torch.equal(pixels.feature_BChw, image[..., ::8, ::8]) and pixels.true == true
    for name, pixels in zip(("source", "labelled"), given, strict=False):
        assert torch.equal(pixels.label_BHW, streams[name].label_BHW)
    assert torch.equal(given[2].label_BHW, streams["pseudo"].label_BHW) == (mix == "none")


def test_contrast_of_a_teacher_asks_the_averaged_network(
    streams: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr("simteacher.objectives.compose.contrast_loss", lambda s, p: given.extend(p) or torch.ones(()))
    answer = torch.zeros(2, K, H, W)
    answer[:, 2, : H // 2] = 9.0
    made = state(Conv(), Fixed(answer, torch.zeros_like(answer)), contrast=1.0, agreement=0.1)
    losses, *_ = network_losses(made, Plan(), _pick(streams, "source", "target"))
    assert losses.keys() == {"source", "contrast", "agreement"} and len(made.network.seen) == 2
    assert (given[1].label_BHW[:, : H // 2] == 2).all()
    assert (given[1].weight_BHW[:, : H // 2] == 1).all() and not given[1].weight_BHW[:, H // 2 :].any()
