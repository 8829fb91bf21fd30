"""What a run works on: splits, classes, the labelled subset, and that a target's labels stay closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simteacher.config import Recipe
from simteacher.data.open import natural_space, open_dataset
from simteacher.errors import UserError
from simteacher.inputs import choose_labelled, open_inputs, training_split
from simteacher.labels import SPACES
from tests import lookalikes
from tests.lookalikes import Made


@pytest.fixture
def source(tmp_path: Path) -> Made:
    return lookalikes.gta5(tmp_path / "gta5", 3)


@pytest.fixture
def target(tmp_path: Path) -> Made:
    return lookalikes.camvid(tmp_path / "camvid", 12)


def _inputs(**recipe: Any) -> Any:
    return open_inputs(Recipe(**recipe))


def test_one_class_is_nothing_to_learn(source: Made, target: Made, tmp_path: Path) -> None:
    for names, fits in (("[road]", False), ("[road, car]", True)):
        (tmp_path / "own.yaml").write_text(f"name: own\nclasses: {names}\n")
        if fits:
            assert len(_inputs(source=source.spec, target=target.spec, classes=str(tmp_path / "own.yaml")).space) == 2
            continue
        with pytest.raises(UserError, match="'own' has one class") as caught:
            _inputs(source=source.spec, target=target.spec, classes=str(tmp_path / "own.yaml"))
        assert caught.value.where == "classes" and caught.value.fix


def test_the_target_is_its_training_photographs_without_labels(source: Made, target: Made) -> None:
    data = _inputs(source=source.spec, target=target.spec)
    assert len(data.target) == 8 and data.target.split == "train"
    assert all(f.label is None and f.confidence is None for f in data.target.frames) and not data.target.probe
    assert data.labelled is None and all(f.label is not None for f in data.source.frames)
    assert len(_inputs(source=source.spec, target=target.spec, target_split="val").target) == 2
    assert set(data.fingerprints()) == {"source", "target", "classes"}


@pytest.mark.parametrize(
    ("source_kind", "target_kind", "expected"),
    [
        ("gta5", "camvid", "camvid11"),
        ("gta5", "photographs", "cityscapes19"),
        ("synthia", "photographs", "cityscapes16"),
        ("synthia", "cityscapes", "cityscapes19"),
        ("folder", "photographs", "cityscapes19"),
    ],
)
def test_classes_are_the_targets_else_the_sources(
    tmp_path: Path, source_kind: str, target_kind: str, expected: str
) -> None:
    a = getattr(lookalikes, source_kind)(tmp_path / "a")
    b = getattr(lookalikes, target_kind)(tmp_path / "b")
    assert _inputs(source=a.spec, target=b.spec).space == SPACES[expected]
    assert _inputs(source=a.spec, target=b.spec, classes="cityscapes13").space == SPACES["cityscapes13"]


def test_a_set_without_splits_is_taken_whole(tmp_path: Path) -> None:
    assert len(training_split(lookalikes.photographs(tmp_path).spec, None)) == 5


def test_a_set_without_train_is_taken_whole_too(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path / "camvid")
    for name in ("train", "trainannot"):
        for path in (tmp_path / "camvid" / name).iterdir():
            path.unlink()
    assert len(training_split(made.spec, None)) == 2


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({}, "which photographs to learn is not said"),
        ({"target": "T"}, "nothing to learn from"),
        ({"target": "T", "source": "/no/such/split"}, "no such folder"),
        ({"target": "T", "source": "S", "target_split": "traim"}, "no split 'traim'; did you mean 'train'"),
        ({"target": "T", "source": "S", "classes": "camvid12"}, "camvid11"),
        ({"target": "P", "labelled": "all"}, "classes are not known"),
        ({"target": "P", "labelled": "all", "classes": "camvid11"}, "have no label file"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, source: Made, target: Made, recipe: dict[str, Any], said: str
) -> None:
    specs = {"S": source.spec, "T": target.spec, "P": lookalikes.photographs(tmp_path / "photos").spec}
    with pytest.raises(UserError) as caught:
        _inputs(**{k: specs.get(v, v) for k, v in recipe.items()})
    assert said in str(caught.value) and caught.value.fix


def test_labelled_by_number(target: Made) -> None:
    frames = open_dataset(target.spec, "train")
    for count in (1, 3, 8):
        chosen = choose_labelled(frames, count, seed=1)
        names = [f.name for f in chosen.frames]
        assert len(names) == count and names == sorted(names) and all(f.label is not None for f in chosen.frames)
        assert choose_labelled(frames, str(count), 1).frames == chosen.frames
    draws = {tuple(f.name for f in choose_labelled(frames, 3, seed).frames) for seed in range(8)}
    assert len(draws) > 4
    small, large = ({f.name for f in choose_labelled(frames, n, 1).frames} for n in (2, 5))
    assert small < large, "more labels add to the fewer, so that a curve over their number is one"
    assert len(choose_labelled(frames, "all", 1)) == 8


def test_where_some_have_labels(target: Made) -> None:
    whole = open_dataset(target.spec, "train")
    part = whole.subset(tuple(replace(f, label=None) if n < 5 else f for n, f in enumerate(whole.frames)))
    assert len(choose_labelled(part, 3, 1)) == 3
    with pytest.raises(UserError, match=r"labels of 3 of them\n  fix: choose 1 to 3$"):
        choose_labelled(part, 4, 1)
    with pytest.raises(UserError, match="--labelled 3 takes those that have one"):
        choose_labelled(part, "all", 1)


def test_labelled_by_names(target: Made, tmp_path: Path) -> None:
    frames = open_dataset(target.spec, "train")
    wanted = [frames.frames[i].name for i in (4, 1)]
    names = tmp_path / "names.txt"
    names.write_text(f"{wanted[0]}.png\n\n some/folder/{wanted[1]}.jpg \n{wanted[1]}\n")
    chosen = choose_labelled(frames, str(names), 1)
    assert [f.name for f in chosen.frames] == wanted


@pytest.mark.parametrize(
    ("labelled", "said"),
    [
        (0, "0 labelled images asked for, the target has 8"),
        (9, "9 labelled images asked for"),
        (-1, "-1 labelled"),
        ("sum", "neither a number"),
        ("FILE", "no image '0001TP_00000'; did you mean '0001TP_0000"),
        ("EMPTY", "names no image"),
    ],
)
def test_wrong_choices_of_labelled(target: Made, tmp_path: Path, labelled: Any, said: str) -> None:
    (tmp_path / "FILE").write_text("0001TP_00000\n")
    (tmp_path / "EMPTY").write_text("\n")
    given = str(tmp_path / labelled) if labelled in ("FILE", "EMPTY") else labelled
    with pytest.raises(UserError) as caught:
        choose_labelled(open_dataset(target.spec, "train"), given, 1)
    assert said in str(caught.value) and caught.value.fix


def test_a_missing_label_is_named(target: Made) -> None:
    frames = open_dataset(target.spec, "train")
    gone = frames.frames[2].label
    assert gone is not None
    gone.unlink()
    with pytest.raises(UserError, match="1 of 8 labelled images have no label file") as caught:
        choose_labelled(frames, "all", 1)
    assert caught.value.where == str(gone)


def test_natural_spaces_are_complete(tmp_path: Path) -> None:
    """Every layout but a plain folder says which classes it has."""
    for kind in ("cityscapes", "gta5", "synthia", "kitti", "vkitti2", "carla_ids", "camvid"):
        made = getattr(lookalikes, kind)(tmp_path / kind)
        assert natural_space(open_dataset(made.spec)) is not None, kind
    assert natural_space(open_dataset(lookalikes.photographs(tmp_path / "p").spec)) is None


def test_what_numbers_and_classes_mean_is_part_of_the_data(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path / "set")
    photographs = lookalikes.photographs(tmp_path / "photos")
    space = tmp_path / "space.yaml"

    def prints(ids: str, classes: str) -> dict[str, str]:
        (made.root / "dataset.yaml").write_text(f"space: cityscapes19\nids: {ids}\n", encoding="utf-8")
        space.write_text(f"name: mine\nclasses: {classes}\n", encoding="utf-8")
        return dict(_inputs(source=made.spec, target=photographs.spec, classes=str(space)).fingerprints())

    first = prints("{0: road, 1: car}", "[road, car]")
    assert prints("{0: road, 1: car}", "[road, car]") == first
    for other in (prints("{0: car, 1: road}", "[road, car]"), prints("{0: road, 1: car}", "[car, road]")):
        assert other["classes"] != first["classes"] and other["source"] == first["source"]


def test_labelled_photographs_are_drawn_among_those_with_labels(target: Made) -> None:
    kept = open_dataset(target.spec, "train")
    for frame in kept.frames[3:]:
        assert frame.label is not None
        frame.label.unlink()
    names = {f.name for f in kept.frames[:3]}
    for seed in range(4):
        drawn = choose_labelled(open_dataset(target.spec, "train"), 2, seed)
        assert len(drawn) == 2 and {f.name for f in drawn.frames} <= names
    with pytest.raises(UserError, match="4 labelled images asked for, the target has 8, labels of 3 of them"):
        choose_labelled(open_dataset(target.spec, "train"), 4, 1)
