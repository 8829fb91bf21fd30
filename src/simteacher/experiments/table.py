"""Finished rows -> the table: means and spread over seeds, gains, classes, and how the label-free scores chose."""

from __future__ import annotations

import json
import re
import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from simteacher.experiments.choice import Choice, choices
from simteacher.experiments.results import Line
from simteacher.experiments.rows import SUPERVISED, Row
from simteacher.metrics import gain
from simteacher.show import percent


class Summary(TypedDict):
    """One row over its seeds; every number in [0, 1], None where nothing was measured.

    ``gain``: over the classes that the row and its own teacher both score; None also for lines kept before those of
    the teacher were. ``left_out``: classes that only one of the two scores, with any seed. ``gap``: share of the way
    from the first row to the supervised one, by seed and then averaged. ``seen_labels``: the most photographs, of any
    seed, that were measured after their labels had been learned from.
    """

    row: str
    seeds: list[int]
    values: list[float]
    miou: float | None
    spread: float | None
    teacher: float | None
    gain: float | None
    left_out: list[str]
    gap: float | None
    seen_labels: int
    pixel_accuracy: float | None
    iou: dict[str, float | None]
    minutes: float | None
    stages: list[str]
    reverted: int


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return statistics.mean(known) if known else None


def _gap(miou: float | None, floor: float | None, ceiling: float | None) -> float | None:
    if miou is None or floor is None or ceiling is None or ceiling <= floor:
        return None
    return (miou - floor) / (ceiling - floor)


def summarise(rows: Sequence[Row], lines: list[Line], first: str) -> list[Summary]:
    """One summary a row that has a finished seed, in the rows' order; a gap is counted from the row ``first``."""
    by_row = {row.name: sorted((x for x in lines if x["row"] == row.name), key=lambda x: x["seed"]) for row in rows}
    floor = {x["seed"]: x["miou"] for x in by_row.get(first, [])}
    ceiling = {x["seed"]: x["miou"] for x in by_row.get(SUPERVISED, [])}
    out: list[Summary] = []
    for name, mine in by_row.items():
        if not mine:
            continue
        values = [x["miou"] for x in mine if x["miou"] is not None]
        gaps = [_gap(x["miou"], floor.get(x["seed"]), ceiling.get(x["seed"])) for x in mine]
        gains = [gain(x.get("teacher_iou") or {}, x["iou"]) for x in mine if x.get("teacher_iou") and x["iou"]]
        classes = list(dict.fromkeys(c for x in mine for c in x["iou"]))
        out.append(
            {
                "row": name,
                "seeds": [x["seed"] for x in mine],
                "values": values,
                "miou": _mean(values),
                "spread": statistics.stdev(values) if len(values) > 1 else None,
                "teacher": _mean([x["teacher"] for x in mine]),
                "gain": _mean([g.value for g in gains]),
                "left_out": list(dict.fromkeys(name for g in gains for name in g.left_out)),
                "gap": _mean(gaps),
                "seen_labels": max(x.get("seen_labels") or 0 for x in mine),
                "pixel_accuracy": _mean([x["pixel_accuracy"] for x in mine]),
                "iou": {c: _mean([x["iou"].get(c) for x in mine]) for c in classes},
                "minutes": _mean([x["seconds"] / 60 if x.get("seconds") else None for x in mine]),
                "stages": [x["stage"] for x in mine],
                "reverted": sum(bool(x["reverted"]) for x in mine),
            }
        )
    return out


def _plain(text: object) -> str:
    """A name or path as Markdown that shows it: it opens no cell and no tag."""
    return re.sub(r"([\\|<])", r"\\\1", str(text))


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = (map(_plain, head), ["---"] * len(head), *(map(_plain, cells) for cells in body))
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines) + "\n"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f}"


