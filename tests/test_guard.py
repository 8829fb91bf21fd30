"""The guard: readings by brute force; it notices every kind of collapse and lets healthy rounds pass."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simteacher.config import Guard
from simteacher.data.open import open_dataset
from simteacher.dense import probabilities
from simteacher.guard import Reading, judge, read, sample
from tests.lookalikes.streets import photo, save
from tests.stub_model import SPACE, StubModel

CLASSES = ("sky", "road", "tree", "car", "pole")
SHARES = (0.3, 0.4, 0.2, 0.09, 0.01)


def _reading(
    shares: tuple[float, ...] = SHARES, agreement: float = 0.9, confidence: float = 0.8, seed: int = 0
) -> Reading:
    """A reading of two images of 100 x 100 pixels with these class shares, the same places for the same seed."""
    rng = np.random.default_rng(seed)
    counts = np.round(np.array(shares) * 10000).astype(int)
    counts[0] += 10000 - counts.sum()
    order = np.repeat(np.arange(len(shares)), counts).astype(np.uint8)
    labels = tuple(order[rng.permutation(10000)].reshape(100, 100) for _ in range(2))
    return Reading(counts / 10000, agreement, confidence, 0.3, labels)


def _relabel(reading: Reading, source: int, target: int, share: float) -> Reading:
    """A share of the pixels of one class becomes another."""
    rng = np.random.default_rng(5)
    labels = []
    for label in reading.labels:
        changed = label.copy()
        changed[(label == source) & (rng.random(label.shape) < share)] = target
        labels.append(changed)
    counts = np.bincount(np.concatenate(labels).ravel(), minlength=len(CLASSES))
    return replace(reading, labels=tuple(labels), share_K=counts / counts.sum())


def test_a_healthy_round_passes() -> None:
    """Classes grow and shrink by a third, a tenth of the pixels changes, views agree a little less."""
    before = _reading()
    for source, target, share in ((3, 1, 0.35), (1, 2, 0.25), (4, 0, 0.5), (2, 3, 0.4), (0, 4, 0.3)):
        after = replace(_relabel(before, source, target, share), agreement=0.88)
        assert judge(before, after, CLASSES, Guard())[0] == "keep", (source, target)
    assert judge(before, before, CLASSES, Guard())[:2] == ("keep", [])


@pytest.mark.parametrize("vanished", [2, 3, 4])
def test_a_class_that_vanishes_is_named(vanished: int) -> None:
    before = _reading()
    verdict, reasons, signals = judge(before, _relabel(before, vanished, 1, 0.8), CLASSES, Guard())
    assert verdict == "revert" and len(reasons) == 1 and f"'{CLASSES[vanished]}' vanishes" in reasons[0]
    was, now = signals["class_share"][CLASSES[vanished]]
    assert was == pytest.approx(SHARES[vanished]) and now == pytest.approx(0.2 * was, rel=0.3)


def test_rising_confidence_excuses_nothing() -> None:
    """What happened with the plain online recipe: trees and cars go, confidence rises."""
    before = _reading()
    after = replace(_relabel(_relabel(before, 2, 1, 0.95), 3, 1, 1.0), confidence=0.95, entropy=0.05, agreement=0.99)
    verdict, reasons, signals = judge(before, after, CLASSES, Guard())
    assert verdict == "revert" and len(reasons) == 2 and signals["confidence"] == [0.8, 0.95]


def test_a_class_too_small_to_judge_may_go() -> None:
    before = _reading((0.399, 0.6, 0.0, 0.0, 0.001))
    assert judge(before, _relabel(before, 4, 1, 1.0), CLASSES, Guard())[0] == "keep"
    assert judge(before, _relabel(before, 4, 1, 1.0), CLASSES, Guard(min_share=0.0005))[0] == "revert"


def test_a_new_class_is_no_collapse() -> None:
    before = _reading((0.4, 0.4, 0.2, 0.0, 0.0))
    assert judge(before, _relabel(before, 0, 3, 0.2), CLASSES, Guard())[0] == "keep"


def test_predictions_that_run_away_are_noticed_though_shares_stay() -> None:
    before, after = _reading(seed=0), _reading(seed=1)
    expected = float(np.mean([np.mean(a != b) for a, b in zip(before.labels, after.labels, strict=True)]))
    verdict, reasons, signals = judge(before, after, CLASSES, Guard())
    assert verdict == "revert" and len(reasons) == 1 and "changed class" in reasons[0]
    assert signals["drift"] == pytest.approx(expected)
    assert judge(before, after, CLASSES, Guard(drift=1.0))[0] == "keep"


def _moved(reading: Reading, percent: int) -> Reading:
    """So many of the pixels, always the same ones first, are of another class than they were; no share changes much."""
    labels = []
    for label in reading.labels:
        changed = label.ravel().copy()
        upto = len(changed) * percent // 100
        changed[:upto] = (changed[:upto] + 1) % len(CLASSES)
        labels.append(changed.reshape(label.shape))
    return replace(reading, labels=tuple(labels))


def test_what_changes_a_little_in_every_round_is_noticed_in_the_end() -> None:
    """Each round changes a quarter of the pixels, others every time: no round alone is too much."""
    readings = [_moved(_reading(), percent) for percent in (0, 25, 50, 75)]
    judged = [judge(b, a, CLASSES, Guard(), readings[0]) for b, a in itertools.pairwise(readings)]
    assert [verdict for verdict, _, _ in judged] == ["keep", "keep", "revert"]
    assert judged[2][1] == ["75% of the pixels have another class than before the first round"]
    assert ["drift_since_the_first" in signals for _, _, signals in judged] == [False, True, True]
    assert [signals["drift"] for _, _, signals in judged] == pytest.approx([0.25] * 3)
    last = readings[2], _moved(_reading(), 95)
    assert judge(*last, CLASSES, Guard(drift=0.6), readings[0])[0] == "revert"  # nine tenths at most
    assert judge(*last, CLASSES, Guard(drift=1.0), readings[0])[0] == "keep"
    far = _moved(_reading(), 75)
    assert judge(readings[0], far, CLASSES, Guard(), readings[0])[1] == ["75% of the pixels changed class in one round"]


def test_views_that_stop_agreeing_are_noticed() -> None:
    before = _reading(agreement=0.9)
    verdict, reasons, _ = judge(before, replace(before, agreement=0.84), CLASSES, Guard())
    assert verdict == "revert" and "84.0%" in reasons[0] and "90.0%" in reasons[0]
    assert judge(before, replace(before, agreement=0.86), CLASSES, Guard())[0] == "keep"


def test_signals_are_plain_numbers() -> None:
    import json

    before = _reading()
    assert json.loads(json.dumps(judge(before, before, CLASSES, Guard())[2]))["drift"] == 0


def test_reading_by_brute_force(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [photo(rng, (64, 48)), photo(rng, (50, 36))]
    for i, image in enumerate(images):
        save(tmp_path / f"p{i}.png", image)
    model = StubModel(reach=2)
    seen = read(model, open_dataset(tmp_path))
    counts, agree, confidence, entropy = np.zeros(3), [], [], []
    for image, kept in zip(images, seen.labels, strict=True):
        p = probabilities(model, image)[:, ::2, ::2].astype(float)
        q = probabilities(model, np.ascontiguousarray(image[:, ::-1]))[:, :, ::-1][:, ::2, ::2]
        label = p.argmax(0)
        assert np.array_equal(kept, label)
        counts += [(label == k).sum() for k in range(3)]
        agree.append((label == q.argmax(0)).mean())
        confidence.append(p.max(0).mean())
        entropy.append((-(p * np.log(p + 1e-9)).sum(0) / np.log(3)).mean())
    np.testing.assert_allclose(seen.share_K, counts / counts.sum())
    assert seen.agreement == pytest.approx(np.mean(agree)) and len(SPACE) == 3
    assert seen.confidence == pytest.approx(np.mean(confidence), rel=1e-4)
    assert seen.entropy == pytest.approx(np.mean(entropy), rel=1e-3)


def test_the_sample_follows_the_seed_and_keeps_the_order(tmp_path: Path) -> None:
    for i in range(9):
        save(tmp_path / f"p{i}.png", np.zeros((4, 4, 3), np.uint8))
    dataset = open_dataset(tmp_path)
    names = [f.name for f in sample(dataset, 4, 1).frames]
    assert names == sorted(names) and len(set(names)) == 4
    assert names == [f.name for f in sample(dataset, 4, 1).frames]
    assert len({tuple(f.name for f in sample(dataset, 4, s).frames) for s in range(6)}) > 3
    assert [f.name for f in sample(dataset, 50, 1).frames] == [f.name for f in dataset.frames]
