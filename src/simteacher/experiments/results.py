"""What is kept of a finished row: one JSON line, read from its run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simteacher.report_data import read_run
from simteacher.report_facts import seen_labels

Line = dict[str, Any]
# What a table takes of every line; the first two name it.
NEEDED = ("row", "seed", "miou", "pixel_accuracy", "iou", "stage", "teacher", "reverted", "stages")


def collect(run: Path) -> Line:
    """Read a finished run.

    Returns:
        ``miou``, ``pixel_accuracy`` and ``iou`` of the stage that the run chose (None where no labels were given to
        measure on), ``seen_labels`` how many of these photographs it learned from with their labels, ``stage`` its
        name, ``teacher`` the teacher's mIoU, ``teacher_iou`` its IoUs, ``reverted`` the stages that the guard refused,
        and ``stages``: name -> ``{"miou", "scores"}`` with the label-free scores.
    """
    read = read_run(run)
    data = read.eval_data
    stages = {s.name: {"miou": s.score(data).get("miou"), "scores": s.validators} for s in read.stages}
    chosen = str(read.card.get("extra", {}).get("stage", "teacher"))
    score = next((s.score(data) for s in read.stages if s.name == chosen), {})
    return {
        "miou": score.get("miou"),
        "pixel_accuracy": score.get("pixel_accuracy"),
        "iou": score.get("iou", {}),
        "seen_labels": seen_labels(score),
        "stage": chosen,
        "teacher": stages.get("teacher", {}).get("miou"),
        "teacher_iou": next((s.score(data).get("iou", {}) for s in read.stages if s.name == "teacher"), {}),
        "reverted": [s.name for s in read.stages if s.reverted],
        "stages": stages,
        "measured_on": data,
    }


def keep(path: Path, line: Line) -> None:
    """Append a finished row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.is_file() or path.read_bytes()[-1:] in (b"", b"\n")  # else a kill cut the last line off
    with open(path, "a", encoding="utf-8") as f:
        f.write(("" if whole else "\n") + json.dumps(line, ensure_ascii=False) + "\n")


def kept(path: Path) -> list[Line]:
    """All whole lines; of a row and seed that stand there twice the last one."""
    lines: dict[tuple[str, int], Line] = {}
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
            row, seed, *_ = [line[key] for key in NEEDED]
            lines[row, seed] = line
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a kill, or damaged: its row is run again, or read from its run folder
    return list(lines.values())
