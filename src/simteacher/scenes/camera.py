"""What lens, sensor and processing do to radiance: vignette, exposure, noise, white balance, tone curve, blur, JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from simteacher.scenes.mesh import F32, CameraSpec
from simteacher.scenes.vectors import median

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
    capped = np.minimum(luma, 4 * float(median(luma)) + 1e-6)
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
    gain_3 = np.float32(gain * camera.exposure) * np.asarray(camera.white_balance, np.float32)
    x = rgb_HW3.reshape(h, -1) * np.tile(gain_3, w)  # whole rows: numpy is slow at three numbers at a time
    if camera.vignette > 0:
        i, j = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        x *= np.repeat((1 - camera.vignette * ((i * i + j * j) / 2)).astype(np.float32), 3, 1)
    np.minimum(x, np.float32(4), out=x)  # the well is full: bloom stays bounded
    x_HW3 = x.reshape(h, w, 3)
    if camera.blur > 0.05:
        for axis in (0, 1):
            x_HW3 = ndimage.gaussian_filter1d(x_HW3, camera.blur, axis, mode="nearest", truncate=3.0)
        x = x_HW3.reshape(h, -1)
    if camera.noise > 0:  # shot noise grows with the root of the light, read noise does not (EMVA 1288)
        grain = rng.standard_normal(x.shape, np.float32)
        strength = np.maximum(x, 0)
        strength *= np.float32(0.9)
        strength += np.float32(0.02)
        np.sqrt(strength, out=strength)
        strength *= np.float32(NOISE * camera.noise)
        strength *= grain
        x += strength
    if camera.saturation != 1:
        grey = np.repeat(x_HW3 @ LUMA, 3, 1)
        x -= grey
        x *= np.float32(camera.saturation)
        x += grey
    x_HW3 = _tone(np.maximum(x, 0, out=x), *camera.gamma_contrast).reshape(h, w, 3)
    if camera.blur < SOFT:
        _sharpen(x_HW3, np.float32(0.4 * (1 - camera.blur / SOFT)))
    np.clip(x_HW3, 0, 1, out=x_HW3)
    x_HW3 *= 255
    x_HW3 += np.float32(0.5)
    return x_HW3.astype(np.uint8)


def _sharpen(x_HW3: F32, amount: np.float32) -> None:
    """Unsharp mask over the four neighbours, in place: what cameras do to pictures of a good lens."""
    centre = x_HW3[1:-1, 1:-1]
    around = x_HW3[:-2, 1:-1] + x_HW3[2:, 1:-1]
    around += x_HW3[1:-1, :-2]
    around += x_HW3[1:-1, 2:]
    around *= np.float32(0.25)
    np.subtract(centre, around, out=around)
    around *= amount
    centre += around


def _tone(x: F32, gamma: float, contrast: float) -> F32:
    """Gamma, contrast about mid grey, and a short shoulder before white instead of a hard edge."""
    grid = np.linspace(0, 4, 4097, dtype=np.float64)
    y = (np.maximum(grid - BLACK, 0) / (1 - BLACK)) ** (1 / gamma)
    y = 0.46 * (y / 0.46) ** (contrast * CONTRAST)
    curve = np.where(y > 0.8, 0.8 + 0.2 * np.tanh((y - 0.8) / 0.2), y)  # a table: powers of whole images are slow
    at = x * np.float32(0.25)
    np.sqrt(at, out=at)
    np.minimum(at, 1, out=at)
    at *= np.float32(4096)
    table = np.interp(np.linspace(0, 1, 4097) ** 2 * 4, grid, curve).astype(np.float32)
    out: F32 = table.take(at.astype(np.intp))
    return out


def jpeg(image_HW3: npt.NDArray[np.uint8], quality: int) -> bytes:
    """JPEG bytes; cheap cameras (quality below 90) also halve the colour resolution."""
    stream = io.BytesIO()
    Image.fromarray(image_HW3).save(stream, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    return stream.getvalue()
