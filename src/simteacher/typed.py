"""A function's annotations -> what it is called with is of their kinds, or one message says which is not.

The command line gives every function what it takes; a script or a notebook may give anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from simteacher.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

_TOLD = {
    "str": "text",
    "Path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "dict": "a dict of dotted keys, as {'budget.steps': 100}",
    "tuple": "two whole numbers, (width, height)",
    "Factory": "a function that makes a network",
    "Model": "a loaded model",
    "DataSet": "an open data set",
    "LabelSpace": "a label space",
    "Literal": "one of the names",
    "None": "None",
}


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """Make a public function refuse arguments of another kind than its annotations say, and paths that are empty.

    Annotations are read as they are written (``str | Path | None``), so that naming a class imports nothing. A class
    that this module does not know fits by its name, or that of a class that it comes from.

    Returns:
        The same function; it raises UserError with the argument's name.
    """
    kinds = {name: str(kind).split(" | ") for name, kind in function.__annotations__.items() if name != "return"}
    parameters = signature(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = parameters.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python says it best
        for name, value in bound.arguments.items():
            _require(function.__name__, name, value, kinds[name])
            bound.arguments[name] = _plain(value)
        return function(*bound.args, **bound.kwargs)

    return checked


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's, and a size as a tuple: what is given is written into files, too."""
    if isinstance(value, bool | str | Path):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return Path(value) if isinstance(value, os.PathLike) else value


def _require(function: str, name: str, value: Any, kinds: list[str]) -> None:
    """Raise UserError unless a value is of one of the kinds."""
    bare = [kind.partition("[")[0] for kind in kinds]
    if not any(_fits(value, kind) for kind in bare):
        wanted = " or ".join(_TOLD.get(kind, kind) for kind in bare if kind != "None")
        what = "None" if value is None else f"a {type(value).__name__}, {_short(value)}"
        raise UserError(f"'{name}' takes {wanted}, and this is {what}", f"simteacher.{function}", f"correct {name}=…")
    if "Path" in bare and isinstance(value, str) and not value.strip():
        raise UserError("no path is given", f"{name} of {function}", "name a file or a folder; is a variable unset?")


def _fits(value: Any, kind: str) -> bool:
    if kind in ("str", "Literal"):
        return isinstance(value, str)
    if kind == "Path":
        return isinstance(value, os.PathLike)
    if kind == "None":
        return value is None
    if kind == "bool":
        return isinstance(value, bool)
    if kind in ("int", "float"):
        return isinstance(value, Integral if kind == "int" else Real) and not isinstance(value, bool)
    if kind == "dict":
        return isinstance(value, Mapping)
    if kind == "tuple":
        return isinstance(value, Sequence) and len(value) == 2 and all(_fits(v, "int") for v in value)
    if kind == "Factory":
        return callable(value)
    return any(kind == known.__name__ for known in type(value).__mro__)


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:37]}…"
