"""The one line that says what a run is about to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simteacher.data import open_dataset
from simteacher.inputs import open_inputs
from simteacher.recipe_file import load_recipe
from simteacher.told import plan
from tests import lookalikes, tiny

RUN = Path("runs/mine")


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, Any]:
    return {"target": lookalikes.camvid(tmp_path / "camvid", 6).spec, "source": lookalikes.gta5(tmp_path / "gta5").spec}


def told(tmp_path: Path, pair: dict[str, Any], **keys: Any) -> str:
    recipe = load_recipe(tiny.recipe(tmp_path / "r.yaml", "-", "-"), {**pair, **keys})
    return plan(RUN, recipe, open_inputs(recipe))


def test_photographs_that_nothing_is_learned_from_are_named(tmp_path: Path, pair: dict[str, Any]) -> None:
    alone = {**pair, "source": None}
    whole = len(open_inputs(load_recipe(tiny.recipe(tmp_path / "r.yaml", "-", "-"), pair)).target)
    said = told(tmp_path, alone, labelled=2)
    assert f"6 steps on 2 labelled of {whole} photographs; the other {whole - 2} are not used" in said
    assert "--source" in said and "teacher.objectives.two_views=1" in said
    said = told(tmp_path, alone, labelled=2, **{"teacher.objectives.two_views": 1})
    assert f"on 2 labelled photographs and, without labels, on all {whole};" in said
    assert f"6 steps on {whole} labelled photographs; " in told(tmp_path, alone, labelled="all")
    assert "the other one is not used" in told(tmp_path, alone, labelled=whole - 1)


def test_with_a_source_all_are_used(tmp_path: Path, pair: dict[str, Any]) -> None:
    said = told(tmp_path, pair, labelled=2)
    assert "then 1 round of 3 on" in said and "photographs, 2 of them labelled; " in said and "not used" not in said


def test_photographs_of_a_kind_that_is_not_read_are_told(tmp_path: Path, pair: dict[str, Any]) -> None:
    assert "not read" not in told(tmp_path, pair)
    (Path(pair["target"].partition(":")[2]) / "IMG_1.HEIC").touch()
    assert "not read: 1 .heic file, such as" in told(tmp_path, pair)


def test_measured_photographs_that_labels_were_learned_from_are_counted(tmp_path: Path, pair: dict[str, Any]) -> None:
    root = pair["target"].partition(":")[2]
    (tmp_path / "link").symlink_to(root)
    same = {"eval_data": f"camvid:{tmp_path}/link", "eval_split": "train"}
    said = told(tmp_path, pair, labelled=2, **same).splitlines()
    total = len(open_dataset(f"camvid:{root}", "train"))
    assert said[1] == f"2 of the {total} measured photographs are learned from with their labels: the numbers flatter"
    for fair in ({"labelled": None, **same}, {"labelled": 2, **same, "eval_split": "val"}, {"labelled": 2}):
        assert len(told(tmp_path, pair, **fair).splitlines()) == 1
