"""From one photograph of any size to a class and a confidence for each of its pixels, in bounded memory.

A network knows how large things look in the views that it was trained on (``card.size``). A photograph is therefore
read at a *working size* near that size and the class scores are scaled back up, strip by strip, to the photograph's own
pixels. Short sides are compared, as training scales by height and a camera turned upright sees things equally large:

- short side within `KEEP` of the trained one: as it is;
- larger or smaller: scaled to the trained one, but never enlarged more than `ENLARGE` times;
- ``scale`` multiplies the result: 2 looks twice as close. What is then too large for one pass is read through windows
  that overlap by a margin; each window answers only for its inner part;
- with more ``views`` each window is read again as `CLOSER` says, and the class probabilities are averaged.

Used by `predict`, `evaluate`, `select` and labelling. Shapes: B batch, K classes, H W image, h w working size, S rows
of a strip.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from simteacher.errors import UserError
from simteacher.labels import LabelSpace

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

# Short side / trained short side within which a photograph is read at its own size. Read 1.25 times as close, thin
# classes gain a little and all others lose more; smaller costs little.
KEEP = (0.75, 1.2)
ENLARGE = 8.0  # a strip a few pixels high would become hundreds of times as large, and show nothing more
WINDOW = 1.6  # longest window, in trained sides; above KEEP, so that kept photographs of usual shape need one pass
MARGIN = 0.125  # share of a window's side on each edge that is context only
# (how much closer, mirrored) of a second and a third view: thin things are found; with views of the same size less is
# gained (docs/log.md)
CLOSER = ((1.5, True), (2.0, False))
VIEWS = 1 + len(CLOSER)  # at most
STRIP = 500_000  # pixels whose class scores are scaled up at a time


class Card(Protocol):
    """What must be known of a model to read with it."""

    @property
    def space(self) -> LabelSpace:
        """Its classes."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a whole view in training."""

    @property
    def views(self) -> int:
        """In how many views it reads unless one says otherwise."""


class Reader(Protocol):
    """Anything that scores pixels: a loaded `Model`, or a stand-in for it in tests."""

    @property
    def card(self) -> Card:
        """What it knows."""

    def logits(self, image_BCHW: Tensor) -> Tensor:
        """RGB in [0, 1] to class scores of the same height and width."""


class Prediction(NamedTuple):
    """What a model sees in one photograph: uint8 class indices and float32 confidence in [0, 1], both (H, W)."""

    label_HW: U8
    confidence_HW: F32


class Patch(NamedTuple):
    """Class scores of a part of one image of a batch, at the image's own pixels."""

    image: int
    rows: slice
    cols: slice
    logits_KSW: Tensor


def working_size(height: int, width: int, trained_wh: tuple[int, int], scale: float = 1.0) -> tuple[int, int]:
    """Height and width at which a photograph is given to the network (see the module's docstring)."""
    ratio = min(height, width) / min(trained_wh)
    factor = scale * (1.0 if KEEP[0] <= ratio <= KEEP[1] else min(1.0 / ratio, ENLARGE))
    return max(1, round(height * factor)), max(1, round(width * factor))


def require_views(views: int | None) -> None:
    """Raise UserError where a photograph cannot be read in so many views; None leaves it to the model's card."""
    if views is not None and not 1 <= views <= VIEWS:
        raise UserError(f"a photograph is read in 1, 2 or 3 views, not in {views}", "--views", "give one of these")


def read_images(model: Reader, images: Sequence[U8], *, scale: float = 1.0, views: int | None = 1) -> list[Prediction]:
    """Class and confidence of every pixel of a few photographs (RGB, HWC); equal sizes share one forward pass.

    Args:
        model: Scores pixels.
        images: uint8 RGB, shape (H, W, 3) each, any sizes.
        scale: 1 reads at the trained size, 2 twice as close.
        views: 1; 2 and 3 average with one or both that are `CLOSER`, at 3.25 and 7.25 times the cost.
            None: as many as the model's card says.

    Raises:
        UserError: Another number of views.
    """
    views = model.card.views if views is None else views
    require_views(views)
    out = [Prediction(np.empty(i.shape[:2], np.uint8), np.empty(i.shape[:2], np.float32)) for i in images]
    for shape in dict.fromkeys(i.shape for i in images):
        chosen = [n for n, i in enumerate(images) if i.shape == shape]
        for patch in _patches(model, [images[n] for n in chosen], scale, views):
            label_SW = patch.logits_KSW.max(0).indices  # several times as fast as argmax
            confidence_SW = patch.logits_KSW.softmax(0).amax(0)
            target = out[chosen[patch.image]]
            target.label_HW[patch.rows, patch.cols] = label_SW.to(torch.uint8).cpu().numpy()
            target.confidence_HW[patch.rows, patch.cols] = confidence_SW.cpu().numpy()
    return out


def read_one(model: Reader, image_HWC: object, *, scale: float = 1.0, views: int | None = None) -> Prediction:
    """Label one photograph that somebody hands over in Python.

    Raises:
        UserError: It is no RGB picture of 8 bits.
    """
    image = np.asarray(image_HWC)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise UserError(
            f"an image is uint8 RGB of shape (height, width, 3), this is {image.dtype} of shape {image.shape}",
            "predict",
            "read it with simteacher.data.read_image, or convert it",
        )
    return read_images(model, [np.ascontiguousarray(image)], scale=scale, views=views)[0]


