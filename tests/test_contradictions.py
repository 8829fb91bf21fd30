"""What a call sets must do something; a file's settings may wait for another use of it."""

from __future__ import annotations

from typing import Any

import pytest

from simteacher.contradictions import require_effect
from simteacher.errors import UserError
from simteacher.recipe_file import load_recipe, parse_set, with_options
from simteacher.recipes import folder

PAIR = {"source": "sim", "target": "photos"}
ALONE = {"target": "photos", "labelled": 3}


def call(recipe: str, keys: str | dict[str, Any], data: dict[str, Any]) -> None:
    """As `adapt` reads a recipe, its keys and its options."""
    said = parse_set(keys.split()) if isinstance(keys, str) else keys
    require_effect(load_recipe(recipe, with_options(said, data)), said)


@pytest.mark.parametrize(
    ("recipe", "keys", "data", "why"),
    [
        ("quick", "rounds.mix=classmix", {**PAIR, "labelled": 3}, "has no place for any"),
        ("quick", "rounds.mix=cutmix rounds.source_share=0", PAIR, "has no place for any"),
        ("smoke", "rounds.mix=classmix", {**PAIR, "labelled": 3}, "a smaller rounds.labelled_share"),
        ("smoke", "rounds.mix=classmix budget.batch=1", PAIR, "or a larger budget.batch"),
        ("quick", "rounds.mix_labelled=pseudo", PAIR, "none are named"),
        ("quick", "rounds.start=scratch rounds.keep=0.4", PAIR, "students start from scratch"),
        ("quick", {"rounds": {"start": "scratch", "keep": 0.4}}, PAIR, "students start from scratch"),
        ("quick", "network.weights=imagenet teacher.keep=0.5", PAIR, "network.weights is imagenet"),
        ("quick", "rounds.count=0 rounds.online=true", PAIR, "there are no rounds"),
        ("supervised", "batchnorm=1", ALONE, "there is no source"),
        ("supervised", "teacher.augment.match_target=0.5", ALONE, "there are none"),
    ],
)
def test_what_would_do_nothing_is_refused(
    recipe: str, keys: str | dict[str, Any], data: dict[str, Any], why: str
) -> None:
    with pytest.raises(UserError, match="it does nothing here: ") as caught:
        call(recipe, keys, data)
    assert why in str(caught.value) and str(caught.value.where).startswith("--set ")


@pytest.mark.parametrize(
    ("recipe", "keys", "data"),
    [
        ("quick", "rounds.mix=classmix", PAIR),
        ("quick", "rounds.mix=classmix rounds.labelled_share=0.5", {**PAIR, "labelled": 3}),
        ("quick", "rounds.mix=none", {**PAIR, "labelled": 3}),
        ("quick", "rounds.mix_labelled=pseudo", {**PAIR, "labelled": 3}),
        ("quick", "rounds.start=scratch", PAIR),
        ("quick", "rounds.count=0", PAIR),
        ("quick", "network.weights=imagenet", PAIR),
        ("quick", "network.weights=imagenet rounds.count=0 teacher.lr_factor=1.0 teacher.keep=0.0", PAIR),
        ("quick", "teacher.keep=0 teacher.share=0.5", PAIR),
        ("quick", "", ALONE),
        ("supervised", "batchnorm=0", ALONE),
        ("gta5-to-cityscapes", "rounds.count=0", PAIR),
    ],
)
def test_what_does_something_or_only_stands_in_the_file_is_not(recipe: str, keys: str, data: dict[str, Any]) -> None:
    call(recipe, keys, data)


@pytest.mark.parametrize("data", [PAIR, {**PAIR, "labelled": 3}, ALONE])
def test_recipes_that_come_with_the_tool_take_all_kinds_of_data(data: dict[str, Any]) -> None:
    for path in folder().glob("*.yaml"):
        call(path.stem, "", data)
