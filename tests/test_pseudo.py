"""Pseudo-labels: merging of views, thresholds and the written set by brute force; stopping anywhere loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simteacher import pseudo as module
from simteacher.config import PseudoLabels
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.dense import probabilities
from simteacher.errors import UserError
from simteacher.files import sole_writer
from simteacher.pseudo import VIEWS, combine, label_dataset, look, thresholds
from tests.lookalikes.streets import photo, save
from tests.stub_model import SPACE, StubModel, blocks

BALANCED = PseudoLabels(views=2)


@pytest.fixture
def photographs(tmp_path: Path) -> DataSet:
    """Three coloured noises, read with changing confidence, and one picture of blocks."""
    rng = np.random.default_rng(0)
    for i in range(3):
        save(tmp_path / f"photos/p{i}.png", photo(rng, (64, 48)))
    save(tmp_path / "photos/sub/blocks.png", blocks(0)[0])
    return open_dataset(tmp_path / "photos")


def _views(count: int = 3) -> np.ndarray:
    p = np.random.default_rng(0).random((count, 4, 5, 6)).astype(np.float32)
    return p / p.sum(1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_combine_by_brute_force(count: int) -> None:
    views = _views(count)
    most, mean = combine(iter(views), "max"), combine(iter(views), "mean")
    for y in range(5):
        for x in range(6):
            one = views[:, :, y, x].astype(float)
            view, k = np.unravel_index(one.argmax(), one.shape)
            assert most[0][y, x] == k and most[1][y, x] == round(one[view, k] * 255)
            average = one.mean(0)
            assert mean[0][y, x] == average.argmax()
            assert abs(int(mean[1][y, x]) - average.max() * 255) <= 0.5 + 1e-3
    assert all(a.dtype == np.uint8 for a in (*most, *mean))


def test_views_are_moved_back_to_the_image(tmp_path: Path) -> None:
    """The stub reads colours pixel by pixel, so every view of it must say the same as the picture's truth."""
    image, truth = blocks(3)
    label, confidence = look(StubModel(), image, 1, "mean")
    assert np.array_equal(label, truth) and confidence.min() > 250
    for count in (2, 3, 6):
        label, _ = look(StubModel(), image, count, "max")
        inner = np.zeros(truth.shape, bool)  # away from the blocks' edges, which zooms blur
        inner[2::8, 2::8] = inner[5::8, 5::8] = True
        assert np.array_equal(label[inner], truth[inner])


def test_look_reads_as_a_photograph_is_read_or_takes_the_surest_view() -> None:
    image = photo(np.random.default_rng(1), (64, 48))
    model = StubModel(reach=3)
    for views in (2, 3):
        label, confidence = look(model, image, views, "mean")
        mean = probabilities(model, image, views=views)
        assert np.array_equal(label, mean.argmax(0)) and np.abs(confidence - mean.max(0) * 255).max() <= 0.51
    mirrored = probabilities(model, np.ascontiguousarray(image[:, ::-1]), scale=1.5)[..., ::-1]
    both = np.stack([probabilities(model, image), mirrored])
    label, confidence = look(model, image, 2, "max")
    assert np.array_equal(label, np.take_along_axis(both.argmax(1), both.max(1).argmax(0)[None], 0)[0])
    assert np.abs(confidence - both.max((0, 1)) * 255).max() <= 0.51
    assert VIEWS[:3] == ((1.0, False), (1.5, True), (2.0, False)) and len(set(VIEWS)) == len(VIEWS)


@pytest.mark.parametrize("portion", [0.1, 0.5, 0.66, 1.0])
def test_balanced_thresholds_by_sorting(portion: float) -> None:
    """Of each class the most confident pixels, at least the wanted share, and no more than ties force."""
    rng = np.random.default_rng(0)
    confidences = [rng.integers(0, 256, n) for n in (1000, 7, 1, 0)] + [np.full(50, 200)]
    histogram = np.stack([np.bincount(c, minlength=256) for c in confidences])
    levels = thresholds(histogram, PseudoLabels(portion=(portion,)), portion)
    for k, values in enumerate(confidences):
        ordered = sorted(values, reverse=True)
        wanted = max(1, int(np.ceil(round(portion * len(values), 9))))
        if len(values):
            assert levels[k] == ordered[wanted - 1], k


def test_a_class_that_was_never_answered_is_not_let_in_at_any_confidence() -> None:
    histogram = np.zeros((2, 256), np.int64)
    histogram[0, 200] = 5
    assert thresholds(histogram, PseudoLabels(), 0.5).tolist() == [200, 255]


