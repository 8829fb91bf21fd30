"""Colour transfer in closed form, nothing is trained: Reinhard in Lab, histogram matching, Fourier domain adaptation.

Each function takes an image and one photograph, both uint8 RGB (H, W, 3) of any size, and returns the image in the
photograph's colours. `from_photographs` makes a translator of one of them, which draws a photograph for each image.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from simteacher.data.images import read_image
from simteacher.data.sample import DataSet

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Transfer = Callable[[U8, U8], U8]
Translator = Callable[[str, U8], U8]
"""Name of a frame and its image in, the translated image out."""

# sRGB primaries, D65 (IEC 61966-2-1); rows are X, Y, Z
_XYZ_OF_RGB = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], np.float32
)
_RGB_OF_XYZ = np.linalg.inv(_XYZ_OF_RGB.astype(np.float64)).astype(np.float32)
_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
_V = np.arange(256, dtype=np.float64) / 255
_LINEAR = np.where(_V > 0.04045, ((_V + 0.055) / 1.055) ** 2.4, _V / 12.92).astype(np.float32)


def lab_of(image_HWC: U8) -> F32:
    """CIE Lab of an sRGB image: L 0 to 100, a and b about -128 to 127; shape (H, W, 3)."""
    xyz_HWC = _LINEAR[image_HWC] @ (_XYZ_OF_RGB / _WHITE[:, None]).T
    f_HWC = np.where(xyz_HWC > 216 / 24389, np.cbrt(xyz_HWC), (24389 / 27 * xyz_HWC + 16) / 116).astype(np.float32)
    x, y, z = np.moveaxis(f_HWC, 2, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=2)


def rgb_of(lab_HWC: F32) -> U8:
    """Lab to 8-bit sRGB; what no screen can show is clipped."""
    lightness, a, b = np.moveaxis(lab_HWC, 2, 0)
    y = (lightness + 16) / 116
    f_HWC = np.stack([y + a / 500, y, y - b / 200], axis=2)
    xyz_HWC = np.where(f_HWC > 6 / 29, f_HWC**3, (116 * f_HWC - 16) * np.float32(27 / 24389))
    linear_HWC = np.clip((xyz_HWC * _WHITE) @ _RGB_OF_XYZ.T, 0, 1)
    srgb_HWC = np.where(linear_HWC > 0.0031308, 1.055 * linear_HWC ** (1 / 2.4) - 0.055, 12.92 * linear_HWC)
    out_HWC: U8 = (srgb_HWC * 255 + 0.5).astype(np.uint8)
    return out_HWC


def reinhard(image_HWC: U8, like_HWC: U8) -> U8:
    """Statistics transfer (Reinhard et al., "Color transfer between images", 2001), in CIE Lab.

    Each channel: ``(x - mean) * std_like / std + mean_like``.
    """
    lab_HWC, other_HWC = lab_of(image_HWC), lab_of(like_HWC)
    mean, std = lab_HWC.mean((0, 1), dtype=np.float64), lab_HWC.std((0, 1), dtype=np.float64)
    gain = other_HWC.std((0, 1), dtype=np.float64) / np.maximum(std, 1e-3)  # a flat channel stays flat
    moved_HWC = (lab_HWC - mean) * gain + other_HWC.mean((0, 1), dtype=np.float64)
    return rgb_of(moved_HWC.astype(np.float32))


def match_histogram(image_HWC: U8, like_HWC: U8) -> U8:
    """Give each RGB channel the photograph's cumulative distribution; between its values linear, rounded."""
    out_HWC = np.empty_like(image_HWC)
    for c in range(3):
        share = np.bincount(image_HWC[..., c].ravel(), minlength=256).cumsum() / image_HWC[..., c].size
        counts = np.bincount(like_HWC[..., c].ravel(), minlength=256)
        values = np.flatnonzero(counts)
        wanted = counts[values].cumsum() / like_HWC[..., c].size
        out_HWC[..., c] = np.rint(np.interp(share, wanted, values)).astype(np.uint8)[image_HWC[..., c]]
    return out_HWC


def fda(image_HWC: U8, like_HWC: U8, beta: float) -> U8:
    """Fourier domain adaptation (Yang and Soatto, CVPR 2020), on un-normalised pixels.

    The amplitude of the lowest frequencies, up to ``floor(beta * shorter side)`` along both axes, is the photograph's;
    every phase stays the image's. The photograph is scaled to the image's size first.
    """
    height, width = image_HWC.shape[:2]
    if like_HWC.shape != image_HWC.shape:
        scaled = Image.fromarray(like_HWC).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        like_HWC = np.asarray(scaled)
    # pixels are real, so half of the plane says everything: columns 0..b stand for -b..b
    wave_HWC = np.fft.rfft2(image_HWC.astype(np.float32), axes=(0, 1))
    other_HWC = np.fft.rfft2(like_HWC.astype(np.float32), axes=(0, 1))
    b = int(np.floor(min(height, width) * beta))
    rows = np.arange(-b, b + 1) % height
    low, low_other = wave_HWC[rows, : b + 1], other_HWC[rows, : b + 1]
    wave_HWC[rows, : b + 1] = np.abs(low_other) * np.exp(1j * np.angle(low))
    mixed_HWC = np.fft.irfft2(wave_HWC, s=(height, width), axes=(0, 1))
    out_HWC: U8 = np.rint(mixed_HWC.clip(0, 255)).astype(np.uint8)
    return out_HWC


def from_photographs(photographs: DataSet, seed: int, transfer: Transfer) -> Translator:
    """A translator that gives every image the colours of a photograph drawn by seed and frame name."""

    def translate(name: str, image_HWC: U8) -> U8:
        return transfer(image_HWC, read_image(photographs.frames[chosen(photographs, seed, name)].image))

    return translate


def chosen(photographs: DataSet, seed: int, name: str) -> int:
    """Index of the photograph that the frame ``name`` takes its colours from."""
    return int(np.random.default_rng([seed, zlib.crc32(name.encode())]).integers(len(photographs)))
