"""One contract for every network: any size in, both heads at that size out, gradients, files, frozen parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from simteacher import UserError
from simteacher.config import Network
from simteacher.labels import SPACES
from simteacher.models.build import SegmentationNetwork, build_network
from simteacher.models.drn import DRN, VARIANTS
from simteacher.models.store import ModelCard, load, save_model

SPACE = SPACES["camvid11"]
K = len(SPACE)
NETWORKS: dict[str, dict[str, Any]] = {
    "fpn": {"encoder": "test_efficientnet", "decoder": "fpn"},
    "fcn": {"encoder": "test_resnet", "decoder": "fcn", "decoder_options": {"channels": 32}},
    "pspnet": {"encoder": "test_resnet", "decoder": "pspnet"},
    "deeplabv2": {"encoder": "test_resnet", "decoder": "deeplabv2"},
    "deeplabv3plus": {"encoder": "test_resnet", "decoder": "deeplabv3plus"},
    "segformer": {"encoder": "mit_b0", "decoder": "segformer"},
    "upernet": {"encoder": "test_convnext", "decoder": "upernet", "decoder_options": {"decoder_channels": 32}},
    "drn": {"encoder": "drn_d_22", "decoder": "deeplabv2"},
    "light": {"encoder": "test_vit", "decoder": "light", "decoder_options": {"channels": 32}},
    "light, frozen": {"encoder": "test_vit", "decoder": "light", "freeze": 6},
}


def build(name: str, **changes: Any) -> SegmentationNetwork:
    torch.manual_seed(0)
    network = build_network(Network(**{"weights": "none", **NETWORKS[name], **changes}), K)
    assert isinstance(network, SegmentationNetwork)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_contract(name: str, tmp_path: Path) -> None:
    network = build(name).train()
    heads = network(torch.rand(2, 3, 50, 71))
    assert [tuple(h.shape) for h in heads] == [(2, K, 50, 71), (2, K, 13, 18)]
    sum(h.square().mean() for h in heads).backward()
    frozen, silent = [], []
    for part, p in network.named_parameters():
        if not p.requires_grad:
            frozen.append(part)
            assert p.grad is None
        elif p.grad is None:
            silent.append(part)
        else:
            assert p.grad.isfinite().all()
    assert frozen and all(f.startswith("encoder.") for f in frozen)
    # library encoders carry layers that their feature maps do not use; heads and decoder learn all of theirs
    assert all(s.startswith("encoder.") for s in silent)
    norms = [m for m in network.encoder.modules() if isinstance(m, nn.BatchNorm2d) and m.weight is not None]
    assert all(m.training == m.weight.requires_grad for m in norms)

    spec = Network(**{"weights": "none", **NETWORKS[name]})
    save_model(tmp_path, network, ModelCard(spec.model_dump(), SPACE, (64, 48)))
    again = load(tmp_path).network
    assert isinstance(again, SegmentationNetwork)
    assert {n for n, p in again.named_parameters() if not p.requires_grad} == set(frozen)
    image = torch.rand(1, 3, 33, 65)
    with torch.no_grad():
        for ours, theirs in zip(network.eval()(image), again(image), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["fpn", "light", "segformer"])
def test_freezing_all_and_nothing(name: str) -> None:
    assert all(p.requires_grad for p in build(name, freeze=0).parameters())
    stages = {"fpn": 5, "light": 6, "segformer": 4}[name]
    whole = build(name, freeze=stages)
    assert not any(p.requires_grad for p in whole.encoder.parameters())
    assert all(p.requires_grad for part in (whole.decoder, whole.head, whole.aux_head) for p in part.parameters())
    with pytest.raises(UserError, match=f"has {stages} stages"):
        build(name, freeze=stages + 1)


def test_dilated_networks_keep_their_detail() -> None:
    """Strides of the encoders' last maps on 64 pixels."""
    image = torch.rand(1, 3, 64, 64)
    for name in ("fcn", "pspnet", "deeplabv2", "drn"):
        features = build(name).eval().encoder(image)
        assert features[-1].shape[-1] == features[-2].shape[-1] == 8, name


def test_deeplab_v2_sums_its_branches() -> None:
    head = build("deeplabv2").head
    x = torch.rand(1, 96, 9, 9)
    by_hand = sum(
        nn.functional.conv2d(x, b.weight, b.bias, padding=r, dilation=r)
        for b, r in zip(head.branches, (6, 12, 18, 24), strict=True)
    )
    torch.testing.assert_close(head(x), by_hand)


