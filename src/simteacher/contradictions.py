"""Settings of a recipe that are right alone and cannot be meant together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simteacher.config import Recipe, flat
from simteacher.errors import UserError


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


def require_both(recipe: Recipe) -> None:
    """A discriminator needs both kinds of images that it tells apart, also where labelled ones take the source's place.

    Raises:
        UserError: A student's batch has no source.
    """
    rounds, labels = recipe.rounds, recipe.labelled is not None
    judged = next((w for w in ("adversarial", "adversarial_aux") if getattr(rounds.objectives, w)), None)
    if judged and rounds.count and recipe.source and not rounds.places(recipe.resolved_budget.batch, labels)[0]:
        fix = (
            "rounds.labelled_share=0.5 with rounds.source_share=0.5 and a batch of 4"
            if labels
            else "rounds.source_share"
        )
        raise UserError(
            "it tells the source from the photographs, and a student's batch has no source",
            f"rounds.objectives.{judged}",
            f"give the source places ({fix}), or leave the objective out",
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
    for stage, weights in zip(("teacher", "rounds"), both, strict=True):
        if weights.entropy_maps and not (weights.adversarial or weights.adversarial_aux):
            return (
                f"{stage}.objectives.entropy_maps is what a discriminator sees, and there is none",
                f"set {stage}.objectives.adversarial too, such as to 0.001, or leave it out",
            )
    if rounds.pseudo.floor and rounds.pseudo.select == "threshold":
        return (
            "rounds.pseudo.floor belongs to rounds.pseudo.select=balanced, and threshold has a limit of its own",
            "set rounds.pseudo.threshold in its place",
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


def require_effect(recipe: Recipe, said: Mapping[str, Any], own: bool = False) -> None:
    """What a call sets beside its recipe's file must do something.

    A file may hold settings for other uses of it: with labels and without, from a model and from ImageNet weights.

    Args:
        recipe: What came of the file and the call.
        said: Dotted keys of the call and their values; a value may be a mapping.
        own: The network is one of the caller's.

    Raises:
        UserError: A key, set to more than nothing, does nothing in this recipe.
    """
    idle = _idle(recipe, own)
    for key, value in flat(said).items():
        found = next((why for part, why in idle.items() if key == part or key.startswith(f"{part}.")), None)
        if found is not None and value not in (0, "none"):
            why, fix = found
            raise UserError(f"it does nothing here: {why}", f"--set {key}", f"{fix}, or leave it out")


def _idle(recipe: Recipe, own: bool) -> dict[str, tuple[str, str]]:
    """Keys, and sections of keys, that do nothing in a recipe: why, and what would give each something to do."""
    rounds, out = recipe.rounds, dict[str, tuple[str, str]]()
    if own:
        out["network"] = out["teacher.keep"] = ("the network is one of your own", "build it so in your function")
        out["optimiser.head_lr"] = ("all of a network of one's own learns at optimiser.lr", "set that")
    if recipe.source is None:
        out["batchnorm"] = ("it adapts a teacher of a source, and there is no source", "name one with --source")
        out["teacher.augment.match_target"] = ("it recolours source images, and there are none", "name a source")
    elif rounds.count and not rounds.places(recipe.resolved_budget.batch, labels=recipe.labelled is not None)[0]:
        room = "set a larger rounds.source_share" + (", a smaller rounds.labelled_share" if recipe.labelled else "")
        room += " or a larger budget.batch"
        out["rounds.mix"] = ("it pastes source images, and a student's batch has no place for any", room)
    if recipe.labelled is None:
        out["rounds.mix_labelled"] = ("it pastes labelled photographs, and none are named", "name some with --labelled")
        out["rounds.labelled_share"] = ("no labelled photographs are named", "name some with --labelled")
    if rounds.start == "scratch":
        out["rounds.keep"] = ("students start from scratch, not from their teacher", "set rounds.start=teacher")
    if recipe.network.weights in ("imagenet", "none"):
        fix = "set network.weights to a model, such as street"
        out["teacher.keep"] = (f"weights of a model are kept, and network.weights is {recipe.network.weights}", fix)
    if rounds.pseudo.select == "balanced" and not rounds.pseudo.prototypes:
        why = "rounds.pseudo.select is balanced, which keeps a share of each class (rounds.pseudo.portion)"
        out["rounds.pseudo.threshold"] = (why, "set rounds.pseudo.select=threshold")
    if rounds.pseudo.select == "threshold":
        out["rounds.pseudo.portion"] = ("rounds.pseudo.select is threshold", "set rounds.pseudo.select=balanced")
    if recipe.teacher.weights is not None:
        trained = ("the teacher is given (teacher.weights) and is not trained", "set it for rounds")
        parts = ("objectives", "augment", "class_weight", "rare_sampling", "lr_factor", "keep")
        out |= {f"teacher.{part}": trained for part in parts}
        if rounds.start == "teacher":
            why = "students go on from the given teacher, with the layers frozen that it had frozen"
            out["network.freeze"] = (why, "set rounds.start=scratch")
    if rounds.count == 0 or recipe.source is None:
        why = "there are no rounds" + (" without a source" if recipe.source is None else "")
        fix = "name a source with --source" if recipe.source is None else "set rounds.count to 1 or more"
        out["rounds"] = out["guard"] = (why, fix)
    return out
