"""The one error that users see: what is wrong, where, and what to do. Every command turns it into exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path


class UserError(Exception):
    """The user's input, config or data is wrong.

    Args:
        problem: What is wrong, in one sentence without a full stop.
        where: The file, key or argument it concerns.
        fix: What the user can do about it.
    """

    def __init__(self, problem: str, where: str | Path | None = None, fix: str | None = None) -> None:
        self.problem, self.where, self.fix = problem, None if where is None else str(where), fix
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{head}\n  fix: {self.fix}" if self.fix else head


def one_of(errors: Sequence[UserError]) -> UserError:
    """One message about several files that cannot be read."""
    if len(errors) == 1:
        return errors[0]
    first, *others = errors
    names = ", ".join(Path(error.where or "").name for error in others[:5]) + (", …" if others[5:] else "")
    count = f"{len(others)} other{'s' if others[1:] else ''}"
    return UserError(f"{first.problem}; nor can {count} be read: {names}", first.where, first.fix)


def out_of_memory(error: BaseException) -> UserError | None:
    """What to tell the user where an error says that memory is used up, the processor's or an accelerator's."""
    words = "can't allocate memory"  # of torch, on a CPU
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or words in str(error):
        fix = "a smaller batch or size (--set budget.batch=2), fewer --workers, or close other programs"
        return UserError("the memory is used up", None, fix)
    return None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
