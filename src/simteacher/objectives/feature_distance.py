"""Feature distance of DAFormer: on things, the encoder's last map stays near that of its pretrained weights.

Renders teach an encoder what renders look like, and it forgets what its pretraining knew of photographs (Hoyer et al.
2022). Surfaces such as roads are left out, as ImageNet tells things apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.config import Network
from simteacher.labels import LabelSpace
from simteacher.losses import share
from simteacher.models.build import build_network
from simteacher.precision import autocast

# the paper's classes
THINGS = (
    "traffic light", "traffic sign", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
COVER = 0.75  # a cell counts where one thing covers this share of it


class Reference(nn.Module):
    """The pretrained network, fixed, and which of the classes are things.

    Args:
        spec: The recipe's ``network`` section; its encoder's pretrained weights are taken, whatever it starts from.
        space: The run's classes.

    Raises:
        UserError: These weights are not to be had.
    """

    def __init__(self, spec: Network, space: LabelSpace) -> None:
        super().__init__()
        self.network = build_network(spec.model_copy(update={"weights": "imagenet"}), 1).requires_grad_(False).eval()
        self.things = sorted({k for name in THINGS if (k := space.index(name)) is not None})

    def train(self, mode: bool = True) -> Reference:
        """Always in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Images in [0, 1] -> the encoder's last map (B, C, h, w)."""
        with autocast(image_BCHW.device.type):
            last_BChw: Tensor = self.network(image_BCHW, features=True)[0]
        return last_BChw


def thing_cells(label_BHW: Tensor, things: list[int], size: tuple[int, int]) -> Tensor:
    """Cells (B, h, w), bool, of which one thing class covers at least three quarters."""
    classes = [(label_BHW == k).float() for k in things]
    if not classes:
        return label_BHW.new_zeros((len(label_BHW), *size), dtype=torch.bool)
    share_BThw = F.adaptive_avg_pool2d(torch.stack(classes, 1), size)
    cells_Bhw: Tensor = share_BThw.amax(1) >= COVER
    return cells_Bhw


def feature_distance(feature_BChw: Tensor, reference_BChw: Tensor, cells_Bhw: Tensor) -> Tensor:
    """Mean over the cells of ``||F(x) - F_pretrained(x)||_2``, the norm over channels; 0 where there is no cell.

    Of several processes, the mean of their values is that over all cells.
    """
    difference_NC = (feature_BChw.float() - reference_BChw.float()).permute(0, 2, 3, 1)[cells_Bhw]
    count = share(cells_Bhw.sum())
    if not len(difference_NC):
        return feature_BChw.float().sum() * 0
    distance_N: Tensor = torch.linalg.vector_norm(difference_NC, dim=1)
    return distance_N.sum() / count
