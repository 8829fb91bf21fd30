"""Whole runs: what a run folder holds, and that a run stopped anywhere, again and again, ends the same to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from simteacher.adapt import adapt
from simteacher.data.open import open_dataset
from simteacher.errors import UserError
from simteacher.models.store import load
from tests import lookalikes, tiny
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
opened: list[str] = []
watching = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if watching and event == "open":
        opened.append(str(args[0]))


sys.addaudithook(_audit)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A labelled source, and a target whose training labels nobody can read."""
    root = tmp_path_factory.mktemp("data")
    source, target = lookalikes.gta5(root / "gta5", 4), lookalikes.camvid(root / "camvid", 9)
    for label in (root / "camvid" / "trainannot").iterdir():
        label.write_bytes(b"closed")
    return {"source": source.spec, "target": target.spec}


@pytest.fixture(scope="module")
def recipe(data: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    return tiny.recipe(path, **data, eval_data=data["target"], eval_split="val")


@pytest.fixture(scope="module")
def finished(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed; every file that it opened is on record."""
    global watching
    run = tmp_path_factory.mktemp("finished") / "run"
    opened.clear()
    watching = True
    try:
        assert adapt(recipe, out=run) == run
    finally:
        watching = False
    return run


def _weights(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("model.safetensors"))}


def _events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_folder_is_as_promised(finished: Path) -> None:
    assert {p.name for p in finished.iterdir()} >= {
        "config.yaml", "provenance.json", "metrics.jsonl", "model.safetensors", "model.json", "report.html",
        "teacher", "batchnorm", "round-1",
    }  # fmt: skip
    for stage in ("teacher", "batchnorm", "round-1"):
        assert (finished / stage / "model.json").is_file()
        names = {p.name for p in (finished / stage / "samples").iterdir()}
        assert names == {p.name for p in (finished / "teacher" / "samples").iterdir()} and len(names) >= 12
    assert not list(finished.rglob(".part-*")) and not list(finished.rglob(".raw"))
    pseudo = open_dataset(finished / "round-1" / "pseudo")
    assert len(pseudo) == 7 and all(f.label is not None and f.confidence is not None for f in pseudo.frames)
    ours, theirs = (load_file(p / "model.safetensors") for p in (finished, finished / "round-1"))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_what_is_logged(finished: Path) -> None:
    events = _events(finished)
    steps = {s: [e["step"] for e in events if e["event"] == "step" and e["stage"] == s] for s in ("teacher", "round-1")}
    assert steps == {"teacher": [1, 2, 3], "round-1": [1, 2, 3]}
    for kind, stages in {
        "eval": {"teacher", "batchnorm", "round-1"},
        "pseudo": {"round-1"},
        "guard": {"round-1"},
    }.items():
        found = [e["stage"] for e in events if e["event"] == kind]
        assert set(found) == stages and len(found) == len(stages), kind
    guard = next(e for e in events if e["event"] == "guard")
    assert guard["verdict"] == "keep" and guard["reasons"] == []


def test_the_card_tells_what_one_must_know(finished: Path) -> None:
    card = load(finished).card
    assert card.space == tiny.SPACE and card.size == tiny.BUDGET.size and card.extra["stage"] == "round-1"
    assert card.trained_on["seed"] == 1 and card.trained_on["labelled"] == 0 and card.trained_on["stage"] == "round-1"
    evaluation = next(e for e in _events(finished) if e["event"] == "eval" and e["stage"] == "round-1")
    assert card.miou is not None and card.miou["miou"] == evaluation["miou"]
    assert len(card.normalisation["mean"]) == 3
    with safe_open(finished / "model.safetensors", "pt") as file:
        assert file.metadata()["card"] == (finished / "model.json").read_text()


def test_no_label_of_the_target_was_opened(finished: Path, data: dict[str, str]) -> None:
    assert any("camvid/train/" in name for name in opened) and any("camvid/valannot/" in name for name in opened)
    assert not [name for name in opened if "trainannot" in name]


def test_a_finished_run_says_so_and_does_nothing(
    finished: Path, recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file() and p.name != "run.lock"}
    adapt(recipe, out=finished)
    assert "finished; nothing to do" in capsys.readouterr().err
    monkeypatch.chdir(finished.parent)
    adapt(recipe, out="run")
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file() and p.name != "run.lock"}


def test_another_recipe_is_refused_with_the_keys(finished: Path, recipe: Path) -> None:
    with pytest.raises(UserError, match=r"optimiser\.lr: 0.0004 then, 0.001 now; seed: 1 then, 2 now"):
        adapt(recipe, out=finished, set={"optimiser.lr": 0.001, "seed": 2})


class Killed(BaseException):
    """Like SIGKILL: nothing catches it, nothing cleans up."""


class _Stop:
    """Ends the process' work when it wants to give one more file its final name than it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.replace, self.unlink = 0, os.replace, Path.unlink
        self.dead = False
        monkeypatch.setattr("os.replace", self)
        monkeypatch.setattr(Path, "unlink", lambda path, *a, **k: None if self.dead else self.unlink(path, *a, **k))

    def __call__(self, source: Path, target: Path) -> None:
        self.left -= 1
        if self.left < 0:
            self.dead = True
            raise Killed
        self.replace(source, target)


def test_killed_between_any_two_files_it_ends_the_same_to_the_bit(
    finished: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again after a few more files: in training, in labelling, at a stage's end and the run's."""
    run, stop, kills = tmp_path / "run", _Stop(monkeypatch), 0
    for allowed in (1, 3, 5, 9, 6, 12, 8, 15, 7, 11, 13, 10, 14, 9, *(20,) * 20):
        stop.left, stop.dead = allowed, False
        try:
            adapt(recipe, out=run)
            break
        except Killed:
            kills += 1
    stop.dead = False
    assert kills >= 6 and _weights(run) == _weights(finished)
    kinds = [(e["event"], e.get("stage"), e.get("step")) for e in _events(run)]
    assert sorted(kinds, key=str) == sorted(
        ((e["event"], e.get("stage"), e.get("step")) for e in _events(finished)), key=str
    )
    assert not list(run.rglob(".raw"))


def _start(recipe: Path, run: Path) -> subprocess.Popen[bytes]:
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "simteacher", "adapt", str(recipe), "--out", str(run), "--quiet"]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE)


def _when(there: Callable[[], bool], process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal as soon as something is there."""
    deadline = time.monotonic() + 240
    while not there() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert process.poll() is None, f"ended before the signal: {process.stderr.read() if process.stderr else b''!r}"
    process.send_signal(number)


def test_kill_9_and_ctrl_c_of_a_real_process(recipe: Path, tmp_path: Path) -> None:
    """Killed in training, killed in labelling, interrupted in the round; compared with a run in such a process."""
    run = tmp_path / "run"
    process = _start(recipe, run)
    _when(lambda: (run / "teacher" / "state.safetensors").is_file(), process, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (run / "round-1" / "model.safetensors").exists()
    process = _start(recipe, run)
    _when(lambda: any((run / "round-1" / "pseudo").glob(".raw/*.png")), process, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (run / "model.safetensors").exists()
    process = _start(recipe, run)
    _when(lambda: (run / "round-1" / "state.safetensors").is_file(), process, signal.SIGINT)
    assert process.wait() in (130, 0)
    for folder in (run, tmp_path / "undisturbed"):
        assert _start(recipe, folder).wait() == 0
    assert _weights(run) == _weights(tmp_path / "undisturbed")


def test_a_full_disk_in_the_last_moment(
    finished: Path, recipe: Path, tmp_path: Path, full_disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "model.safetensors").unlink()
    full_disk("run/.part-model.safetensors")
    with pytest.raises(UserError, match="the disk is full"):
        adapt(recipe, out=run)
    monkeypatch.undo()
    adapt(recipe, out=run)
    assert _weights(run) == _weights(finished)


def test_stopped_before_its_report_a_run_still_gets_one(finished: Path, recipe: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "report.html").unlink()
    adapt(recipe, out=run)
    assert (run / "report.html").is_file()


def test_supervised_needs_no_source_and_names_what_it_may_see(data: dict[str, str], tmp_path: Path) -> None:
    """The ceiling: labelled photographs alone; here those of the validation split, as the others are closed."""
    path = tiny.recipe(tmp_path / "r.yaml", data["source"], data["target"], target_split="val", budget={
        **tiny.BUDGET.model_dump(mode="json"), "steps": 2,
    })  # fmt: skip
    run = adapt(path, out=tmp_path / "run", labelled="all", set={"source": None})
    assert [p.name for p in run.iterdir() if p.is_dir() and (p / "model.json").exists()] == ["teacher"]
    assert load(run).card.trained_on["labelled"] == 1 and load(run).card.extra["steps"] == {"teacher": 2, "round": 0}


def test_a_student_that_collapses_is_set_aside(
    finished: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Limits that nothing can meet: the model before the round is the result."""
    settings = {"guard.drift": 0.0, "rounds.count": 2, "teacher.weights": str(finished)}
    run = adapt(recipe, out=tmp_path / "run", set=settings)
    verdicts = [e["verdict"] for e in _events(run) if e["event"] == "guard"]
    assert verdicts == ["revert"] and "round-1: set aside" in capsys.readouterr().err
    assert load(run).card.extra["stage"] == "batchnorm" and not (run / "round-2").exists()
    ours, theirs = (load_file(r / "teacher" / "model.safetensors") for r in (run, finished))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_of_many_photographs_some_are_labelled(
    finished: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("simteacher.stages.LEAST_LABELLED", 3)
    keys = {"teacher.weights": str(finished / "teacher"), "eval_data": None, "eval_split": None, "budget.steps": 4}
    adapt(recipe, out=tmp_path / "run", set=keys)
    total = len(open_dataset(f"folder:{finished}/round-1/pseudo"))
    assert f"on 3 of {total} photographs" in capsys.readouterr().err
    names = [f.name for f in open_dataset(f"folder:{tmp_path}/run/round-1/pseudo").frames]
    assert len(names) == 3 and total > 3
    assert [e["photographs"] for e in _events(tmp_path / "run") if e["event"] == "pseudo"] == [3]
    capsys.readouterr()
    run = adapt(recipe, out=tmp_path / "all", labelled="all", set={**keys, "target_split": "val"})  # the readable ones
    assert not (run / "round-1" / "pseudo").exists() and " of 360" not in capsys.readouterr().err
    assert next(e for e in _events(run) if e["event"] == "step" and e["stage"] == "round-1")["losses"].keys() >= {
        "labelled"
    }


def test_a_teacher_of_another_network_teaches_students_that_start_afresh(
    finished: Path, recipe: Path, tmp_path: Path
) -> None:
    """Students that continue it must have its network: that is refused before anything is written."""
    other = {"network.encoder": "test_resnet", "teacher.weights": str(finished / "teacher")}
    with pytest.raises(UserError, match="another network") as caught:
        adapt(recipe, out=tmp_path / "run", set=other)
    assert caught.value.where == str(finished / "teacher") and not (tmp_path / "run").exists()
    run = adapt(recipe, out=tmp_path / "run", set={**other, "rounds": {"count": 1, "start": "scratch"}})
    assert load(run).card.network["encoder"] == "test_resnet"  # nothing kept: what of another's weights could be?


def test_a_teacher_of_no_class_in_common_is_refused(finished: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("{name: odd, classes: [lantern, kiosk]}")
    settings = {"classes": str(tmp_path / "odd.yaml"), "teacher.weights": str(finished), "eval_data": None}
    with pytest.raises(UserError, match="knows none of the classes of odd") as caught:
        adapt(recipe, out=tmp_path / "run", set=settings)
    assert caught.value.where == "teacher.weights"


def test_bad_photographs_and_labels_are_named(data: dict[str, str], tmp_path: Path) -> None:
    """Truncated image, label of another size, unknown value: found when first read, the file and the fix said."""
    for i, (name, spoil) in enumerate(
        {
            "images/00002.png": lambda p: p.write_bytes(p.read_bytes()[:200]),
            "labels/00002.png": lambda p: Image.fromarray(np.zeros((10, 10), np.uint8)).save(p),
            "labels/00003.png": lambda p: Image.fromarray(np.full((48, 64), 99, np.uint8)).save(p),
        }.items()
    ):
        made = lookalikes.gta5(tmp_path / f"gta{i}", 4)
        spoil(made.root / name)
        path = tiny.recipe(tmp_path / f"r{i}.yaml", made.spec, data["target"])
        with pytest.raises(UserError) as caught:
            adapt(path, out=tmp_path / f"run{i}")
        assert name.split("/")[1] in str(caught.value) and caught.value.fix


def test_what_only_a_late_step_would_read_is_looked_at_first(data: dict[str, str], tmp_path: Path) -> None:
    """A damaged photograph, and photographs to measure on that are missing or bare: said before a step is trained."""
    made, bare = lookalikes.camvid(tmp_path / "photos", 4), tmp_path / "bare"
    spoilt = sorted((made.root / "train").iterdir())[2]
    spoilt.write_bytes(spoilt.read_bytes()[:200])
    bare.mkdir()
    Image.new("RGB", (64, 48)).save(bare / "a.png")
    for target, measured, said in (
        (made.spec, None, spoilt.name),
        (data["target"], "camvid:nowhere", "nowhere: no such folder"),
        (data["target"], str(bare), "this image has no label"),
    ):
        path = tiny.recipe(tmp_path / "late.yaml", data["source"], target, eval_data=measured)
        with pytest.raises(UserError, match=said):
            adapt(path, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_the_command_says_what_is_wrong_in_one_message(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], recipe: Path, tmp_path: Path
) -> None:
    tree = yaml.safe_load(recipe.read_text())
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**tree, "optimizer": {"lr": 1}}))
    said = run_cli("adapt", "wrong.yaml", "--out", "run")
    assert said.returncode == 2 and "did you mean 'optimiser'?" in said.stderr and "wrong.yaml" in said.stderr
    assert "Traceback" not in said.stderr and "fix:" in said.stderr and not (tmp_path / "run").exists()
