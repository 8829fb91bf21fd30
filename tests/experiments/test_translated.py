"""Rows whose source is translated first."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import simteacher.experiment
from simteacher import UserError
from simteacher.data.folder import FolderWriter
from simteacher.inputs import training_split
from simteacher.recipe_file import load_recipe
from tests.experiments.conftest import Fake


def test_a_translation_that_was_stopped_is_finished_before_a_row_learns_from_it(
    fake: Fake, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add, left = FolderWriter.add, 2

    def stopped(*args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        add(*args, **kwargs)

    monkeypatch.setattr(FolderWriter, "add", stopped)
    one = {**given, "rows": "ST", "seeds": 1}
    with pytest.raises(KeyboardInterrupt):
        simteacher.experiment("stages", **one)
    translated = given["out"] / "translated" / "fda"
    with pytest.raises(UserError, match="this set is not finished"):
        training_split(str(translated), None)
    left = 10**6
    simteacher.experiment("stages", **one)
    source = load_recipe(given["recipe"]).source
    assert len(training_split(str(translated), None)) == len(training_split(str(source), None)) > 2
    assert fake.trained == ["ST-seed1"]
    monkeypatch.chdir(tmp_path.parent)  # spelt otherwise, the data are the same
    recipe = load_recipe(given["recipe"])
    spelt = {key: os.path.relpath(str(getattr(recipe, key)).partition(":")[2]) for key in ("source", "target")}
    simteacher.experiment("stages", **{**one, **spelt, "out": os.path.relpath(given["out"]), "seeds": 2})
    assert fake.trained == ["ST-seed1", "ST-seed2"]


def test_translated_rows_read_the_translation(
    fake: Fake, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def translate(source: str, target: str, out: Path, method: str, target_split: str | None) -> None:
        calls.append((method, target_split))
        out.mkdir(parents=True, exist_ok=True)
        (out / "dataset.yaml").touch()

    import_module("simteacher.translate.run")  # its name in the package is the function
    monkeypatch.setattr(sys.modules["simteacher.translate.run"], "translate", translate)
    out = simteacher.experiment("stages", rows="none; ST; ST+UDA", set={"target_split": "val"}, **given)
    assert set(calls) == {("fda", "val")}, "its colours are those of the photographs that the rows learn from"
    assert load_recipe(out / "rows" / "ST-seed1.yaml").source == str(out / "translated" / "fda")
    assert load_recipe(out / "rows" / "none-seed1.yaml").source != str(out / "translated" / "fda")
