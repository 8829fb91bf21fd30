"""Progress of long work on stderr: a live bar with an ETA on a terminal, plain lines when piped, nothing when quiet.

stdout stays free for results, so that ``--json`` can be piped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

T = TypeVar("T")
LINE_EVERY = 10.0
"""Seconds between two plain lines; of work that takes longer, a twentieth of the time spent, a minute at most."""

_quiet = False
_live: RichProgress | None = None  # rich allows one live display at a time


def set_quiet(quiet: bool) -> None:
    """Silence progress and messages of this process (``--quiet``)."""
    global _quiet
    _quiet = quiet


def say(text: str) -> None:
    """Print one message for people on stderr, above a live bar where there is one."""
    if _quiet:
        return
    if _live is not None:
        _live.console.print(text, markup=False, highlight=False)
    else:
        print(text, file=sys.stderr, flush=True)


class Progress(Generic[T]):
    """Counts finished items. Iterate over it, or use it as a context manager and call `advance`.

    A second one inside a live one shows nothing: the outer one tells the story.
    """

    def __init__(self, items: Iterable[T], total: int | None, label: str, quiet: bool) -> None:
        self.items, self.total, self.label, self.quiet = items, total, label, quiet
        self.done, self.note = 0, ""
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._began = self._said = 0.0
        self._shown = False
        self._first: tuple[float, int] | None = None  # when the first item was done, and how many then were
        self._printed = 0

    def __enter__(self) -> Progress[T]:
        global _live
        self._began = self._said = time.monotonic()
        self._shown = not (self.quiet or _quiet or _live is not None)
        if self._shown and sys.stderr.isatty():
            self._bar = _make_bar()
            self._task = self._bar.add_task(self.label, total=self.total, note="")
            self._bar.start()
            _live = self._bar
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        global _live
        if self._bar is not None:
            self._bar.stop()
            _live = self._bar = None
        elif self._shown and kind is None and self.done != self._printed:
            self._line(time.monotonic())

    def __iter__(self) -> Iterator[T]:
        with self:
            for item in self.items:
                yield item
                self.advance()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count ``count`` more items as done; ``note`` (a loss, a file name) is shown behind the numbers."""
        self.done += count
        self.note = note or self.note
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, note=self.note)
        elif self._shown:
            now = time.monotonic()
            if self._first is None:
                self._first = (now, self.done)
            if now - self._said >= max(LINE_EVERY, min(60.0, (now - self._began) / 20)):
                self._line(now)

    def skip(self, count: int) -> None:
        """Count items that were done before this began; call it before `advance`, it does not make the ETA shorter."""
        self.done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count)

    def _line(self, now: float) -> None:
        self._said, self._printed = now, self.done
        of = f"/{self.total}" if self.total else ""
        when = f" in {clock(now - self._began)}"
        if self.total and self.done < self.total:
            since, done = self._first or (now, self.done)  # without the time that the first item needs to start
            rate = (self.done - done) / (now - since) if now > since else 0.0
            when = f", {clock((self.total - self.done) / rate)} left" if rate else ""
        note = f"  {self.note}" if self.note else ""
        print(f"{self.label}: {self.done}{of}{when}{note}", file=sys.stderr, flush=True)


def _make_bar() -> RichProgress:
    from rich import progress as rich
    from rich.console import Console

    columns: list[Any] = [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        rich.TextColumn("{task.fields[note]}", style="dim", markup=False),
    ]
    return rich.Progress(*columns, console=Console(stderr=True))


def clock(seconds: float) -> str:
    """``95`` -> ``1:35``, ``3700`` -> ``1:01:40``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@overload
def progress(items: int, label: str, *, quiet: bool = False) -> Progress[int]: ...
@overload
def progress(items: Iterable[T], label: str, *, quiet: bool = False) -> Progress[T]: ...
def progress(items: Any, label: str, *, quiet: bool = False) -> Progress[Any]:
    """Show the progress of a loop.

    Args:
        items: What to iterate over, or a number of items that `Progress.advance` counts.
        label: A few words: "render", "teacher", "label round 1".
        quiet: Show nothing, for instance on every process but the first.
    """
    if isinstance(items, int):
        return Progress(range(items), items, label, quiet)
    return Progress(items, len(items) if isinstance(items, Sized) else None, label, quiet)
