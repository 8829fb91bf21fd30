"""Tables and plots of known numbers."""

from __future__ import annotations

import shlex
from typing import Any
from xml.etree import ElementTree

import pytest

from simteacher.experiments.plot import bars, curves
from simteacher.experiments.rows import Row
from simteacher.experiments.table import _gap, as_command, summarise, table, to_markdown
from simteacher.recipe_file import parse_set

ROWS = (Row("source only"), Row("method & more", x=10, line="a"), Row("absent"), Row("supervised", x=20, line="b"))


def line(row: str, seed: int, miou: float | None, teacher: float = 0.2) -> dict[str, Any]:
    stages = {
        "teacher": {"miou": teacher, "scores": {"snd": 0.5}},
        "round-1": {"miou": miou, "scores": {"snd": 0.6}},
    }
    return {
        "row": row, "seed": seed, "miou": miou, "teacher": teacher, "pixel_accuracy": 0.8, "seconds": 60.0,
        "labelled": None, "iou": {"road": 0.9, "car": None}, "teacher_iou": {"road": 0.7, "car": None},
        "stage": "round-1", "reverted": [], "stages": stages,
    }  # fmt: skip


LINES = [
    line("source only", 1, 0.20), line("source only", 2, 0.30), line("method & more", 1, 0.40),
    line("method & more", 2, 0.40), line("supervised", 1, 0.60), line("supervised", 2, 0.50),
]  # fmt: skip


def test_a_call_from_python_is_told_as_a_command() -> None:
    keys = {"rounds.mix": "none", "rounds.online": True, "rounds.pseudo.portion": (0.2, 1), "eval_split": None}
    words = ["experiment", "methods", "my recipe.yaml"]
    said = as_command(words, {"out": "x", "source": None, "rows": "ST; none"}, keys)
    assert said.startswith("simteacher experiment methods 'my recipe.yaml' --out x --rows 'ST; none' --set ")
    again = parse_set(shlex.split(said.partition("--set ")[2]))
    assert again == {**keys, "rounds.pseudo.portion": [0.2, 1]}
    assert as_command(["check"], {}, {}) == "simteacher check"


def test_there_is_no_gap_where_labels_do_not_help() -> None:
    assert _gap(0.4, 0.3, 0.5) == pytest.approx(0.5)
    assert _gap(0.4, 0.3, 0.3) is None and _gap(0.25, 0.3, 0.2) is None


def test_means_spread_gain_and_gap() -> None:
    first, method, ceiling = summarise(ROWS, LINES, ROWS[0].name)
    assert first["miou"] == pytest.approx(0.25) and first["spread"] == pytest.approx(0.0707, abs=1e-4)
    assert method["gain"] == pytest.approx(0.2) and method["minutes"] == 1.0
    assert method["gap"] == pytest.approx((0.2 / 0.4 + 0.1 / 0.2) / 2)
    assert (first["gap"], ceiling["gap"]) == (pytest.approx(0), pytest.approx(1))
    assert method["iou"] == {"road": pytest.approx(0.9), "car": None}


def test_a_gain_is_over_the_classes_that_both_score() -> None:
    """A class that the teacher alone predicts by mistake lowers its mean and is no gain when it goes."""
    row = line("method & more", 1, 0.45) | {"teacher_iou": {"road": 0.95, "car": 0.0}}
    (only,) = summarise(ROWS, [row], ROWS[0].name)
    assert only["gain"] == pytest.approx(-0.05) and only["left_out"] == ["car"]
    text = to_markdown(table({"title": "T", "made": {}}, ROWS, [row], {}, ROWS[0].name))
    assert "| 20.0 | -5.0 |" in text
    assert "Left out of the gain of **method & more**, as only one of the two scores them: car" in text
    (old,) = summarise(ROWS, [{k: v for k, v in row.items() if k != "teacher_iou"}], ROWS[0].name)
    assert old["gain"] is None, "kept before the teacher's classes were"


def test_photographs_that_were_learned_from_are_told() -> None:
    lines = [LINES[0], {**LINES[4], "seen_labels": 3}, {**LINES[5], "seen_labels": 4}]
    text = to_markdown(table({"title": "T", "made": {}}, ROWS, lines, {}, ROWS[0].name))
    assert "**supervised** was trained on the labels of 4 of the photographs" in text
    assert "**source only** was trained" not in text


def test_names_and_paths_open_no_cell_and_no_tag() -> None:
    odd = (Row("a | <b>"),)
    made = {"command": "`simteacher x '<|>'`", "source": "sets/<i>|x"}
    text = to_markdown(table({"title": "T", "made": made}, odd, [line("a | <b>", 1, 0.4)], {"<c>": "|"}, odd[0].name))
    row = next(x for x in text.splitlines() if x.startswith("| a \\|"))
    assert r"a \| \<b>" in row and row.replace(r"\|", "").count("|") == 8
    assert "- command: `simteacher x '<|>'`" in text, "code stands as it is"
    assert r"- source: sets/\<i>\|x" in text and r"Not run: **\<c>**: \|" in text


def test_nothing_measured_is_told_apart_from_zero() -> None:
    (only,) = summarise(ROWS, [line("method & more", 1, None)], ROWS[0].name)
    assert (only["miou"], only["gap"], only["spread"], only["values"]) == (None, None, None, [])


def test_markdown_has_all_parts() -> None:
    result = table({"title": "T", "made": {"command": "`x`"}}, ROWS, LINES, {"absent": "no weights"}, ROWS[0].name)
    text = to_markdown(result)
    assert "| method & more | 40.0 | 0.0 (2) | 20.0 | +20.0 | 50 % | 80.0 | round-1 |" in text
    assert "Not run: **absent**: no weights" in text and "| snd | 100 % |" in text
    for block in text.split("\n\n"):
        rows = [x for x in block.splitlines() if x.startswith("|")]
        assert len({x.count("|") for x in rows}) <= 1


def test_plots_are_xml_and_show_every_seed() -> None:
    summaries = summarise(ROWS, LINES, ROWS[0].name)
    for text, dots in ((bars(summaries, "a < b"), 6), (curves(summaries, ROWS, "a < b", "labels"), 4)):
        root = ElementTree.fromstring(text)
        assert len(root.findall(".//{*}circle")) == dots
        for circle in root.findall(".//{*}circle"):
            assert 0 < float(circle.get("cx", "-1")) < 760
    higher = {c.get("cx"): c for c in ElementTree.fromstring(bars(summaries, "")).findall(".//{*}circle")}
    assert len(higher) == 5  # the method's two seeds are equal
    assert ElementTree.fromstring(bars([], "empty")) is not None


def test_plots_bring_their_own_ground() -> None:
    """Light words of a dark scheme would be lost on a viewer's white."""
    for text in (bars(summarise(ROWS, LINES, ROWS[0].name), "a"), bars([], "empty")):
        ground = ElementTree.fromstring(text).find("{*}rect")
        assert ground is not None and ground.get("width") == ground.get("height") == "100%"
        dark = text.partition("prefers-color-scheme:dark")[2]
        assert text.count(".ground{fill:") == 2 and ".ground{fill:" in dark
