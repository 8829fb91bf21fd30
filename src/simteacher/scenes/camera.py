"""What lens, sensor and processing do to radiance: vignette, exposure, noise, white balance, tone curve, blur, JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from simteacher.scenes.mesh import F32, CameraSpec

GREY = 0.13  # where metering puts the mean of a scene
CONTRAST, BLACK = 1.4, 0.004  # of a neutral picture: what makes the tones of renders spread like those of photographs
NOISE = 1.5  # linear noise that is 1 after the tone curve, at mid grey
SOFT = 0.4  # pixels of blur from which on nothing is sharpened
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def meter(rgb_HW3: F32) -> float:
    """Gain of a centre-weighted meter that is not fooled by a bright sky (it caps what is far above the median)."""
    luma = rgb_HW3 @ LUMA
    h = luma.shape[0]
    weight = np.linspace(0.5, 1.2, h, dtype=np.float32)[:, None]
    capped = np.minimum(luma, 4 * float(np.median(luma)) + 1e-6)
    return GREY / max(float((capped * weight).mean() / weight.mean()), 1e-6)


def expose(rgb_HW3: F32, camera: CameraSpec, rng: np.random.Generator, gain: float) -> npt.NDArray[np.uint8]:
    """Develop linear radiance to an 8-bit picture.

    Args:
        rgb_HW3: Linear radiance.
        camera: What to do; its ``exposure`` multiplies ``gain``.
        rng: For the noise.
        gain: From `meter`, or fixed for a clip.

    Returns:
        sRGB-like uint8, shape (H, W, 3).
    """
    h, w = rgb_HW3.shape[:2]
    x = rgb_HW3 * (np.float32(gain * camera.exposure) * np.asarray(camera.white_balance, np.float32))
    if camera.vignette > 0:
        i, j = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        x = x * (1 - camera.vignette * ((i * i + j * j) / 2)[..., None]).astype(np.float32)
    x = np.minimum(x, np.float32(4))  # the well is full: bloom stays bounded
    if camera.blur > 0.05:
        x = ndimage.gaussian_filter1d(x, camera.blur, 0, mode="nearest", truncate=3.0)
        x = ndimage.gaussian_filter1d(x, camera.blur, 1, mode="nearest", truncate=3.0)
    if camera.noise > 0:  # shot noise grows with the root of the light, read noise does not (EMVA 1288)
        grain = rng.standard_normal(x.shape, np.float32)
        x = (
            x
            + np.float32(NOISE * camera.noise) * np.sqrt(np.maximum(x, 0) * np.float32(0.9) + np.float32(0.02)) * grain
        )
    if camera.saturation != 1:
        grey = (x @ LUMA)[..., None]
        x = grey + (x - grey) * np.float32(camera.saturation)
    x = _tone(np.maximum(x, 0), *camera.gamma_contrast)
    if camera.blur < SOFT:
        _sharpen(x, np.float32(0.4 * (1 - camera.blur / SOFT)))
    return (np.clip(x, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)


def _sharpen(x_HW3: F32, amount: np.float32) -> None:
    """Unsharp mask over the four neighbours, in place: what cameras do to pictures of a good lens."""
    centre = x_HW3[1:-1, 1:-1]
    around = x_HW3[:-2, 1:-1] + x_HW3[2:, 1:-1] + x_HW3[1:-1, :-2] + x_HW3[1:-1, 2:]
    centre += amount * (centre - around * np.float32(0.25))


def _tone(x: F32, gamma: float, contrast: float) -> F32:
    """Gamma, contrast about mid grey, and a short shoulder before white instead of a hard edge."""
    grid = np.linspace(0, 4, 4097, dtype=np.float64)
    y = (np.maximum(grid - BLACK, 0) / (1 - BLACK)) ** (1 / gamma)
    y = 0.46 * (y / 0.46) ** (contrast * CONTRAST)
    curve = np.where(y > 0.8, 0.8 + 0.2 * np.tanh((y - 0.8) / 0.2), y)  # a table: powers of whole images are slow
    at = np.minimum(np.sqrt(x * np.float32(0.25)), 1) * np.float32(4096)
    table = np.interp(np.linspace(0, 1, 4097) ** 2 * 4, grid, curve).astype(np.float32)
    out: F32 = table[at.astype(np.int32)]
    return out


def jpeg(image_HW3: npt.NDArray[np.uint8], quality: int) -> bytes:
    """JPEG bytes; cheap cameras (quality below 90) also halve the colour resolution."""
    stream = io.BytesIO()
    Image.fromarray(image_HW3).save(stream, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    return stream.getvalue()
