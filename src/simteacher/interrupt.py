"""Ctrl-C at a step's end instead of inside it, so that what trains can be saved. Used by every training loop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ECHO = 2.0


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Turn the first Ctrl-C inside the block into a non-empty list, so that a step can end and be saved.

    A second one stops at once. Under a launcher both it and the terminal, or a scheduler, may send one: two within
    `ECHO` seconds are one there.
    """
    asked: list[int] = []
    began = 0.0
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, _: object) -> None:
        nonlocal began
        if asked and ("TORCHELASTIC_RUN_ID" not in os.environ or time.monotonic() - began > ECHO):
            raise KeyboardInterrupt
        if not asked:
            began = time.monotonic()
            asked.append(number)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
