"""Finds a recipe by path or by name: ``recipes/quick.yaml``, or ``quick`` for one that comes with the tool."""

from __future__ import annotations

from pathlib import Path

from simteacher.errors import UserError, nearest


def folder() -> Path:
    """The folder of the recipes that come with the tool: inside the wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    return next((p for p in (package / "recipes", package.parents[1] / "recipes") if p.is_dir()), package / "recipes")


def find(recipe: str | Path) -> Path:
    """The file of a recipe.

    Args:
        recipe: A path to a YAML file, or the name of a recipe that comes with the tool, with or without ``.yaml``.

    Raises:
        UserError: There is neither such a file nor such a recipe; names the nearest.
    """
    path = Path(recipe)
    if path.is_file():
        return path
    known = {found.stem: found for found in sorted(folder().glob("*.yaml"))}
    if path.parent in (Path(), Path("recipes")) and path.stem in known:
        return known[path.stem]
    raise UserError(
        f"there is no such recipe{nearest(path.stem, known)}",
        recipe,
        "give a YAML file, or one of: " + ", ".join(known),
    )
