"""Depth and flow: stored as the sets store them, checked with other readers and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data.geometry import read_depth, read_flow, read_vkitti2_flow, write_depth, write_flow
from simteacher.data.open import open_dataset
from simteacher.data.png16 import read_png16, write_flat_png, write_png16
from simteacher.errors import UserError
from tests import lookalikes
from tests.lookalikes.png16 import load_wide, save_wide
from tests.lookalikes.streets import save

WIDE_HWC = np.random.default_rng(0).integers(0, 65536, (9, 14, 3), dtype=np.uint16)


def test_16_bit_png_agrees_with_ffmpeg(tmp_path: Path) -> None:
    write_png16(tmp_path / "ours.png", WIDE_HWC)
    np.testing.assert_array_equal(load_wide(tmp_path / "ours.png"), WIDE_HWC)
    save_wide(tmp_path / "theirs.png", WIDE_HWC)
    np.testing.assert_array_equal(read_png16(tmp_path / "theirs.png"), WIDE_HWC)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1)])
def test_flat_png_as_pillow_reads_it(tmp_path: Path, kind: type, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    write_flat_png(tmp_path / "x.png", pixels)
    if kind == np.uint16 and len(shape) == 3:  # Pillow reads only half of these
        np.testing.assert_array_equal(load_wide(tmp_path / "x.png"), pixels)
    else:
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), pixels)


def test_16_bit_png_with_alpha(tmp_path: Path) -> None:
    alpha = np.full((9, 14, 1), 65535, np.uint16)
    save_wide(tmp_path / "x.png", np.concatenate([WIDE_HWC, alpha], axis=2))
    np.testing.assert_array_equal(read_png16(tmp_path / "x.png"), WIDE_HWC)


def test_8_bit_png_is_refused_as_16_bit(tmp_path: Path) -> None:
    save(tmp_path / "x.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="16 bits a channel were expected"):
        read_png16(tmp_path / "x.png")


def test_depth(tmp_path: Path) -> None:
    depth_HW = np.array([[0.0, 1.234, 655.34], [655.35, 1e9, np.inf]])
    write_depth(tmp_path / "d.png", depth_HW)
    expected = [[0, 1.23, 655.34], [np.inf, np.inf, np.inf]]
    np.testing.assert_allclose(read_depth(tmp_path / "d.png"), expected, atol=1e-4)


def test_virtual_kitti_depth_is_in_centimetres(tmp_path: Path) -> None:
    frame = open_dataset(lookalikes.vkitti2(tmp_path).spec).frames[1]
    assert frame.depth is not None
    depth_HW = read_depth(frame.depth)
    assert np.isinf(depth_HW[0, 0]) and depth_HW[-1, 0] == 2.0


def test_flow(tmp_path: Path) -> None:
    flow_HWC = np.array([[[0.5, -3.25], [np.nan, 0], [-511.984375, 500]]], np.float32)
    write_flow(tmp_path / "f.png", flow_HWC)
    back = read_flow(tmp_path / "f.png")
    np.testing.assert_array_equal(back[0, 0], [0.5, -3.25])
    assert np.isnan(back[0, 1]).all()
    np.testing.assert_array_equal(back[0, 2], [-511.984375, 500])
    # by the development kit: u = (R - 2^15) / 64, v likewise, B = valid
    assert load_wide(tmp_path / "f.png")[0, 0].tolist() == [32768 + 32, 32768 - 208, 1]


def test_virtual_kitti_flow(tmp_path: Path) -> None:
    stored = np.zeros((11, 21, 3), np.uint16)
    stored[0, 0], stored[0, 1] = (65535, 0, 65535), (32767, 32768, 1)
    save_wide(tmp_path / "f.png", stored)
    flow_HWC = read_vkitti2_flow(tmp_path / "f.png")
    np.testing.assert_allclose(flow_HWC[0, 0], [20, -10], atol=1e-4)
    np.testing.assert_allclose(flow_HWC[0, 1], [0, 0], atol=1e-3)
    assert np.isnan(flow_HWC[5, 5]).all()
