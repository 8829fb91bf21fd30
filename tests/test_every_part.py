"""A whole run in which every optional part of the method has its say, stopped again and again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from simteacher.adapt import adapt
from simteacher.models.store import load
from tests import lookalikes, tiny

pytestmark = pytest.mark.slow
EVERY: dict[str, Any] = {
    "teacher": {
        "objectives": {
            "adversarial": 0.1,
            "agreement": 0.1,
            "min_entropy": 0.1,
            "masked": 0.5,
            "two_views": 0.5,
            "rotation": 0.1,
            "contrast": 0.1,
        },
        "augment": {"match_target": 0.5},
    },
    "rounds": {
        "count": 1,
        "mix": "classmix",
        "mix_labelled": "source",
        "rectified": True,
        "objectives": {"adversarial_aux": 0.1, "masked": 0.5, "two_views": 0.5, "rotation": 0.1, "contrast": 0.1},
        "pseudo": {"views": 2, "prototypes": 1.0, "threshold": 0.05},
    },
    "budget": {**tiny.BUDGET.model_dump(mode="json"), "batch": 4},
    "labelled": 3,
}


class Killed(BaseException):
    """Like SIGKILL: nothing catches it."""


def test_all_at_once_and_stopped_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = lookalikes.gta5(tmp_path / "gta5", 4), lookalikes.camvid(tmp_path / "camvid", 6)
    recipe = tiny.recipe(tmp_path / "every.yaml", source.spec, target.spec, **EVERY)
    whole = adapt(recipe, out=tmp_path / "whole")
    events = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    names = {e["stage"]: set(e["losses"]) for e in events if e["event"] == "step"}
    judged = {"masked", "two_views", "rotation", "contrast", "source", "labelled"}
    assert names["teacher"] == judged | {"adversarial_main", "discriminator_main", "agreement", "min_entropy"}
    assert names["round-1"] == judged | {"adversarial_aux", "discriminator_aux", "pseudo"}
    assert load(whole).card.network["encoder"] == tiny.NETWORK["encoder"], (
        "the saved model is the recipe's network alone"
    )

    replace, left, kills = os.replace, 0, 0

    def stop(old: Any, new: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        replace(old, new)

    monkeypatch.setattr("os.replace", stop)
    for allowed in (11, 16, 400):
        left = allowed
        try:
            adapt(recipe, out=tmp_path / "run")
            break
        except Killed:
            kills += 1
    ours, theirs = (load_file(tmp_path / run / "model.safetensors") for run in ("run", "whole"))
    assert kills == 2 and ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
