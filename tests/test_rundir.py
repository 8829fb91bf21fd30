"""The run folder: what it holds, whom it refuses, and that stopping it anywhere leaves a folder that goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import simteacher
from simteacher import files, rundir
from simteacher.config import BUDGETS, Recipe
from simteacher.errors import UserError
from simteacher.processes import Autocast
from simteacher.rundir import RunDir, clean, git_commit
from tests.conftest import ROOT

PRINTS = {"source": "aa", "target": "bb"}


def _open(path: Path, prints: dict[str, str] | None = None, **changes: Any) -> RunDir:
    run = RunDir(path, Recipe(**{"target": "T", "budget": "quick", **changes}), prints or PRINTS)
    run.stage("teacher").mkdir(exist_ok=True)  # something was done here
    return run


def test_config_is_the_recipe_with_every_default(tmp_path: Path) -> None:
    _open(tmp_path / "run", seed=3).close()
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert kept["seed"] == 3 and kept["optimiser"]["clip"] == 5.0 and kept["rounds"]["pseudo"]["select"] == "balanced"
    assert kept["budget"] == BUDGETS["quick"].model_dump(mode="json"), "a name would change with the tool's version"
    assert Recipe.model_validate(kept) == Recipe(target="T", budget=BUDGETS["quick"], seed=3)


def test_a_finished_run_that_cannot_be_written_is_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(tmp_path / "run").close()
    (tmp_path / "run/model.safetensors").touch()
    (tmp_path / "run/run.lock").unlink()
    monkeypatch.setattr("os.access", lambda *_: False)  # the superuser may write everything
    with RunDir(tmp_path / "run", Recipe(target="T", budget="quick"), PRINTS) as run:
        assert run.finished
    with pytest.raises(UserError, match="another recipe"):
        RunDir(tmp_path / "run", Recipe(target="T", budget="quick", seed=9), PRINTS)
    assert not (tmp_path / "run/run.lock").exists()


def test_provenance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "adapt", "quick"])
    _open(tmp_path / "run", seed=3).close()
    facts = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert facts["command"] == "simteacher adapt quick" and facts["seed"] == 3 and facts["data"] == PRINTS
    assert facts["versions"]["simteacher"] in (simteacher.__version__, "not installed")
    assert facts["versions"]["numpy"] == np.__version__
    layer = torch.nn.Linear(2, 2)
    with Autocast(facts["device"]).forward_context():
        product = layer.to(facts["device"])(torch.ones(1, 2, device=facts["device"]))
    assert facts["precision"] == str(product.dtype).removeprefix("torch.")


def test_an_environment_in_a_checkout_of_others_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "mine" / ".venv" / "simteacher" / "rundir.py"
    copy.parent.mkdir(parents=True)
    copy.write_text("")
    for words in (
        ["init", "-q"],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path / "mine", check=True)
    monkeypatch.setattr(rundir, "__file__", str(copy))
    assert git_commit() is None
    subprocess.run(["git", "add", "-f", str(copy)], cwd=tmp_path / "mine", check=True)
    assert git_commit() is not None, "of a checkout that holds it"


def test_a_data_set_may_be_written_in_several_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    _open(tmp_path / "run", {"target": "bb"}, source="folder:data/a b", target="b").close()
    for same in ("folder:data/a b/", "data/a b", "folder:./data/a b", f"folder:{tmp_path}/data/a b", "link/a b"):
        _open(tmp_path / "run", {"target": "bb"}, source=same, target="b/").close()
    for other in ("data/c", "folder:data/c", "gta5:data/a b", "folder:data/a:b"):
        with pytest.raises(UserError, match="another recipe"):
            _open(tmp_path / "run", {"target": "bb"}, source=other, target="b")


NAMED = {
    "source": "../sim", "target": "camvid:../photos", "eval_data": "../photos", "labelled": "../names.txt",
    "classes": "../space.yaml", "network": {"weights": "../a"}, "teacher": {"weights": "../b"},
}  # fmt: skip
ROLES = ("source", "target", "measured", "labelled", "classes", "network.weights", "teacher.weights")


def test_what_has_the_same_fingerprints_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the same is called from another folder, or the data moved; records go on in the words they began in."""
    prints = {role: role[::-1] for role in ROLES}
    _open(tmp_path / "run", prints, **NAMED).close()
    text = (tmp_path / "run" / "config.yaml").read_text()
    elsewhere = {k: {"weights": "m"} if isinstance(v, dict) else f"x/{v[3:]}" for k, v in NAMED.items()}
    monkeypatch.chdir(tmp_path)
    with _open(tmp_path / "run", prints, **elsewhere, log_every=3) as run:
        assert run.begun.model_dump(include=NAMED.keys()) == Recipe(**NAMED).model_dump(include=NAMED.keys())
        assert run.begun.log_every == 3 and run.measured_on == "../photos"
    assert (tmp_path / "run" / "config.yaml").read_text() == text
    for role, key in zip(ROLES, NAMED, strict=True):
        key = f"{key}.weights" if isinstance(NAMED[key], dict) else key
        with pytest.raises(UserError, match=rf"another recipe \({key}: '[^;]*' then, '[^;]*' now\)"):
            _open(tmp_path / "run", prints | {role: "other"}, **elsewhere)
    for words in ({"classes": "auto"}, {"labelled": "all"}, {"network": {"weights": "none"}}, {"eval_data": None}):
        with pytest.raises(UserError, match="another recipe"):
            _open(tmp_path / "run", prints, **{**elsewhere, **words})


