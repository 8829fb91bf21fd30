"""Maps scaled by pixel centres: against torch's own kernel, and by what a shift of the picture must do."""

from __future__ import annotations

import pytest
import torch
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.models.fpn import by_centres
from simteacher.models.resize import enlarge


@pytest.mark.parametrize(("small", "large"), [((5, 7), (80, 112)), ((20, 28), (80, 113)), ((3, 4), (3, 9))])
def test_enlarging_and_its_gradient_are_those_of_torch(small: tuple[int, int], large: tuple[int, int]) -> None:
    g = torch.Generator().manual_seed(1)
    x, pull = torch.randn(2, 3, *small, generator=g), torch.randn(2, 3, *large, generator=g)
    seen = []
    for grow in (enlarge, lambda y, size: F.interpolate(y, size=size, mode="bilinear", align_corners=False)):
        start = x.clone().to(memory_format=torch.channels_last).requires_grad_()
        out = grow(start, large)
        (out * pull).sum().backward()
        assert start.grad is not None
        seen.append((out.detach(), start.grad))
    torch.testing.assert_close(seen[0], seen[1], atol=1e-5, rtol=1e-5)
    assert torch.equal(enlarge(x, large), F.interpolate(x, size=large, mode="bilinear", align_corners=False))
    assert enlarge(x, small) is x


def _shifted(decoder: nn.Module, levels: list[Tensor]) -> float:
    """How far the decoder's answers to two windows of the same maps differ where both see the same surroundings."""
    with torch.inference_mode():
        first, second = (
            decoder(
                [m[..., cells(0, k) : cells(10, k), :] if not late else m[..., cells(2, k) :, :] for k, m in levels]
            )
            for late in (False, True)
        )
    assert first.shape == second.shape
    return float((first[..., 40:56, 40:56] - second[..., 24:40, 40:56]).abs().max() / first.abs().max())


def cells(count: int, level: int) -> int:
    """Cells of stride 32 in cells of stride ``2**level``."""
    return count << (5 - level)


def test_maps_lie_over_each_other_wherever_they_are() -> None:
    """A picture moved by 64 rows has its answer moved by 64 rows; with the library's own scaling it has not."""
    torch.manual_seed(2)
    decoder = FPNDecoder((3, 4, 4, 8, 8, 8), encoder_depth=5, pyramid_channels=16, segmentation_channels=32).eval()
    for module in [*decoder.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):  # its statistics are those of the window
                setattr(module, name, nn.Identity())
    channels = (3, 4, 4, 8, 8, 8)
    levels = [(k, torch.randn(1, channels[k], 12 << (5 - k), 10 << (5 - k))) for k in range(6)]
    names = list(decoder.state_dict())
    assert _shifted(decoder, levels) > 1e-2  # type: ignore[arg-type]
    head = nn.Sequential(nn.Conv2d(32, 5, 1), nn.Upsample(scale_factor=4, mode="bilinear", align_corners=True))
    by_centres(decoder, head)
    assert _shifted(decoder, levels) < 1e-5  # type: ignore[arg-type]
    assert list(decoder.state_dict()) == names
    assert head(torch.zeros(1, 32, 6, 8)).shape == (1, 5, 6, 8)
