"""Pictures of every kind become the same 8-bit RGB; broken ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data.images import image_size, read_image
from simteacher.errors import UserError
from tests.lookalikes.png16 import save_wide
from tests.lookalikes.streets import photo

RGB_HWC = photo(np.random.default_rng(0), (40, 30))
GREY_HW = RGB_HWC[..., 0]


def test_modes_agree(tmp_path: Path) -> None:
    opaque = np.concatenate([RGB_HWC, np.full((30, 40, 1), 7, np.uint8)], axis=2)
    grey_rgb = np.repeat(GREY_HW[..., None], 3, axis=2)
    kinds = {
        "rgb.png": (Image.fromarray(RGB_HWC), RGB_HWC),
        "rgba.png": (Image.fromarray(opaque), RGB_HWC),
        "rgb.webp": (Image.fromarray(RGB_HWC), RGB_HWC),
        "rgb.bmp": (Image.fromarray(RGB_HWC), RGB_HWC),
        "rgb.tif": (Image.fromarray(RGB_HWC), RGB_HWC),
        "grey.png": (Image.fromarray(GREY_HW), grey_rgb),
        "grey16.png": (Image.fromarray(GREY_HW.astype(np.uint16) * 257), grey_rgb),
        "palette.png": (Image.fromarray(grey_rgb).quantize(256), grey_rgb),
    }
    for name, (picture, expected) in kinds.items():
        picture.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
        np.testing.assert_array_equal(read_image(tmp_path / name), expected, err_msg=name)
        assert image_size(tmp_path / name) == (40, 30)


def test_16_bit_colour_keeps_the_upper_half(tmp_path: Path) -> None:
    save_wide(tmp_path / "wide.png", RGB_HWC.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(tmp_path / "wide.png"), RGB_HWC)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, turn: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(RGB_HWC).save(path, exif=exif)
    expected = np.rot90(RGB_HWC, turn)
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == expected.shape[1::-1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
def test_truncated_files_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(photo(np.random.default_rng(1), (200, 150))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"truncated or damaged|no image") as error:
        read_image(path)
    assert error.value.where == str(path) and error.value.fix


def test_what_is_no_image(tmp_path: Path) -> None:
    for content, said in ((b"", "empty"), (b"hello", "no image")):
        path = tmp_path / "x.jpg"
        path.write_bytes(content)
        for read in (read_image, image_size):
            with pytest.raises(UserError, match=said):
                read(path)
    with pytest.raises(UserError, match="no such file"):
        read_image(tmp_path / "missing.jpg")
    Image.fromarray(np.full((4, 4), 1e6, np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match="no 8- or 16-bit pixels"):
        read_image(tmp_path / "float.tif")
