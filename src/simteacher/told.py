"""What `adapt` says while it works: what it is about to do, and how each round was judged without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simteacher.config import Recipe
from simteacher.data.hints import unread
from simteacher.inputs import Inputs, open_measured, seen_labels
from simteacher.objectives.compose import needs_target
from simteacher.stages import stage_steps, to_label


def plan(folder: Path, recipe: Recipe, data: Inputs) -> str:
    """One line before the first stage: where to, from what, in how many steps.

    More where photographs are of a kind that is not read, and where something makes the numbers flatter.
    """
    lines, measured = [_plan(folder, recipe, data), *unread(data.target.root)], open_measured(recipe)
    if measured is not None and (seen := seen_labels(data, measured)):
        what = f"{seen} of the {len(measured)} measured photographs are learned from with their labels"
        lines.append(f"{what}: the numbers flatter")
    return "\n".join(lines)


def _plan(folder: Path, recipe: Recipe, data: Inputs) -> str:
    classes = f"{len(data.space)} classes of {data.space.name}"
    teacher, each = stage_steps(recipe)
    if data.source is None and recipe.teacher.weights:
        how = "without a source nothing is trained; network.weights would start from it"
        return f"{folder}: the teacher of {recipe.teacher.weights} as it is, as {how}; {classes}"
    if data.source is None:
        return f"{folder}: {teacher} steps on {_alone(recipe, data)}; {classes}"
    labels = f", {len(data.labelled)} of them labelled" if data.labelled is not None else ""
    rounds = recipe.rounds.count if each else 0
    read = len(to_label(recipe, data, 1))
    photographs = f"{f'{read} of ' if 0 < read < len(data.target) else ''}{len(data.target)} photographs{labels}"
    then = f", then {rounds} round{'s' if rounds > 1 else ''} of {each} on {photographs}" if rounds else ""
    given = recipe.teacher.weights
    first = f"the teacher of {given}" if given else f"{teacher} steps on {len(data.source)} labelled images"
    return f"{folder}: {first}{then}; {classes}"


def _alone(recipe: Recipe, data: Inputs) -> str:
    """Which photographs a run without a source learns from, and what would use the others."""
    labelled = len(data.labelled or ())
    rest = len(data.target) - labelled
    if rest <= 0:
        return f"{labelled} labelled photographs"
    if needs_target(recipe.teacher.objectives):
        return f"{labelled} labelled photographs and, without labels, on all {labelled + rest}"
    what = "the other one is" if rest == 1 else f"the other {rest} are"
    use = "there are no rounds without a source (--source); teacher.objectives.two_views=1 would learn from all"
    return f"{labelled} labelled of {labelled + rest} photographs; {what} not used: {use}"


def verdict(name: str, reasons: list[str], signals: dict[str, Any], watched: bool = True) -> str:
    """One line after a round: kept or set aside, and by which signs; ``watched``: classes that vanish were one."""
    if reasons:
        return f"{name}: set aside, the model before it is kept: " + "; ".join(reasons)
    before, after = signals["agreement"]
    seen = (
        f"{signals['drift']:.1%} of the pixels changed class, mirrored views agree on {after:.1%} (before {before:.1%})"
    )
    return f"{name}: kept; {'no class vanished, ' if watched else ''}{seen}"
