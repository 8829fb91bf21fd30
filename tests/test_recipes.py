"""Recipes are found by path and by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from simteacher.errors import UserError
from simteacher.recipes import find, folder
from tests.conftest import ROOT


def test_by_name_and_by_path_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = ROOT / "recipes" / "quick.yaml"
    for given in ("quick", "quick.yaml", "recipes/quick.yaml", wanted):
        assert find(given).samefile(wanted)


def test_own_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text("seed: 3\n")
    assert find("quick.yaml") == Path("quick.yaml")


def test_unknown_names_the_nearest_and_the_choice() -> None:
    with pytest.raises(UserError, match="did you mean 'quick'") as caught:
        find("quik")
    assert "smoke" in (caught.value.fix or "")


def test_another_folder_is_not_searched_for_shipped_names() -> None:
    with pytest.raises(UserError):
        find("elsewhere/quick.yaml")


def test_every_recipe_begins_with_its_command() -> None:
    for path in folder().glob("*.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# ") and "simteacher" in first, path.name
