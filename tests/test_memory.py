"""Freed memory stays with the process, so that a training step does not fault it in again."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest

from simteacher.memory import keep_freed_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_blocks_are_reused_without_page_faults() -> None:
    if not keep_freed_memory():
        pytest.skip("another C library")

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(64 * 2**20, np.uint8)  # freed at once
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    assert faults() < 1000  # 64 MiB in pages of 4 KiB are 16384
