"""The experiment as a whole with a stand-in for training: what is run, shared, kept, and said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import simteacher.experiment
from simteacher import UserError
from simteacher.config import Recipe
from simteacher.data.open import open_dataset
from simteacher.models.store import ModelCard, save_model
from simteacher.recipe_file import load_recipe
from tests import lookalikes, tiny
from tests.experiments.conftest import Fake

ROWS = "source only; batch-norm; rounds: mean, balanced; … + CutMix; supervised"


def test_rows_of_a_seed_share_equal_teachers_and_leave_table_plot_and_recipes(
    fake: Fake, given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = simteacher.experiment("methods", rows=ROWS, **given)
    result = json.loads((out / "table.json").read_text())
    assert [(r["row"], r["seeds"]) for r in result["rows"]] == [(n.strip(), [1, 2]) for n in ROWS.split(";")]
    assert len(list((out / "teachers").iterdir())) == 2 * 2  # the blind one, long and short, for each seed
    assert len(fake.trained) == len(set(fake.trained)) == 2 * (5 + 2)
    by_row = {r["row"]: r for r in result["rows"]}
    assert by_row["rounds: mean, balanced"]["miou"] == pytest.approx(0.315)
    assert by_row["supervised"]["gap"] == pytest.approx(1)
    assert result["scores"]["stage of a run"]["snd"]["best"] == 1.0
    text = (out / "table.md").read_text()
    assert "| … + CutMix |" in text and "6 steps of 2 crops" in text
    assert (out / "plot.svg").read_text().startswith("<svg")
    assert not list(out.rglob("state.safetensors"))
    said = capsys.readouterr().err
    assert "10 rows to run, about 0:" in said and "\n1 row to run, about 0:" in f"\n{said}"
    kept = load_recipe(out / "rows" / "and-+-CutMix-seed2.yaml")
    assert (kept.rounds.mix, kept.seed) == ("cutmix", 2)


def test_it_continues_where_it_was_stopped(fake: Fake, given: dict[str, Any]) -> None:
    fake.stop_after = 4
    with pytest.raises(KeyboardInterrupt):
        simteacher.experiment("methods", rows=ROWS, **given)
    before = (given["out"] / "rows.jsonl").read_text().splitlines()
    assert 0 < len(before) < 10 and (given["out"] / "table.md").is_file()
    with open(given["out"] / "rows.jsonl", "a") as f:
        f.write('{"row": "cut o')  # as a kill leaves it
    fake.stop_after = 10**9
    simteacher.experiment("methods", rows=ROWS, **given)
    assert len(fake.trained) == len(set(fake.trained)) == 14
    simteacher.experiment("methods", rows=ROWS, **given)
    assert len(fake.trained) == 14
    assert len(json.loads((given["out"] / "table.json").read_text())["runs"]) == 10


def test_a_row_that_cannot_run_here_is_named_and_the_others_go_on(fake: Fake, given: dict[str, Any]) -> None:
    fake.fail = "DRN-D-22"
    out = simteacher.experiment("models", rows="the recipe's; DRN-D-22", **given)
    result = json.loads((out / "table.json").read_text())
    assert result["missing"] == {"DRN-D-22": "no ImageNet weights"} and [r["row"] for r in result["rows"]] == [
        "the recipe's"
    ]
    fake.fail = None
    simteacher.experiment("models", rows="the recipe's; DRN-D-22", **given)
    assert json.loads((out / "table.json").read_text())["missing"] == {}


def test_a_row_that_uses_up_the_memory_is_named_too(
    fake: Fake, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(recipe: Recipe, classes: int) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def adapt(path: Path, out: Path) -> Path:
        if "batch-norm" in out.name:
            raise MemoryError
        return fake(path, out)

    monkeypatch.setattr("simteacher.experiments.estimate.measure", measure)
    monkeypatch.setattr(sys.modules["simteacher.experiment"], "adapt", adapt)
    out = simteacher.experiment("methods", rows="source only; batch-norm; … + CutMix", **given)
    result = json.loads((out / "table.json").read_text())
    assert result["missing"] == {"batch-norm": "the memory is used up"}
    assert [r["row"] for r in result["rows"]] == ["source only", "… + CutMix"]
    assert f"- command: `simteacher experiment methods {given['recipe']} --out {out} " in (out / "table.md").read_text()

    def broken(path: Path, out: Path) -> Path:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(sys.modules["simteacher.experiment"], "adapt", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        simteacher.experiment("methods", rows="batch-norm", **given)


def test_a_fault_in_one_row_does_not_take_the_others_along(
    fake: Fake, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def adapt(path: Path, out: Path) -> Path:
        if "source-only" in out.name:
            raise ZeroDivisionError("a fault of ours")
        return fake(path, out)

    monkeypatch.setattr(sys.modules["simteacher.experiment"], "adapt", adapt)
    with pytest.raises(ZeroDivisionError):
        simteacher.experiment("methods", rows="source only; batch-norm", **given)
    result = json.loads((Path(given["out"]) / "table.json").read_text())
    assert [r["row"] for r in result["rows"]] == ["batch-norm"]
    assert result["missing"] == {"source only": "a fault of simteacher (ZeroDivisionError: a fault of ours)"}


def test_of_a_partly_labelled_set_shares_are_of_its_labels(fake: Fake, given: dict[str, Any], tmp_path: Path) -> None:
    root = tmp_path / "photos"
    lost = sorted((root / "trainannot").iterdir())[1:]
    left = len(lost) + 1
    for path in lost[: left - 2]:
        path.unlink()
    assert left > 2
    out = simteacher.experiment("labels", **given)
    rows = {r["row"] for r in json.loads((out / "table.json").read_text())["rows"]}
    named = [
        yaml.safe_load((out / f"rows/{n}-seed1.yaml").read_text())["labelled"] for n in ("adapted-0", "supervised-100")
    ]
    assert named == [None, 2] and "adapted, 100 %" in rows


def test_rows_that_are_to_see_no_label_are_not_given_any(fake: Fake, given: dict[str, Any]) -> None:
    for kind in ("stages", "labels", "methods"):
        with pytest.raises(UserError, match="simteacher experiment labels"):
            simteacher.experiment(kind, set={"labelled": 2}, **given)
    assert fake.trained == []
    simteacher.experiment("models", rows="the recipe's", set={"labelled": 2}, **given)
    assert load_recipe(given["out"] / "rows" / "the-recipe-s-seed1.yaml").labelled == 2


def test_another_recipe_in_the_same_folder_is_refused(fake: Fake, given: dict[str, Any]) -> None:
    simteacher.experiment("methods", rows="source only", **given)
    with pytest.raises(UserError, match=r"another recipe \(classes: 'auto' then, 'camvid11' now\)"):
        simteacher.experiment("methods", rows="source only", set={"classes": "camvid11"}, **given)
    simteacher.experiment("methods", rows="source only", set={"log_every": 3}, **given)


def test_a_folder_of_something_else_is_left_alone(fake: Fake, given: dict[str, Any]) -> None:
    out = Path(given["out"])
    out.mkdir()
    (out / "model.safetensors").touch()
    with pytest.raises(UserError, match=r"holds other files \(model\.safetensors\)"):
        simteacher.experiment("methods", rows="source only", **given)
    assert [p.name for p in out.iterdir()] == ["model.safetensors"] and not fake.trained


def test_it_goes_on_from_another_folder(
    fake: Fake, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same data by other paths are the same data; other data are not."""
    network = {**tiny.NETWORK, "weights": "start"}
    recipe = tiny.recipe(tmp_path / "r.yaml", "gta5", "camvid:photos", network=network)
    save_model(tmp_path / "start", tiny.network(), ModelCard(tiny.NETWORK, tiny.SPACE, (64, 48)))
    one = {"recipe": recipe, "rows": ROWS, "seeds": 1, "eval_split": "val"}
    simteacher.experiment("methods", out="out", eval="photos", **one)
    trained = len(fake.trained)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    there = {"source": "gta5:../gta5", "target": "../photos", "eval": "../photos"}
    weights = {"network.weights": "../start"}
    simteacher.experiment("methods", out="../out", **one, **there, set=weights)
    assert len(fake.trained) == trained
    lookalikes.gta5(tmp_path / "more", 7)
    with pytest.raises(UserError, match=r"another recipe \(source: 'gta5' then, '\.\./more' now\)"):
        simteacher.experiment("methods", out="../out", **one, **{**there, "source": "../more"}, set=weights)
    save_model(tmp_path / "start", tiny.network(seed=1), ModelCard(tiny.NETWORK, tiny.SPACE, (64, 48)))
    with pytest.raises(UserError, match=r"another recipe \(network\.weights: 'start' then, '\.\./start' now\)"):
        simteacher.experiment("methods", out="../out", **one, **there, set=weights)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "methods"}', '{"kind": "methods", "data": 3}'])
