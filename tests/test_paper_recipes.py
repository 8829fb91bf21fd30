"""Recipes at paper scale: one step a stage on look-alike data at reduced size, all other settings as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import simteacher
from simteacher.models.store import load
from simteacher.recipe_file import load_recipe
from simteacher.rundir import read_events
from tests import lookalikes

PAIRS = {"gta5-to-cityscapes": (lookalikes.gta5, 19), "synthia-to-cityscapes": (lookalikes.synthia, 16)}
SMALL: dict[str, Any] = {
    "budget": {"steps": 2, "batch": 2, "size": [64, 48], "crop": [64, 32]},
    "network.encoder": "mit_b0",
    "network.weights": "none",
    "cache_gib": 0.1,
    "guard.images": 2,
}


@pytest.mark.parametrize("name", PAIRS)
def test_settings_are_the_published_ones(name: str) -> None:
    recipe = load_recipe(name)
    budget, how = recipe.resolved_budget, recipe.optimiser
    assert (budget.steps, budget.batch, budget.crop) == (40_000, 4, (512, 512))
    assert (how.lr, how.head_lr, how.weight_decay, how.warmup * budget.steps, how.ema) == (
        6e-5,
        6e-4,
        0.01,
        1500,
        0.999,
    )
    assert (recipe.rounds.online, recipe.rounds.mix, recipe.network.encoder) == (True, "classmix", "mit_b5")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_one_step_of_each_stage(name: str, tmp_path: Path) -> None:
    make, classes = PAIRS[name]
    source, target = make(tmp_path / "source"), lookalikes.cityscapes(tmp_path / "cityscapes")
    run = simteacher.adapt(name, source=source.spec, target=target.spec, out=tmp_path / "run", set=SMALL)
    steps = [(e["stage"], e["step"]) for e in read_events(run) if e["event"] == "step"]
    assert steps == [("teacher", 1), ("round-1", 1)]
    assert len(load(run).card.space) == classes
    assert simteacher.evaluate(run, target.spec, split="val")["images"] > 0
