"""A stand-in for training, and data to compare on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from simteacher import UserError
from simteacher.config import Recipe
from simteacher.recipe_file import load_recipe
from tests import lookalikes, tiny

Adapt = Callable[..., Path]


class Fake:
    """Writes run folders as `adapt` does; a run's mIoU grows with the rows' number of rounds."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.fail: str | None = None
        self.stop_after = 10**9

    def __call__(self, path: Path, out: Path) -> Path:
        recipe = load_recipe(path)
        if (out / "model.safetensors").is_file():
            return out
        if self.fail and self.fail in out.name:
            raise UserError("no ImageNet weights", "network.weights", "connect")
        if len(self.trained) >= self.stop_after:
            raise KeyboardInterrupt
        given = recipe.teacher.weights
        assert given is None or (Path(given) / "teacher" / "model.safetensors").is_file()
        self.trained.append(out.name)
        self.write(recipe, out)
        return out

    def write(self, recipe: Recipe, out: Path) -> None:
        stages = ["teacher", *(f"round-{i + 1}" for i in range(recipe.rounds.count))]
        events = []
        for n, stage in enumerate(stages):
            (out / stage).mkdir(parents=True)
            (out / stage / "model.safetensors").touch()
            score = 0.2 + 0.1 * n + 0.01 * recipe.seed + 0.3 * (recipe.source is None)
            events.append(
                {"event": "eval", "stage": stage, "data": "v", "miou": score, "pixel_accuracy": 0.5, "iou": {}}
            )
            events.append({"event": "validator", "stage": stage, "scores": {"snd": score}})
        (out / "metrics.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
        (out / "config.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
        (out / "provenance.json").write_text("{}")
        (out / "model.json").write_text(json.dumps({"extra": {"stage": stages[-1]}}))
        (out / "model.safetensors").touch()
        (out / "teacher" / "state.safetensors").touch()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(sys.modules["simteacher.experiment"], "adapt", made)
    monkeypatch.setattr("simteacher.experiments.estimate.measure", lambda *_: 0.01)
    return made


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    made = lookalikes.camvid(tmp_path / "photos")
    recipe = tiny.recipe(tmp_path / "r.yaml", lookalikes.gta5(tmp_path / "gta5").spec, made.spec)
    return {"recipe": recipe, "out": tmp_path / "out", "eval": made.spec, "eval_split": "val", "seeds": 2}
