"""Scores against brute force, torchmetrics-free closed forms and the benchmark's own script where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from simteacher.labels import SPACES, LabelSpace
from simteacher.metrics import Confusion, Gain, gain

SPACE = LabelSpace("abcd", ("a", "b", "c", "d"), ((0, 0, 0),) * 4, {})


def brute_force(pred: np.ndarray, label: np.ndarray, k: int) -> float | None:
    """IoU of one class by sets of pixel positions."""
    known = {i for i, v in enumerate(label.ravel()) if v != 255}
    true = {i for i in known if label.ravel()[i] == k}
    said = {i for i in known if pred.ravel()[i] == k}
    return len(true & said) / len(true | said) if true | said else None


def test_equals_brute_force_over_several_images() -> None:
    rng = np.random.default_rng(0)
    pred = rng.choice([0, 1, 3, 255], (3, 20, 30)).astype(np.uint8)
    label = rng.choice([0, 1, 255], (3, 20, 30)).astype(np.uint8)
    confusion = Confusion(4)
    for p, t in zip(pred, label, strict=True):
        confusion.update(p, t)
    scores = confusion.scores(SPACE)
    for k, name in enumerate(SPACE.classes):
        assert scores["iou"][name] == pytest.approx(brute_force(pred, label, k))
    assert scores["iou"]["c"] is None, "absent from label and prediction"
    assert scores["iou"]["d"] == 0, "predicted and never true"
    assert scores["miou"] == pytest.approx(np.mean([v for v in scores["iou"].values() if v is not None]))
    known = label != 255
    assert scores["pixel_accuracy"] == pytest.approx((pred == label)[known].mean())


def test_a_prediction_outside_the_space_counts_against_the_true_class_only() -> None:
    confusion = Confusion(4)
    confusion.update(np.array([[0, 0, 255, 255]], np.uint8), np.array([[0, 0, 0, 1]], np.uint8))
    assert confusion.scores(SPACE) == {
        "miou": pytest.approx((2 / 3 + 0) / 2),
        "pixel_accuracy": 0.5,
        "iou": {"a": pytest.approx(2 / 3), "b": 0.0, "c": None, "d": None},
    }


def test_nothing_labelled_gives_no_number() -> None:
    confusion = Confusion(4)
    confusion.update(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
    assert confusion.scores(SPACE) == {"miou": None, "pixel_accuracy": None, "iou": dict.fromkeys("abcd")}


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        Confusion(4).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_equals_the_cityscapes_script() -> None:
    """The benchmark's own evaluation: its confusion matrix filled with the same pixels gives the same IoU."""
    script = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    helpers = pytest.importorskip("cityscapesscripts.helpers.labels")
    rng = np.random.default_rng(1)
    label = rng.choice([*range(19), 255], (60, 80)).astype(np.uint8)
    pred = np.where(rng.random(label.shape) < 0.6, label, rng.integers(0, 19, label.shape)).astype(np.uint8)
    pred[pred == 255] = 0
    confusion = Confusion(19)
    confusion.update(pred, label)
    ids = np.array([helpers.trainId2label[k].id for k in range(19)])
    matrix = np.zeros((max(ids) + 1, max(ids) + 1), np.longlong)
    known = label != 255
    np.add.at(matrix, (ids[label[known]], ids[pred[known]]), 1)
    script.args.evalLabels = [0, *ids.tolist()]
    iou = confusion.scores(SPACES["cityscapes19"])["iou"]
    for k, name in enumerate(SPACES["cityscapes19"].classes):
        theirs = script.getIouScoreForLabel(int(ids[k]), matrix, script.args)
        assert iou[name] == pytest.approx(theirs), name


def test_a_gain_is_over_the_classes_that_both_have() -> None:
    assert gain({"a": 0.2, "b": 0.4}, {"a": 0.6, "b": 0.2}) == Gain(pytest.approx(0.1), 2, [])
    lost_a_mistake = {"a": 0.5, "b": 0.3, "c": None, "d": None}
    value, classes, left_out = gain({"a": 0.6, "b": 0.3, "c": 0.0, "d": None}, lost_a_mistake)
    assert (value, classes, left_out) == (pytest.approx(-0.05), 2, ["c"]), "though the mean rises from 0.3 to 0.4"
    assert gain({"a": None}, {"a": 0.1}) == Gain(None, 0, ["a"]) and gain({}, {}) == Gain(None, 0, [])
