"""Class statistics: counts by brute force, weights and chances in closed form, a cache that notices every change."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import statistics
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.data.statistics import class_counts, class_weights, fingerprint, rare_class_chances
from simteacher.labels import SPACES
from tests import lookalikes
from tests.tiny import SPACE


def test_counts_are_those_of_the_truth(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path / "camvid")
    dataset = open_dataset(made.spec, "train")
    counts = class_counts(dataset, SPACE)
    assert counts.shape == (len(dataset), 11)
    for frame, row in zip(dataset.frames, counts, strict=True):
        expected = [(made.truth[frame.name] == name).sum() for name in SPACE.classes]
        assert row.tolist() == expected


class _Watch:
    """Counts how often labels are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = 0
        original = statistics.read_label

        def read(*args: object) -> object:
            self.reads += 1
            return original(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(statistics, "read_label", read)

    def of(self, dataset: DataSet, space: str, cache: Path) -> int:
        """Reads of one call."""
        self.reads = 0
        class_counts(dataset, SPACES[space], cache)
        return self.reads


def test_the_cache_notices_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, cache = lookalikes.gta5(tmp_path / "gta5", 4), tmp_path / "stats"
    watch = _Watch(monkeypatch)
    dataset = open_dataset(made.spec)
    assert watch.of(dataset, "camvid11", cache) == 4
    assert watch.of(dataset, "camvid11", cache) == 0
    assert watch.of(dataset, "cityscapes19", cache) == 4, "other classes"
    assert watch.of(dataset.subset(dataset.frames[:3]), "camvid11", cache) == 3, "fewer images"
    label = dataset.frames[1].label
    assert label is not None
    stat = label.stat()
    os.utime(label, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))  # same size, written later
    assert watch.of(dataset, "camvid11", cache) == 4, "a label was replaced"
    renamed = replace(dataset, names={**dataset.names, 7: "sidewalk"})
    assert watch.of(renamed, "camvid11", cache) == 4, "the same numbers mean something else"
    assert watch.of(open_dataset(made.spec), "camvid11", cache) == 0


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    dataset, cache = open_dataset(lookalikes.gta5(tmp_path / "gta5", 3).spec), tmp_path / "stats"
    counted = class_counts(dataset, SPACES["camvid11"], cache)
    (kept,) = cache.glob("classes-*.json")
    whole = kept.read_text()
    for damage in ("", whole[:20], "[[1]]"):
        kept.write_text(damage)
        np.testing.assert_array_equal(class_counts(dataset, SPACES["camvid11"], cache), counted)
        assert kept.read_text() == whole


def test_the_cache_gives_the_same_numbers(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.gta5(tmp_path / "gta5", 3).spec)
    fresh, kept = (class_counts(dataset, SPACE, tmp_path / "stats") for _ in range(2))
    assert np.array_equal(fresh, kept) and fresh.dtype == kept.dtype and fresh.sum() > 0


def test_a_fingerprint_follows_names_and_sizes(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.gta5(tmp_path / "gta5", 3).spec)
    first = fingerprint(dataset)
    os.utime(dataset.frames[0].image, (0, 0))
    assert fingerprint(dataset) == first != fingerprint(dataset, times=True)
    assert len({first, fingerprint(dataset.subset(dataset.frames[:2])), fingerprint(dataset.unlabelled())}) == 3
    Image.new("RGB", (64, 48)).save(dataset.frames[0].image)
    assert fingerprint(dataset) != first


def test_a_fingerprint_sees_labels_painted_anew_in_as_many_bytes(tmp_path: Path) -> None:
    """One pixel of another class: uncompressed, so that the file's size cannot tell."""
    dataset = open_dataset(lookalikes.gta5(tmp_path / "gta5", 2).spec)
    path = dataset.frames[1].label
    pixels = np.zeros((48, 64), np.uint8)
    prints = []
    for value in (7, 8):
        pixels[20, 30] = value
        Image.fromarray(pixels).save(path, compress_level=0)
        prints.append((path.stat().st_size, fingerprint(dataset)))
    assert prints[0][0] == prints[1][0] and prints[0][1] != prints[1][1]
    path.unlink()
    assert fingerprint(dataset) not in {p for _, p in prints}


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_class_weights_in_closed_form(exponent: float) -> None:
    counts = np.array([[600.0, 100, 0, 200], [200, 300, 0, 600]])  # shares 0.4, 0.2, 0, 0.4
    shares, median = np.array([0.4, 0.2, 0.0, 0.4]), 0.4
    raw = [(s / median) ** -exponent if s else 1.0 for s in shares]
    mean = sum(w * s for w, s in zip(raw, shares, strict=True))
    weights = class_weights(counts, exponent)
    np.testing.assert_allclose(weights, np.array(raw) / mean)
    assert (weights * shares).sum() == pytest.approx(1.0), "the mean over pixels"


def test_class_weights_have_bounds() -> None:
    counts = np.array([[1e9, 1e4, 1e4, 1.0]])
    weights = class_weights(counts, 1.0)
    assert weights[3] / weights[1] == pytest.approx(10) and weights[0] / weights[1] == pytest.approx(0.1)


def test_nothing_known_weighs_alike_and_is_never_drawn() -> None:
    assert class_weights(np.zeros((3, 4)), 0.5).tolist() == [1, 1, 1, 1]
    assert rare_class_chances(np.zeros((3, 4))).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_rare_class_chances_in_closed_form(temperature: float) -> None:
    counts = np.array([[600.0, 100, 0, 200], [200, 300, 0, 600]])
    expected = [math.exp((1 - f) / temperature) if f else 0.0 for f in (0.4, 0.2, 0.0, 0.4)]
    chances = rare_class_chances(counts, temperature)
    np.testing.assert_allclose(chances, np.array(expected) / sum(expected))
