"""What the package's functions refuse to be called with: every argument of the wrong kind, and empty paths."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simteacher
from simteacher.data import open_dataset
from simteacher.errors import UserError
from simteacher.typed import typed
from tests import lookalikes


@typed
def called(
    place: str | Path,
    count: int = 1,
    share: float | None = None,
    size: tuple[int, int] | None = None,
    set: dict[str, Any] | None = None,
    flag: bool = False,
    data: str | DataSet | None = None,  # type: ignore[name-defined]  # noqa: F821 - read as text, never looked up
) -> str:
    """Its words."""
    return f"{place} {count} {share} {size} {set} {flag} {data}"


def test_what_fits_goes_through(tmp_path: Path) -> None:
    assert called("a", 2, share=0.5) == "a 2 0.5 None None False None" and called.__doc__ == "Its words."
    assert called(Path("a"), np.int64(3), share=1, size=[4, np.int32(5)]).startswith("a 3 1 (4, 5) ")  # type: ignore[arg-type]
    assert called("a", share=Fraction(1, 2), set={"seed": 1}, flag=True)  # type: ignore[arg-type]
    assert called("a", data=open_dataset(lookalikes.photographs(tmp_path).spec))
    with pytest.raises(TypeError, match="unexpected keyword"):
        called("a", scale=1)  # type: ignore[call-arg]


def test_numbers_and_places_come_as_pythons_own() -> None:
    """What a function is given it writes into files, too."""

    class Place:
        def __fspath__(self) -> str:
            return "a"

    @typed
    def given(place: str | Path, count: int, share: float, size: tuple[int, int], *, more: int = 1) -> tuple[Any, ...]:
        return place, count, share, size, more

    got = given(Place(), np.int64(3), np.float32(0.5), [np.int32(4), 5], more=np.uint8(7))  # type: ignore[arg-type]
    assert got == (Path("a"), 3, 0.5, (4, 5), 7)
    assert [type(v) for v in (got[1], got[2], got[3][0], got[4])] == [int, float, int, int]
    with pytest.raises(TypeError, match=r"given\(\) missing 3 required positional arguments"):
        given("a")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"place": 3}, "'place' takes text or a path, and this is a int, 3"),
        ({"place": ["a", "b"]}, "a list, ['a', 'b']"),
        ({"place": None}, "and this is None"),
        ({"place": ""}, "no path is given"),
        ({"place": " "}, "is a variable unset?"),
        ({"count": "3"}, "'count' takes a whole number, and this is a str, '3'"),
        ({"count": 2.5}, "a whole number"),
        ({"count": True}, "a whole number"),
        ({"count": None}, "a whole number"),
        ({"share": "0.5"}, "'share' takes a number"),
        ({"share": False}, "a number"),
        ({"size": "96x64"}, "two whole numbers, (width, height)"),
        ({"size": (96, 64, 3)}, "two whole numbers"),
        ({"size": (96.5, 64)}, "two whole numbers"),
        ({"set": ["seed=3"]}, "a dict of dotted keys"),
        ({"flag": 1}, "True or False"),
        ({"data": Path("a")}, "text or an open data set"),
    ],
)
def test_what_does_not_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        called(**{"place": "a", **given})
    assert said in str(error.value) and str(error.value).count("called") == 1


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("adapt", {"set": ["seed=3"]}),
        ("check", {"data": "x", "split": 3}),
        ("clean", {"run": None}),
        ("demo", {"out": 1}),
        ("evaluate", {"model": 1, "data": "x"}),
        ("experiment", {"kind": None, "recipe": "quick"}),
        ("export", {"model": "x", "out": ""}),
        ("handover", {"data": "x", "out": "y", "format": "cvat", "names": ["a"]}),
        ("label", {"model": "x", "data": "y", "portion": "0.5"}),
        ("load", {"path": None}),
        ("predict", {"model": "x", "input": ["a.jpg"]}),
        ("render", {"out": "x", "size": "96x64"}),
        ("report", {"run": None}),
        ("select", {"model": "x", "data": "y", "budget": float("nan")}),
        ("translate", {"source": "x", "target": 1, "out": "y"}),
    ],
)
def test_every_function_of_the_package_is_so(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"takes|no path is given"):
        getattr(simteacher, name)(**given)
