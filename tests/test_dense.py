"""Reading any size: scaling against PyTorch's own, windows against one pass, memory against a bound."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from simteacher.dense import probabilities, read_images, working_size
from simteacher.errors import UserError
from simteacher.labels import SPACES
from tests.stub_model import StubCard, StubModel, blocks


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random picture."""
    small = torch.from_numpy(np.random.default_rng(seed).random((1, 3, 9, 13), np.float32))
    big = F.interpolate(small, size=(height, width), mode="bicubic", align_corners=False).clamp(0, 1)
    return (big[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "trained", "scale", "wanted"),
    [
        ((360, 480), (480, 360), 1.0, (360, 480)),  # as trained
        ((400, 533), (480, 360), 1.0, (400, 533)),  # a little larger: kept
        ((480, 640), (480, 360), 1.0, (360, 480)),
        ((3000, 4000), (480, 360), 1.0, (360, 480)),  # a camera's photograph
        ((4000, 3000), (480, 360), 1.0, (480, 360)),  # the camera turned upright
        ((120, 160), (480, 360), 1.0, (360, 480)),  # a thumbnail is enlarged
        ((1024, 2048), (480, 360), 1.0, (360, 720)),  # wide: the short side counts
        ((3, 4000), (480, 360), 1.0, (24, 32000)),  # a strip: enlarged eight times, not to 360 rows of 480,000 pixels
        ((3000, 4000), (480, 360), 2.0, (720, 960)),
    ],
)
def test_working_size(image: tuple[int, int], trained: tuple[int, int], scale: float, wanted: tuple[int, int]) -> None:
    assert working_size(*image, trained, scale) == wanted


def test_scores_are_scaled_up_as_pytorch_does() -> None:
    model = StubModel()
    image = picture(301, 407)
    read = read_images(model, [image])[0]
    h, w = working_size(301, 407, model.card.size)
    assert model.seen == [(1, h, w)]

    small = np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR))
    logits = model.logits(torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255)
    wanted = F.interpolate(logits, size=(301, 407), mode="bilinear", align_corners=False)[0].softmax(0)
    np.testing.assert_allclose(probabilities(model, image), wanted, atol=2e-5)
    np.testing.assert_allclose(read.confidence_HW, wanted.max(0).values, atol=2e-5)
    assert (read.label_HW == wanted.argmax(0).numpy()).mean() > 0.9999


@pytest.mark.parametrize(("height", "width", "scale"), [(48, 64, 4.0), (300, 111, 3.0), (47, 640, 1.0)])
def test_windows_answer_as_one_pass_does(
    height: int, width: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(height, width)
    windowed = StubModel(reach=4)  # less than the margin of a window
    read = read_images(windowed, [image], scale=scale)[0]
    assert len(windowed.seen) > 1
    monkeypatch.setattr("simteacher.dense.WINDOW", 1e6)
    whole = StubModel(reach=4)
    wanted = read_images(whole, [image], scale=scale)[0]
    assert len(whole.seen) == 1
    np.testing.assert_allclose(read.confidence_HW, wanted.confidence_HW, atol=0.02)  # pixels are 8-bit after scaling
    assert (read.label_HW == wanted.label_HW).mean() > 0.998


def test_equal_sizes_share_a_pass_and_order_is_kept() -> None:
    model = StubModel()
    images = [picture(48, 64, 1), picture(50, 70, 2), picture(48, 64, 3)]
    together = read_images(model, images)
    assert model.seen == [(2, 48, 64), (1, 50, 70)]
    for image, seen in zip(images, together, strict=True):
        np.testing.assert_array_equal(seen.label_HW, read_images(StubModel(), [image])[0].label_HW)


def test_two_views_are_averaged() -> None:
    """Against Pillow: the image enlarged and mirrored, its probabilities mirrored back and made smaller."""
    image = picture(48, 64)
    close = np.ascontiguousarray(
        np.asarray(Image.fromarray(image).resize((96, 72), Image.Resampling.BILINEAR))[:, ::-1]
    )
    plain, near = (
        StubModel().logits(torch.from_numpy(i).permute(2, 0, 1)[None].float() / 255).softmax(1)[0].numpy()
        for i in (image, close)
    )
    small = [np.asarray(Image.fromarray(p[:, ::-1]).resize((64, 48), Image.Resampling.BILINEAR)) for p in near]
    both = probabilities(StubModel(), image, views=2)
    np.testing.assert_allclose(both, (plain + np.stack(small)) / 2, atol=1e-4)
    assert np.abs(both - plain).max() > 0.05
    for views, passes in ((1, 1), (2, 2), (3, 3)):
        told = StubModel(StubCard(views=views))
        asked = read_images(StubModel(), [image], views=views)[0]
        assert np.array_equal(read_images(told, [image], views=None)[0].confidence_HW, asked.confidence_HW)
        assert len(set(told.seen)) == passes
    with pytest.raises(UserError, match="1, 2 or 3 views, not in 4"):
        read_images(StubModel(), [image], views=4)


def test_a_third_view_is_twice_as_close_and_images_keep_apart() -> None:
    images = [picture(48, 64), picture(48, 64)[::-1].copy()]
    for image, seen in zip(images, read_images(StubModel(), images, views=3), strict=True):
        wide = np.array(Image.fromarray(image).resize((128, 96), Image.Resampling.BILINEAR))
        near = StubModel().logits(torch.from_numpy(wide).permute(2, 0, 1)[None].float() / 255).softmax(1)[0].numpy()
        small = np.stack([np.asarray(Image.fromarray(p).resize((64, 48), Image.Resampling.BILINEAR)) for p in near])
        mean = (2 * probabilities(StubModel(), image, views=2) + small) / 3
        np.testing.assert_allclose(seen.confidence_HW, mean.max(0), atol=1e-4)
        assert (seen.label_HW == mean.argmax(0)).mean() > 0.999


def peak_mb() -> float:
    """Highest memory of this process since it was last reset."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux counts it")
def test_a_large_photograph_stays_in_bounded_memory() -> None:
    """19 class scores of 6 megapixels would be 456 MB; the photograph, its label and its confidence are 48 MB."""

    class Wide(StubModel):
        def logits(self, image_BCHW: torch.Tensor) -> torch.Tensor:
            return super().logits(image_BCHW).repeat(1, 7, 1, 1)[:, :19]

    model = Wide(StubCard(SPACES["cityscapes19"], (480, 360)))
    image = np.tile(blocks(0, 200, 300)[0], (10, 10, 1))
    read_images(model, [image[:400, :600]])
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = peak_mb()
    read_images(model, [image])
    assert peak_mb() - before < 300


def test_a_window_as_large_as_the_photograph_is_still_a_window() -> None:
    image = picture(432, 576)
    whole = StubModel(StubCard(size=(480, 360)))
    for scale in (2.4, 2.5):
        at_once = F.interpolate(
            whole.logits(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255), size=image.shape[:2]
        )[0].softmax(0)
        read = probabilities(StubModel(StubCard(size=(480, 360))), image, scale=scale)
        assert (read.argmax(0) != at_once.argmax(0).numpy()).mean() < 0.02, scale