def test_balanced_thresholds_have_a_floor() -> None:
    histogram = np.zeros((2, 256), np.int64)
    histogram[0, 100], histogram[1, 240] = 10, 10
    assert thresholds(histogram, PseudoLabels(floor=0.6), 0.5).tolist() == [153, 240]


def test_one_threshold_for_all() -> None:
    how = PseudoLabels(select="threshold", threshold=0.6)
    assert thresholds(np.ones((3, 256), np.int64), how, 0.5).tolist() == [153, 153, 153]


@pytest.mark.parametrize("how", [BALANCED, PseudoLabels(views=1, select="threshold", threshold=0.9)])
def test_the_written_set_by_brute_force(photographs: DataSet, tmp_path: Path, how: PseudoLabels) -> None:
    out, model = tmp_path / "out", StubModel()
    summary = label_dataset(model, photographs, out, how, 0.4, {"kind": "test"})
    looked = {f.name: look(model, np.asarray(Image.open(f.image)), how.views, how.combine) for f in photographs.frames}
    label, confidence = (np.stack([looked[f.name][i] for f in photographs.frames]) for i in (0, 1))
    level = {}
    for k, name in enumerate(SPACE.classes):
        values = np.sort(confidence[label == k])[::-1]
        level[k] = values[int(np.ceil(0.4 * len(values))) - 1] if how.select == "balanced" else np.ceil(0.9 * 255)
        assert summary["thresholds"][name] == pytest.approx(level[k] / 255)
    kept = confidence >= np.vectorize(level.get)(label)
    assert summary["coverage"] == pytest.approx(kept.mean()) and 0.3 < kept.mean() < 1
    assert summary["mean_confidence"] == pytest.approx(confidence.mean() / 255)
    for k, name in enumerate(SPACE.classes):
        assert summary["predicted_share"][name] == pytest.approx((label == k).mean())
        assert summary["class_share"][name] == pytest.approx((label[kept] == k).mean())
    written = open_dataset(out)
    assert written.space == SPACE and [f.name for f in written.frames] == sorted(looked)
    for frame in written.frames:
        assert frame.label is not None and frame.confidence is not None
        seen, sure = looked[frame.name]
        expected = np.where(sure >= np.vectorize(level.get)(seen), seen, 255)
        assert np.array_equal(np.asarray(Image.open(frame.label)), expected)
        assert np.array_equal(np.asarray(Image.open(frame.confidence)), sure)
    assert not (out / ".raw").exists() and json.loads((out / "pseudo.json").read_text()) == summary


