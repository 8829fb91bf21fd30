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
    from simteacher.adapt import adapt as adapt
    from simteacher.demo import demo as demo
    from simteacher.estimate import check as check
    from simteacher.evaluate import evaluate as evaluate
    from simteacher.experiment import experiment as experiment
    from simteacher.export import export as export
    from simteacher.handover import handover as handover
    from simteacher.models.store import load as load
    from simteacher.predict import predict as predict
    from simteacher.pseudo import label as label
    from simteacher.report import report as report
    from simteacher.rundir import clean as clean
    from simteacher.scenes.render import render as render
    from simteacher.select import select as select
    from simteacher.translate.run import translate as translate

__version__ = "0.1.0"

_HOME = {
    "adapt": "simteacher.adapt",
    "check": "simteacher.estimate",
    "clean": "simteacher.rundir",
    "demo": "simteacher.demo",
    "evaluate": "simteacher.evaluate",
    "experiment": "simteacher.experiment",
    "export": "simteacher.export",
    "handover": "simteacher.handover",
    "label": "simteacher.pseudo",
    "load": "simteacher.models.store",
    "predict": "simteacher.predict",
    "render": "simteacher.scenes.render",
    "report": "simteacher.report",
    "select": "simteacher.select",
    "translate": "simteacher.translate.run",
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
