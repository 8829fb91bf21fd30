"""How long rows will take: their work in forward passes of one crop, times what a pass takes on this machine.

The price of a pass comes from finished rows of the same network and size, else from a few real steps.
"""

from __future__ import annotations

import statistics
import time

import torch

from simteacher.config import Objectives, Recipe
from simteacher.experiments.results import Line
from simteacher.losses import cross_entropy
from simteacher.models.build import build_network
from simteacher.objectives.compose import asks_averaged, needs_target, reads_target
from simteacher.precision import autocast
from simteacher.pseudo import VIEWS
from simteacher.stages import count_to_label, stage_steps
from simteacher.train import make_optimiser

TRAIN = 3.0  # forward and backward, in forward passes
JUDGED = 1.8  # a discriminator's three passes over an image of either domain (bench/objectives.py)
VALIDATED = 110  # passes of the label-free scores of a stage
REESTIMATED = 128  # photographs of a batch-norm re-estimation


def price_key(recipe: Recipe) -> str:
    """Rows with the same key pay the same for a pass."""
    n, b = recipe.network, recipe.resolved_budget
    return f"{n.encoder} {n.decoder} freeze {n.freeze} {b.crop[0]}x{b.crop[1]} batch {b.batch}"


def work(recipe: Recipe, photographs: int, measured: int) -> float:
    """Forward passes of one crop that a row costs; a teacher that is there already costs none.

    Args:
        recipe: The row's.
        photographs: Images of the target.
        measured: Images that each stage is evaluated on, each in the recipe's ``views``.
    """
    budget, rounds = recipe.resolved_budget, recipe.rounds
    teacher_steps, round_steps = stage_steps(recipe)
    area = budget.size[0] * budget.size[1] / (budget.crop[0] * budget.crop[1])

    def step(weights: Objectives, target: int, extra: int, online: bool = False) -> float:
        asked = asks_averaged(weights, online)  # the averaged network, once for all of them
        again = bool(weights.masked) + 2 * bool(weights.two_views) + 0.5 * bool(weights.rotation)  # an encoder alone
        judges = JUDGED * (bool(weights.adversarial) + bool(weights.adversarial_aux))
        near = (budget.batch - target) * bool(weights.feature_distance)  # the pretrained network, on source images
        return TRAIN * (budget.batch + extra + again * target) + (target if asked else 0) + near + judges * target

    unlabelled = budget.batch if needs_target(recipe.teacher.objectives) else 0
    stages, total = 1, 0.0
    if recipe.teacher.weights is None:
        total += teacher_steps * step(recipe.teacher.objectives, unlabelled, unlabelled)
    if recipe.batchnorm and recipe.source is not None:
        stages += 1
        total += REESTIMATED * area
    if round_steps:
        target = rounds.places(budget.batch, recipe.labelled is not None)[2]
        again = target if rounds.mix != "none" and reads_target(rounds.objectives) else 0  # the same ones, not mixed
        passes = round_steps * step(rounds.objectives, target, again, rounds.online)
        read = count_to_label(recipe, photographs)
        looks = (read * _reading(rounds.pseudo.views) + 2 * recipe.guard.images) * area
        total += rounds.count * (passes + looks)
        stages += rounds.count
    return total + stages * area * (measured * _reading(recipe.views) + VALIDATED)


def _reading(views: int) -> float:
    """Passes over one photograph that is read in so many views: twice as close has four times the pixels."""
    return sum(VIEWS[v % len(VIEWS)][0] ** 2 for v in range(views))


def measure(recipe: Recipe, classes: int, steps: int = 2) -> float:
    """Seconds of one forward pass of one crop, from a few real steps of the recipe's network (random weights)."""
    budget = recipe.resolved_budget
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_network(recipe.network, classes, pretrained=False).to(device)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = make_optimiser(network, recipe.optimiser, 1.0)
    image_BCHW = torch.rand(budget.batch, 3, budget.crop[1], budget.crop[0], device=device)
    image_BCHW = image_BCHW.contiguous(memory_format=torch.channels_last)
    label_BHW = torch.randint(classes, (budget.batch, budget.crop[1], budget.crop[0]), device=device)
    seconds = []
    for _ in range(1 + steps):
        began = time.perf_counter()
        with autocast(device.type):
            main, aux = network(image_BCHW)
        loss = cross_entropy(main, label_BHW) + aux.float().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        loss.item()  # waits for an accelerator
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / (TRAIN * budget.batch)


def learned(lines: list[Line]) -> dict[str, float]:
    """Seconds of a pass by key, from finished rows that were not interrupted."""
    found: dict[str, list[float]] = {}
    for line in lines:
        if line.get("seconds") and line.get("work"):
            found.setdefault(line["price_key"], []).append(line["seconds"] / line["work"])
    return {key: statistics.median(values) for key, values in found.items()}
