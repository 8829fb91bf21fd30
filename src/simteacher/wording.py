"""pydantic's complaints about one value of a recipe or a scene file, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "int_": "it has to be a whole number",
    "float_": "it has to be a number",
    "bool_": "it has to be true or false",
    "string_": "it has to be a text",
    "tuple_": "it has to be a list in brackets",
    "dict_": "it has to be a table of names and values",
    "model_": "it has to be a table of keys and values",
    "finite_": "it has to be a finite number",
    "greater_than_equal": "it has to be {ge} or more",
    "greater_than": "it has to be more than {gt}",
    "less_than_equal": "it has to be {le} or less",
    "less_than": "it has to be less than {lt}",
    "literal_": "it has to be {expected}",
    "too_long": "it has to be {max_length} values, these are {actual_length}",
}
"""By how the kind of an error begins; the first that fits."""


def in_words(error: Mapping[str, Any]) -> str:
    """What is wrong with the value at ``error["loc"]``, one of ``ValidationError.errors()``."""
    if error["type"] == "missing":
        last = error["loc"][-1]
        return f"a list of {last + 1} values or more is needed" if isinstance(last, int) else "it is missing"
    for kind, text in _KINDS.items():
        if error["type"].startswith(kind):
            return text.format(**{k: f"{v:g}" if isinstance(v, float) else v for k, v in error.get("ctx", {}).items()})
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
