"""What training tests share: a network of a few thousand weights, small sets, recipes, a CPU fabric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric import Fabric
from torch import Tensor, nn

from simteacher.config import Augment, Budget, Network, Objectives, Recipe
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.data.stream import Batch
from simteacher.labels import SPACES, LabelSpace
from simteacher.models.build import build_network
from simteacher.objectives.state import StageState
from simteacher.processes import Autocast
from simteacher.rundir import RunDir
from tests import lookalikes

SPACE = SPACES["camvid11"]
BUDGET = Budget(steps=6, batch=2, size=(64, 48), crop=(64, 32))
NETWORK: dict[str, Any] = {
    "encoder": "test_efficientnet",
    "weights": "none",
    "freeze": 1,
    "decoder_options": {"decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32},
}


def network(classes: int = len(SPACE), seed: int = 0, **changes: Any) -> nn.Module:
    """A small segmentation network whose values depend on the seed."""
    torch.manual_seed(seed)
    return build_network(Network(**{**NETWORK, **changes}), classes)


def fabric() -> Fabric:
    """As `adapt` makes one on a machine without accelerator."""
    return Fabric(accelerator="cpu", devices=1, plugins=[Autocast("cpu")])


def source(folder: Path) -> DataSet:
    """Six labelled look-alikes."""
    return open_dataset(lookalikes.gta5(folder / "gta5", 6).spec)


def space(names: str) -> LabelSpace:
    """A label space of one-letter classes."""
    return LabelSpace(names, tuple(names), tuple((10 * i, 0, 0) for i in range(len(names))))


def run_dir(folder: Path, **recipe: Any) -> RunDir:
    """An open run folder."""
    return RunDir(folder, Recipe(**{"network": NETWORK, "budget": BUDGET.model_dump(), **recipe}), {})


def recipe(path: Path, source: str, target: str, **changes: Any) -> Path:
    """Write a recipe that passes every stage in a few seconds and saves after every step."""
    tree: dict[str, Any] = {
        "budget": BUDGET.model_dump(mode="json"),
        "source": source,
        "target": target,
        "network": NETWORK,
        "batchnorm": 0.5,
        "rounds": {"count": 1, "pseudo": {"views": 2}},
        "guard": {"images": 2, "drift": 1.0, "vanish": 0.0, "agreement_drop": 1.0},
        "log_every": 1,
        "save_seconds": 1e-9,
    }
    path.write_text(yaml.safe_dump({**tree, **changes}), encoding="utf-8")
    return path


class Fixed(nn.Module):
    """A network whose answer is given: main and auxiliary logits, whatever the image."""

    def __init__(self, main_BKHW: Tensor, aux_BKHW: Tensor | None = None) -> None:
        super().__init__()
        self.main_BKHW, self.aux_BKHW = main_BKHW, main_BKHW if aux_BKHW is None else aux_BKHW
        self.seen: list[Tensor] = []

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The given logits; the image is kept in ``seen``."""
        self.seen.append(image_BCHW)
        return self.main_BKHW, self.aux_BKHW


def state(net: Any, averaged: nn.Module | None = None, discriminators: Any = None, **weights: Any) -> StageState:
    """A stage's state with these weights of the losses."""
    return StageState(net, averaged, discriminators or {}, Objectives(**weights), None, 10, 0)


def batch(label_BHW: Tensor, seed: int = 0, weight: float = 1.0) -> Batch:
    """Random images for given labels."""
    shape = (len(label_BHW), 3, *label_BHW.shape[1:])
    generator = torch.Generator().manual_seed(seed)
    image, plain = torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)
    weights = torch.full(label_BHW.shape, weight)
    return Batch(image, plain, label_BHW, weights, [f"image{seed}{i}" for i in range(len(label_BHW))])


PLAIN = Augment(scale=(1.0, 1.0), flip=0.0, colour=0.0, grey=0.0, blur=0.0, noise=0.0)
"""No random change but the crop."""
