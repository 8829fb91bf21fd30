"""A trained translation as a function of images: CycleGAN or CUT, trained first where that is not done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import nn
from torch.nn import functional as F

from simteacher.data.sample import DataSet
from simteacher.errors import UserError
from simteacher.files import atomic_write
from simteacher.models.store import read_weights
from simteacher.precision import autocast
from simteacher.translate.colour import Translator
from simteacher.translate.cut import Cut
from simteacher.translate.cyclegan import CycleGan
from simteacher.translate.gan_parts import Gan, network_input, pixels
from simteacher.translate.gan_train import streams_of, train
from simteacher.translate.settings import GanSettings

U8 = npt.NDArray[np.uint8]


def make(method: str, settings: GanSettings, seed: int, device: torch.device) -> Gan:
    """A new CycleGAN or CUT whose weights depend on the seed alone."""
    torch.manual_seed(seed)
    return CycleGan(settings, device) if method == "cyclegan" else Cut(settings, device)


def trained(
    method: str, settings: GanSettings, source: DataSet, target: DataSet, folder: Path, seed: int
) -> Translator:
    """The trained translation kept in ``folder``, training it first, or further, where needed.

    Args:
        method: ``cyclegan`` or ``cut``.
        settings: Size of the training.
        source: Rendered images; no label is opened.
        target: Photographs; no label is opened.
        folder: Gets ``generator.safetensors``, ``metrics.jsonl``, ``samples/`` and, until done, ``state.safetensors``.
        seed: Of weights and crops.

    Raises:
        UserError: A loss is not finite, or what was saved is damaged.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gan = make(method, settings, seed, device)
    generator, kept = gan.networks["to_target"], folder / "generator.safetensors"
    if not kept.is_file():
        train(gan, settings, streams_of(settings, source, target, seed), folder, seed, method)
        weights = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
        facts = json.dumps({"method": method, "seed": seed, **settings.to_dict()})
        atomic_write(kept, save(weights, metadata={"translation": facts}))  # one key: several come in any order
        (folder / "state.safetensors").unlink(missing_ok=True)
    else:
        try:
            weights = read_weights(kept)
        except UserError as e:
            raise UserError(e.problem, kept, "delete it; it is trained again") from e
        generator.load_state_dict(weights)
    generator.eval().requires_grad_(False)
    return lambda _, image_HWC: apply(generator, image_HWC, settings.height, device)


@torch.inference_mode()
def apply(generator: nn.Module, image_HWC: U8, height: int, device: torch.device) -> U8:
    """Translate one image at the trained size; what is larger keeps its own detail and takes over the change.

    ``height`` is that of the image's short side.
    """
    image_BCHW = small_BCHW = network_input(image_HWC, device)
    h, w = image_HWC.shape[:2]
    if min(h, w) != height:
        to = (max(16, round(h * height / min(h, w))), max(16, round(w * height / min(h, w))))
        small_BCHW = F.interpolate(image_BCHW, to, mode="bilinear", antialias=True)
    with autocast(device.type):
        change_BCHW = generator(small_BCHW) - small_BCHW
    if small_BCHW is not image_BCHW:
        change_BCHW = F.interpolate(change_BCHW, image_HWC.shape[:2], mode="bilinear")
    return pixels(image_BCHW + change_BCHW)
