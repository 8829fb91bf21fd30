"""Progress goes to stderr: a bar on a terminal, lines when piped, nothing when quiet."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from simteacher import progress as module
from simteacher.progress import clock, progress, say, set_quiet

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    yield
    set_quiet(False)


class Clock:
    """A clock that each look moves on by one second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_piped_lines_say_how_long_it_still_takes(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", Clock())
    monkeypatch.setattr(module, "LINE_EVERY", 0.0)
    assert list(progress(["a", "b", "c", "d"], "render")) == ["a", "b", "c", "d"]
    out, err = capsys.readouterr()
    assert out == ""
    # the clock is looked at once an item, so that an item takes a second
    assert err.splitlines() == [
        "render: 1/4",
        "render: 2/4, 0:02 left",
        "render: 3/4, 0:01 left",
        "render: 4/4 in 0:04",
    ]


def test_what_was_done_before_does_not_count_for_the_eta(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", Clock())
    monkeypatch.setattr(module, "LINE_EVERY", 0.0)
    with progress(100, "predict") as bar:
        bar.skip(90)
        for _ in range(3):
            bar.advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "predict: 92/100",
        "predict: 94/100, 0:03 left",
        "predict: 96/100, 0:02 left",
    ]


def test_lines_become_rarer(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", Clock())
    for _ in progress(3600, "teacher"):
        pass
    assert 70 < len(capsys.readouterr().err.splitlines()) < 110


def test_few_lines_when_fast(capsys: Capture) -> None:
    with progress(1000, "teacher") as bar:
        for step in range(1000):
            bar.advance(note=f"loss {step}")
    assert capsys.readouterr().err == "teacher: 1000/1000 in 0:00  loss 999\n"


def test_unknown_length(capsys: Capture) -> None:
    assert sum(progress(iter([1, 2]), "read")) == 3
    assert capsys.readouterr().err == "read: 2 in 0:00\n"


def test_quiet(capsys: Capture) -> None:
    set_quiet(True)
    say("hello")
    assert list(progress(3, "x")) == [0, 1, 2]
    set_quiet(False)
    assert list(progress(3, "x", quiet=True)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_nothing_is_said_of_what_failed(capsys: Capture) -> None:
    with pytest.raises(ValueError), progress(3, "x") as bar:
        bar.advance()
        raise ValueError
    assert capsys.readouterr().err == ""


def test_terminal_bar_and_messages_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(2, "label [round]"):
        say("between [1]")
        assert list(progress(5, "inner")) == [0, 1, 2, 3, 4]
    shown = terminal.getvalue()
    assert "2/2" in shown
    assert "between [1]" in shown
    assert "inner" not in shown
    say("after")
    assert terminal.getvalue().endswith("after\n")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (95, "1:35"), (3700, "1:01:40"), (59.6, "1:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
