"""What a call sets must do something; a file's settings may wait for another use of it."""

from __future__ import annotations

from typing import Any

import pytest

from simteacher.contradictions import require_both, require_effect
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
        ("quick", "rounds.count=0 rounds.objectives.masked=1", PAIR, "there are no rounds"),
        ("quick", "rounds.pseudo.threshold=0.9", PAIR, "keeps a share of each class"),
        ("quick", "rounds.pseudo.select=threshold rounds.pseudo.portion=[0.5]", PAIR, "select is threshold"),
        ("quick", "rounds.labelled_share=0.5", PAIR, "no labelled photographs are named"),
        ("quick", "teacher.weights=street teacher.objectives.agreement=1", PAIR, "is not trained"),
        ("quick", "teacher.weights=street network.freeze=1", PAIR, "go on from the given teacher"),
        ("supervised", "rounds.count=2", ALONE, "there are no rounds without a source"),
        ("supervised", "rounds.mix=classmix", ALONE, "there are no rounds without a source"),
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


@pytest.mark.parametrize("key", ["network.freeze", "teacher.keep", "optimiser.head_lr"])
def test_of_a_network_of_ones_own_some_keys_do_nothing(key: str) -> None:
    said = {key: 0.5 if key != "network.freeze" else 1}
    recipe = load_recipe("quick", with_options(said, PAIR))
    require_effect(recipe, said)
    with pytest.raises(UserError, match=r"of your own|of one's own"):
        require_effect(recipe, said, own=True)


def test_a_discriminator_needs_the_source_beside_the_labels_too() -> None:
    said = {"rounds.objectives.adversarial": 0.001}
    require_both(load_recipe("quick", with_options(said, PAIR)))
    room = {**said, "rounds.labelled_share": 0.5, "rounds.source_share": 0.5}
    require_both(load_recipe("quick", with_options(room, {**PAIR, "labelled": 3})))
    with pytest.raises(UserError, match="a student's batch has no source"):
        require_both(load_recipe("quick", with_options(said, {**PAIR, "labelled": 3})))


@pytest.mark.parametrize("data", [PAIR, {**PAIR, "labelled": 3}, ALONE])
def test_recipes_that_come_with_the_tool_take_all_kinds_of_data(data: dict[str, Any]) -> None:
    for path in folder().glob("*.yaml"):
        call(path.stem, "", data)
