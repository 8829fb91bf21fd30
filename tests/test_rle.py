"""Run-length masks against pycocotools and against masks drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simteacher import rle


@pytest.mark.parametrize("seed", range(6))
def test_same_string_as_the_coco_api(seed: int) -> None:
    api = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    height, width = int(rng.integers(1, 70)), int(rng.integers(1, 90))
    mask = rng.random((height, width)) < [0.5, 0.02, 0.98, 0.0, 1.0, 0.3][seed]
    theirs = api.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = rle.compress(rle.runs(mask))
    assert text == theirs["counts"].decode()
    np.testing.assert_array_equal(rle.mask_of({"size": [height, width], "counts": text}, height, width), mask)


def test_by_hand() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert rle.runs(mask) == [2, 3, 1]
    assert rle.runs(~mask) == [0, 2, 3, 1]
    np.testing.assert_array_equal(rle.mask_of({"size": [2, 3], "counts": [2, 3, 1]}, 2, 3), mask)


def test_polygons_cover_the_pixels_inside() -> None:
    square = [2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0]
    wanted = np.zeros((5, 8), bool)
    wanted[1:4, 2:6] = True
    np.testing.assert_array_equal(rle.mask_of([square], 5, 8), wanted)


@pytest.mark.parametrize(
    "wrong",
    [None, [[1, 2]], {"size": [2, 2], "counts": [4]}, {"size": [2, 3], "counts": [5]}, {"size": [2, 3], "counts": "P"}],
)
def test_what_does_not_fit_is_an_error(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"mask|runs|cut off"):
        rle.mask_of(wrong, 2, 3)
