"""Dilated residual networks (Yu, Koltun and Funkhouser 2017): stride 8, with two last levels that undo the gridding.

Layers carry the names of the official weights, so that these load as they are, without their classifier ``fc``:
``drn_c_26-ddedf421.pth``, ``drn_c_42-9d336e8c.pth``, ``drn_c_58-0a53a92c.pth``, ``drn_d_22-4bd2f8ea.pth``,
``drn_d_38-eebb45f0.pth``, ``drn_d_54-0e0534ff.pth``, ``drn_d_105-12b40979.pth`` from http://dl.yf.io/drn/.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from torch import Tensor, nn

CHANNELS = (16, 32, 64, 128, 256, 512, 512, 512)
STRIDES = (1, 2, 2, 2, 1, 1, 1, 1)
DILATIONS = (1, 1, 1, 1, 2, 4, 2, 1)


class Variant(NamedTuple):
    """C: levels 1, 2, 7 and 8 are residual blocks, 7 and 8 without their shortcut; D: they are plain convolutions."""

    kind: str
    bottleneck: bool
    depths: tuple[int, ...]
    file: str


VARIANTS = {
    "drn_c_26": Variant("C", False, (1, 1, 2, 2, 2, 2, 1, 1), "drn_c_26-ddedf421.pth"),
    "drn_c_42": Variant("C", False, (1, 1, 3, 4, 6, 3, 1, 1), "drn_c_42-9d336e8c.pth"),
    "drn_c_58": Variant("C", True, (1, 1, 3, 4, 6, 3, 1, 1), "drn_c_58-0a53a92c.pth"),
    "drn_d_22": Variant("D", False, (1, 1, 2, 2, 2, 2, 1, 1), "drn_d_22-4bd2f8ea.pth"),
    "drn_d_38": Variant("D", False, (1, 1, 3, 4, 6, 3, 1, 1), "drn_d_38-eebb45f0.pth"),
    "drn_d_54": Variant("D", True, (1, 1, 3, 4, 6, 3, 1, 1), "drn_d_54-0e0534ff.pth"),
    "drn_d_105": Variant("D", True, (1, 1, 3, 4, 23, 3, 1, 1), "drn_d_105-12b40979.pth"),
}


def _conv(inputs: int, outputs: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (size // 2)
    return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)


class Block(nn.Module):
    """Residual block of two 3x3 convolutions, or as a bottleneck of 1x1, 3x3 and 1x1 with four times the channels.

    ``shortcut`` False leaves the addition out; the projection's weights exist all the same, as in the official files.
    """

    def __init__(
        self, inputs: int, width: int, bottleneck: bool, stride: int, dilation: int, shortcut: bool = True
    ) -> None:
        super().__init__()
        self.outputs = 4 * width if bottleneck else width
        self.bottleneck, self.shortcut = bottleneck, shortcut
        if bottleneck:
            self.conv1, self.conv2 = _conv(inputs, width, 1), _conv(width, width, 3, stride, dilation)
            self.conv3, self.bn3 = _conv(width, self.outputs, 1), nn.BatchNorm2d(self.outputs)
        else:
            self.conv1, self.conv2 = _conv(inputs, width, 3, stride, dilation), _conv(width, width, 3, 1, dilation)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != self.outputs:
            self.downsample = nn.Sequential(_conv(inputs, self.outputs, 1, stride), nn.BatchNorm2d(self.outputs))
            self.downsample.requires_grad_(shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(self.relu(y)))
        if self.shortcut:
            y = y + (x if self.downsample is None else self.downsample(x))
        out: Tensor = self.relu(y)
        return out


class DRN(nn.Module):
    """Encoder: a list of features at strides 2, 4, 8, 8 (level 5) and 8 (level 8).

    Args:
        name: One of `VARIANTS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        variant = VARIANTS[name]
        stem = [_conv(3, CHANNELS[0], 7), nn.BatchNorm2d(CHANNELS[0]), nn.ReLU(inplace=True)]
        names = ("conv1", "bn1", "relu")
        if variant.kind == "C":
            for part, module in zip(names, stem, strict=True):
                self.add_module(part, module)
        else:
            self.layer0 = nn.Sequential(*stem)
        channels, widths = CHANNELS[0], []
        levels: OrderedDict[str, nn.Module] = OrderedDict()
        for level, (width, depth) in enumerate(zip(CHANNELS, variant.depths, strict=True), 1):
            outer = level in (1, 2, 7, 8)
            stride, dilation = STRIDES[level - 1], DILATIONS[level - 1]
            layers: list[nn.Module] = []
            for i in range(depth):
                step = stride if i == 0 else 1
                if outer and variant.kind == "D":
                    layers += [_conv(channels, width, 3, step, dilation), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                    channels = width
                else:
                    block = Block(channels, width, variant.bottleneck and not outer, step, dilation, level < 7)
                    layers.append(block)
                    channels = block.outputs
            levels[f"layer{level}"] = nn.Sequential(*layers)
            widths.append(channels)
        for part, module in levels.items():
            self.add_module(part, module)
        self.kind = variant.kind
        self.out_channels = [widths[i] for i in (1, 2, 3, 4, 7)]
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image_BCHW: Tensor) -> list[Tensor]:
        """Features of levels 2, 3, 4, 5 and 8."""
        children = dict(self.named_children())
        x = image_BCHW
        for name in ("conv1", "bn1", "relu") if self.kind == "C" else ("layer0",):
            x = children[name](x)
        out = []
        for level in range(1, 9):
            x = children[f"layer{level}"](x)
            if level in (2, 3, 4, 5, 8):
                out.append(x)
        return out
