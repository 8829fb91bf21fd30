"""A recipe's `network` section -> a module with a primary and an auxiliary head.

Images go in as RGB in [0, 1]; normalisation happens inside, so that no caller can forget or repeat it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.models.pretrained import load_imagenet

STRIDE = 32


class SegmentationNetwork(nn.Module):
    """Encoder, decoder, primary head on the decoder, auxiliary head on the encoder's last feature but one.

    Args:
        encoder: Returns a list of feature maps, coarsest last.
        decoder: Takes that list, returns one map.
        head: That map -> class scores.
        aux_channels: Channels of the feature map that the auxiliary head reads.
        classes: Number of classes K.
        mean: RGB mean of the encoder's pretraining, in [0, 1].
        std: RGB deviation, likewise.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        head: nn.Module,
        aux_channels: int,
        classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = encoder, decoder, head
        self.aux_head = nn.Sequential(
            nn.Conv2d(aux_channels, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.Dropout2d(0.1),
            nn.Conv2d(64, classes, 1),
        )
        self.mean_C11: Tensor
        self.std_C11: Tensor
        self.register_buffer("mean_C11", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std_C11", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return primary and auxiliary logits (B, K, H, W) at the image's size, which may be any."""
        height, width = image_BCHW.shape[-2:]
        x = (image_BCHW - self.mean_C11) / self.std_C11
        x = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        features = self.encoder(x)
        main = self.head(self.decoder(features))
        aux = self.aux_head(features[-2])
        size = x.shape[-2:]
        main, aux = (
            F.interpolate(y, size=size, mode="bilinear", align_corners=False) if y.shape[-2:] != size else y
            for y in (main, aux)
        )
        return main[..., :height, :width], aux[..., :height, :width]

    def train(self, mode: bool = True) -> SegmentationNetwork:
        """Frozen layers keep their statistics: a batch norm whose weight takes no gradient stays in eval mode."""
        super().train(mode)
        if mode:
            for m in self.modules():
                if isinstance(m, nn.BatchNorm2d) and m.weight is not None and not m.weight.requires_grad:
                    m.eval()
        return self


def _freeze(encoder: nn.Module, stages: int, spec: Network) -> None:
    """Take the gradient from the stem and the first ``stages`` stages of a timm encoder."""
    model = getattr(encoder, "model", encoder)
    children: dict[str, nn.Module] = dict(model.named_children())
    blocks: list[nn.Module] = []
    stem: list[nn.Module] = []
    for name, child in children.items():
        if name in ("blocks", "stages", "layers"):
            blocks.extend(child.children())
        elif name.startswith(("layer", "stages_")):
            blocks.append(child)
        else:
            stem.append(child)
    if stages > len(blocks):
        raise UserError(
            f"network.freeze is {stages}, but {spec.encoder} has {len(blocks)} stages",
            "network.freeze",
            "choose a smaller number",
        )
    for part in [*stem, *blocks[:stages]] if stages else []:
        for p in part.parameters():
            p.requires_grad_(False)


def build_network(spec: Network, classes: int, pretrained: bool = True) -> nn.Module:
    """Make the network of a recipe.

    Args:
        spec: The recipe's ``network`` section.
        classes: Number of classes K.
        pretrained: False where weights are about to be loaded anyway.

    Raises:
        UserError: Encoder or option unknown, or pretrained weights not to be had. Never silently random.
    """
    options: dict[str, Any] = dict(spec.decoder_options)
    try:
        base: Any = smp.create_model(
            spec.decoder, f"tu-{spec.encoder}", encoder_weights=None, classes=classes, **options
        )
    except (TypeError, ValueError, KeyError, RuntimeError) as e:
        raise UserError(
            f"cannot build decoder '{spec.decoder}' on encoder '{spec.encoder}': {e}",
            "network",
            "name a timm encoder with feature maps, and options of that decoder in segmentation-models-pytorch",
        ) from e
    timm_model = base.encoder.model
    config = getattr(timm_model, "pretrained_cfg", None) or {}
    mean, std = tuple(config.get("mean", (0.485, 0.456, 0.406))), tuple(config.get("std", (0.229, 0.224, 0.225)))
    if pretrained and spec.weights == "imagenet":
        load_imagenet(base.encoder, spec.encoder)
    network = SegmentationNetwork(
        base.encoder, base.decoder, base.segmentation_head, base.encoder.out_channels[-2], classes, mean, std
    )
    _freeze(base.encoder, spec.freeze, spec)
    if pretrained and spec.weights not in ("imagenet", "none"):
        from simteacher.models.store import read_weights

        load_weights(network, read_weights(Path(spec.weights)), spec.weights)
    return network


def load_weights(network: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Copy weights in, all of them or none.

    Raises:
        UserError: Names or shapes differ; the first difference is named.
    """
    own = network.state_dict()
    missing = [k for k in own if k not in weights]
    extra = [k for k in weights if k not in own]
    shapes = [k for k in own if k in weights and own[k].shape != weights[k].shape]
    if missing or extra or shapes:
        first = (
            f"'{shapes[0]}' is {tuple(weights[shapes[0]].shape)}, the network's is {tuple(own[shapes[0]].shape)}"
            if shapes
            else f"'{missing[0]}' is missing"
            if missing
            else f"'{extra[0]}' is not part of the network"
        )
        raise UserError(
            f"these weights belong to another network ({first}; "
            f"{len(missing)} missing, {len(extra)} unknown, {len(shapes)} of another shape)",
            where,
            "use weights of the same encoder, decoder and number of classes",
        )
    network.load_state_dict(weights)