def probabilities(model: Reader, image_HWC: U8, *, scale: float = 1.0, views: int = 1) -> F32:
    """Class probabilities of every pixel, float32 (K, H, W): 4 K bytes a pixel, so not for very large photographs."""
    out_KHW = np.empty((len(model.card.space), *image_HWC.shape[:2]), np.float32)
    for patch in _patches(model, [image_HWC], scale, views):
        out_KHW[:, patch.rows, patch.cols] = torch.softmax(patch.logits_KSW, 0).cpu().numpy()
    return out_KHW


def _patches(model: Reader, images: Sequence[U8], scale: float, views: int) -> Iterator[Patch]:
    """Score images of one size through one window or several, and scale the scores up to the images' own pixels."""
    height, width = images[0].shape[:2]
    h, w = working_size(height, width, model.card.size, scale)
    sources = [Image.fromarray(i) for i in images]
    for row in _windows(h, model.card.size[1]):
        for col in _windows(w, model.card.size[0]):
            box = (col.start * width / w, row.start * height / h, col.stop * width / w, row.stop * height / h)
            size = (col.stop - col.start, row.stop - row.start)
            logits_BKhw = model.logits(_cut(sources, size, box))
            if views > 1:
                p_BKhw = logits_BKhw.float().softmax(1)
                for factor, mirrored in CLOSER[: views - 1]:
                    for n, image in enumerate(sources):  # one by one, as scores of large views take much memory
                        p_BKhw[n] += _closer(model, image, size, box, factor, mirrored)
                logits_BKhw = (p_BKhw / views).clamp_(min=1e-9).log_()
            rows, cols = row.inner(height / h), col.inner(width / w)
            strip = max(1, STRIP // (cols.stop - cols.start))
            for top in range(rows.start, rows.stop, strip):
                part = slice(top, min(top + strip, rows.stop))
                for n, logits_Khw in enumerate(logits_BKhw):
                    up = _lerp(_lerp(logits_Khw, part, row.start, h / height, 1), cols, col.start, w / width, 2)
                    yield Patch(n, part, cols, up)


def _closer(
    model: Reader,
    image: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    factor: float,
    mirrored: bool,
) -> Tensor:
    """Probabilities (K, h, w) of a window that is read ``factor`` times as large, at the window's own size."""
    close_1CHW = _cut([image], (round(size[0] * factor), round(size[1] * factor)), box)
    p_1Khw = model.logits(close_1CHW.flip(-1) if mirrored else close_1CHW).float().softmax(1)
    p_1Khw = F.interpolate(p_1Khw, size=size[::-1], mode="bilinear", align_corners=False, antialias=True)
    return (p_1Khw.flip(-1) if mirrored else p_1Khw)[0]


def _cut(sources: list[Image.Image], size: tuple[int, int], box: tuple[float, float, float, float]) -> Tensor:
    """A box of each photograph at a size (width, height), as RGB in [0, 1]."""
    whole = (0, 0, *size)
    cut = [s if s.size == size and box == whole else s.resize(size, Image.Resampling.BILINEAR, box) for s in sources]
    return torch.from_numpy(np.stack([np.asarray(c) for c in cut])).permute(0, 3, 1, 2).float().div_(255)


class _Span(NamedTuple):
    """A window along one axis in working pixels: [start, stop) is read, [first, last) is answered for."""

    start: int
    stop: int
    first: int
    last: int

    def inner(self, factor: float) -> slice:
        """The pixels answered for, at the image's own size. Neighbours round alike, so nothing is left out."""
        return slice(round(self.first * factor), round(self.last * factor))


def _windows(length: int, trained: int) -> list[_Span]:
    """Cut one axis into windows of at most `WINDOW` trained sides whose inner parts tile it."""
    longest = round(trained * WINDOW)
    if length <= longest:
        return [_Span(0, length, 0, length)]
    margin = round(longest * MARGIN)
    count = math.ceil(length / (longest - 2 * margin))
    cuts = [round(length * n / count) for n in range(count + 1)]
    return [_Span(max(0, a - margin), min(length, b + margin), a, b) for a, b in itertools.pairwise(cuts)]


def _lerp(x: Tensor, want: slice, offset: int, factor: float, dim: int) -> Tensor:
    """Linear interpolation along one axis of a window (pixel centres, as ``align_corners=False``).

    Args:
        x: Scores of a window, (K, h, w).
        want: Wanted pixels in image coordinates.
        offset: Where the window starts, in working pixels.
        factor: Working pixels per image pixel.
        dim: The axis.
    """
    if factor == 1.0:
        return x.narrow(dim, want.start - offset, want.stop - want.start)
    if (
        dim == 2 and want.start == offset == 0 and round(want.stop * factor) == x.shape[2]
    ):  # all of it: several times as fast
        return F.interpolate(x, size=want.stop, mode="linear", align_corners=False)
    at = (torch.arange(want.start, want.stop, dtype=torch.float64, device="cpu") + 0.5) * factor - 0.5 - offset
    at = at.clamp_(0, x.shape[dim] - 1)
    low = at.floor().long()
    high = (low + 1).clamp_(max=x.shape[dim] - 1)
    weight = (at - low).float().reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    low, high, weight = low.to(x.device), high.to(x.device), weight.to(x.device)
    return torch.lerp(x.index_select(dim, low), x.index_select(dim, high), weight)
