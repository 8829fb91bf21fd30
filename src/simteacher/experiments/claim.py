"""Whose an experiment's folder is: the comparison, recipe and data that it was started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simteacher.config import Recipe
from simteacher.errors import UserError
from simteacher.experiments.rows import to_yaml
from simteacher.files import atomic_write
from simteacher.recipe_file import load_recipe
from simteacher.rundir import FREE_KEYS, PLACES, place, what_changed


def claim(folder: Path, base: Recipe, kind: str, prints: dict[str, str]) -> None:
    """Take the folder for this comparison, recipe and data.

    Raises:
        UserError: It holds another experiment.
    """
    path, about = folder / "recipe.yaml", folder / "about.json"
    if about.is_file():
        try:
            before = json.loads(about.read_text(encoding="utf-8"))
            kind_before, data_before = str(before["kind"]), dict(before["data"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError("does not say which experiment this is", about, "choose another --out") from error
        if kind_before != kind:
            raise UserError(f"holds the comparison '{kind_before}'", folder, "choose another --out")
        if what := what_changed(data_before, prints):
            raise UserError(
                f"{what} changed since this experiment started", folder, "restore the files, or choose another --out"
            )
    if path.is_file():
        same(path, base, "this experiment was started with another recipe")
    else:
        atomic_write(path, to_yaml(base))
    atomic_write(about, json.dumps({"kind": kind, "data": prints}, indent=1))


def same(path: Path, now: Recipe, problem: str) -> None:
    """Compare a kept recipe with today's, keys that were added since at their defaults.

    Raises:
        UserError: They differ in more than what a continuation may change.
    """
    before, after = (_placed(r.model_dump(mode="json")) for r in (load_recipe(path), now))
    differ = [k for k in after if before[k] != after[k] and k not in FREE_KEYS]
    if differ:
        shown = "; ".join(f"{k}: {before[k]!r} then, {after[k]!r} now" for k in differ[:3])
        raise UserError(f"{problem} ({shown})", path, "use the same recipe and data, or another --out")


def _placed(recipe: dict[str, Any]) -> dict[str, Any]:
    """Data sets in one spelling, shared teachers by their names in the folder, wherever that is."""
    teacher = dict(recipe["teacher"])
    if teacher["weights"] and Path(teacher["weights"]).parent.name == "teachers":
        teacher["weights"] = Path(teacher["weights"]).name
    return {**recipe, **{k: place(recipe[k]) for k in PLACES if k in recipe}, "teacher": teacher}
