"""Recipe keys that name files: two recipes in, the keys that mean something else out, however their paths are written.

What was made goes on with the same recipe only. The same data may be written in several ways, be called from another
folder or lie somewhere else: their fingerprints tell. Used by `adapt` (`rundir`) and `experiment` (`claim`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from simteacher.config import Recipe
from simteacher.data.open import FORMATS
from simteacher.labels import SPACES

# Keys that name files, and the role in a run's fingerprints of what they name.
ROLES = {
    "source": "source",
    "target": "target",
    "eval_data": "measured",
    "labelled": "labelled",
    "classes": "classes",
    "network.weights": "network.weights",
    "teacher.weights": "teacher.weights",
}
# Words that mean no file there.
WORDS = {"labelled": ("all",), "classes": ("auto", *SPACES), "network.weights": ("imagenet", "none")}
CHANGED = {
    "classes": "the classes, or what the numbers of the labels mean,",
    "labels": "the target's labels",
    "network": "the network of one's own (the names or shapes of its layers)",
    "network.weights": "the model that network.weights names",
    "teacher.weights": "the model that teacher.weights names",
}


def differing(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    free: Collection[str],
    then: Mapping[str, str],
    now: Mapping[str, str],
) -> list[str]:
    """The keys of two recipes whose values mean something else, sorted.

    Args:
        before: The kept recipe, `flat`.
        after: Today's, `flat`.
        free: Keys and sections that may change.
        then: Fingerprints of what the kept recipe named, by role.
        now: Fingerprints of what today's names.
    """
    keys = sorted({*before, *after})
    changed = [k for k in keys if before.get(k) != after.get(k) and k.partition(".")[0] not in free]
    return [k for k in changed if not _same_files(k, before.get(k), after.get(k), then, now)]


def both_places(key: str, before: Any, after: Any) -> bool:
    """Whether both values of a key name files."""
    return key in ROLES and all(isinstance(v, str) and v not in WORDS.get(key, ()) for v in (before, after))


def _same_files(key: str, before: Any, after: Any, then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two values of a key name the same files: of one fingerprint, or else in one place.

    One place with two fingerprints is no other recipe, but data that changed: `what_changed`.
    """
    if not both_places(key, before, after):
        return False
    role = ROLES[key]
    if role in then and then[role] == now.get(role):
        return True
    (kind, path), (kind_now, path_now) = _place(before), _place(after)
    return path == path_now and (kind == kind_now or not (kind and kind_now))


def _place(said: str) -> tuple[str, str]:
    """``FORMAT:PATH`` -> the format, if one is given, and the path in one spelling."""
    head, colon, rest = said.partition(":")
    kind, path = (head, rest) if colon and head in FORMATS else ("", said)
    return kind, os.path.realpath(os.path.expanduser(path))


def what_changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The data of which both have a fingerprint, and not the same, in words; empty where there are none."""
    changed = [role for role, value in now.items() if before.get(role, value) != value]
    return " and ".join(CHANGED.get(role, f"the {role} data") for role in changed)


def spelt_as(recipe: Recipe, before: Mapping[str, Any]) -> Recipe:
    """The recipe with its files written as in a kept one, `flat`, that means the same."""
    tree = recipe.model_dump(mode="json")
    for key in ROLES.keys() & before.keys():
        *parents, last = key.split(".")
        at = tree
        for part in parents:
            at = at[part]
        at[last] = before[key]
    return Recipe.model_validate(tree)
