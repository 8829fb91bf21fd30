"""Settings of a recipe that are right alone and cannot be meant together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simteacher.errors import UserError

if TYPE_CHECKING:
    from simteacher.config import Recipe


def require_data(recipe: Recipe) -> None:
    """A run needs photographs, and something to learn from.

    Raises:
        UserError: One of them is not named.
    """
    if recipe.target is None:
        fix = "name your photographs: --target FOLDER; any folder of pictures will do"
        raise UserError("which photographs to learn is not said", "target", fix)
    if recipe.source is None and recipe.labelled is None:
        raise UserError(
            "neither a source nor labelled photographs: nothing to learn from",
            "source",
            "give --source DATA (make some with 'simteacher render OUT'), or --labelled all",
        )


def require_shares(recipe: Recipe, processes: int) -> None:
    """Each process takes a share of each kind of images in a batch.

    Raises:
        UserError: There are fewer of a kind than processes, in the teacher's batches or in a student's.
    """
    batch, least = recipe.resolved_budget.batch, recipe.resolved_budget.batch
    if recipe.rounds.count and recipe.source is not None:
        least = min(n for n in recipe.rounds.places(batch, labels=recipe.labelled is not None) if n)
    if least < processes:
        problem = f"a batch of {batch} leaves {least} of a kind of images for {processes} processes"
        raise UserError(problem, "budget.batch", "choose a larger batch")


def contradiction(recipe: Recipe) -> tuple[str, str] | None:
    """The first one found, as (problem, fix); None where there is none."""
    rounds, both = recipe.rounds, (recipe.teacher.objectives, recipe.rounds.objectives)
    if not recipe.optimiser.ema and (rounds.online or any(w.masked or w.two_views or w.contrast for w in both)):
        return (
            "rounds.online and the objectives masked, two_views and contrast learn from averaged weights, "
            "and optimiser.ema is 0",
            "set optimiser.ema to a number below 1, such as 0.99",
        )
    if rounds.online and rounds.objectives.two_views:
        return (
            "rounds.online and rounds.objectives.two_views learn the same labels of the averaged network twice",
            "leave one of them out",
        )
    if rounds.rectified and not rounds.objectives.aux:
        return (
            "rounds.rectified compares the two heads, and with rounds.objectives.aux at 0 one learns nothing",
            "set rounds.objectives.aux to a number above 0, such as 0.4",
        )
    if rounds.online and rounds.pseudo.prototypes:
        return (
            "rounds.pseudo.prototypes weighs stored labels, and with rounds.online there are none",
            "leave one of them out",
        )
    near = "objectives.feature_distance is measured on source images, and "
    if recipe.teacher.objectives.feature_distance and recipe.source is None and recipe.labelled is not None:
        return f"teacher.{near}there is no source", "leave it out, or name a source"
    left = rounds.places(recipe.resolved_budget.batch, labels=recipe.labelled is not None)[0]
    needs = [w for w in ("adversarial", "adversarial_aux", "contrast") if getattr(rounds.objectives, w)]
    if rounds.count and needs and not left and recipe.labelled is None:
        problem = f"rounds.objectives.{needs[0]} learns from labels too, and a student's batch has none"
        return problem, "leave it out, or set a larger rounds.source_share or budget.batch"
    if rounds.count and recipe.labelled is not None and recipe.source is not None and recipe.resolved_budget.batch < 2:
        return "a batch of 1 has no place for a labelled photograph beside another", "set budget.batch to 2 or more"
    if rounds.count and rounds.objectives.feature_distance and not left:
        return f"rounds.{near}rounds.source_share leaves none in a batch", "leave it out, or set a larger source_share"
    if rounds.mix_labelled == "source" and not rounds.places(recipe.resolved_budget.batch, labels=True)[0]:
        return (
            "rounds.mix_labelled pastes into source images, and rounds.source_share leaves none beside the labelled "
            "photographs (rounds.labelled_share)",
            "set rounds.mix_labelled=pseudo, or rounds.source_share=0.5 and rounds.labelled_share=0.5",
        )
    return None
