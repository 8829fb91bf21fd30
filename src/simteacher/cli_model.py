"""Commands about models and runs: demo, adapt, evaluate, predict, export, report, experiment, clean.

Each is the Python function of its name; the heavy import is inside each command, so that ``--help`` is quick.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Group, Parameter

from simteacher.progress import say

TRAIN = Group("Train", sort_key=2)
Run = Annotated[str, Parameter(help="A run folder, as --out of adapt or demo made it.")]


def clean(run: Run, /) -> None:
    """Remove the intermediate data of a finished run; models, numbers and report stay."""
    import simteacher.rundir

    removed = simteacher.rundir.clean(run)
    say("\n".join(["removed", *removed]) if removed else "nothing to remove")


def register(app: App) -> None:
    """Add these commands to the command line."""
    app.command(clean, group=TRAIN)