def test_a_damaged_about_file_is_named(fake: Fake, given: dict[str, Any], text: str) -> None:
    out = simteacher.experiment("methods", rows="source only", **given)
    (out / "about.json").write_text(text)
    with pytest.raises(UserError, match=r"about\.json: does not say which experiment this is"):
        simteacher.experiment("methods", rows="source only", **given)


def test_rows_of_other_data_or_of_another_comparison_are_not_mixed(fake: Fake, given: dict[str, Any]) -> None:
    one = {**given, "seeds": 1}
    simteacher.experiment("methods", rows="source only", **one)
    with pytest.raises(UserError, match="holds the comparison 'methods'"):
        simteacher.experiment("stages", rows="none", **one)
    with pytest.raises(UserError, match="no row is named"):
        simteacher.experiment("methods", rows=" ; ", **one)
    label = open_dataset(given["eval"], "val").frames[0].label
    assert label is not None
    label.write_bytes(label.read_bytes() + b"\0")
    with pytest.raises(UserError, match="the measured data changed since this experiment started"):
        simteacher.experiment("methods", rows="source only; batch-norm", **one)


def test_labels_of_the_target_that_change_between_rows_are_noticed(fake: Fake, given: dict[str, Any]) -> None:
    one = {**given, "seeds": 1}
    simteacher.experiment("methods", rows="source only", **one)
    label = open_dataset(given["eval"], "train").frames[0].label
    assert label is not None
    label.write_bytes(label.read_bytes() + b"\0")
    simteacher.experiment("methods", rows="source only; supervised", **one)  # no row had learned from them
    label.write_bytes(label.read_bytes() + b"\0")
    with pytest.raises(UserError, match="the target's labels changed since this experiment started"):
        simteacher.experiment("methods", rows="supervised; batch-norm", **one)


