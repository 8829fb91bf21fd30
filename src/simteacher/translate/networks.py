"""Generator and patch discriminator of CycleGAN (Zhu et al. 2017) and CUT (Park et al. 2020).

Images are RGB in [-1, 1]. Shapes: B batch, C channels, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions with instance norm and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, deep_BCHW: Tensor) -> Tensor:
        """Same shape."""
        change_BCHW: Tensor = self.body(deep_BCHW)
        return deep_BCHW + change_BCHW


class Generator(nn.Module):
    """7x7 convolution, two halvings, residual blocks, two doublings, 7x7 convolution.

    Doubling is bilinear scaling and a 3x3 convolution, where the published code of CycleGAN has transposed ones: those
    leave a chequered pattern (Odena et al. 2016), which a segmentation network may take for texture.

    Args:
        channels: Of the first layer; 64 as published.
        blocks: Residual blocks; 9 as published.
        skip: Return the image plus what the layers say, beginning with nothing: a short training changes the look and
            need not learn first to draw. As published, the layers draw all of the image.
    """

    def __init__(self, channels: int = 64, blocks: int = 9, skip: bool = False) -> None:
        super().__init__()
        c = channels
        self.skip = skip
        self.stem = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, c, 7), nn.InstanceNorm2d(c), nn.ReLU(inplace=True)
        )
        self.down1 = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.norm1 = nn.Sequential(nn.InstanceNorm2d(2 * c), nn.ReLU())
        self.down2 = nn.Conv2d(2 * c, 4 * c, 3, stride=2, padding=1)
        self.norm2 = nn.Sequential(nn.InstanceNorm2d(4 * c), nn.ReLU())
        self.blocks = nn.ModuleList(ResnetBlock(4 * c) for _ in range(blocks))
        self.up = nn.Sequential(*_double(4 * c, 2 * c), *_double(2 * c, c))
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(c, 3, 7))
        # what PatchNCE compares: pixels, both halvings, first and fifth block, as in CUT's paper
        self.taps = sorted({0, min(4, blocks - 1)})
        self.tap_channels = (3, 2 * c, 4 * c, *(4 * c for _ in self.taps))

    def encode(self, image_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The innermost features (B, 4 channels, H/4, W/4), and those that PatchNCE compares, outermost first."""
        first = self.down1(self.stem(image_BCHW))
        second = self.down2(self.norm1(first))
        deep, seen = self.norm2(second), [image_BCHW, first, second]
        for number, block in enumerate(self.blocks):
            deep = block(deep)
            if number in self.taps:
                seen.append(deep)
        return deep, seen

    def decode(self, deep_BCHW: Tensor, image_BCHW: Tensor) -> Tensor:
        """The new image, from the innermost features of ``image_BCHW``."""
        drawn = torch.tanh(self.head(self.up(deep_BCHW)).float())
        return image_BCHW + drawn if self.skip else drawn

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Translate images of any size of at least 16 pixels; float32."""
        height, width = image_BCHW.shape[-2:]
        whole = F.pad(image_BCHW, [0, -width % 4, 0, -height % 4], mode="reflect")
        out: Tensor = self.decode(self.encode(whole)[0], whole)
        return out[..., :height, :width]


def _double(channels: int, out: int) -> list[nn.Module]:
    """Twice the size, other channels."""
    return [
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(channels, out, 3, padding=1),
        nn.InstanceNorm2d(out),
        nn.ReLU(inplace=True),
    ]


def patch_discriminator(channels: int = 64) -> nn.Sequential:
    """Scores (B, 1, H/8 - 2, W/8 - 2): each looks at 70x70 pixels (PatchGAN, Isola et al. 2017)."""
    c = channels
    layers: list[nn.Module] = [nn.Conv2d(3, c, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for inner, outer, stride in ((c, 2 * c, 2), (2 * c, 4 * c, 2), (4 * c, 8 * c, 1)):
        layers += [
            nn.Conv2d(inner, outer, 4, stride=stride, padding=1),
            nn.InstanceNorm2d(outer),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * c, 1, 4, padding=1))


class PatchHeads(nn.Module):
    """CUT's two-layer perceptrons, one for each compared layer: features of single places to unit vectors.

    Args:
        channels: Of each layer.
        width: Length of the vectors.
    """

    def __init__(self, channels: tuple[int, ...], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c, width), nn.ReLU(), nn.Linear(width, width)) for c in channels
        )

    def forward(self, features: list[Tensor], places: list[Tensor]) -> list[Tensor]:
        """Unit vectors (B, places, width) of each layer at the given places, indices into H * W."""
        out = []
        for head, layer_BCHW, place_S in zip(self.heads, features, places, strict=True):
            at_BSC = layer_BCHW.flatten(2)[..., place_S].transpose(1, 2).float()
            out.append(F.normalize(head(at_BSC), dim=2))
        return out


def initialise(network: nn.Module, how: str) -> None:
    """Set the weights of all layers: ``normal`` (deviation 0.02, CycleGAN) or ``xavier`` (gain 0.02, CUT); biases 0."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            if how == "normal":
                nn.init.normal_(layer.weight, 0.0, 0.02)
            else:
                nn.init.xavier_normal_(layer.weight, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if isinstance(network, Generator) and network.skip:
        last = network.head[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
