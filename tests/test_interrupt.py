"""Ctrl-C while a step is made: the first waits for its end, a second stops at once; a launcher's echo is neither."""

from __future__ import annotations

import os
import signal
import time

import pytest

from simteacher import interrupt
from simteacher.interrupt import interruptible


def ctrl_c() -> None:
    """As a terminal or a launcher sends it; the handler runs before the next line."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


def test_the_first_waits_and_the_second_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible() as asked:
        assert not asked
        ctrl_c()
        assert asked
        ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_two_at_once_are_one_under_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """It forwards what the terminal, or a scheduler, sends to each process as well."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with interruptible() as asked:
        ctrl_c()
        ctrl_c()
        assert len(asked) == 1
    monkeypatch.setattr(interrupt, "ECHO", 0.0)
    with pytest.raises(KeyboardInterrupt), interruptible() as asked:
        ctrl_c()
        ctrl_c()
