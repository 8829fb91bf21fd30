"""`check` with a target says what `adapt` would take, and leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from simteacher.data.check_table import _long, check_table
from simteacher.errors import UserError
from simteacher.estimate import check
from simteacher.recipe_file import load_recipe
from simteacher.stages import stage_steps
from tests import lookalikes, tiny
from tests.conftest import RunCli


def files(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_a_pair_is_tried_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = lookalikes.gta5(tmp_path / "gta5"), lookalikes.photographs(tmp_path / "photos")
    recipe = tiny.recipe(tmp_path / "recipe.yaml", "elsewhere", "elsewhere")
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    result = check(source.spec, target=target.spec, recipe=recipe)
    assert files(tmp_path) == before
    plan = result["adapt"]
    assert (plan["batch"], plan["size"], plan["crop"]) == (2, [64, 48], [64, 32])
    teacher, each = stage_steps(load_recipe(recipe))
    assert plan["steps"] == {"teacher": teacher, "round": each, "rounds": 1}
    assert plan["photographs"] == plan["pseudo_labelled"] == 5
    assert plan["seconds"] >= plan["seconds_per_step"] * (teacher + each) > 0  # labelling and measuring come on top
    assert 0.1 < plan["memory_gib"] < 100
    json.dumps(result)
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(check_table(result))
    shown = " ".join(console.export_text().split())  # long paths wrap
    assert f"would take {teacher} steps for the teacher, {each} for each of 1 round on 5 photographs" in shown
    assert "of 2 images 64x48 each, cut to 64x32" in shown
    result["adapt"] |= {"photographs": 900, "pseudo_labelled": 400}
    console.print(check_table(result))
    assert "of 1 round on 400 of 900 photographs" in " ".join(console.export_text().split())


def test_what_adapt_would_refuse_is_a_problem(tmp_path: Path) -> None:
    source, target = lookalikes.photographs(tmp_path / "a"), lookalikes.photographs(tmp_path / "b")
    recipe = tiny.recipe(tmp_path / "recipe.yaml", "-", "-")
    result = check(source.spec, target=target.spec, recipe=recipe)
    assert result["adapt"] is None
    (problem,) = result["problems"]
    assert problem["problem"] == "adapt would stop: this image has no label (5 of 5 images have none)"
    assert f"simteacher check {source.root}" in problem["fix"]
    with pytest.raises(UserError, match="no such recipe"):
        check(source.spec, target=target.spec, recipe="fast")


def test_one_set_alone_needs_no_torch(tmp_path: Path, run_cli: RunCli) -> None:
    made = lookalikes.camvid(tmp_path / "camvid")
    (tmp_path / "torch.py").write_text("raise AssertionError('torch was imported')")
    done = run_cli("check", made.spec, "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "adapt" not in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4, "4 seconds"), (119, "119 seconds"), (2700, "45 minutes"), (9000, "2.5 hours")]
)
def test_how_long_is_said(seconds: float, text: str) -> None:
    assert _long(seconds) == text


def test_a_teacher_that_is_given_takes_no_steps(tmp_path: Path) -> None:
    source, target = lookalikes.gta5(tmp_path / "gta5"), lookalikes.photographs(tmp_path / "photos")
    recipe = tiny.recipe(
        tmp_path / "recipe.yaml", "-", "-", teacher={"weights": "street"}, rounds={"start": "scratch", "count": 1}
    )
    plan = check(source.spec, target=target.spec, recipe=recipe)["adapt"]
    assert plan["steps"]["teacher"] == 0 and plan["seconds"] > 0
