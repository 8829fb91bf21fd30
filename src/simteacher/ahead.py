"""Reading ahead: a background thread opens the next files while the network works. Used by `evaluate` and `predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def ahead(items: Iterable[S], read: Callable[[S], T], depth: int) -> Iterator[T]:
    """Map ``read`` over ``items`` in a background thread, ``depth`` results ahead; errors arrive in their place."""
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[T]] = []
        try:
            for item in items:
                waiting.append(pool.submit(read, item))
                if len(waiting) > depth:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def batches(items: Iterable[T], alike: Callable[[T], object], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Group neighbours that are ``alike`` into lists of at most ``size(first)``; order is kept.

    When the source fails, what it gave before is still handed on, and only then the error.
    """
    pending: list[T] = []
    failed: Exception | None = None
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except Exception as error:
            failed = error
            break
        if pending and (len(pending) >= size(pending[0]) or alike(pending[0]) != alike(item)):
            yield pending
            pending = []
        pending.append(item)
    if pending:
        yield pending
    if failed is not None:
        raise failed
