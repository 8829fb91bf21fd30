"""How scores choose, against SciPy's rank correlation and choices made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from simteacher.experiments.choice import choices, judge


def test_a_score_that_is_the_truth_always_picks_the_best() -> None:
    group = [(0.3, {"good": 3.0, "bad": -3.0}), (0.5, {"good": 5.0, "bad": -5.0}), (0.4, {"good": 4.0, "bad": -4.0})]
    found = judge([group])
    assert found["good"] == {"best": 1.0, "regret": 0.0, "correlation": pytest.approx(1), "choices": 1}
    assert found["bad"]["best"] == 0.0 and found["bad"]["regret"] == pytest.approx(0.2)
    assert found["bad"]["correlation"] == pytest.approx(-1)
    assert found["mean rank"]["choices"] == 1


def test_correlation_is_spearmans_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.random(9), rng.integers(0, 4, 9)
    found = judge([[(t, {"s": float(s)}) for t, s in zip(truth, score, strict=True)]])
    assert found["s"]["correlation"] == pytest.approx(spearmanr(truth, score).statistic)
    assert found["s"]["regret"] == pytest.approx(truth.max() - truth[score.argmax()])


def test_what_cannot_be_compared_is_left_out() -> None:
    assert judge([[], [(0.3, {"a": 1.0})]]) == {}
    only = judge([[(0.3, {"a": 1.0, "b": 1.0}), (0.4, {"a": 2.0})]])
    assert set(only) == {"a"} and only["a"]["correlation"] is None


def line(row: str, seed: int, final: float, score: float, **more: object) -> dict[str, object]:
    stages = {
        "teacher": {"miou": 0.2, "scores": {"s": 0.1}},
        "round-1": {"miou": final, "scores": {"s": score}},
        "round-2": {"miou": None, "scores": {}},
    }
    return {"row": row, "seed": seed, "stage": "round-1", "stages": stages, "labelled": None, **more}


def test_two_questions_are_asked_of_an_experiment() -> None:
    lines = [line("a", 1, 0.4, 0.9), line("b", 1, 0.5, 0.8), line("a", 2, 0.1, 0.9), line("b", 2, 0.5, 0.95)]
    lines.append(line("supervised", 1, 0.9, 1.0, labelled="all"))
    found = choices(lines)
    assert found["stage of a run"]["s"]["choices"] == 4
    assert found["stage of a run"]["s"]["best"] == 0.75  # seed 2's a is worse than its teacher
    assert found["stage of a run"]["s"]["regret"] == pytest.approx(0.1 / 4)
    assert found["row of a seed"]["s"] == {
        "best": 0.5,
        "regret": pytest.approx(0.05),
        "correlation": None,
        "choices": 2,
    }