def test_damaged_lines_cost_their_own_row_and_the_folder_may_move(fake: Fake, given: dict[str, Any]) -> None:
    one = {**given, "seeds": 1}
    out = simteacher.experiment("methods", rows="source only; batch-norm", **one)
    trained = len(fake.trained)
    path = out / "rows.jsonl"
    half = b'{"row": "batch-norm", "seed": 1, "miou": 1}\n'
    path.write_bytes(b"{}\n[]\n\xff\n" + half + path.read_bytes()[:-20])  # the last one is cut off
    moved = out.rename(out.with_name("moved"))
    simteacher.experiment("methods", rows="source only; batch-norm", **{**one, "out": moved})
    result = json.loads((moved / "table.json").read_text())
    assert [r["row"] for r in result["rows"]] == ["source only", "batch-norm"]
    assert len(fake.trained) == trained, "its run is there, only the line was not"


@pytest.mark.slow
def test_two_rows_for_real(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="0 seeds are nothing to compare"):
        simteacher.experiment("methods", **{**given, "seeds": 0})
    out = simteacher.experiment("methods", rows="source only; batch-norm; … + ClassMix", **{**given, "seeds": 1})
    result = json.loads((out / "table.json").read_text())
    plain, norm, mixed = result["rows"]
    assert all(0 <= r["miou"] <= 1 for r in (plain, norm, mixed)) and result["missing"] == {}
    assert plain["teacher"] == norm["teacher"]  # one teacher, measured once
    assert [r["stages"] for r in (plain, norm, mixed)] == [["teacher"], ["batchnorm"], ["round-1"]]
    assert result["scores"]["row of a seed"]["snd"]["choices"] == 1
    assert all(r["seconds"] > 0 and r["work"] > 0 for r in result["runs"])
    assert not list(out.rglob("pseudo"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"rows": "sorce only"}, "source only"), ({"kind": "stage"}, "stages"), ({"target": "nowhere"}, "nowhere")],
)
def test_mistakes_are_named_before_anything_is_trained(
    fake: Fake, given: dict[str, Any], change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        simteacher.experiment(**{"kind": "methods", **given, **change})
    assert fake.trained == []
