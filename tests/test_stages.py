"""Stages from a recipe: steps, streams, shares of a batch, class weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from simteacher.config import Recipe
from simteacher.data.sample import DataSet, Frame
from simteacher.data.statistics import class_counts, class_weights
from simteacher.errors import UserError
from simteacher.inputs import Inputs, open_inputs
from simteacher.labels import SPACES
from simteacher.stages import Builder, channel_statistics, count_to_label, stage_steps, to_label
from tests import lookalikes
from tests.tiny import BUDGET, network

NET = nn.Identity()


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("stages")
    return {
        "source": lookalikes.gta5(root / "gta5", 4).spec,
        "target": lookalikes.camvid(root / "camvid", 12).spec,
    }


def _many(count: int, labelled: int = 0) -> Inputs:
    frames = tuple(Frame(f"{i:05d}", Path(f"{i:05d}.jpg")) for i in range(count))
    target = DataSet("folder", Path("photos"), None, frames, {})
    return Inputs(SPACES["camvid11"], None, target, target.subset(frames[:labelled]) if labelled else None)


def test_of_thousands_of_photographs_as_many_are_labelled_as_a_round_can_use() -> None:
    budget = BUDGET.model_copy(update={"batch": 4, "steps": 1000})
    rounds = {"count": 2, "source_share": 0.25}
    recipe = Recipe(source="s", target="t", budget=budget, teacher={"share": 0.2}, rounds=rounds)
    # 400 steps a round, 3 of 4 places: 1,200 views, each photograph twice in the mean
    assert [count_to_label(recipe, n) for n in (5, 599, 600, 601, 20_000)] == [5, 599, 600, 600, 600]
    for n in (600, 601, 1_199, 20_000):
        first, second = ([int(f.name) for f in to_label(recipe, _many(n), k).frames] for k in (1, 2))
        assert len(set(first)) == 600 and first == sorted(first)
        gaps = np.diff([first[-1] - n, *first])
        assert gaps.min() >= n // 600 and gaps.max() <= -(-n // 600), "evenly spaced, around the end too"
        assert first == [int(f.name) for f in to_label(recipe, _many(n), 1).frames]
    assert not set(first) & set(second), "a round labels others than the one before"
    known = [int(f.name) for f in to_label(recipe, _many(2_000, 1_500), 1).frames]
    assert known == list(range(1_500, 2_000)), "those with labels of their own leave their places to the others"
    assert len(to_label(recipe, _many(2_000, 2_000), 1)) == 0 and len(to_label(recipe, _many(500, 400), 1)) == 500
    short = recipe.model_copy(update={"budget": BUDGET.model_copy(update={"steps": 8})})
    assert count_to_label(short, 399) == 399 and count_to_label(short, 20_000) == 400
    assert count_to_label(recipe.model_copy(update={"rounds": recipe.rounds.model_copy(update={"count": 0})}), 9) == 0


def _builder(tmp_path: Path, specs: dict[str, str], batch: int = 4, **recipe: Any) -> Builder:
    budget = BUDGET.model_copy(update={"batch": batch, "steps": 100})
    made = Recipe(**{**specs, "budget": budget, **recipe})
    return Builder(made, open_inputs(made), tmp_path / "stats")


def _counts(stage: Any) -> dict[str, int]:
    return {role: s.count for role, s in stage.streams.items()}


@pytest.mark.parametrize(
    ("steps", "share", "rounds", "expected"),
    [
        (100, 0.5, 2, (50, 25)),
        (100, 0.6, 1, (60, 40)),
        (101, 0.5, 3, (50, 17)),
        (100, 0.5, 0, (100, 0)),
        (1, 0.5, 2, (1, 1)),
    ],
)
def test_all_stages_together_take_the_budgets_steps(
    steps: int, share: float, rounds: int, expected: tuple[int, int]
) -> None:
    budget = BUDGET.model_copy(update={"steps": steps})
    recipe = Recipe(source="s", target="t", budget=budget, teacher={"share": share}, rounds={"count": rounds})
    assert stage_steps(recipe) == expected
    assert stage_steps(Recipe(target="t", labelled="all", budget=budget)) == (steps, 0)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({}, {"source": 4}),
        ({"labelled": 3}, {"source": 2, "labelled": 2}),
        ({"labelled": "all", "source": None}, {"labelled": 4}),
        ({"teacher": {"objectives": {"agreement": 0.1}}}, {"source": 4, "target": 4}),
    ],
)
def test_streams_of_the_teacher(
    tmp_path: Path, specs: dict[str, str], recipe: dict[str, Any], expected: dict[str, int]
) -> None:
    stage = _builder(tmp_path, specs, **recipe).teacher(NET)
    assert _counts(stage) == expected and stage.name == "teacher"
    assert all((s.space is None) == (role == "target") for role, s in stage.streams.items())


def test_each_kind_of_stage_has_its_own_learning_rate(tmp_path: Path, specs: dict[str, str]) -> None:
    builder = _builder(tmp_path, specs, teacher={"lr_factor": 0.25}, rounds={"lr_factor": 0.75})
    pseudo = builder.data.source  # labelled images do as pseudo-labels
    assert pseudo is not None
    assert [builder.teacher(NET).lr_factor, builder.student(1, NET, pseudo).lr_factor] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("batch", "recipe", "expected"),
    [
        (4, {}, {"source": 2, "pseudo": 2}),
        (4, {"labelled": 3}, {"source": 1, "labelled": 1, "pseudo": 2}),
        (8, {"labelled": 3, "rounds": {"labelled_share": 0.25}}, {"source": 3, "labelled": 1, "pseudo": 4}),
        (8, {"labelled": 3, "rounds": {"labelled_share": 1.0}}, {"labelled": 4, "pseudo": 4}),
        (8, {"labelled": 3, "rounds": {"source_share": 0.0}}, {"labelled": 1, "pseudo": 7}),
        (4, {"labelled": "all"}, {"source": 1, "labelled": 3}),
        (8, {"rounds": {"source_share": 0.25}}, {"source": 2, "pseudo": 6}),
        (4, {"rounds": {"source_share": 0.0}}, {"pseudo": 4}),
        (4, {"rounds": {"source_share": 1.0}}, {"source": 3, "pseudo": 1}),
        (2, {"labelled": 3}, {"labelled": 1, "pseudo": 1}),
        (1, {}, {"pseudo": 1}),
    ],
)
def test_a_students_batch_is_that_of_the_budget(
    tmp_path: Path, specs: dict[str, str], batch: int, recipe: dict[str, Any], expected: dict[str, int]
) -> None:
    builder = _builder(tmp_path, specs, batch, **recipe)
    pseudo = lookalikes.camvid(tmp_path / "pseudo", 6)
    stage = builder.student(1, NET, open_inputs(Recipe(target=pseudo.spec, labelled="all")).labelled)  # type: ignore[arg-type]
    assert _counts(stage) == expected and sum(expected.values()) == batch


def test_what_is_labelled_is_not_learned_from_a_pseudo_label(tmp_path: Path, specs: dict[str, str]) -> None:
    builder = _builder(tmp_path, specs, labelled=3)
    everything = open_inputs(Recipe(target=specs["target"], labelled="all")).labelled
    assert builder.data.labelled is not None and everything is not None
    streams = builder.student(1, NET, everything).streams
    known, unknown = ({f.name for f in streams[role].dataset.frames} for role in ("labelled", "pseudo"))
    assert len(known) == 3 and not known & unknown
    assert known | unknown == {f.name for f in builder.data.target.frames}


def test_losses_on_photographs_see_those_of_a_fully_labelled_target(tmp_path: Path, specs: dict[str, str]) -> None:
    rounds = {"objectives": {"agreement": 0.1}, "online": True}
    builder = _builder(tmp_path, specs, labelled="all", rounds=rounds)
    assert builder.data.labelled is not None
    stage = builder.student(1, NET, builder.data.labelled)
    assert _counts(stage) == {"source": 1, "labelled": 3, "target": 2}
    assert stage.streams["target"].space is None and not stage.plan.online


def test_only_photographs_without_labels_are_seen_twice(tmp_path: Path, specs: dict[str, str]) -> None:
    objectives = {"objectives": {"two_views": 1.0}}
    builder = _builder(tmp_path, specs, labelled=3, teacher=objectives, rounds=objectives)
    net = network()
    pseudo = open_inputs(Recipe(target=specs["target"], labelled="all")).labelled
    assert pseudo is not None
    for stage in (builder.teacher(net), builder.student(1, net, pseudo)):
        assert {r for r, s in stage.streams.items() if s.twice} == {"target" if stage.name == "teacher" else "pseudo"}


def test_a_network_that_hides_its_features_is_told(tmp_path: Path, specs: dict[str, str]) -> None:
    builder = _builder(tmp_path, specs, teacher={"objectives": {"two_views": 1.0}})
    with pytest.raises(UserError, match="one of your own hides them"):
        builder.teacher(NET)


def test_rounds_see_other_views(tmp_path: Path, specs: dict[str, str]) -> None:
    builder = _builder(tmp_path, specs, labelled="all")
    assert builder.data.labelled is not None
    names = []
    for number in (1, 2):
        stream = builder.student(number, NET, builder.data.labelled).streams["source"]
        names.append([stream.batch(step).names for step in range(4)])
    assert names[0] != names[1]


def test_class_weights_are_of_all_labelled_sets_alike(tmp_path: Path, specs: dict[str, str]) -> None:
    builder = _builder(tmp_path, specs, labelled="all", teacher={"class_weight": 0.7})
    shares = []
    for dataset in (builder.data.source, builder.data.labelled):
        assert dataset is not None
        total = class_counts(dataset, builder.data.space.as_learned()).sum(0)
        shares.append(total / total.sum())
    weights = builder.teacher(NET).class_weight_K
    assert weights is not None
    np.testing.assert_allclose(weights, class_weights(np.stack(shares), 0.7), rtol=1e-6)
    assert _builder(tmp_path, specs, teacher={"class_weight": 0}).teacher(NET).class_weight_K is None


def test_labels_of_other_classes_are_refused(tmp_path: Path, specs: dict[str, str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("{name: fruit, classes: [{name: apple}, {name: pear}]}")
    builder = _builder(tmp_path, specs, classes=str(own))
    with pytest.raises(UserError, match="show no class of the label space 'fruit'") as caught:
        builder.teacher(NET)
    assert "gta5" in str(caught.value.where)


def test_images_whose_labels_show_nothing_are_told(
    tmp_path: Path, specs: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = lookalikes.camvid(tmp_path / "own", 5)
    chosen = open_inputs(Recipe(**{**specs, "target": made.spec, "labelled": "all"})).labelled
    assert chosen is not None
    label = chosen.frames[1].label
    assert label is not None
    Image.new("L", (64, 48), 11).save(label)  # CamVid's number for what is no class
    _builder(tmp_path, {**specs, "target": made.spec}, labelled="all").teacher(NET)
    said = capsys.readouterr().err
    assert f"1 of {len(chosen)} labelled images, as their labels show no class: {chosen.frames[1].name}" in said
    assert "source images" not in said


def test_channel_statistics_are_those_of_the_photographs(tmp_path: Path) -> None:
    import torch
    from PIL import Image

    from simteacher.data.open import open_dataset

    colours = [(10, 20, 30), (200, 100, 50)]
    for i, colour in enumerate(colours):
        Image.new("RGB", (160, 120), colour).save(tmp_path / f"p{i}.png")
    mean, std = channel_statistics(open_dataset(tmp_path), 1)
    assert torch.from_numpy(mean).round().int().tolist() == [list(c) for c in colours] and not std.any()


def test_colours_of_the_target_are_for_the_source_alone(tmp_path: Path, specs: dict[str, str]) -> None:
    augment = {"match_target": 0.5}
    builder = _builder(tmp_path, specs, labelled=2, teacher={"augment": augment}, rounds={"augment": augment})
    streams = builder.teacher(NET).streams
    assert streams["source"].like is not None and streams["labelled"].like is None
    assert _builder(tmp_path, specs).teacher(NET).streams["source"].like is None


def test_features_stay_near_a_reference_where_that_is_asked_for(tmp_path: Path, specs: dict[str, str]) -> None:
    asked = {"objectives": {"feature_distance": 0.005}}
    builder = _builder(tmp_path, specs, teacher=asked)
    net, pseudo = network(encoder="tf_efficientnet_lite0"), builder.data.source
    assert pseudo is not None
    reference = builder.teacher(net).reference
    assert reference is not None and "car" in {builder.data.space.classes[k] for k in reference.things}
    assert builder.student(1, net, pseudo).reference is None
    assert _builder(tmp_path, specs, rounds=asked).student(1, net, pseudo).reference is not None
    unknown = _builder(tmp_path, specs, teacher=asked, network={"encoder": "test_efficientnet"})
    # nobody has trained it, and no random one takes its place
    with pytest.raises(UserError, match="test_efficientnet"):
        unknown.teacher(network())
