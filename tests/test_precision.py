"""bf16 where the processor names the instructions for it, float32 elsewhere, the same in training and in use."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from simteacher import precision
from simteacher.processes import Autocast

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.is_file(), reason="only Linux lists a processor's instructions there")
def test_the_processor_is_asked() -> None:
    flags = set(CPUINFO.read_text(encoding="utf-8").split())
    assert precision.has_bf16("cpu") == bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_training_and_use_compute_alike(monkeypatch: pytest.MonkeyPatch, able: bool, dtype: torch.dtype) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: able)
    layer, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    with precision.autocast("cpu"):
        in_use = layer(x)
    with Autocast("cpu").forward_context():
        in_training = layer(x)
    assert in_use.dtype == in_training.dtype == dtype
    assert torch.equal(in_use, in_training)
    assert layer(x).dtype == torch.float32  # nothing stays switched on


def test_no_reference_code_on_this_processor() -> None:
    """A convolution under our autocast takes no path that is many times slower than float32's."""
    layer, x = nn.Conv2d(64, 64, 3, padding=1), torch.rand(2, 64, 64, 64)

    def quickest() -> float:
        spent = []
        for _ in range(5):
            began = time.thread_time()
            layer(x)
            spent.append(time.thread_time() - began)
        return min(spent)

    plain = quickest()
    with torch.inference_mode(), precision.autocast("cpu"):
        assert quickest() < 5 * plain
