"""A recipe's `network` section -> a module with a primary and an auxiliary head.

Images go in as RGB in [0, 1]; normalisation happens inside, so that no caller can forget or repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.models.anysize import prepare, score_any_size
from simteacher.models.batchnorm import bear_one_cell
from simteacher.models.depthwise import quicken_depthwise
from simteacher.models.drn import DRN, VARIANTS
from simteacher.models.fpn import by_centres
from simteacher.models.heads import FCN, ASPPSum, Last, Light, ViTEncoder
from simteacher.models.merge import Merge, give_rows
from simteacher.models.pretrained import load_imagenet
from simteacher.models.upsample import LearntUpsampling
from simteacher.models.weight_gradient import pays, quicken_weight_gradients

STRIDE = 32
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Decoders of `heads`; all others are segmentation-models-pytorch's
OWN = {"fcn": FCN, "deeplabv2": Last, "light": Light}
OF_ANY_SIZE = {"strict_img_size": False}  # timm's Swin transformers take one size unless told so

Change = Callable[[list[Tensor]], list[Tensor]]


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
        stride: Images are padded to multiples of this.
        upsample: Takes primary scores, the decoder's map and the image to the image's size; None: bilinear.

    Where ``merge`` is set, heads have rows for finer classes (`models.merge`).
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
        stride: int = STRIDE,
        upsample: LearntUpsampling | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head, self.stride = encoder, decoder, head, stride
        self.upsample = upsample
        self.merge: Merge | None = None
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

    def forward(
        self, image_BCHW: Tensor, change: Change | None = None, features: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Primary and auxiliary logits.

        Args:
            image_BCHW: RGB in [0, 1], of any size.
            change: Sees the encoder's feature maps, coarsest last, and returns those that decoder and heads get.
            features: Return the encoder's last map and the last but one instead, and spend nothing on the rest.

        Returns:
            (B, K, H, W) at the image's size, and a quarter of it (`anysize`).
        """
        if features:
            maps = self.encoder(prepare(image_BCHW, self.mean_C11, self.std_C11, self.stride))
            return maps[-1], maps[-2]

        def score(x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
            maps = self.encoder(x_BCHW)
            if change is not None:
                maps = change(maps)
            decoded_BChw = self.decoder(maps)
            main, aux = self.head(decoded_BChw), self.aux_head(maps[-2])
            if self.merge is not None:
                main, aux = self.merge(main), self.merge(aux)
            if self.upsample is not None:
                main = self.upsample(main, decoded_BChw, x_BCHW)
            return main, aux

        return score_any_size(image_BCHW, self.mean_C11, self.std_C11, self.stride, score)

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
    blocks: list[nn.Module] = []
    stem: list[nn.Module] = []
    between: list[nn.Module] = []  # HRNet's transitions belong to the stage that they lead to
    for name, child in model.named_children():
        if name in ("blocks", "stages", "layers"):
            blocks.extend(child.children())
        elif name.startswith("transition"):
            between.append(child)
        elif name.startswith("stage") and name[5:].isdigit():
            blocks.append(nn.ModuleList([*between, child]))
            between = []
        elif name.startswith(("layer", "stages_")) and name != "layer0":
            blocks.append(child)
        elif name in ("block1", "block2", "block3", "block4"):  # MiT; its embedding and norm belong to the stage
            blocks.append(
                nn.ModuleList([child, getattr(model, f"patch_embed{name[-1]}"), getattr(model, f"norm{name[-1]}")])
            )
        elif name == "incre_modules":
            continue  # HRNet's way out of its stages learns as long as one of them does
        elif not name.startswith(("patch_embed", "norm")) or name in ("patch_embed", "norm_pre"):
            stem.append(child)
    if stages > len(blocks):
        raise UserError(
            f"network.freeze is {stages}, but {spec.encoder} has {len(blocks)} stages",
            "network.freeze",
            "choose a smaller number" if blocks else "set network.freeze=0",
        )
    if stages == len(blocks):
        encoder.requires_grad_(False)
    elif stages:
        loose = list(model.parameters(recurse=False))  # class tokens and positions of a transformer
        for p in [*loose, *(p for part in [*stem, *blocks[:stages]] for p in part.parameters())]:
            p.requires_grad_(False)


def _library_parts(spec: Network, classes: int) -> tuple[Any, nn.Module, nn.Module]:
    """Encoder, decoder and head of segmentation-models-pytorch."""
    if spec.encoder in VARIANTS:
        raise ValueError(f"DRN takes one of {', '.join(d for d in OWN if d != 'light')}")
    name = spec.encoder if spec.encoder.startswith("mit_b") else f"tu-{spec.encoder}"
    options = {**_of_timm(spec.encoder), **spec.options}  # the library hands on what is the encoder's
    base: Any = smp.create_model(spec.decoder, name, encoder_weights=None, classes=classes, **options)
    by_centres(base.decoder, base.segmentation_head)
    return base.encoder, base.decoder, base.segmentation_head


def _own_parts(spec: Network, classes: int) -> tuple[Any, nn.Module, nn.Module]:
    """Encoder, decoder and head where the decoder is one of ours."""
    options = spec.options
    stride = options.pop("output_stride", 8)
    encoder: Any
    if spec.decoder == "light":
        encoder = ViTEncoder(_transformer(spec.encoder))
    elif spec.encoder in VARIANTS:
        encoder = DRN(spec.encoder)
    elif spec.encoder.startswith("mit_b"):
        raise ValueError("MiT takes segformer, fpn, unet, upernet, pspnet, deeplabv3, deeplabv3plus or manet")
    else:
        more = _of_timm(spec.encoder)
        encoder = smp.encoders.get_encoder(f"tu-{spec.encoder}", weights=None, output_stride=stride, **more)
    if spec.decoder == "deeplabv2":
        decoder: Any = Last(encoder.out_channels)
        return encoder, decoder, ASPPSum(decoder.outputs, classes, **options)
    decoder = OWN[spec.decoder](encoder.out_channels, **options)
    return encoder, decoder, nn.Conv2d(decoder.outputs, classes, 1)


def _of_timm(encoder: str) -> dict[str, bool]:
    """What timm has to be told of an encoder."""
    from timm.models import is_model_in_modules

    swin = ("swin_transformer", "swin_transformer_v2", "swin_transformer_v2_cr")
    return OF_ANY_SIZE if is_model_in_modules(encoder, swin) else {}


def _transformer(name: str) -> Any:
    """A vision transformer of timm that reads images of any size."""
    import timm

    wanted = "'light' takes a vision transformer of timm that reads any size, such as vit_small_patch16_dinov3"
    if not timm.is_model(name):
        raise ValueError(f"timm has no '{name}'; {wanted}")
    try:
        model: Any = timm.create_model(name, num_classes=0, dynamic_img_size=True)
    except TypeError as e:
        raise ValueError(wanted) from e
    if not all(hasattr(model, part) for part in ("blocks", "patch_embed", "embed_dim")):
        raise ValueError(wanted)
    return model


@contextmanager
def _fits(spec: Network) -> Iterator[None]:
    """What the libraries raise inside is the recipe's fault.

    Raises:
        UserError: In place of it.
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, RuntimeError, AttributeError, AssertionError) as e:
        fix = "name a timm encoder with feature maps, and options of that decoder in segmentation-models-pytorch"
        stride = spec.options.get("output_stride", 32)
        if stride != 32 and (isinstance(e, AssertionError) or "output_stride" in str(e)):
            fix = (
                f"set network.decoder_options.output_stride=32; not every encoder can have maps at a stride of {stride}"
            )
        raise UserError(
            f"cannot build decoder '{spec.decoder}' on encoder '{spec.encoder}': {str(e) or type(e).__name__}",
            "network",
            fix,
        ) from e


def _try_once(network: nn.Module) -> None:
    """Score one small image; it draws no random number, and leaves statistics and modes as they were.

    Raises:
        Exception: Whatever a network raises that cannot run.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 96))
    for module, mode in modes:
        module.training = mode


