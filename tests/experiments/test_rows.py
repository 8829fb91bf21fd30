"""Rows of the comparisons: they resolve, have one budget, and share exactly those teachers that would be equal."""

from __future__ import annotations

import pytest

from simteacher.config import BUDGETS, Recipe
from simteacher.contradictions import contradiction
from simteacher.experiments.rows import KINDS, METHODS, STAGES, Row, resolve, rows_of, teacher_key, teacher_recipe
from simteacher.objectives.compose import needs_target
from simteacher.recipe_file import load_recipe
from simteacher.stages import stage_steps

BASE = Recipe(budget="quick", source="sim", target="photos")


def named(name: str, rows: tuple[Row, ...] = METHODS) -> Recipe:
    return resolve(BASE, next(r for r in rows if r.name == name), 1, "sim")


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_the_recipes_steps_and_batch(kind: str) -> None:
    rows = rows_of(kind, BASE, 367)
    assert len({r.name for r in rows}) == len(rows) >= 4
    for row in rows:
        recipe = resolve(BASE, row, 5, "sim")
        budget, (teacher, students) = recipe.resolved_budget, stage_steps(recipe)
        assert (budget.steps, budget.batch, recipe.seed) == (BUDGETS["quick"].steps, BUDGETS["quick"].batch, 5)
        assert teacher + students * recipe.rounds.count == budget.steps
        if kind != "sizes":
            assert budget == BUDGETS["quick"]


def test_a_row_with_another_budget_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="'more' has another budget"):
        resolve(BASE, Row("more", {"budget": "laptop"}), 1, "sim")


def test_source_only_sees_no_target() -> None:
    for rows, name in ((METHODS, "source only"), (STAGES, "none")):
        recipe = named(name, rows)
        assert not needs_target(recipe.teacher.objectives)
        assert (recipe.rounds.count, recipe.batchnorm, recipe.teacher.augment.match_target) == (0, 0, 0)


def test_rows_differ_in_what_they_are_named_for() -> None:
    assert named("ADVENT").teacher.objectives.entropy_maps and named("ADVENT").teacher.objectives.adversarial > 0
    assert not named("adversarial").teacher.objectives.entropy_maps
    assert named("rounds: max, threshold").rounds.pseudo.combine == "max"
    assert named("rounds: max, threshold").rounds.mix == "none"
    assert named("… + ClassMix + masked").rounds.objectives.masked == 1.0
    assert named("online EMA + ClassMix").rounds.online
    assert named("… + prototypes").rounds.pseudo.prototypes == 1.0 and named("… + rectified").rounds.rectified
    assert named("… + ClassMix + two views").rounds.objectives.two_views == 1.0
    assert named("rotation").teacher.objectives.rotation > 0 and named("contrast").teacher.objectives.contrast > 0
    assert named("supervised").source is None and named("supervised").labelled == "all"
    assert named("the recipe as it is") == BASE.model_copy(update={"seed": 1})


def test_self_supervision_is_in_the_row_that_is_named_for_it() -> None:
    for name in ("ST+UDA+SSL", "ST+UDA+SSL, all labels"):
        recipe = named(name, STAGES)
        assert recipe.rounds.count and recipe.rounds.objectives.rotation > 0 and recipe.rounds.objectives.contrast > 0
        assert recipe.teacher.objectives.adversarial > 0 and recipe.teacher.objectives.rotation == 0
    assert named("ST+UDA", STAGES).rounds.count == 0


def test_a_recipes_own_way_of_adapting_does_not_leak_into_rows_that_name_another() -> None:
    """`quick` trains its own short teacher at a lower rate and keeps all pixels."""
    quick = load_recipe("quick", {"source": "sim", "target": "photos"})
    assert quick.teacher.lr_factor < 1 and quick.teacher.keep > 0 and quick.rounds.pseudo.portion == (1.0,)
    rows = {r.name: resolve(quick, r, 1, "sim") for r in METHODS}
    for name in ("source only", "adversarial", "supervised"):
        assert (rows[name].teacher.lr_factor, rows[name].teacher.keep) == (1.0, 0.0), name
    assert rows["rounds: mean, balanced"].rounds.pseudo.portion == (0.5, 0.6)
    assert rows["the recipe as it is"] == quick.model_copy(update={"seed": 1})


def test_a_few_labels_are_five_per_cent_and_only_rounds_differ() -> None:
    rows = [r for r in rows_of("methods", BASE, 367) if r.name.startswith("5 % labels")]
    recipes = [resolve(BASE, r, 1, "sim") for r in rows]
    assert [r.labelled for r in recipes] == [18] * 3
    assert [r.rounds.mix_labelled for r in recipes] == ["none", "source", "none"]
    assert [r.rounds.objectives.two_views for r in recipes] == [0, 0, 1]
    assert len({teacher_key(r, stage_steps(r)[0]) for r in recipes}) == 1


@pytest.mark.parametrize("name", ["quick", "laptop"])
def test_rows_have_nothing_that_contradicts_itself(name: str) -> None:
    base = load_recipe(name, {"source": "sim", "target": "photos"})
    for kind in KINDS:
        for row in rows_of(kind, base, 367):
            assert contradiction(resolve(base, row, 1, "sim")) is None, row.name


