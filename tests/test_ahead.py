"""Reading ahead: order, bounds, and what happens to finished work when a file fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simteacher.ahead import ahead, batches


def test_order_is_kept_and_no_more_is_read_than_asked() -> None:
    read: list[int] = []

    def square(n: int) -> int:
        read.append(n)
        return n * n

    stream = ahead(range(100), square, 3)
    assert [next(stream) for _ in range(5)] == [0, 1, 4, 9, 16]
    stream.close()  # type: ignore[attr-defined]
    assert len(read) <= 9


def test_neighbours_that_are_alike_share_a_batch() -> None:
    words = ["a", "b", "cc", "d", "e", "f", "g"]
    assert list(batches(words, len, lambda _: 3)) == [["a", "b"], ["cc"], ["d", "e", "f"], ["g"]]
    assert list(batches(words[:2], len, lambda _: 0)) == [["a"], ["b"]], "one is always taken"


def test_what_came_before_an_error_is_handed_on_first() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    stream = batches(failing(), lambda _: 0, lambda _: 8)
    assert next(stream) == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(stream)
