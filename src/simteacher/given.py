"""The teacher that a recipe names instead of training one: `teacher.weights`, a run, a model file, or ``street``.

Its network must be the recipe's, as students continue it. Its classes may be others: then its last layers are matched
to the run's classes by name (`models.rehead`). Used by `adapt`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from simteacher.config import Recipe
from simteacher.errors import UserError
from simteacher.labels import LabelSpace
from simteacher.models.rehead import rehead
from simteacher.models.start import NOT_MODELS, differences, to_have, trainable_card
from simteacher.models.store import Model, ModelCard, load, weights_print
from simteacher.models.wrap import KEY, Factory
from simteacher.progress import say


def _place(recipe: Recipe) -> Path:
    """The model itself, where a run's teacher is meant."""
    given = Path(recipe.teacher.weights or "")
    return given / "teacher" if (given / "teacher").is_dir() else given


def model_prints(recipe: Recipe) -> dict[str, str]:
    """Fingerprints of the models that a recipe names, by key; none of one that is not there (any more)."""
    named = {}
    if recipe.network.weights not in NOT_MODELS:
        named["network.weights"] = Path(recipe.network.weights)
    if recipe.teacher.weights is not None:
        named["teacher.weights"] = _place(recipe)
    found = {}
    for key, place in named.items():
        with suppress(UserError, OSError):  # whoever reads it says what is wrong
            found[key] = weights_print(place)
    return found


def check_teacher(recipe: Recipe) -> ModelCard | None:
    """Look at the named teacher before a run folder is made; None where the recipe names none.

    Raises:
        UserError: No such model, no trainable one, or one of another network than the recipe's.
    """
    if recipe.teacher.weights is None:
        return None
    place = _place(recipe)
    card = trainable_card(place)
    differ = [] if KEY in card.network else differences(card, recipe.network)
    if differ and recipe.rounds.start == "teacher" and recipe.rounds.count:
        raise UserError(
            f"this teacher has another network ({'; '.join(said for _, said in differ)})",
            place,
            f"--set {to_have(card, differ)}, or --set rounds.start=scratch for students of another network, or train a "
            "teacher",
        )
    return card


def take_teacher(recipe: Recipe, space: LabelSpace, network: Factory | None) -> Model:
    """Load the named teacher, with the run's classes.

    Args:
        recipe: It names the teacher.
        space: The run's classes.
        network: The function that makes a network of one's own.

    Raises:
        UserError: As of `check_teacher`, or no class in common.
    """
    place = _place(recipe)
    model = load(place, network)
    assert model.network is not None  # `check_teacher` has seen it
    card = replace(model.card, extra={**model.card.extra, "taken_from": str(recipe.teacher.weights)})
    if card.views != recipe.views:  # or it would be compared with students that read in other views
        card = replace(card, views=recipe.views, miou=None, extra={**card.extra, "views_before": card.views})
    if card.space.classes != space.classes:
        before = card.space
        unknown = rehead(model.network, before, space)
        say(f"{place}: its {len(before)} classes ({before.name}) are matched by name to {space.name}")
        if unknown:
            say(f"  it does not know {', '.join(unknown)}: students learn that from the source alone")
        card = replace(card, space=space, miou=None, extra={**card.extra, "classes_before": list(before.classes)})
    return Model(card, model.network, model.path, device=model.device)
