"""What a row costs, in forward passes of one crop, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from simteacher.config import Budget, Recipe
from simteacher.experiments import estimate

BUDGET = Budget(steps=10, batch=4, size=(64, 32), crop=(64, 32))  # a photograph is one crop
READ = 1 + 1.5**2 + 2**2  # the recipe's three views of a photograph
LOOKS = 110 + 5 * READ  # label-free scores, and five images measured on
PASS = 3  # forward, backward to features, backward to weights


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        ({}, 10 * 4 * PASS),
        ({"agreement": 0.1}, 10 * 8 * PASS),
        ({"adversarial": 0.1}, 10 * 8 * PASS + 10 * 4 * 1.8),
        ({"adversarial": 0.1, "adversarial_aux": 0.1}, 10 * 8 * PASS + 10 * 4 * 2 * 1.8),
        ({"masked": 0.1}, 10 * (8 + 4) * PASS + 10 * 4),  # the averaged network answers first
        ({"rotation": 0.1}, 10 * (8 + 2) * PASS),  # an encoder alone is half of a network
    ],
)
def test_a_teacher(teacher: dict[str, float], expected: float) -> None:
    made = Recipe(source="s", budget=BUDGET, teacher={"objectives": teacher}, rounds={"count": 0})
    assert estimate.work(made, 100, 5) == pytest.approx(expected + LOOKS)


@pytest.mark.parametrize(("views", "passes"), [(1, 1), (2, 3.25), (3, 7.25)])
def test_what_is_measured_on_is_read_in_the_recipes_views(views: int, passes: float) -> None:
    made = Recipe(source="s", budget=BUDGET, rounds={"count": 0}, views=views)
    assert estimate.work(made, 100, 5) - estimate.work(made, 100, 0) == pytest.approx(5 * passes)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, 0),
        ({"online": True}, 5 * 2),
        ({"objectives": {"min_entropy": 0.1}}, 5 * 2 * PASS),  # photographs as they are, beside the mixed ones
        ({"objectives": {"min_entropy": 0.1}, "mix": "none"}, 0),
    ],
)
def test_a_round(changes: dict[str, Any], more: float) -> None:
    rounds = {"count": 1, "source_share": 0.5, "pseudo": {"views": 2}, **changes}
    made = Recipe(source="s", budget=BUDGET, rounds=rounds, guard={"images": 6})
    steps = 10 * 4 * PASS  # five of the teacher and five of the student
    labelling = 100 * (1 + 1.5**2) + 2 * 6
    assert estimate.work(made, 100, 5) == pytest.approx(steps + labelling + more + 2 * LOOKS)
    had = made.model_copy(update={"teacher": made.teacher.model_copy(update={"weights": "runs/one"})})
    assert estimate.work(made, 100, 5) - estimate.work(had, 100, 5) == 5 * 4 * PASS