def _main_table(summaries: Sequence[Summary]) -> str:
    gaps = any(s["row"] == SUPERVISED for s in summaries)
    head = ["row", "mIoU", "± (seeds)", "own teacher", "gain", *(["of the gap"] if gaps else []), "pixel acc.", "kept"]
    body = []
    for s in summaries:
        spread = "-" if s["spread"] is None else f"{100 * s['spread']:.1f}"
        gap = ["-" if s["gap"] is None else f"{100 * s['gap']:.0f} %"] if gaps else []
        kept = ", ".join(sorted(set(s["stages"])))
        row = [s["row"], percent(s["miou"]), f"{spread} ({len(s['seeds'])})", percent(s["teacher"])]
        body.append([*row, _signed(s["gain"]), *gap, percent(s["pixel_accuracy"]), kept])
    return _markdown(head, body)


def _choice_table(found: Mapping[str, Choice]) -> str:
    body = [
        [
            name,
            f"{100 * c['best']:.0f} %",
            percent(c["regret"]),
            "-" if c["correlation"] is None else f"{c['correlation']:+.2f}",
            str(c["choices"]),
        ]
        for name, c in sorted(found.items(), key=lambda item: item[1]["regret"])
    ]
    return _markdown(["score", "picks the best", "mIoU lost", "rank correlation", "choices"], body)


def table(
    facts: Mapping[str, Any], rows: Sequence[Row], lines: list[Line], missing: Mapping[str, str], floor: str
) -> dict[str, Any]:
    """Everything that ``table.json`` holds.

    Args:
        facts: How it was made: command, budget, data, seeds, hardware, date.
        rows: In the order of the table.
        lines: Finished rows.
        missing: Rows that cannot run here, and why.
        floor: Row that a gap is counted from: the comparison's first, whichever were asked for.
    """
    return {
        **facts,
        "rows": summarise(rows, lines, floor),
        "scores": choices(lines),
        "missing": dict(missing),
        "runs": lines,
    }


def as_command(words: Sequence[str], options: Mapping[str, object], keys: Mapping[str, object]) -> str:
    """The command line of a call, so that one from Python is told as one too.

    Args:
        words: What stands behind ``simteacher``.
        options: By name; those that are None are left out.
        keys: Of ``--set``, with their values.
    """
    said = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    text = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str) for k, v in keys.items()}
    sets = ["--set", *(f"{key}={value}" for key, value in text.items())] if keys else []
    return shlex.join(["simteacher", *words, *said, *sets])


def to_markdown(result: Mapping[str, Any]) -> str:
    """``table.md``."""
    summaries: list[Summary] = result["rows"]
    parts = [f"# {result['title']}\n"]
    made: Mapping[str, object] = result["made"]
    parts += [f"- {name}: {value if name == 'command' else _plain(value)}" for name, value in made.items()]
    parts += ["", _main_table(summaries)]
    parts += [
        "mIoU and pixel accuracy in per cent. `own teacher`: the row's first model, after the share of the budget"
    ]
    parts += [
        "that it has there. `gain`: over the classes that both it and the row score. `kept`: the stages that became"
    ]
    parts += ["the model, chosen without labels.\n"]
    parts += [
        f"Left out of the gain of **{_plain(s['row'])}**, as only one of the two scores them: "
        f"{_plain(', '.join(s['left_out']))}\n"
        for s in summaries
        if s["left_out"]
    ]
    parts += [
        f"**{_plain(s['row'])}** was trained on the labels of {s['seen_labels']:,} of the photographs that it was "
        "measured on, so its numbers flatter.\n"
        for s in summaries
        if s["seen_labels"]
    ]
    classes = list(dict.fromkeys(c for s in summaries for c in s["iou"]))
    if classes:
        body = [[s["row"], *(percent(s["iou"].get(c)) for c in classes)] for s in summaries]
        parts += ["## IoU by class\n", _markdown(["row", *classes], body)]
    if any(result["scores"].values()):
        parts += ["## Choosing without labels\n"]
        for question, found in result["scores"].items():
            if found:
                parts += [f"Which {question}? Each score chooses what it scores highest.\n", _choice_table(found)]
    for name, why in result["missing"].items():
        parts += [f"Not run: **{_plain(name)}**: {_plain(why)}"]
    return "\n".join(parts).rstrip() + "\n"