def test_no_row_but_those_named_for_it_takes_the_targets_batch_norm_or_another_way_to_align() -> None:
    own = {"batchnorm": 0.5, "rounds.pseudo.floor": 0.3, "teacher.objectives": {"adversarial": 1, "entropy_maps": True}}
    base = load_recipe("quick", {"source": "s", "target": "t", **own})
    for kind in ("stages", "methods"):
        for row in rows_of(kind, base, 367):
            recipe = resolve(base, row, 1, "s")
            expected = {"batch-norm": 1.0, "the recipe as it is": 0.5}.get(row.name, 0.0)
            assert recipe.batchnorm == expected, row.name
            assert recipe.teacher.objectives.entropy_maps == (row.name in ("ADVENT", "the recipe as it is")), row.name
            assert contradiction(recipe) is None, row.name


def test_networks_are_compared_from_equal_starts() -> None:
    """`quick` starts from a model of its own network, with few steps at a low rate; no other network can."""
    quick = load_recipe("quick", {"source": "s", "target": "t"})
    same, own, *others = (resolve(quick, row, 1, "s") for row in rows_of("models", quick, 367))
    assert same == quick.model_copy(update={"seed": 1})
    assert own.network == quick.network.model_copy(update={"weights": "imagenet"})
    for recipe in (own, *others):
        assert recipe.network.weights == "imagenet"
        assert (recipe.teacher.share, recipe.teacher.lr_factor, recipe.teacher.keep) == (0.5, 1.0, 0.0)
        assert recipe.model_copy(update={"network": own.network}) == own
    for name in ("demo", "gta5-to-cityscapes"):  # start from ImageNet already
        base = load_recipe(name, {"source": "s", "target": "t"})
        rows = rows_of("models", base, 367)
        assert len(rows) == len(others) + 1
        assert {resolve(base, row, 1, "s").teacher for row in rows} == {base.teacher}
    none = load_recipe("smoke", {"source": "s", "target": "t", "network.weights": "none", "teacher.share": 0.3})
    names = [row.name for row in rows_of("models", none, 367)]
    assert names[:2] == ["the recipe's", "the recipe's, from ImageNet"]
    assert {resolve(none, row, 1, "s").teacher.share for row in rows_of("models", none, 367)} == {0.3}


def test_shares_of_few_photographs_that_are_one_number_are_one_row() -> None:
    rows = rows_of("labels", BASE, 6)
    assert [(r.name, r.changes["labelled"]) for r in rows if r.line == "adapted"] == [
        ("adapted, 0 %", None), ("adapted, 1 %", 1), ("adapted, 25 %", 2), ("adapted, 50 %", 3), ("adapted, 100 %", 6)
    ]  # fmt: skip
    assert [r.x for r in rows if r.line == "supervised"] == [1, 2, 3, 6]


def test_labels_are_shares_of_the_photographs_against_supervised_alone() -> None:
    rows = {r.name: r for r in rows_of("labels", BASE, 367)}
    counts = {n: r.changes["labelled"] for n, r in rows.items()}
    assert [counts[f"adapted, {s} %"] for s in (0, 1, 5, 10, 25, 50, 100)] == [None, 4, 18, 37, 92, 184, 367]
    assert [counts[f"supervised, {s} %"] for s in (1, 100)] == [4, 367] and "supervised, 0 %" not in rows
    assert resolve(BASE, rows["supervised, 10 %"], 1, "sim").source is None


def test_rows_with_labels_take_what_the_recipe_says_of_them_but_not_over_their_own() -> None:
    waiting = {"teacher": {"share": 0.4, "class_weight": 0.1}, "rounds": {"mix": "cutmix"}}
    base = Recipe(source="s", target="t", budget="quick", with_labels=waiting)
    adapted, labelled = (resolve(base, row, 1, "s") for row in rows_of("labels", base, 100)[:2])
    assert adapted.labelled is None and adapted.teacher.share == 0.5 and adapted.with_labels == waiting
    assert labelled.labelled == 1 and (labelled.teacher.share, labelled.rounds.mix) == (0.4, "cutmix")
    few = next(r for r in rows_of("methods", base, 100) if r.name == "5 % labels")
    assert few.changes["rounds.mix"] == "classmix"
    own = resolve(base, few, 1, "s")
    assert (own.rounds.mix, own.teacher.class_weight) == ("classmix", 0.1)
    assert base.with_labels == waiting and own.with_labels == {}


def test_sizes_keep_crops_multiples_of_32() -> None:
    crops = [resolve(BASE, r, 1, "sim").resolved_budget.crop for r in rows_of("sizes", BASE, 1)]
    assert BUDGETS["quick"].crop in crops and len(set(crops)) == len(crops)


def test_equal_teachers_have_one_name_and_others_another() -> None:
    def key(recipe: Recipe) -> str:
        return teacher_key(recipe, stage_steps(recipe)[0])

    alike = ["rounds: max, threshold", "rounds: mean, balanced", "… + CutMix", "online EMA + ClassMix"]
    assert len({key(named(n)) for n in alike}) == 1
    assert key(named("source only")) == key(named("batch-norm"))
    different = ["source only", "adversarial", "ADVENT", "supervised", "rounds: mean, balanced", "colour statistics"]
    assert len({key(named(n)) for n in different}) == len(different)
    assert key(named("source only")) != key(resolve(BASE, METHODS[0], 2, "sim"))


def test_a_teachers_recipe_trains_as_long_as_the_rows_own_would() -> None:
    row = named("rounds: mean, balanced")
    alone = teacher_recipe(row, stage_steps(row)[0])
    assert stage_steps(alone) == (stage_steps(row)[0], 0) and alone.teacher == row.teacher
