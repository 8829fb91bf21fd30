"""Pseudo-labels weighed by how near a pixel's features are to those typical of each class (ProDA, Zhang et al. 2021).

In: a network of the recipe, photographs. Out: a reader whose class scores are those of the network plus
``log w``, so that its probabilities are ``w p``, normalised: what `pseudo` and `dense` then do is unchanged. A class is
believed less where the features say another.

Shapes: B batch, K classes, C channels of the decoder's output, h w its size, H W the image.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from simteacher.data.images import read_image
from simteacher.data.sample import DataSet
from simteacher.dense import Card, Reader, working_size
from simteacher.errors import UserError
from simteacher.files import alone, atomic_write
from simteacher.models.build import SegmentationNetwork
from simteacher.models.store import Model

IMAGES = 96  # photographs that prototypes are made from
KEPT = "prototypes.npz"


@dataclass(frozen=True, slots=True)
class Prototypes:
    """What is typical of each class.

    Attributes:
        mean_KC: Mean features of its sure pixels; not a number for a class that has none.
        spread: Root mean square distance of sure pixels to their prototype, mean over classes: the unit of distance.
    """

    mean_KC: Tensor
    spread: float


@contextmanager
def _decoded(network: SegmentationNetwork) -> Iterator[list[Tensor]]:
    """Keeps what goes into the primary head."""
    seen: list[Tensor] = []
    hook = network.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].float()))
    try:
        yield seen
    finally:
        hook.remove()


def log_weights(feature_BChw: Tensor, prototypes: Prototypes, tau: float) -> Tensor:
    """``log softmax_k(-(d_k - min d) / tau)``, (B, K, h, w), d in units of the spread.

    A class without a prototype is at the mean distance: nothing speaks for or against it.
    """
    b, c, h, w = feature_BChw.shape
    pixels_NC = feature_BChw.permute(0, 2, 3, 1).reshape(-1, c)
    known_K = ~prototypes.mean_KC[:, 0].isnan()
    distance_NK = torch.cdist(pixels_NC, prototypes.mean_KC.nan_to_num()) / prototypes.spread
    mean_N1 = distance_NK[:, known_K].mean(1, keepdim=True)
    distance_NK = torch.where(known_K, distance_NK, mean_N1)
    return F.log_softmax(-distance_NK / tau, 1).reshape(b, h, w, -1).permute(0, 3, 1, 2)


class Weighed:
    """A model whose class scores are weighed by prototypes; a `Reader`."""

    def __init__(self, model: Model, prototypes: Prototypes, tau: float) -> None:
        assert isinstance(model.network, SegmentationNetwork)
        self.model, self.network, self.tau = model, model.network, tau
        self.prototypes = Prototypes(prototypes.mean_KC.to(model.device), prototypes.spread)

    @property
    def card(self) -> Card:
        """The model's."""
        return self.model.card

    @torch.inference_mode()
    def logits(self, image_BCHW: Tensor) -> Tensor:
        """Class scores plus ``log w``."""
        with _decoded(self.network) as seen:
            scores_BKHW = self.model.logits(image_BCHW)
        height, width = image_BCHW.shape[-2:]
        weights = log_weights(seen[0], self.prototypes, self.tau)
        padded = (height + -height % self.network.stride, width + -width % self.network.stride)
        weights = F.interpolate(weights, padded, mode="bilinear", align_corners=False)
        return scores_BKHW + weights[..., :height, :width]


@torch.inference_mode()
def make_prototypes(model: Model, dataset: DataSet, threshold: float) -> Prototypes:
    """Class means of the features of pixels that the model is sure of, over some photographs spread over the set.

    Raises:
        UserError: There is no such pixel.
    """
    assert isinstance(model.network, SegmentationNetwork)
    classes, stride = len(model.card.space), model.network.stride
    sums: Tensor | None = None
    for i in np.unique(np.linspace(0, len(dataset) - 1, min(IMAGES, len(dataset))).round().astype(int)):
        picture = Image.fromarray(read_image(dataset.frames[i].image))
        h, w = working_size(picture.height, picture.width, model.card.size)
        small = np.array(picture.resize((w, h), Image.Resampling.BILINEAR))
        with _decoded(model.network) as seen:
            scores = model.logits(torch.from_numpy(small).permute(2, 0, 1)[None].float().div_(255))
        scores = F.pad(scores, (0, -w % stride, 0, -h % stride), mode="replicate")
        p_KN = F.interpolate(scores.softmax(1), seen[0].shape[-2:], mode="area")[0].flatten(1)
        confidence_N, label_N = p_KN.max(0)
        sure_KN = F.one_hot(label_N, classes).T.double() * (confidence_N >= threshold)
        feature_NC = seen[0][0].flatten(1).T.double()
        found = torch.cat([feature_NC, feature_NC.square().sum(1, keepdim=True), torch.ones_like(feature_NC[:, :1])], 1)
        sums = sure_KN @ found if sums is None else sums + sure_KN @ found
    assert sums is not None
    count_K = sums[:, -1]
    if not count_K.any():
        problem = f"the model is nowhere surer than {threshold}, so that no class has a prototype"
        raise UserError(problem, "rounds.pseudo.prototypes", "lower rounds.pseudo.threshold, or set prototypes to 0")
    mean_KC = sums[:, :-2] / count_K[:, None]
    square_K = (sums[:, -2] / count_K - mean_KC.square().sum(1))[count_K > 0]
    return Prototypes(mean_KC.float().cpu(), max(float(square_K.clamp(min=0).sqrt().mean()), 1e-6))


def weighed(model: Reader, dataset: DataSet, folder: Path, tau: float, threshold: float) -> Weighed:
    """A model with prototypes of a set; made once and kept in ``folder`` for whoever continues or shares the work.

    Raises:
        UserError: The model shows no features, or is sure of nothing.
    """
    if not isinstance(model, Model) or not isinstance(model.network, SegmentationNetwork):
        problem = "rounds.pseudo.prototypes needs the features inside of the network, and this one hides them"
        raise UserError(problem, "rounds.pseudo.prototypes", "set it to 0, or use a network of the recipe")
    with alone(folder):
        path = folder / KEPT
        if not path.is_file():
            made, buffer = make_prototypes(model, dataset, threshold), io.BytesIO()
            np.savez(buffer, mean=made.mean_KC.numpy(), spread=made.spread)
            atomic_write(path, buffer.getvalue())
        with np.load(path) as kept:
            return Weighed(model, Prototypes(torch.from_numpy(kept["mean"]), float(kept["spread"])), tau)