def test_a_model_that_changed_is_refused_while_it_is_read(tmp_path: Path) -> None:
    given = {"network": {"weights": "a"}, "teacher": {"weights": "b"}}
    before, after = ({"network.weights": v, "teacher.weights": v} for v in ("aa", "bb"))
    _open(tmp_path / "run", before, **given).close()
    with pytest.raises(UserError, match=r"network\.weights names and the model that teacher\.weights names changed"):
        _open(tmp_path / "run", after, **given)
    with pytest.raises(UserError, match=r"the model that teacher\.weights names changed since this run started"):
        _open(tmp_path / "run", {**after, "network.weights": "aa"}, **given)
    (tmp_path / "run" / "teacher" / "model.safetensors").touch()
    _open(tmp_path / "run", after, **given).close()


def test_git_commit_is_that_of_the_checkout() -> None:
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    commit = git_commit()
    if said.returncode:
        assert commit is None
    else:
        assert commit is not None and said.stdout.startswith(commit.rstrip("+"))


def test_the_same_recipe_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    _open(path).close()
    _open(path).close()
    with pytest.raises(UserError) as caught:
        _open(path, seed=4, rounds={"count": 5})
    assert "rounds.count: 2 then, 5 now" in caught.value.problem and "seed: 1 then, 4 now" in caught.value.problem
    steps = BUDGETS["quick"].steps, BUDGETS["laptop"].steps
    with pytest.raises(UserError, match=rf"budget\.steps: {steps[0]} then, {steps[1]} now"):
        _open(path, budget="laptop")
    _open(path, budget=BUDGETS["quick"]).close()  # the same numbers


def test_a_run_in_which_nothing_was_made_may_begin_anew(tmp_path: Path) -> None:
    RunDir(tmp_path / "run", Recipe(target="T"), PRINTS).close()
    RunDir(tmp_path / "run", Recipe(target="T", seed=9), {"source": "cc"}).close()
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["seed"] == 9
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["data"] == {"source": "cc"}


def test_what_cannot_change_the_result_may_change(tmp_path: Path) -> None:
    _open(tmp_path / "run").close()
    _open(tmp_path / "run", cache_gib=0.5, log_every=3, save_seconds=5.0).close()


def test_changed_data_are_refused_by_name(tmp_path: Path) -> None:
    _open(tmp_path / "run").close()
    with pytest.raises(UserError, match="the target data changed"):
        _open(tmp_path / "run", {**PRINTS, "target": "cc"})


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    code = f"""
from pathlib import Path
from simteacher.config import Recipe
from simteacher.rundir import RunDir
from simteacher.errors import UserError
try:
    RunDir(Path({str(path)!r}), Recipe(target="T", budget="quick"), {PRINTS!r}).close()
    print("opened")
except UserError as error:
    print(error.problem)
"""

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}
        ).stdout.strip()

    with _open(path):
        assert other() == "another process is working on this run"
        with pytest.raises(UserError, match="another process"):
            _open(path)
    assert other() == "opened"


def test_a_refusal_lets_the_lock_go(tmp_path: Path) -> None:
    _open(tmp_path / "run").close()
    with pytest.raises(UserError) as caught:
        _open(tmp_path / "run", seed=9)
    assert caught.value.__traceback__ is not None  # which keeps the refused object alive
    _open(tmp_path / "run").close()


