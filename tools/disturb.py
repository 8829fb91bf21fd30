"""Disturbances of a batch of renders, on the device: what keeps a teacher from relying on how renders look.

Images are RGB in [0, 1], (B, 3, H, W), labels (B, H, W); a `torch.Generator` of their device makes them repeatable.
Each is drawn for each picture alone, with probability ``p``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simteacher.losses import IGNORE

LUMA = (0.299, 0.587, 0.114)
Rng = torch.Generator


def _one(g: Rng) -> float:
    return float(torch.rand(1, generator=g, device=g.device))


def _between(g: Rng, low: float, high: float) -> float:
    return low + (high - low) * _one(g)


def _normal(g: Rng, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, device=g.device)


def _some(n: int, p: float, g: Rng) -> Tensor:
    return torch.rand(n, 1, 1, 1, generator=g, device=g.device) < p


def blurred(x_BCHW: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, edges repeated."""
    r, c = max(1, int(3 * sigma + 0.5)), x_BCHW.shape[1]
    kernel = torch.exp(-0.5 * (torch.arange(-r, r + 1, device=x_BCHW.device, dtype=x_BCHW.dtype) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    across = F.pad(x_BCHW, (r, r, 0, 0), mode="replicate")
    x = F.conv2d(across, kernel.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
    return F.conv2d(F.pad(x, (0, 0, r, r), mode="replicate"), kernel.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)


def colour(x_BCHW: Tensor, g: Rng, k: float = 1.0, grey: float = 0.1, noise: float = 0.3, blur: float = 0.3) -> Tensor:
    """The recipe's changes of colour, ``data.views.recolour``, ``k`` times as strong."""
    n = len(x_BCHW)
    gamma, contrast = torch.exp(0.3 * k * _normal(g, n, 1, 1, 1)), torch.exp(0.2 * k * _normal(g, n, 1, 1, 1))
    brightness, gains = 0.08 * k * _normal(g, n, 1, 1, 1), torch.exp(0.1 * k * _normal(g, n, 3, 1, 1))
    x = ((x_BCHW.clamp(1e-4, 1) ** gamma * gains - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    saturation_B = torch.exp(0.3 * k * _normal(g, n)) * ~_some(n, grey, g).view(n)
    eye, luma = torch.eye(3, device=x.device), torch.tensor(LUMA, device=x.device)
    mix = saturation_B.view(n, 1, 1) * eye + (1 - saturation_B).view(n, 1, 1) * luma
    mix = mix + 0.05 * k * _normal(g, n, 3, 3) * saturation_B.clamp(max=1).view(n, 1, 1)
    x = torch.einsum("nij,njhw->nihw", mix / mix.sum(2, keepdim=True), x)
    sigma = 0.06 * torch.rand(n, 1, 1, 1, generator=g, device=g.device) * _some(n, noise, g)
    x = (x + sigma * _normal(g, *x.shape)).clamp(0, 1)
    return torch.cat([blurred(one, _between(g, 0.3, 1.5)) if _one(g) < blur else one for one in x.split(1)])


def light(x_BCHW: Tensor, g: Rng, p: float = 0.5, strength: float = 0.35) -> Tensor:
    """A smooth field of light and tint, and a curve of each channel."""
    n, size = len(x_BCHW), x_BCHW.shape[-2:]
    field = F.interpolate(strength * _normal(g, n, 1, 4, 5), size, mode="bicubic", align_corners=True)
    tint = F.interpolate(0.2 * strength * _normal(g, n, 3, 3, 3), size, mode="bicubic", align_corners=True)
    y = (x_BCHW * torch.exp(field + tint)).clamp(0, 1)
    bend = torch.rand(2, n, 3, 1, 1, generator=g, device=g.device) * 2 - 1
    y = y + 0.12 * bend[0] * torch.sin(torch.pi * y) + 0.08 * bend[1] * torch.sin(2 * torch.pi * y)
    return torch.where(_some(n, p, g), y.clamp(0, 1), x_BCHW)


def random_filter(x_BCHW: Tensor, g: Rng, p: float = 0.5) -> Tensor:
    """A random filter of 1 to 7 pixels, mixed with the picture (RandConv, Xu et al. 2021, arXiv:2007.13003)."""
    out = []
    for one in x_BCHW.split(1):
        if _one(g) < p:
            k = (1, 3, 5, 7)[int(torch.randint(4, (1,), generator=g, device=g.device))]
            seen = F.conv2d(F.pad(one, (k // 2,) * 4, mode="replicate"), _normal(g, 3, 3, k, k) / (3 * k * k) ** 0.5)
            seen = (seen - seen.mean((2, 3), keepdim=True)) / (seen.std((2, 3), keepdim=True) + 1e-4)
            seen = seen * one.std((2, 3), keepdim=True) + one.mean((2, 3), keepdim=True)
            one = torch.lerp(seen, one, _one(g)).clamp(0, 1)
        out.append(one)
    return torch.cat(out)


def spectrum(x_BCHW: Tensor, g: Rng, p: float = 0.5, beta: float = 0.08) -> Tensor:
    """Low frequencies' amplitudes partly those of another picture of the batch (Xu et al. 2021, arXiv:2105.11120).

    Args:
        x_BCHW: Images.
        g: Random generator.
        p: Chance.
        beta: Side of the square of low frequencies, of the spectrum's; 1 is all of it.
    """
    n, (h, w) = len(x_BCHW), x_BCHW.shape[-2:]
    transformed = torch.fft.fft2(x_BCHW)
    amplitude, phase = transformed.abs(), transformed.angle()
    other = amplitude[torch.randperm(n, generator=g, device=g.device)]
    fy, fx = torch.fft.fftfreq(h, device=g.device).abs()[:, None], torch.fft.fftfreq(w, device=g.device).abs()
    share = torch.rand(n, 1, 1, 1, generator=g, device=g.device) * ((fy < beta / 2) & (fx < beta / 2))
    mixed = torch.fft.ifft2(torch.polar(torch.lerp(amplitude, other, share), phase)).real.clamp(0, 1)
    return torch.where(_some(n, p, g), mixed, x_BCHW)


def sensor(x_BCHW: Tensor, g: Rng, p: float = 0.5) -> Tensor:
    """Fewer pixels, sharpened edges, blurred colour, blocks: what cheap cameras do."""
    h, w = x_BCHW.shape[-2:]
    out = []
    for one in x_BCHW.split(1):
        if _one(g) < p:
            s = _between(g, 0.4, 0.95)
            size = (max(8, int(h * s)), max(8, int(w * s)))
            small = F.interpolate(one, size, mode="bilinear", antialias=True, align_corners=False)
            one = F.interpolate(small, (h, w), mode="bilinear", align_corners=False)
        if _one(g) < p:
            one = (one + _between(g, 0.3, 2.0) * (one - blurred(one, _between(g, 0.6, 1.6)))).clamp(0, 1)
        if _one(g) < p:
            luma = (one * torch.tensor(LUMA, device=one.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
            one = (luma + blurred(one - luma, _between(g, 1, 3))).clamp(0, 1)
        if _one(g) < 0.6 * p:
            coarse = F.interpolate(F.avg_pool2d(one, 8, ceil_mode=True), scale_factor=8, mode="nearest")[..., :h, :w]
            step = _between(g, 0.02, 0.08)
            one = (coarse + torch.round((one - coarse) / step) * step).clamp(0, 1)
        out.append(one)
    return torch.cat(out)


def class_mix(x_BCHW: Tensor, label_BHW: Tensor, g: Rng, p: float = 0.5) -> tuple[Tensor, Tensor]:
    """Half of the next picture's classes pasted in, with their labels (ClassMix, Olsson et al. 2021)."""
    out, labels = x_BCHW.clone(), label_BHW.clone()
    for i in range(len(x_BCHW)):
        if _one(g) < p:
            j = (i + 1) % len(x_BCHW)
            present = torch.unique(label_BHW[j])
            present = present[present != IGNORE]
            kept = present[torch.randperm(len(present), generator=g, device=g.device)[: (len(present) + 1) // 2]]
            mask = torch.isin(label_BHW[j], kept)
            out[i], labels[i] = torch.where(mask, x_BCHW[j], x_BCHW[i]), torch.where(mask, label_BHW[j], label_BHW[i])
    return out, labels


class Statistics(nn.Module):
    """Channel means and deviations of feature maps drawn around their own (DSU, Li et al. 2022, arXiv:2202.03958).

    How far, is their deviation over the batch.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p
        self.g: Rng | None = None  # set at each step

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Disturbed while training; the map itself otherwise."""
        if not self.training or self.g is None or _one(self.g) > self.p:
            return x_BCHW
        x = x_BCHW.float()
        mean, std = x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True) + 1e-6).sqrt()
        drawn = [v + _normal(self.g, *v.shape) * (v.var(0, keepdim=True) + 1e-6).sqrt() for v in (mean, std)]
        return ((x - mean) / std * drawn[1] + drawn[0]).to(x_BCHW.dtype)