class _Stop:
    """Raises after so many written files, before or after the rename, without cleaning up, as a kill does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        self.left, self.original = 10**9, os.replace
        monkeypatch.setattr("os.replace", self)

    def __call__(self, source: Path, target: Path) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.original(source, target)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("files", [4, 5, 7])
def test_stopped_after_any_file_it_goes_on(
    photographs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    whole = label_dataset(StubModel(), photographs, tmp_path / "whole", BALANCED, 0.4, {"kind": "test"})
    stop, stops, seen = _Stop(monkeypatch), 0, []
    for _ in range(30):
        stop.left = files
        model = StubModel()
        try:
            again = label_dataset(model, photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"})
            break
        except KeyboardInterrupt:
            stops += 1
            seen.append(len(model.seen))
    assert stops > 1 and again == whole
    assert _files(tmp_path / "out") == _files(tmp_path / "whole")
    assert sum(seen) <= 2 * len(photographs) + stops * 2, "photographs that were labelled already were read again"


def test_a_finished_set_is_taken_as_it_is(photographs: DataSet, tmp_path: Path) -> None:
    first = label_dataset(StubModel(), photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"})
    model = StubModel()
    assert label_dataset(model, photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"}) == first
    assert model.seen == []


@pytest.mark.parametrize("damage", ["a label", "the record", "both"])
def test_what_a_finished_set_has_lost_is_made_again(photographs: DataSet, tmp_path: Path, damage: str) -> None:
    first = label_dataset(StubModel(), photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"})
    lost = tmp_path / "out" / "labels" / f"{photographs.frames[1].name}.png"
    before = lost.read_bytes()
    if damage != "the record":
        lost.unlink()
    if damage != "a label":
        (tmp_path / "out" / "pseudo.json").write_text("")
    assert label_dataset(StubModel(), photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"}) == first
    assert lost.read_bytes() == before and not (tmp_path / "out" / ".raw").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_labels_of_another_model_or_threshold_are_not_mixed_in(
    photographs: DataSet, tmp_path: Path, finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    if finished:
        label_dataset(StubModel(), photographs, out, BALANCED, 0.4, {"model": "a"})
    else:
        stop = _Stop(monkeypatch)
        stop.left = 3
        with pytest.raises(KeyboardInterrupt):
            label_dataset(StubModel(), photographs, out, BALANCED, 0.4, {"model": "a"})
        monkeypatch.undo()
    others = [(BALANCED, 0.4, {"model": "b"}), (PseudoLabels(views=1), 0.4, {"model": "a"})]
    for how, portion, origin in others + [(BALANCED, 0.5, {"model": "a"})] * finished:
        with pytest.raises(UserError, match="holds another data set"):
            label_dataset(StubModel(), photographs, out, how, portion, origin)


@pytest.mark.parametrize(
    ("how", "read"),
    [
        (BALANCED, 2),  # the damaged photograph, and the one that has changed since
        (PseudoLabels(views=2, select="threshold"), 2),
    ],
)
def test_a_failed_call_does_not_block_the_corrected_one(
    photographs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: PseudoLabels, read: int
) -> None:
    """What it read is read again where it may be another's: of another model, or of a photograph that has changed."""
    out = tmp_path / "out"
    *others, last = photographs.frames
    good = last.image.read_bytes()
    last.image.write_bytes(good[:60])
    with sole_writer(out), pytest.raises(UserError, match=r"cut off|truncated|damaged"):
        label_dataset(StubModel(), photographs, out, BALANCED, 0.4, {"model": "a", "files": "1"})
    last.image.write_bytes(good)
    others[1].image.write_bytes(others[1].image.read_bytes())
    looked: list[int] = []
    monkeypatch.setattr(module, "look", lambda *given: looked.append(1) or look(*given))
    with sole_writer(out):
        label_dataset(StubModel(), photographs, out, how, 0.4, {"model": "a", "files": "2"})
    assert len(looked) == read
    label_dataset(StubModel(), photographs, tmp_path / "whole", how, 0.4, {"model": "a", "files": "2"})
    assert _files(out) == _files(tmp_path / "whole")


def test_a_full_disk_while_labelling(photographs: DataSet, tmp_path: Path, full_disk: Any) -> None:
    full_disk("/.raw/", after=2)
    with pytest.raises(UserError, match="the disk is full") as caught:
        label_dataset(StubModel(), photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"})
    assert "out" in str(caught.value.where)
    assert len(list((tmp_path / "out" / ".raw").glob("*.png"))) == 2


def test_an_unreadable_photograph_is_named(photographs: DataSet, tmp_path: Path) -> None:
    first, second = photographs.frames[0].image, photographs.frames[2].image
    second.write_bytes(second.read_bytes()[:300])
    first.write_bytes(first.read_bytes()[:300])
    with pytest.raises(UserError, match=f"nor can 1 other be read: {second.name}") as caught:
        label_dataset(StubModel(), photographs, tmp_path / "out", BALANCED, 0.4, {"kind": "test"})
    assert caught.value.where == str(first) and caught.value.fix
    assert len(list((tmp_path / "out" / ".raw").glob("*.png"))) == 2, "all others are read, for the next call"


def test_the_command(photographs: DataSet, tmp_path: Path) -> None:
    from tests.stub_model import stub_loaded

    loaded = stub_loaded(tmp_path)
    root = str(tmp_path / "photos")
    result = module.label(loaded, root, tmp_path / "out", threshold=0.5)
    assert set(result["thresholds"].values()) == {128 / 255}
    assert module.label(loaded, root, tmp_path / "out", threshold=0.5) == result
    with pytest.raises(UserError, match="holds another data set"):
        module.label(loaded, root, tmp_path / "out", threshold=0.7)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        module.label(loaded, root, tmp_path / "full")
    for wrong in ({"portion": 2}, {"portion": -1}, {"threshold": 1.5}, {"portion": 0.5, "threshold": 0.5}):
        with pytest.raises(UserError):
            module.label(loaded, root, tmp_path / "wrong", **wrong)
    loaded.path.write_bytes(b"other weights")
    with pytest.raises(UserError, match="holds another data set"):
        module.label(loaded, root, tmp_path / "out", threshold=0.5)
