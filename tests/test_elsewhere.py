"""A run that is stopped and goes on from another folder, its data and its model called by other paths."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from simteacher.adapt import adapt
from simteacher.errors import UserError
from simteacher.models.store import save_model
from tests import lookalikes, tiny
from tests.models.test_store import _card

pytestmark = pytest.mark.slow


def _weights(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("model.safetensors"))}


def _stopped(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", ["train_stage", "load_student", "report"])
def test_it_goes_on_from_another_folder_and_ends_the_same_to_the_bit(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its teacher, in its student, at its end."""
    lookalikes.gta5(tmp_path / "my sim", 4)
    lookalikes.camvid(tmp_path / "photos", 6)
    save_model(tmp_path / "start", tiny.network(), _card())
    network = {**tiny.NETWORK, "weights": "start"}
    measured = {"eval_data": "camvid:photos", "eval_split": "val", "rounds": {"count": 1, "start": "scratch"}}
    recipe = tiny.recipe(tmp_path / "r.yaml", "my sim", "photos", network=network, **measured)
    monkeypatch.chdir(tmp_path)
    adapt(recipe, out="undisturbed")
    module = import_module("simteacher.adapt")
    with monkeypatch.context() as patched:
        if at == "load_student":  # the labels are there, and say what they were made from
            patched.setattr(module.Builder, "student", _stopped)
        else:
            patched.setattr(module, at, _stopped)
        with pytest.raises(KeyboardInterrupt):
            adapt(recipe, out="run")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    there = {"source": "gta5:../my sim", "target": "../photos", "eval_data": "../photos", "network.weights": "../start"}
    lookalikes.camvid(tmp_path / "others", 9)
    with pytest.raises(UserError) as caught:
        adapt(recipe, out="../run", set={**there, "target": "../others"})
    assert caught.value.problem.count(" then, ") == 1 and "target: 'photos' then" in caught.value.problem
    adapt(recipe, out="../run", set=there)
    assert _weights(tmp_path / "run") == _weights(tmp_path / "undisturbed")
    os.chdir(tmp_path)
    adapt(tmp_path / "run" / "config.yaml", out="run")
