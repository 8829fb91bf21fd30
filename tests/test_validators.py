"""Label-free scores against closed forms and brute force, and on models whose health is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simteacher.data import FolderWriter, open_dataset
from simteacher.data.sample import DataSet
from simteacher.validators import (
    batch_nuclear_norm,
    deep_embedded_risk,
    entropy,
    information,
    soft_neighbourhood_density,
    validate,
)
from tests.stub_model import SPACE, StubCard, StubModel, blocks

ONE_HOT = np.eye(4)[np.arange(40) % 4]
FLAT = np.full((40, 4), 0.25)
ONE_CLASS = np.eye(4)[np.zeros(40, int)]


def test_information_and_entropy_at_their_ends() -> None:
    assert information(ONE_HOT) == pytest.approx(1) and entropy(ONE_HOT) == pytest.approx(0, abs=1e-9)
    assert information(FLAT) == pytest.approx(0, abs=1e-9) and entropy(FLAT) == pytest.approx(1)
    assert information(ONE_CLASS) == pytest.approx(0, abs=1e-9) and entropy(ONE_CLASS) == pytest.approx(0, abs=1e-9)


def test_nuclear_norm_at_its_ends() -> None:
    assert batch_nuclear_norm(ONE_HOT) == pytest.approx(1)
    assert batch_nuclear_norm(ONE_CLASS) == pytest.approx(1 / math.sqrt(4))  # rank one: sqrt(N) / sqrt(N K)
    assert batch_nuclear_norm(FLAT) == pytest.approx(0.25)


def test_neighbourhood_density_is_the_papers_formula() -> None:
    p_NK = np.random.default_rng(0).dirichlet([0.5] * 5, 12)
    unit = p_NK / np.linalg.norm(p_NK, axis=1, keepdims=True)
    total = 0.0
    for i in range(12):
        weights = np.array([math.exp(unit[i] @ unit[j] / 0.05) for j in range(12) if j != i])
        q = weights / weights.sum()
        total += -(q * np.log(q)).sum()
    assert soft_neighbourhood_density(p_NK) == pytest.approx(total / 12 / math.log(11), rel=1e-4)
    assert soft_neighbourhood_density(FLAT) == pytest.approx(1, abs=1e-5)


def test_embedded_risk_is_the_error_where_the_domains_are_alike_and_follows_the_target_where_not() -> None:
    rng = np.random.default_rng(0)
    source = rng.dirichlet([1, 1, 1], 1500)
    wrong = (rng.random(1500) < 0.3).astype(np.float64)
    assert deep_embedded_risk(source, wrong, rng.dirichlet([1, 1, 1], 1500)) == pytest.approx(wrong.mean(), abs=0.02)
    wrong = (source[:, 0] > 0.5).astype(np.float64)  # wrong exactly where class 0 is seen
    often, never = rng.dirichlet([4, 1, 1], 1500), rng.dirichlet([0.3, 2, 2], 1500)
    assert deep_embedded_risk(source, wrong, often) > wrong.mean() > deep_embedded_risk(source, wrong, never)


def photographs(folder: Path, count: int = 4) -> DataSet:
    writer = FolderWriter(folder, SPACE, {})
    for i in range(count):
        image, label = blocks(i)
        writer.add(f"{i}", image=image, label=label)
    writer.close()
    return open_dataset(f"folder:{folder}")


@dataclass
class Collapsed(StubModel):
    """Says one class everywhere, more surely than any healthy model."""

    def logits(self, image_BCHW: Tensor) -> Tensor:
        out = torch.full((len(image_BCHW), 3, *image_BCHW.shape[-2:]), -20.0)
        out[:, 0] = 20.0
        return out


@dataclass
class Erratic(StubModel):
    """Guesses."""

    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def logits(self, image_BCHW: Tensor) -> Tensor:
        return 5 * torch.randn(len(image_BCHW), 3, *image_BCHW.shape[-2:], generator=self.generator)


def test_a_healthy_model_beats_a_collapsed_one_and_a_guesser(tmp_path: Path) -> None:
    data = photographs(tmp_path / "set")
    card = StubCard(size=(64, 48))
    healthy, collapsed, erratic = (validate(m(card), data, data, 4) for m in (StubModel, Collapsed, Erratic))
    assert healthy["flip"] == 1.0 and healthy["source"] == 1.0
    for score in ("agreement", "information", "bnm", "source", "dev"):
        assert healthy[score] > collapsed[score], score
        assert healthy[score] > erratic[score], score
    assert collapsed["entropy"] > healthy["entropy"]  # why confidence must not choose
    assert collapsed["flip"] == 1.0 and collapsed["agreement"] == pytest.approx(1 / 3)


def test_scores_depend_on_the_seed_alone_and_need_no_label(tmp_path: Path) -> None:
    data = photographs(tmp_path / "set").unlabelled()
    first, again = (validate(StubModel(), data, None, 3, seed=5) for _ in range(2))
    assert first == again and "source" not in first and "dev" not in first
    assert validate(StubModel(), data, None, 3, seed=6) != first
