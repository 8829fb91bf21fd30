"""Networks: sizes, normalisation, frozen layers, and what is said when a recipe names what does not exist."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.models.anysize import at_full_size
from simteacher.models.build import build_network, load_weights
from tests.tiny import NETWORK, network


@pytest.fixture(scope="module")
def net() -> Any:
    return network(5).eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 50), (32, 32), (1, 40)])
def test_the_primary_head_answers_at_the_size_of_the_image_the_auxiliary_at_a_quarter(
    net: Any, size: tuple[int, int]
) -> None:
    main, aux = net(torch.rand(2, 3, *size))
    assert main.shape == (2, 5, *size) and aux.shape == (2, 5, -(-size[0] // 4), -(-size[1] // 4))
    assert at_full_size(aux, main).shape == main.shape and at_full_size(main, main) is main


def test_an_image_of_odd_size_reads_as_its_padded_self(net: Any) -> None:
    """The edge is repeated to the right and below, so an image that was padded so already gives the same scores."""
    image = torch.rand(1, 3, 40, 50)
    padded = torch.cat([image, image[..., -1:].expand(-1, -1, -1, 14)], 3)
    padded = torch.cat([padded, padded[:, :, -1:].expand(-1, -1, 24, -1)], 2)
    torch.testing.assert_close(net(image)[0], net(padded)[0][..., :40, :50])


def test_normalisation_is_inside_and_that_of_the_encoder(net: Any) -> None:
    from timm import get_pretrained_cfg

    seen: list[torch.Tensor] = []
    hook = net.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.rand(1, 3, 64, 64)
    net(image)
    hook.remove()
    config: Any = get_pretrained_cfg(NETWORK["encoder"])
    expected = torch.stack([(image[:, c] - config.mean[c]) / config.std[c] for c in range(3)], 1)
    torch.testing.assert_close(seen[0], expected)


def test_frozen_layers_keep_weights_and_statistics() -> None:
    frozen = network(3, freeze=2)
    named = dict(frozen.named_parameters())
    fixed = {n for n, p in named.items() if not p.requires_grad}
    assert fixed == {n for n in named if n.startswith(("encoder.model.conv_stem", "encoder.model.bn1"))} | {
        n for n in named if n.startswith(("encoder.model.blocks.0.", "encoder.model.blocks.1."))
    }
    before = {k: v.clone() for k, v in frozen.state_dict().items()}
    frozen.train()
    optimiser = torch.optim.SGD([p for p in frozen.parameters() if p.requires_grad], lr=0.1)
    main, aux = frozen(torch.rand(2, 3, 64, 64))
    (main.square().mean() + aux.square().mean()).backward()
    optimiser.step()
    changed = {k for k, v in frozen.state_dict().items() if not torch.equal(v, before[k])}
    prefixes = ("encoder.model.conv_stem", "encoder.model.bn1", "encoder.model.blocks.0.", "encoder.model.blocks.1.")
    assert not [k for k in changed if k.startswith(prefixes)]
    assert any(k.startswith("encoder.model.blocks.2.") and "running_mean" in k for k in changed)
    assert any(k.startswith("aux_head.") for k in changed) and any(k.startswith("decoder.") for k in changed)


@pytest.mark.parametrize(("freeze", "of_four"), [(1, 1), (3, 3)])
def test_stages_of_an_hrnet_are_counted_with_what_leads_to_them(freeze: int, of_four: int) -> None:
    spec = Network(encoder="hrnet_w18_small", decoder="unet", weights="none", freeze=freeze)
    learns = {n: p.requires_grad for n, p in build_network(spec, 3).encoder.model.named_parameters()}
    stages = ["layer1", "stage2", "stage3", "stage4"]
    for number, stage in enumerate(stages):
        leads = f"transition{number}."
        mine = {v for n, v in learns.items() if n.startswith((f"{stage}.", leads))}
        assert mine == {number >= of_four}
    assert not learns["conv1.weight"]
    assert all(v for n, v in learns.items() if n.startswith("incre_modules."))


def test_nothing_is_frozen_at_zero() -> None:
    assert all(p.requires_grad for p in network(3, freeze=0).parameters())


def test_values_follow_the_seed_alone() -> None:
    a, b, c = network(3, seed=1).state_dict(), network(3, seed=1).state_dict(), network(3, seed=2).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


@pytest.mark.parametrize("decoder", ["unet", "deeplabv3plus", "pspnet", "segformer"])
def test_another_decoder_needs_no_other_setting(decoder: Any) -> None:
    built = build_network(Network(encoder=NETWORK["encoder"], weights="none", decoder=decoder), 4).eval()
    assert built(torch.rand(1, 3, 64, 64))[0].shape == (1, 4, 64, 64)


@pytest.mark.slow
def test_an_encoder_of_one_size_reads_any() -> None:
    spec = Network(encoder="swin_tiny_patch4_window7_224", weights="none", decoder="upernet")
    built = build_network(spec, 4).eval()
    with torch.no_grad():
        assert built(torch.rand(1, 3, 50, 70))[0].shape == (1, 4, 50, 70)


@pytest.mark.parametrize(
    ("encoder", "said"), [("test_maxvit", "divisible by window"), ("test_coatnet", "size of tensor")]
)
def test_a_network_that_cannot_run_is_the_users_fault(encoder: str, said: str) -> None:
    """It is built, and reads images of one size alone."""
    with pytest.raises(UserError, match=f"cannot build .* '{encoder}': .*{said}"):
        build_network(Network(encoder=encoder, weights="none"), 4)


def test_trying_a_network_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def built() -> tuple[dict[str, torch.Tensor], list[bool], torch.Tensor]:
        made = network(4, seed=1)
        return made.state_dict(), [m.training for m in made.modules()], torch.get_rng_state()

    tried = built()
    monkeypatch.setattr("simteacher.models.build._try_once", lambda _: None)
    untried = built()
    assert tried[1] == untried[1] and torch.equal(tried[2], untried[2])
    assert all(torch.equal(tried[0][k], v) for k, v in untried[0].items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "no_such_encoder"}, "cannot build"),
        ({"decoder_options": {"decoder_pyramid_chanels": 3}}, "decoder_pyramid_chanels"),
        ({"freeze": 20}, "has .* stages"),
    ],
)
def test_wrong_settings_are_the_users(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        network(3, **changes)
    assert caught.value.fix


def test_weights_are_copied_whole_or_not_at_all() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    with pytest.raises(UserError, match="'bias' is missing"):
        load_weights(layer, {"weight": torch.zeros(2, 2)}, "here")
    with pytest.raises(UserError, match="'more' is not part"):
        load_weights(layer, {"weight": torch.zeros(2, 2), "bias": torch.zeros(2), "more": torch.zeros(1)}, "here")
    with pytest.raises(UserError, match=r"another network \('weight' is \(3, 2\), the network's is \(2, 2\)") as caught:
        load_weights(layer, {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, "here")
    assert caught.value.where == "here"
    assert torch.equal(layer.weight, before)
