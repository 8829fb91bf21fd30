"""A recipe file and the command's changes to it -> a checked `Recipe`; complaints name the key and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from simteacher.config import BUDGETS, Recipe
from simteacher.contradictions import contradiction
from simteacher.errors import UserError, nearest
from simteacher.recipes import find
from simteacher.wording import in_words
from simteacher.yaml_once import load_yaml, read_yaml


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Keys that are allowed at ``path`` inside a model."""
    for part in path:
        info = model.model_fields.get(str(part))
        kind = info.annotation if info else None
        kinds = [kind, *getattr(kind, "__args__", ())]
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _explain(error: ValidationError, where: str, overrides: Iterable[str]) -> UserError:
    """Translate one of pydantic's complaints into the user's terms."""
    # of a key that may hold a word or a mapping, the complaint about the deepest place is the one that was meant
    first = max(error.errors(), key=lambda e: (len(e["loc"]), "Budget" in e["loc"], e["type"] == "extra_forbidden"))
    path = tuple(p for p in first["loc"] if p not in ("Budget", "str", "int"))
    key = ".".join(str(p) for p in path)
    where = next((f"--set {g}" for g in overrides if f"{key}.".startswith(f"{g}.") or g.startswith(f"{key}.")), where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(Recipe, path[:-1])
        return UserError(
            f"unknown key '{key}'{nearest(str(path[-1]), known)}", where, f"keys allowed there: {', '.join(known)}"
        )
    if first["type"] == "missing" and isinstance(first["loc"][-1], int):  # of a list that is too short
        key = ".".join(str(p) for p in path[:-1])
    return UserError(f"'{key}' is {first.get('input')!r}: {in_words(first)}", where, f"correct '{key}'")


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    if parents == ["budget"] and isinstance(tree.get("budget", "laptop"), str):  # change one number of a named budget
        named = BUDGETS.get(tree.get("budget", "laptop"))
        tree["budget"] = named.model_dump() if named else tree["budget"]
    for part in parents:
        child = tree.get(part)
        if child is None:
            child = tree[part] = {}
        if not isinstance(child, dict):
            raise UserError(f"'{part}' holds a value, not keys", f"--set {dotted}", f"set '{part}' itself")
        tree = child
    tree[last] = value


def parse_set(pairs: list[str]) -> dict[str, Any]:
    """Read ``["seed=3", "rounds.count=1"]`` into ``{"seed": 3, "rounds.count": 1}``; values are YAML.

    Raises:
        UserError: A pair has no ``=`` or its value is not YAML.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        key, eq, text = pair.partition("=")
        if not eq or not key:
            raise UserError("needs the form key=value", f"--set {pair}", "for example --set seed=3")
        try:
            value = load_yaml(text)
        except yaml.YAMLError as e:
            raise UserError("the value is not YAML", f"--set {pair}", "quote it, or simplify it") from e
        if out.setdefault(key.strip(), value) != value:
            raise UserError(f"'{key.strip()}' is set twice", f"--set {pair}", "leave one of them out")
    return out


def with_options(keys: dict[str, Any] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Keys of ``--set`` and a command's own options, which are keys too; None where an option is not given.

    Raises:
        UserError: One is given both ways, with two values.
    """
    given = {k: str(v) if isinstance(v, Path) else v for k, v in options.items() if v is not None}
    for key, value in given.items():
        if str((keys or {}).get(key, value)) != str(value):
            raise UserError(f"'{key}' is also given as an option, {value!r}", f"--set {key}", "leave one of them out")
    return {**(keys or {}), **given}


def load_recipe(recipe: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe file, apply dotted overrides, check everything.

    Raises:
        UserError: The file is missing or not YAML, a key is unknown (the nearest is named), or a value does not fit.
    """
    path = find(recipe)
    tree = read_yaml(path) or {}
    if not isinstance(tree, dict):
        raise UserError("a recipe is a mapping of keys to values", path, "start from a file in recipes/")
    overrides = overrides or {}
    # "rounds:" and nothing there
    tree = {k: v for k, v in tree.items() if v is not None or k not in Recipe.model_fields}
    for key in sorted(overrides, key=lambda key: key.count(".")):  # the whole before its parts
        _put(tree, key, overrides[key])
        forget(tree.get("with_labels"), key)
    loaded = _checked(tree, path, overrides)
    if loaded.with_labels:  # what waits for labels is checked without them, too
        _checked({**tree, "labelled": "all"}, path, overrides)
    return loaded


def _checked(tree: dict[str, Any], path: Path, overrides: dict[str, Any]) -> Recipe:
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as e:
        raise _explain(e, str(path), overrides) from e
    _ = recipe.resolved_budget
    problem = contradiction(recipe)
    if problem:
        raise UserError(problem[0], path, problem[1])
    return recipe


def forget(waiting: Any, dotted: str) -> None:
    """Take a key out of ``with_labels``: it was set by hand, for runs with and without labels alike."""
    *parents, last = dotted.split(".")
    for part in parents:
        waiting = waiting.get(part) if isinstance(waiting, dict) else None
    if isinstance(waiting, dict):
        waiting.pop(last, None)
