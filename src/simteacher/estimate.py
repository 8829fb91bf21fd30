"""`simteacher check SOURCE --target TARGET`: both sides, and what `adapt` would do with them, from a few real steps.

Trains nothing that is kept and writes nothing. Without a target this is `data.check` alone, and torch is not imported.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import simteacher.data.check as look
from simteacher.errors import UserError
from simteacher.typed import typed

if TYPE_CHECKING:
    from simteacher.config import Recipe
    from simteacher.inputs import Inputs

TRIED = 4  # steps; the first one warms up and is not counted


@typed
def check(
    data: str | Path,
    split: str | None = None,
    target: str | Path | None = None,
    classes: str | Path | None = None,
    recipe: str | Path | None = "laptop",
) -> dict[str, Any]:
    """Look at a data set, or at source and target together; with a target also tell what `adapt` would cost.

    Args:
        data: ``FORMAT:PATH`` or a path.
        split: One split only; None looks at all of them, and for pictures that they share.
        target: Photographs that a model is to be adapted to.
        classes: Label space to count in and to learn; by default the set's own, or the target's.
        recipe: What `adapt` would be called with; None leaves the estimate out.

    Returns:
        As `data.check.check`; with a target and a recipe also ``adapt``, as `estimate` returns it, or None where
        `adapt` would refuse: then ``problems`` says why.

    Raises:
        UserError: A set cannot be opened at all, or there is no such recipe.
    """
    result = look.check(data, split=split, target=target, classes=classes)
    if target is None or recipe is None:
        return result
    from simteacher.recipe_file import load_recipe

    named = {"source": str(data), "target": str(target), **({"classes": str(classes)} if classes is not None else {})}
    loaded = load_recipe(recipe, named)
    result["adapt"] = None
    try:
        result["adapt"] = {"recipe": str(recipe), **estimate(loaded)}
    except UserError as error:
        if error.where not in {problem["file"] for problem in result["problems"]}:
            problem = {"file": error.where, "problem": f"adapt would stop: {error.problem}", "fix": error.fix}
            result["problems"].append(problem)
    return result


def estimate(recipe: Recipe) -> dict[str, Any]:
    """What a recipe would do, and what that takes on this machine.

    Returns:
        ``steps {teacher, round, rounds}, batch, size, crop, photographs, pseudo_labelled`` (of them, in each round),
        ``device, seconds_per_step, seconds`` (of all of the run), ``memory_gib`` (of the process, decoded images
        included) and, on a GPU, ``gpu_memory_gib``.

    Raises:
        UserError: `adapt` would refuse the recipe or the data.
    """
    import torch

    from simteacher.experiments.estimate import work
    from simteacher.inputs import open_inputs
    from simteacher.stages import stage_steps, to_label

    inputs = open_inputs(recipe)
    per_step, device = _try(recipe, inputs)
    budget, photographs = recipe.resolved_budget, len(inputs.target)
    trained = recipe.teacher.model_copy(update={"weights": None})
    plain = {"rounds": recipe.rounds.model_copy(update={"count": 0}), "batchnorm": 0.0, "teacher": trained}
    one, two = (
        work(recipe.model_copy(update={**plain, "budget": budget.model_copy(update={"steps": n})}), photographs, 0)
        for n in (1, 2)
    )
    teacher, each = stage_steps(recipe)
    teacher = teacher if recipe.teacher.weights is None else 0
    out: dict[str, Any] = {
        "steps": {"teacher": teacher, "round": each, "rounds": recipe.rounds.count if each else 0},
        "batch": budget.batch,
        "size": list(budget.size),
        "crop": list(budget.crop),
        "photographs": photographs,
        "pseudo_labelled": len(to_label(recipe, inputs, 1)),
        "device": device,
        "seconds_per_step": round(per_step, 3),
        "seconds": round(work(recipe, photographs, _measured(recipe)) * per_step / (two - one)),
        "memory_gib": round(_peak() + _cached(recipe, inputs), 2),
    }
    if torch.cuda.is_available():
        out["gpu_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return out


def _try(recipe: Recipe, inputs: Inputs) -> tuple[float, str]:
    """Seconds of a step of the teacher, on real images with random weights, and where it ran."""
    import torch

    from simteacher.models.build import build_network
    from simteacher.processes import make_fabric
    from simteacher.stages import Builder
    from simteacher.train import try_steps

    # both need the class counts of every label, which cost time and not steps
    quick = recipe.teacher.model_copy(update={"class_weight": 0.0, "rare_sampling": 0.0})
    builder = Builder(recipe.model_copy(update={"teacher": quick}), inputs, Path())
    stage = builder.teacher(build_network(recipe.network, len(inputs.space), pretrained=False))
    fabric = make_fabric()
    seconds = try_steps(stage, recipe.optimiser, fabric, TRIED)
    where = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else f"{fabric.device.type}"
    threads = torch.get_num_threads()
    return statistics.median(seconds[1:]), f"{where}, {threads} thread{'' if threads == 1 else 's'}"


def _measured(recipe: Recipe) -> int:
    """Photographs that each stage is evaluated on."""
    from simteacher.inputs import open_measured

    return len(open_measured(recipe) or ())


def _peak() -> float:
    """Most memory that this process has had, in GiB."""
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _cached(recipe: Recipe, inputs: Inputs) -> float:
    """Decoded images that a run keeps, in GiB: RGB and a label, of source and target, up to the recipe's limit."""
    width, height = recipe.resolved_budget.size
    images = len(inputs.target) + (len(inputs.source) if inputs.source is not None else 0)
    return min(recipe.cache_gib, images * width * height * 4 / 2**30)
