"""Whose an experiment's folder is: the comparison, recipe and data that it was started with."""

from __future__ import annotations

import json
from pathlib import Path

from simteacher.config import Recipe, flat
from simteacher.errors import UserError
from simteacher.experiments.rows import to_yaml
from simteacher.files import atomic_write, require_empty
from simteacher.given import model_prints
from simteacher.places import both_places, differing, what_changed
from simteacher.recipe_file import load_recipe
from simteacher.rundir import FREE_KEYS


def claim(folder: Path, base: Recipe, kind: str, prints: dict[str, str]) -> None:
    """Take the folder for this comparison, recipe and data.

    Raises:
        UserError: It holds another experiment.
    """
    path, about = folder / "recipe.yaml", folder / "about.json"
    if not about.is_file():
        require_empty(folder, {path.name})  # stopped between the two
    prints, then = prints | model_prints(base), dict[str, str]()
    if about.is_file():
        try:
            before = json.loads(about.read_text(encoding="utf-8"))
            kind_before, then = str(before["kind"]), dict(before["data"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError("does not say which experiment this is", about, "choose another --out") from error
        if kind_before != kind:
            raise UserError(f"holds the comparison '{kind_before}'", folder, "choose another --out")
    if path.is_file():
        _refuse(path, base, "this experiment was started with another recipe", then, prints)
    if what := what_changed(then, prints):
        raise UserError(
            f"{what} changed since this experiment started", folder, "restore the files, or choose another --out"
        )
    if not path.is_file():
        atomic_write(path, to_yaml(base))
    atomic_write(about, json.dumps({"kind": kind, "data": {**then, **prints}}, indent=1))


def same(path: Path, now: Recipe, problem: str) -> None:
    """Compare a row's kept recipe with today's, keys that were added since at their defaults.

    A row takes its files from the experiment's recipe, which `claim` has compared, or from the folder, wherever that is
    now: here they are taken to be the same.

    Raises:
        UserError: They differ in more than what a continuation may change.
    """
    _refuse(path, now, problem)


def _refuse(
    path: Path, now: Recipe, problem: str, then: dict[str, str] | None = None, prints: dict[str, str] | None = None
) -> None:
    """Raise UserError with the keys that differ; without fingerprints, files differ in none."""
    before, after = (flat(r.model_dump(mode="json")) for r in (load_recipe(path), now))
    differ = differing(before, after, FREE_KEYS, then or {}, prints or {})
    if prints is None:
        differ = [k for k in differ if not both_places(k, before.get(k), after.get(k))]
    if differ:
        shown = "; ".join(f"{k}: {before.get(k)!r} then, {after.get(k)!r} now" for k in differ[:3])
        raise UserError(f"{problem} ({shown})", path, "use the same recipe and data, or another --out")