def test_foreign_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds files but no run"):
        _open(tmp_path)
    with pytest.raises(UserError) as caught:
        _open(tmp_path / "notes.txt")
    assert caught.value.fix and [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("at", ["provenance.json", "config.yaml"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped_before_it_began_it_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, when: str
) -> None:
    """As ``kill -9`` leaves it: without any cleaning up."""
    original = files.atomic_write

    def killed(path: Path, data: str) -> None:
        if path.name == at and when == "before":
            path.with_name(files.PART + path.name).write_text(data[:5])
            raise KeyboardInterrupt
        original(path, data)
        if path.name == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(rundir, "atomic_write", killed)
    with pytest.raises(KeyboardInterrupt):
        _open(tmp_path / "run")
    monkeypatch.undo()
    _open(tmp_path / "run").close()
    assert (tmp_path / "run" / "config.yaml").is_file() and (tmp_path / "run" / "provenance.json").is_file()


def test_spoilt_records_are_said(tmp_path: Path) -> None:
    damage = (("config.yaml", "a: {"), ("provenance.json", "{"), ("config.yaml", ""), ("provenance.json", "[]"))
    for number, (name, text) in enumerate(damage):
        path = tmp_path / str(number)
        _open(path).close()
        (path / name).write_text(text)
        with pytest.raises(UserError, match="records cannot be read"):
            _open(path)


def test_events_survive_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with _open(path) as run:
        run.log(event="step", stage="teacher", step=1)
        run.log(event="step", stage="teacher", step=2)
    with open(path / "metrics.jsonl", "a") as file:
        file.write('{"event": "st')
    with _open(path) as run:
        assert [e["step"] for e in run.events()] == [1, 2]
        run.log(event="eval", stage="teacher")
        assert [e["event"] for e in run.events()] == ["step", "step", "eval"]


@pytest.mark.parametrize(
    ("theirs", "taken"),
    [
        ({"source": "s", "target": "t", "measured": "m"}, ["validator", "eval"]),
        ({"source": "s", "target": "other", "measured": "m"}, ["eval"]),
        ({"source": "s", "target": "t", "measured": "other"}, ["validator"]),
        ({"source": "s", "target": "t"}, ["validator"]),
    ],
)
def test_of_a_taken_teacher_only_what_was_measured_on_the_same_data_is_taken(
    theirs: dict[str, str], taken: list[str], tmp_path: Path
) -> None:
    with _open(tmp_path / "other", theirs, eval_data="E") as other:
        other.log(event="validator", stage="teacher", scores={})
        other.log(event="eval", stage="teacher", data="E", miou=0.5)
        other.log(event="eval", stage="teacher", data="F", miou=0.6)
        other.log(event="step", stage="teacher", step=1)
    with _open(tmp_path / "run", {"source": "s", "target": "t", "measured": "m"}, eval_data="E") as run:
        run.inherit(tmp_path / "other", "teacher")
        run.inherit(tmp_path / "no-run", "teacher")
        assert [e["event"] for e in run.events()] == taken


def test_rewinding_forgets_later_steps_of_that_stage_only(tmp_path: Path) -> None:
    with _open(tmp_path / "run") as run:
        for stage in ("teacher", "round-1"):
            for step in (1, 2, 3):
                run.log(event="step", stage=stage, step=step)
        run.log(event="guard", stage="round-1", verdict="keep")
        run.rewind("round-1", 1)
        left = [(e["stage"], e.get("step")) for e in run.events()]
    assert left == [("teacher", 1), ("teacher", 2), ("teacher", 3), ("round-1", 1), ("round-1", None)]


def test_a_process_that_does_not_write_writes_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run", Recipe(target="T"), PRINTS, writer=False)
    run.log(event="step")
    run.rewind("teacher", 0)
    run.close()
    assert not (tmp_path / "run").exists() and run.events() == []


def test_a_full_disk_is_said_when_logging(tmp_path: Path, full_disk: Any) -> None:
    with _open(tmp_path / "run") as run:
        full_disk("metrics.jsonl")
        with pytest.raises(UserError, match="the disk is full"):
            run.log(event="step")


def test_clean_keeps_what_is_the_result(tmp_path: Path) -> None:
    path = tmp_path / "run"
    _open(path).close()
    with pytest.raises(UserError, match="not finished"):
        clean(path)
    kept = ["model.safetensors", "teacher/model.safetensors", "teacher/samples/a.png", "report.html", "metrics.jsonl"]
    gone = ["teacher/state.safetensors", "round-1/pseudo/labels/a.png", "stats/classes-1.json"]
    for name in (*kept, *gone):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("x")
    assert sorted(clean(path)) == ["round-1/pseudo", "stats", "teacher/state.safetensors"]
    assert all((path / name).is_file() for name in kept) and not any((path / name).exists() for name in gone)
    assert clean(path) == []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").touch()
    (path / "round-1" / "pseudo").symlink_to(elsewhere)
    assert clean(path) == ["round-1/pseudo"] and (elsewhere / "a.png").exists()
    with pytest.raises(UserError, match="not a run folder"):
        clean(tmp_path)
    for name in ("config.yaml", "model.safetensors", "mine/pseudo/a.png"):  # of another tool
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("name: another")
    with pytest.raises(UserError, match="not a run folder"):
        clean(tmp_path)


def test_other_threads_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They sum in another order: that an interrupted run ends as an unbroken one holds for one number of them."""
    _open(tmp_path / "run").close()
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["threads"] == torch.get_num_threads()
    _open(tmp_path / "run").close()
    assert "threads" not in capsys.readouterr().err
    monkeypatch.setattr("simteacher.precision.threads", lambda: 96)
    _open(tmp_path / "run").close()
    said = capsys.readouterr().err
    assert "goes on with 96; OMP_NUM_THREADS=" in said and "to the bit" in said
