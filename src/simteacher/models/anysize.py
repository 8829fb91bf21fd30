"""Images of any size through a network that needs multiples of its stride: normalise, pad, score, scale back."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from simteacher.models.resize import enlarge

COARSE = 4  # pixels of the image, each way, for one auxiliary score


def prepare(image_BCHW: Tensor, mean_C11: Tensor, std_C11: Tensor, multiple: int) -> Tensor:
    """Normalised, and padded at its right and lower edge to multiples; arguments as of `score_any_size`."""
    height, width = image_BCHW.shape[-2:]
    x = (image_BCHW - mean_C11) / std_C11
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def score_any_size(
    image_BCHW: Tensor,
    mean_C11: Tensor,
    std_C11: Tensor,
    multiple: int,
    score: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """Primary scores (B, K, H, W) at the image's own size, auxiliary ones at a quarter of it, rounded up.

    The auxiliary head reads maps of a sixteenth; at the image's size its loss would take a tenth of a training step.

    Args:
        image_BCHW: RGB in [0, 1], any height and width.
        mean_C11: RGB mean of the network's pretraining, in [0, 1].
        std_C11: RGB deviation, likewise.
        multiple: The image is padded to multiples of this, by its edge pixels.
        score: The network: normalised, padded image -> two maps of any resolution.
    """
    height, width = image_BCHW.shape[-2:]
    x = prepare(image_BCHW, mean_C11, std_C11, multiple)
    size = x.shape[-2:]
    main, aux = score(x)
    main, aux = enlarge(main, (size[0], size[1])), enlarge(aux, (-(-size[0] // COARSE), -(-size[1] // COARSE)))
    return main[..., :height, :width], aux[..., : -(-height // COARSE), : -(-width // COARSE)]


def at_full_size(aux_BKhw: Tensor, main_BKHW: Tensor) -> Tensor:
    """Auxiliary scores as `score_any_size` gives them, at the primary ones' size."""
    if aux_BKhw.shape == main_BKHW.shape:
        return aux_BKhw
    h, w = aux_BKhw.shape[-2:]
    height, width = main_BKHW.shape[-2:]
    return enlarge(aux_BKhw, (COARSE * h, COARSE * w))[..., :height, :width]
