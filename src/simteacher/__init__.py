"""Train on simulation, learn on photographs.

Every command of the command line is a function here: ``simteacher.adapt(...)`` is ``simteacher adapt``. Nothing heavy
is imported before the first of them is used. The modules are still importable: ``from simteacher.adapt import adapt``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simteacher.errors import UserError

if TYPE_CHECKING:
    from simteacher.models.store import load as load

__version__ = "0.1.0"

_HOME = {
    "load": "simteacher.models.store",
}
__all__ = ["UserError", "__version__", *sorted(_HOME)]


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


def _lazy(name: str, module: str) -> property:
    """A property that imports ``module`` on first use and returns its function ``name``."""

    def get(_: ModuleType) -> Any:
        return getattr(import_module(module), name)

    # Importing `simteacher.adapt` makes the import system store the module under the function's name. It is dropped:
    # the name stays the function, and the module stays in `sys.modules`.
    def keep(_: ModuleType, __: Any) -> None:
        return None

    return property(get, keep, doc=f"{module}.{name}")


# A plain module `__getattr__` would lose to the submodules of the same name, so the functions are properties instead.
sys.modules[__name__].__class__ = type(
    "Package", (ModuleType,), {name: _lazy(name, module) for name, module in _HOME.items()}
)
