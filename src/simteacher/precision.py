"""Where networks compute in bf16: on devices that have instructions for it, and in float32 on all others.

A processor without them goes through a slow reference code: one core of Zen 3 read a 480×360 photograph in two views in
6.5 s in bf16, and reads it in 0.6 s in float32. Most laptops are of its kind.
"""

from __future__ import annotations

from functools import cache

import torch


def kind_of_device() -> str:
    """What training takes: "mps", "cuda" or "cpu"."""
    return "mps" if torch.backends.mps.is_available() else "cuda" if torch.cuda.is_available() else "cpu"


def threads() -> int:
    """Threads that share a network's work on the processor. Another number sums in another order."""
    return torch.get_num_threads()


@cache
def has_bf16(device: str) -> bool:
    """Whether a kind of device ("cpu", "cuda", "mps") computes in bf16 faster than in float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    library: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return library and any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))  # the last: Arm


def autocast(device: str) -> torch.autocast:
    """Context in which a network runs, training or not, on that kind of device."""
    return torch.autocast(device, torch.bfloat16, enabled=has_bf16(device))
