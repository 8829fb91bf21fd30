"""Tables for people say the same numbers as the JSON."""

from __future__ import annotations

import json

import pytest

from simteacher.show import percent, print_check, print_comparison, print_json, print_scores

SCORES = {
    "miou": 0.5,
    "pixel_accuracy": 0.875,
    "iou": {"road": 0.75, "rider": None, "sky": 0.25},
    "images": 3,
    "split": "val",
}


def test_scores_name_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(SCORES)
    out = capsys.readouterr().out
    assert "mean IoU 50.0   pixel accuracy 87.5" in out
    assert [line.split()[:2] for line in out.splitlines()[1:4]] == [["road", "75.0"], ["rider", "-"], ["sky", "25.0"]]
    assert "3 images, val; left out of the mean, as they are nowhere: rider" in out


def test_comparison_ends_with_the_gain(capsys: pytest.CaptureFixture[str]) -> None:
    better = SCORES | {"miou": 0.45, "iou": {"road": 0.5, "rider": 0.1, "sky": 0.75}}
    print_comparison({"teacher": SCORES, "adapted": better})
    out = capsys.readouterr().out
    rows = {line.rsplit(maxsplit=3)[0].strip(): line.split()[-3:] for line in out.splitlines()}
    assert rows["road"] == ["75.0", "50.0", "-25.0"]
    assert rows["rider"] == ["-", "10.0", "-"]
    assert rows["mean IoU"] == ["50.0", "45.0", "+12.5"], "over road and sky, which both have"
    assert "left out of the gain of the mean, as only one of the two scores them: rider" in out
    print_comparison({"teacher": SCORES, "adapted": SCORES})
    assert "left out" not in capsys.readouterr().out


def test_check_lists_every_problem_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"file": "labels/[a].png", "problem": "value 77 is not a class", "fix": "add it"}
    result = {"format": "folder", "images": 2, "labelled": 1, "classes": {"road": 30, "sky": 60}, "ignored": 10}
    print_check(result | {"problems": [problem], "why": "has images/"})
    out = capsys.readouterr().out
    assert "folder (has images/)" in out
    assert "30.00 %" in out and "60.00 %" in out and "10.00 %" in out
    assert "1 problem\nlabels/[a].png: value 77 is not a class\n  fix: add it" in out
    print_check(result | {"problems": [], "classes": {}, "ignored": 0})
    assert "no problems" in capsys.readouterr().out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(SCORES)
    assert json.loads(capsys.readouterr().out) == SCORES


def test_json_is_json_in_every_encoding(capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"café": "日本", "\udcff.png": 1}  # the name of a file that is no UTF-8
    print_json(odd)
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out) == odd


def test_percent() -> None:
    assert (percent(0.42345), percent(None), percent(0.0)) == ("42.3", "-", "0.0")