def build_network(spec: Network, classes: int, pretrained: bool = True) -> nn.Module:
    """Make the network of a recipe.

    Args:
        spec: The recipe's ``network`` section.
        classes: Number of classes K.
        pretrained: False where weights are about to be loaded anyway; those of a model are `models.start`'s part.

    Raises:
        UserError: Encoder or option unknown, a network that cannot run, or pretrained weights not to be had. Never
            silently random.
    """
    with _fits(spec):
        encoder, decoder, head = (_own_parts if spec.decoder in OWN else _library_parts)(spec, classes)
    config = getattr(getattr(encoder, "model", None), "pretrained_cfg", None) or {}
    mean, std = tuple(config.get("mean", IMAGENET[0])), tuple(config.get("std", IMAGENET[1]))
    if pretrained and spec.weights == "imagenet":
        load_imagenet(encoder, spec.encoder)
    quicken_depthwise(encoder)
    stride = encoder.stride if isinstance(encoder, ViTEncoder) else STRIDE
    channels: Any = getattr(decoder, "out_channels", None)
    upsample = LearntUpsampling(channels) if spec.decoder == "fpn" else None
    with _fits(spec):
        network = SegmentationNetwork(
            encoder, decoder, head, encoder.out_channels[-2], classes, mean, std, stride, upsample
        )
        _try_once(network)
    bear_one_cell(network)
    if pays():
        quicken_weight_gradients(network)
    _freeze(encoder, spec.freeze, spec)
    return network


def load_weights(network: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Copy weights in, all of them or none. Last layers get the rows that the weights have for finer classes.

    Models from before learnt upsampling have none of its weights; it then stays as it begins, nearly bilinear. Nor had
    networks of one's own a ``bias_K``.

    Raises:
        UserError: Names or shapes differ; the first difference is named.
    """
    give_rows(network, weights)
    own = network.state_dict()
    weights = {**{k: v for k, v in own.items() if k.startswith("upsample.") or k == "bias_K"}, **weights}
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
