"""Random views of one image and its label, as numpy arrays: geometry that moves both, colour that moves only the image.

Every view is a function of a `numpy.random.Generator`, so that a step's batch depends on (seed, step, index) alone.

Views are made beside the training, so that nothing here may call a library that starts threads of its own: OpenBLAS's,
even of a product of pixels and a 3x3 matrix, wait for more work, busily, on the cores that the network needs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from simteacher.config import Augment
from simteacher.data.sample import IGNORE

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

_NOISE_CHW = np.random.default_rng(0).standard_normal((640, 640, 3), dtype=np.float32).transpose(2, 0, 1).copy()
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def crop_box(
    rng: np.random.Generator, size: tuple[int, int], crop: tuple[int, int], scale: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Draw the part (left, top, width, height) of an image of ``size`` that a view of ``crop`` pixels shows.

    The zoom is log-uniform in ``scale``; where the part is larger than the image it sticks out at random on both sides.
    """
    zoom = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    width, height = crop[0] / zoom, crop[1] / zoom
    left = rng.uniform(min(0.0, size[0] - width), max(0.0, size[0] - width))
    top = rng.uniform(min(0.0, size[1] - height), max(0.0, size[1] - height))
    return left, top, width, height


def cut(
    image_HWC: U8,
    planes: list[U8],
    box: tuple[float, float, float, float],
    crop: tuple[int, int],
    flip: bool,
    fill: int = IGNORE,
) -> tuple[U8, list[U8]]:
    """Scale ``box`` of an image (bilinear) and its planes (nearest) to ``crop``; outside is grey and ``fill``."""
    left, top, width, height = box
    h, w = image_HWC.shape[:2]
    inner = (max(left, 0.0), max(top, 0.0), min(left + width, float(w)), min(top + height, float(h)))
    zoom_x, zoom_y = crop[0] / width, crop[1] / height
    x0, y0 = round((inner[0] - left) * zoom_x), round((inner[1] - top) * zoom_y)
    x1, y1 = min(crop[0], round((inner[2] - left) * zoom_x)), min(crop[1], round((inner[3] - top) * zoom_y))
    to = (max(1, x1 - x0), max(1, y1 - y0))
    whole = to == crop

    def place(array: U8, how: Image.Resampling, outside: int) -> U8:
        part = np.asarray(Image.fromarray(array).resize(to, how, box=inner))
        if not whole:
            canvas = np.full((crop[1], crop[0], *part.shape[2:]), outside, np.uint8)
            canvas[y0 : y0 + to[1], x0 : x0 + to[0]] = part
            part = canvas
        return part[:, ::-1] if flip else part

    return place(image_HWC, Image.Resampling.BILINEAR, 128), [place(p, Image.Resampling.NEAREST, fill) for p in planes]


def recolour(rng: np.random.Generator, image_HWC: U8, how: Augment, like: tuple[F32, F32] | None = None) -> U8:
    """Change colours at random: gains, gamma, contrast, brightness, saturation, channel mixing, grey, noise, blur.

    Args:
        rng: Source of randomness.
        image_HWC: RGB.
        how: Strengths and chances.
        like: Channel means and deviations (0..255) of a target image, taken over before the rest.
    """
    k = how.colour
    x = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.3 * k))
    contrast, brightness = np.exp(rng.normal(0, 0.2 * k)), rng.normal(0, 0.08 * k)
    gains = np.exp(rng.normal(0, 0.1 * k, 3)).astype(np.float32)
    table_3V = ((x**gamma)[None] * gains[:, None] - 0.5) * contrast + 0.5 + brightness
    if like is not None:
        pixels = image_HWC[::4, ::4].reshape(-1, 3).astype(np.float32)
        mean, std = pixels.mean(0), pixels.std(0) + 1e-3
        base = np.clip(((x[None] * 255 - mean[:, None]) * (like[1] / std)[:, None] + like[0][:, None]) / 255, 0, 1)
        table_3V = ((base**gamma) * gains[:, None] - 0.5) * contrast + 0.5 + brightness
    table = np.clip(table_3V, 0, 1).astype(np.float32)
    saturation = 0.0 if rng.random() < how.grey else float(np.exp(rng.normal(0, 0.3 * k)))
    mix = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * _LUMA[None]
    mix = mix + rng.normal(0, 0.05 * k, (3, 3)).astype(np.float32) * min(saturation, 1.0)
    mix /= mix.sum(1, keepdims=True)
    sigma, y, x0 = np.float32(0), 0, 0
    if rng.random() < how.noise:
        sigma = np.float32(rng.uniform(0.0, 0.06))
        y, x0 = rng.integers(0, 128, 2)
    result = _mapped(image_HWC, table, mix, sigma * _NOISE_CHW[:, y : y + 512, x0 : x0 + 512] if sigma else None)
    if rng.random() < how.blur:
        result = np.asarray(Image.fromarray(result).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.5)))))
    return result


def _mapped(image_HWC: U8, table_3V: F32, mix_33: F32, noise_CHW: F32 | None) -> U8:
    """Each channel through its table, then ``mix`` of the three, then noise, repeated where the image is larger."""
    if noise_CHW is not None:
        repeats = (-(-image_HWC.shape[0] // noise_CHW.shape[1]), -(-image_HWC.shape[1] // noise_CHW.shape[2]))
        noise_CHW = np.tile(noise_CHW, (1, *repeats)) if max(repeats) > 1 else noise_CHW
    seen = [np.take(table_3V[c], image_HWC[..., c], mode="clip") for c in range(3)]  # "clip" needs no check of bounds
    result: U8 = np.empty(image_HWC.shape, np.uint8)
    part_HW = np.empty_like(seen[0])
    for c in range(3):
        plane_HW = seen[0] * mix_33[c, 0]
        for other in (1, 2):
            plane_HW += np.multiply(seen[other], mix_33[c, other], out=part_HW)
        if noise_CHW is not None:
            plane_HW += noise_CHW[c, : plane_HW.shape[0], : plane_HW.shape[1]]
        np.clip(plane_HW, 0, 1, out=plane_HW)
        plane_HW *= 255
        plane_HW += 0.5
        result[..., c] = plane_HW
    return result