@pytest.mark.parametrize(
    ("encoder", "decoder", "said"),
    [
        ("drn_d_22", "unet", "fcn, deeplabv2"), ("resnt50", "fcn", "resnt50"),
        ("mit_b0", "fcn", "MiT takes segformer, fpn"), ("mit_b0", "deeplabv2", "MiT takes segformer, fpn"),
        ("mit_b0", "light", "no 'mit_b0'; 'light' takes a vision transformer"),
        ("drn_d_22", "light", "no 'drn_d_22'; 'light' takes a vision transformer"),
        ("resnet18", "light", "'light' on encoder 'resnet18': 'light' takes a vision transformer"),
        ("hrnet_w18_small", "fcn", r"AssertionError(.|\n)*set network.decoder_options.output_stride=32"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(encoder: str, decoder: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_network(Network(encoder=encoder, decoder=decoder, weights="none"), K)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoder", ["drn_c_26", "vit_tiny_patch16_224", "mit_b0"])
def test_missing_weights_are_an_error_never_random(
    encoder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("huggingface_hub.file_download.hf_hub_download", refuse)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", refuse)
    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", refuse)
    decoder = {"d": "fcn", "v": "light", "m": "segformer"}[encoder[0]]
    with pytest.raises(UserError, match="no ImageNet weights") as error:
        build_network(Network(encoder=encoder, decoder=decoder), K)
    assert "set network.weights to" in str(error.value)


# Shapes in the official files, read from their published layer tables; the file names are in `VARIANTS`.
OFFICIAL = {
    "drn_c_26": {
        "conv1.weight": (16, 3, 7, 7), "bn1.running_mean": (16,), "layer1.0.conv2.weight": (16, 16, 3, 3),
        "layer2.0.downsample.0.weight": (32, 16, 1, 1), "layer5.1.bn2.bias": (256,),
        "layer8.0.conv1.weight": (512, 512, 3, 3),
    },
    "drn_c_58": {"layer7.0.downsample.0.weight": (512, 2048, 1, 1), "layer6.2.conv3.weight": (2048, 512, 1, 1)},
    "drn_d_22": {
        "layer0.0.weight": (16, 3, 7, 7), "layer1.0.weight": (16, 16, 3, 3), "layer2.1.running_var": (32,),
        "layer3.0.downsample.1.weight": (64,), "layer7.0.weight": (512, 512, 3, 3), "layer8.1.bias": (512,),
    },
    "drn_d_54": {"layer3.0.conv3.weight": (256, 64, 1, 1), "layer7.0.weight": (512, 2048, 3, 3)},
}  # fmt: skip


@pytest.mark.parametrize("name", OFFICIAL)
def test_drn_has_the_official_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        encoder = DRN(name)
    own = {k: tuple(v.shape) for k, v in encoder.state_dict().items()}
    assert {k: own.get(k) for k in OFFICIAL[name]} == OFFICIAL[name]
    assert not any(k.startswith("fc.") for k in own) and VARIANTS[name].file.startswith(name)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("drn_c_26", 21.1), ("drn_c_42", 31.2), ("drn_c_58", 41.6), ("drn_d_22", 16.4), ("drn_d_38", 26.5),
        ("drn_d_54", 35.8), ("drn_d_105", 54.8),
    ],
)  # fmt: skip
def test_drn_has_the_published_number_of_weights(name: str, millions: float) -> None:
    with torch.device("meta"):
        encoder = DRN(name)
    classifier = 512 * 1000 + 1000
    assert (sum(p.numel() for p in encoder.parameters()) + classifier) / 1e6 == pytest.approx(millions, abs=0.06)


def test_drn_loads_an_official_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = build("drn").encoder
    file = {**source.state_dict(), "fc.weight": torch.zeros(1000, 512, 1, 1), "fc.bias": torch.zeros(1000)}
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    torch.save(file, checkpoints / VARIANTS["drn_d_22"].file)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    loaded = build("drn", weights="imagenet").encoder
    for name, value in source.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["vit_small_patch14_dinov2", "vit_small_patch16_dinov3"])
def test_dino_at_any_size(encoder: str) -> None:
    spec = Network(encoder=encoder, decoder="light", weights="none", freeze=12)
    network = build_network(spec, K).eval()
    main, aux = network(torch.rand(1, 3, 61, 90))
    assert main.shape == (1, K, 61, 90) and aux.shape == (1, K, 16, 23)
    assert not any(p.requires_grad for p in network.encoder.parameters())
