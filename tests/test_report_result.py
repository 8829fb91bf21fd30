"""What the report says of a measurement and of a refusal, and what it tells to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from simteacher.report import guard_rows, render, report, validator_table
from simteacher.report_data import Run, read_run
from simteacher.report_next import next_steps
from simteacher.report_plots import HEIGHT, REMARK_ROOM, Series, line_chart
from tests.fake_run import make_run
from tests.test_report import text_of


def change(run: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Edit every event of a run's log."""
    log = run / "metrics.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    for event in events:
        edit(event)
    log.write_text("".join(json.dumps(e) + "\n" for e in events))
    return run


def configure(run: Path, **keys: Any) -> Path:
    """Change keys of a run's recipe."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, **keys}))
    return run


def refused(out: Path, **how: Any) -> Path:
    """A finished run whose one round the guard refused."""
    run = make_run(out, rounds=1, samples=1, **how)
    card = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps({**card, "extra": {"stage": "teacher"}}))
    return change(run, lambda e: e.update(verdict="revert", reasons=["too far"]) if e["event"] == "guard" else None)


def test_a_class_that_one_model_alone_predicts_is_no_gain(tmp_path: Path) -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["event"] == "eval":
            first = event["stage"] == "teacher"
            event["iou"] = {"road": 0.6 if first else 0.58, "sky": 0.6, "bus": 0.0 if first else None}
            event["miou"] = 0.4 if first else 0.59

    run = change(make_run(tmp_path, rounds=1, samples=0), edit)
    text = text_of(report(run))
    assert "No gain on photographs this time: −1.0 points" in text
    assert "mean IoU is 40.0 % before and 59.0 % after; over the 2 classes that have a score both times it fell" in text
    assert "fell by 1.0 points" in text
    assert text.count("bus is left out of the gain") == 2, "in the story and under the table"
    assert "Mean 40.0 59.0 −1.0" in text and "lost without a label, over the 2 classes scored both times" in text
    assert "bus: not in the mean of every stage" in text


def test_the_number_of_photographs_is_told_and_what_it_is_worth(tmp_path: Path) -> None:
    run = make_run(tmp_path, rounds=1, samples=0)

    def told(images: int) -> str:
        return text_of(report(change(run, lambda e: e.update(images=images) if e["event"] == "eval" else None)))

    few = told(10)
    assert "On camvid:data/camvid val (10 photographs), whose" in few
    assert "From 10 photographs and one seed, such a difference may be chance." in few
    many = told(500)
    assert "(500 photographs)" in many and "may be chance" not in many
    change(run, lambda e: e.update(iou={"road": 0.5 + 0.01 * (e["stage"] != "teacher")}) if "iou" in e else None)
    assert "so small a difference, from one, may be chance" in text_of(report(run))


def test_photographs_trained_on_with_labels_flatter(tmp_path: Path) -> None:
    run = change(make_run(tmp_path, rounds=1, samples=0), lambda e: e.update(images=20) if "iou" in e else None)
    told = "3 of the 20 were trained on with their labels, so this number flatters"
    assert told not in text_of(report(run))
    text = text_of(report(change(run, lambda e: e.update(seen_labels=3) if "iou" in e else None)))
    assert text.count(told) == 2, "in the story and beside the number"
    assert "never saw" not in text and "opened only to measure" not in text and "without a label" not in text


def test_classes_that_the_labels_cannot_show_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, rounds=1, samples=0)
    text = text_of(report(change(run, lambda e: e.update(unnameable=["wall", "bus"]) if "iou" in e else None)))
    assert "These labels cannot show wall and bus: they count 0 in the mean wherever the model names them" in text
    assert "simteacher evaluate --classes NAME measures in the set's own classes" in text
    assert "cannot show" not in text_of(report(change(run, lambda e: e.update(unnameable=[]) if "iou" in e else None)))


def test_a_run_whose_rounds_are_refused_says_so(tmp_path: Path) -> None:
    run = configure(refused(tmp_path / "run"), rounds={"count": 3, "lr_factor": 0.5})
    text, page = text_of(report(run)), render(read_run(run))
    teacher = read_run(run).stages[0].evals[0]["miou"]
    assert f"Adaptation was refused: the model is the teacher ({100 * teacher:.1f} %)" in text
    assert '<span class="pill bad">finished, adaptation refused</span>' in page
    assert "Rounds 2 and 3 of the 3 asked for were not run" in text
    assert '<option value="round-1" selected>Round 1 (refused)</option>' in page
    assert ">(refused)</text>" in page and '<th scope="col" class="num">Round 1 (refused)</th>' in page
    again = next_steps(read_run(run))[0].command
    assert shlex.split(again)[1:] == ["adapt", f"{run}/config.yaml", "--out", f"{run}-gentler", "--set",
                                      "rounds.lr_factor=0.25"]  # fmt: skip
    blind = text_of(report(refused(tmp_path / "blind", evals=False)))
    assert "Adaptation was refused: the model is the teacher A network" in blind


def test_what_was_refused_is_never_the_best(tmp_path: Path) -> None:
    stages = read_run(make_run(tmp_path / "three", rounds=3, samples=0)).stages
    found = {name: best for name, _, _, best in validator_table(stages)["rows"]}
    assert found["agreement"] == pytest.approx(0.56), "round 3, with 0.59, was refused"
    alone = validator_table(read_run(refused(tmp_path / "one")).stages)
    assert not alone["compared"] and {best for *_, best in alone["rows"]} == {None}


def test_not_measured_yet_is_told_apart_from_no_labels(tmp_path: Path) -> None:
    run = make_run(tmp_path, finished=False, rounds=1, samples=0, evals=False)
    assert "No labels for measuring were given" in text_of(report(run))
    text = text_of(report(configure(run, eval_data="camvid:x")))
    assert "It is not measured yet" in text and "No labels for measuring" not in text


def _commands(run: Run) -> list[list[str]]:
    return [shlex.split(step.command) for step in next_steps(run)]


def test_next_are_commands_that_can_be_copied(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a run", rounds=1, samples=0)
    path = str(run)
    use = [["simteacher", "predict", path, "PHOTOGRAPHS"], ["simteacher", "export", path, "model.onnx"]]
    assert _commands(read_run(run)) == use
    blind = configure(make_run(tmp_path / "b", samples=0, evals=False), target="my photos", target_split="train")
    assert _commands(read_run(blind))[2:] == [
        ["simteacher", "evaluate", str(blind), "LABELLED"],
        ["simteacher", "select", str(blind), "my photos", "--split", "train", "--budget", "20"],
    ]
    shown = configure(make_run(tmp_path / "d", samples=0, stand_in=True), source="my renders")
    assert _commands(read_run(shown))[0][1:7] == [
        "adapt", "quick", "--source", "my renders", "--target", "PHOTOGRAPHS",
    ]  # fmt: skip
    half = make_run(tmp_path / "c", finished=False, samples=0)
    assert [s.command for s in next_steps(read_run(half))] == [read_run(half).provenance["command"]]
    assert "simteacher select" in text_of(report(blind)) and "Next" in text_of(report(half))


def test_the_guard_is_told_in_per_cent(tmp_path: Path) -> None:
    rows = dict(guard_rows(read_run(make_run(tmp_path, rounds=1, samples=0)).stages[1]))
    assert rows == {"drift": "14 %", "agreement": "86 % → 88 %", "class share tree": "11 % → 10 %"}


def test_values_over_dots_fit_and_one_step_is_a_dot() -> None:
    chart = line_chart([Series("mean IoU", [(0.0, 59.9), (1.0, 40.0)], "main")], "a", "", x_names=["x", "y (refused)"])
    tops = [float(part.split('y="')[1].split('"')[0]) for part in chart.split('class="value"')[1:]]
    assert min(tops) >= 12, "of a font of 12 px"
    assert ">y</text>" in chart and ">(refused)</text>" in chart
    assert f'viewBox="0 0 520 {HEIGHT + REMARK_ROOM}"' in chart
    assert max(float(y.split('"')[0]) for y in chart.split(' y="')[1:]) < HEIGHT + REMARK_ROOM - 4, "of a letter's foot"
    one = line_chart([Series("loss", [(1.0, 2.0)], "main"), Series("part", [(1.0, 1.0)], colour=3)], "a")
    assert one.count("<circle") == 2 and 'class="dot s3"' in one
    assert "<circle" not in line_chart([Series("loss", [(1.0, 2.0), (2.0, 1.0)], "main")], "a")
