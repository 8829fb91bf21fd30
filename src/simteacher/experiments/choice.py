"""How well label-free scores choose: against the mIoU that they never see.

Two questions are asked of each score: which stage of a run (checkpoint, round), and which row of a seed (method).
"""

from __future__ import annotations

import statistics
from typing import Any, TypedDict

import numpy as np
from scipy.stats import rankdata

from simteacher.experiments.results import Line

Candidate = tuple[float, dict[str, float]]  # mIoU, scores
MEAN_RANK = "mean rank"  # of all scores: an ensemble that needs no weights


class Choice(TypedDict):
    """How a score chose.

    ``best``: share of choices that were the truly best candidate; ``regret``: mean mIoU lost against it;
    ``correlation``: mean Spearman rank correlation with mIoU, None where it is undefined; ``choices``: how many.
    """

    best: float
    regret: float
    correlation: float | None
    choices: int


def _spearman(a: list[float], b: list[float]) -> float | None:
    """Pearson correlation of the ranks; None where one side does not vary or there are fewer than three points."""
    x, y = rankdata(a), rankdata(b)
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def judge(groups: list[list[Candidate]]) -> dict[str, Choice]:
    """Let every score choose one candidate of each group (the one it scores highest).

    Groups of fewer than two candidates, and scores that a candidate lacks, are left out.
    """
    out: dict[str, list[tuple[bool, float, float | None]]] = {}
    for group in groups:
        if len(group) < 2:
            continue
        truth = [miou for miou, _ in group]
        names = [n for n in group[0][1] if all(n in scores for _, scores in group)]
        columns = {n: [scores[n] for _, scores in group] for n in names}
        if len(names) > 1:
            columns[MEAN_RANK] = np.mean([rankdata(c) for c in columns.values()], axis=0).tolist()
        for name, column in columns.items():
            chosen = truth[int(np.argmax(column))]
            lost = max(truth) - chosen
            out.setdefault(name, []).append((lost <= 1e-9, lost, _spearman(column, truth)))
    return {name: _summary(rows) for name, rows in out.items()}


def _summary(rows: list[tuple[bool, float, float | None]]) -> Choice:
    correlations = [c for _, _, c in rows if c is not None]
    return {
        "best": statistics.mean(float(best) for best, _, _ in rows),
        "regret": statistics.mean(lost for _, lost, _ in rows),
        "correlation": statistics.mean(correlations) if correlations else None,
        "choices": len(rows),
    }


def _candidate(stage: dict[str, Any]) -> Candidate | None:
    return (stage["miou"], stage["scores"]) if stage.get("miou") is not None and stage.get("scores") else None


def choices(lines: list[Line]) -> dict[str, dict[str, Choice]]:
    """``{"stage of a run": {score: Choice}, "row of a seed": {score: Choice}}`` from an experiment's lines.

    Rows that learned from target labels are no candidates: where there are labels, labels choose.
    """
    blind = [line for line in lines if not line.get("labelled")]
    within = [[c for s in line["stages"].values() if (c := _candidate(s))] for line in blind]
    seeds = sorted({line["seed"] for line in blind})
    across = [
        [c for line in blind if line["seed"] == seed and (c := _candidate(line["stages"].get(line["stage"], {})))]
        for seed in seeds
    ]
    return {"stage of a run": judge(within), "row of a seed": judge(across)}
