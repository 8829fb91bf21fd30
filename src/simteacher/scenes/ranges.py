"""Types of a scene file's distributions: ranges within physical limits, and tables of weights or shares.

Used as metadata: ``height: Annotated[Pair, Within(0.1, 6)]``, ``time: Annotated[dict[TimeOfDay, float],
Weighted(TIME)]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Pair = tuple[float, float]
Chance = Annotated[float, Field(ge=0, le=1)]


def _pair(value: Any) -> Any:
    """One number is a range without width."""
    return [value, value] if isinstance(value, int | float) and not isinstance(value, bool) else value


@dataclass(frozen=True)
class Within:
    """A range that must lie between two limits and not run backwards."""

    low: float
    high: float

    def check(self, value: Pair) -> Pair:
        """The range itself, or ValueError."""
        if value[0] > value[1]:
            raise ValueError(f"the range runs backwards, from {value[0]:g} to {value[1]:g}")
        if value[0] < self.low or value[1] > self.high:
            raise ValueError(f"{value[0]:g} to {value[1]:g} is outside what is possible, {self.low:g} to {self.high:g}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook: a number or a pair, then `check`."""
        inner = core_schema.no_info_after_validator_function(self.check, handler(source))
        return core_schema.no_info_before_validator_function(_pair, inner)


@dataclass(frozen=True)
class Weighted:
    """A weight table.

    A single name stands for a table with only that choice. Values such as "40%" are shares of the whole; what a table
    of shares does not name keeps its default proportion in the rest.
    """

    defaults: Mapping[Any, float]

    def read(self, value: Any) -> Any:
        """The table meant by what a file says."""
        if isinstance(value, str | int) and not isinstance(value, bool):
            return {str(value): 1.0}
        if not isinstance(value, dict):
            return value
        twice = [k for k in value if not isinstance(k, str) and str(k) in value]
        if twice:
            raise ValueError(f"'{twice[0]}' is there twice, once in quotes")
        value = {str(k): v for k, v in value.items()}
        percent = {k: isinstance(v, str) and v.strip().endswith("%") for k, v in value.items()}
        if not any(percent.values()):
            return value
        odd = [k for k, yes in percent.items() if not yes]
        if odd:
            raise ValueError(f"'{odd[0]}: {value[odd[0]]}' is a weight among shares; write all as percentages or none")
        try:
            shares = {k: float(v.strip()[:-1]) / 100 for k, v in value.items()}
        except ValueError:
            raise ValueError(f"the shares are {', '.join(value.values())}; each has to be a number and %") from None
        rest = 1 - sum(shares.values())
        if rest < -1e-9 or min(shares.values()) < 0:
            raise ValueError(f"the shares add up to {100 * (1 - rest):g} %")
        others = {k: v for k, v in self.defaults.items() if k not in shares}
        if rest > 1e-9 and not sum(others.values()):
            raise ValueError(f"the shares of all choices add up to {100 * (1 - rest):g} %")
        scale = max(rest, 0.0) / sum(others.values()) if others else 0.0
        return {**shares, **{k: v * scale for k, v in others.items()}}

    def check(self, value: dict[Any, float]) -> dict[Any, float]:
        """The table itself, or ValueError."""
        if any(v < 0 for v in value.values()) or sum(value.values()) <= 0:
            raise ValueError("weights must be at least 0 and not all 0")
        if not math.isfinite(sum(value.values())):
            raise ValueError("weights must be numbers whose sum is one, too")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook: `read`, then `check`."""
        inner = core_schema.no_info_after_validator_function(self.check, handler(source))
        return core_schema.no_info_before_validator_function(self.read, inner)
